import { chainNumber, CustodyError } from '@bulkhead/domain';
import type { ChainId } from '@bulkhead/domain';
import { hexQuantity, nonsense, readFields, readHash, readQuantity } from './shape.ts';
import type { RpcAnswer, Source } from './source.ts';

/** What a node offers beside the calls that every node has. */
export type Capabilities = {
  /** `trace_block`: inner calls of a whole block in one call. */
  readonly traces: boolean;
  /**
   * `eth_getBlockReceipts`: all receipts of a block in one call, asked for by hash, or by number where the node takes no
   * hash. `none` means one call for each transaction that touches us, and one for the logs.
   */
  readonly receipts: 'by-hash' | 'by-number' | 'none';
};

/** A source that is known to serve the chain we mean. */
export type ProbedSource = Source & {
  /**
   * Finds out once what the node is and offers, and remembers it. A node that was away is asked again at the next use.
   *
   * @throws CustodyError `chain/nonsense` when it serves another chain, `chain/unavailable`
   */
  readonly ready: () => Promise<Capabilities>;
  /** What is known without asking; undefined until the node has answered once. */
  readonly known: () => Capabilities | undefined;
};

/** JSON-RPC: the method does not exist. */
const methodMissingCode = -32_601;
const missingWords = /not (?:found|supported|available|exist|enabled|allowed)|unsupported|does not exist|disabled/iu;

export function probeSource(source: Source, chain: ChainId): ProbedSource {
  let capabilities: Capabilities | undefined;
  let running: Promise<Capabilities> | undefined;
  const probe = async (): Promise<Capabilities> => {
    try {
      await checkChain(source, chain);
      capabilities = await readCapabilities(source);
      return capabilities;
    } finally {
      running = undefined;
    }
  };
  const ready = async (): Promise<Capabilities> => {
    if (capabilities !== undefined) return capabilities;
    running ??= probe();
    return await running;
  };
  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    await ready();
    return await work();
  };
  return {
    name: source.name,
    ready,
    known: () => capabilities,
    ask: async (call, signal) => await use(async () => await source.ask(call, signal)),
    read: async (call, signal) => await use(async () => await source.read(call, signal)),
    send: async (call) => await use(async () => await source.send(call)),
  };
}

async function checkChain(source: Source, chain: ChainId): Promise<void> {
  const served = readQuantity(await source.read({ method: 'eth_chainId', params: [] }), 'the chain id');
  if (served === BigInt(chainNumber(chain))) return;
  throw new CustodyError(
    'chain/nonsense',
    `The source ${source.name} serves eip155:${served}, but it is configured for ${chain}. Correct the URL of the source.`,
    { details: { configured: chain, served: `eip155:${served}` } },
  );
}

async function readCapabilities(source: Source): Promise<Capabilities> {
  const latest = await source.read({ method: 'eth_getBlockByNumber', params: ['latest', false] });
  const block = readFields(latest, 'the newest block');
  const hash = readHash(block['hash'], 'the hash of the newest block');
  const number = hexQuantity(readQuantity(block['number'], 'the number of the newest block'));
  const offers = async (method: string, parameter: string): Promise<boolean> =>
    isOffered(method, await source.ask({ method, params: [parameter] }));
  const byHash = await offers('eth_getBlockReceipts', hash);
  const byNumber = !byHash && (await offers('eth_getBlockReceipts', number));
  return {
    receipts: byHash ? 'by-hash' : byNumber ? 'by-number' : 'none',
    traces: await offers('trace_block', number),
  };
}

function isOffered(method: string, answer: RpcAnswer): boolean {
  if (answer.ok) {
    if (answer.result === null || Array.isArray(answer.result)) return answer.result !== null;
    throw nonsense(`${method} gave no list`, answer.result);
  }
  if (answer.code === methodMissingCode || missingWords.test(answer.message)) return false;
  // A node that knows the method and refuses this use of it does not offer what we need either: invalid parameters.
  return false;
}
