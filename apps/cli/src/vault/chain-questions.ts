import {
  hexQuantity,
  openSource,
  readAddress,
  readData,
  readFields,
  readHash,
  readList,
  readQuantity,
  type Source,
} from '@bulkhead/chain-evm';
import { type Address, type ChainId, CustodyError, parseChainId } from '@bulkhead/domain';
import type { ContractLog, Hex } from '@bulkhead/vaults';

/** A log, and where it stands. */
export type PlacedLog = ContractLog & {
  readonly address: Address;
  readonly height: bigint;
  readonly transaction: string;
  readonly index: bigint;
};

export type AccountProof = {
  readonly nodes: readonly Hex[];
  readonly storage: readonly { readonly slot: Hex; readonly nodes: readonly Hex[] }[];
};

/** What is asked of a node. Nothing of it is believed because the node says so. */
export type ChainQuestions = {
  /** Host and port. */
  readonly name: string;
  chain(): Promise<ChainId>;
  /** The fields of a header, as the node gives them; undefined for a block that it does not have. */
  header(block: Hex | 'finalized' | 'latest'): Promise<Readonly<Record<string, unknown>> | undefined>;
  proof(address: Address, slots: readonly Hex[], height: bigint): Promise<AccountProof>;
  code(address: Address, height: bigint): Promise<Hex>;
  balance(address: Address, height: bigint): Promise<bigint>;
  call(to: Address, data: Hex, height: bigint): Promise<Hex>;
  logs(filter: LogFilter, range: HeightRange): Promise<readonly PlacedLog[]>;
  /** Raw receipts of a block, in order. */
  receipts(height: bigint): Promise<readonly Readonly<Record<string, unknown>>[]>;
  source: Source;
};

export type LogFilter = { readonly address?: Address; readonly topics: readonly (Hex | null)[] };
export type HeightRange = { readonly from: bigint; readonly to: bigint };

/** Blocks that are asked about in one call for logs; many nodes refuse more. */
const logRangeMax = 5_000n;

/** @throws CustodyError `config/invalid` for what is no URL, as its answers `chain/unavailable`, `chain/nonsense` */
export function openQuestions(url: string): ChainQuestions {
  const source = openSource(url);
  const read = async (method: string, ...params: readonly unknown[]): Promise<unknown> =>
    await source.read({ method, params });
  const logsOf = async (filter: LogFilter, { from, to }: HeightRange): Promise<readonly PlacedLog[]> => {
    const answer = await read('eth_getLogs', { ...filter, fromBlock: hexQuantity(from), toBlock: hexQuantity(to) });
    return readList(answer, 'a list of logs').map(placedLog);
  };
  return {
    name: source.name,
    source,
    chain: async () => parseChainId(`eip155:${readQuantity(await read('eth_chainId'), 'a chain id')}`),
    header: async (block) => {
      const byHash = block.length === 66;
      const answer = await read(byHash ? 'eth_getBlockByHash' : 'eth_getBlockByNumber', block, false);
      return answer === null ? undefined : readFields(answer, 'a block');
    },
    proof: async (address, slots, height) => {
      const fields = readFields(await read('eth_getProof', address, slots, hexQuantity(height)), 'a proof');
      const storage = readList(fields['storageProof'], 'proofs of storage').map((entry, place) => {
        const { proof } = readFields(entry, 'a proof of storage');
        return { slot: slots[place] ?? '0x', nodes: nodesOf(proof) };
      });
      if (storage.length !== slots.length) throw missing('It proved another number of slots than it was asked for');
      return { nodes: nodesOf(fields['accountProof']), storage };
    },
    code: async (address, height) => readData(await read('eth_getCode', address, hexQuantity(height)), 'code'),
    balance: async (address, height) =>
      readQuantity(await read('eth_getBalance', address, hexQuantity(height)), 'a balance'),
    call: async (to, data, height) =>
      readData(await read('eth_call', { to, data }, hexQuantity(height)), 'an answer of a contract'),
    logs: async (filter, { from, to }) => {
      const found: PlacedLog[] = [];
      for (let start = from; start <= to; start += logRangeMax) {
        const end = start + logRangeMax - 1n < to ? start + logRangeMax - 1n : to;
        found.push(...(await logsOf(filter, { from: start, to: end })));
      }
      return found;
    },
    receipts: async (height) =>
      readList(await read('eth_getBlockReceipts', hexQuantity(height)), 'receipts').map((entry) =>
        readFields(entry, 'a receipt'),
      ),
  };
}

export function placedLog(value: unknown): PlacedLog {
  const fields = readFields(value, 'a log');
  return {
    address: readAddress(fields['address'], 'the address of a log'),
    topics: readList(fields['topics'], 'topics').map((topic) => readHash(topic, 'a topic')),
    data: readData(fields['data'], 'the data of a log'),
    height: readQuantity(fields['blockNumber'], 'the block of a log'),
    transaction: readHash(fields['transactionHash'], 'the transaction of a log'),
    index: readQuantity(fields['logIndex'], 'the place of a log'),
  };
}

function nodesOf(value: unknown): readonly Hex[] {
  return readList(value, 'a proof').map((node) => readData(node, 'a node of a proof'));
}

function missing(fact: string): CustodyError {
  return new CustodyError('chain/nonsense', `${fact}. Do not rely on this source until it is repaired.`);
}
