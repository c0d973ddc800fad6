import { CustodyError } from '@bulkhead/domain';
import type { Hash, ObservedBlock } from '@bulkhead/domain';
import {
  type BlockBody,
  type LogFacts,
  type ReceiptFacts,
  readBody,
  readLogs,
  readReceipt,
  readReceipts,
} from './block-facts.ts';
import { type InnerPayment, readInnerPayments } from './call-frame.ts';
import { type Interest, observe, touches, transferTopic } from './observation.ts';
import type { Capabilities, ProbedSource } from './probed-source.ts';
import { hexQuantity } from './shape.ts';

/** Gas of a transaction that ran no code: any inner call costs more, whatever it gets back. */
const plainTransferGas = 21_000n;

export type BlockRequest = {
  readonly height: bigint;
  readonly interest: Interest;
  /** Whether inner calls are part of the answer, so that a source that cannot trace them cannot answer. */
  readonly traced: boolean;
  readonly signal?: AbortSignal;
};

type Reading = { readonly source: ProbedSource; readonly capabilities: Capabilities; readonly request: BlockRequest };

/**
 * What one source says of the block at a height, or undefined when it has none. Three calls at most: the block, its
 * receipts, its traces; one when it is empty. A node without `eth_getBlockReceipts` costs one call more for every
 * transaction from or to a watched address.
 *
 * @throws CustodyError `chain/unavailable`, `chain/nonsense`
 */
export async function readBlock(source: ProbedSource, request: BlockRequest): Promise<ObservedBlock | undefined> {
  const reading = { source, capabilities: await source.ready(), request };
  const params = [hexQuantity(request.height), true];
  const value = await source.read({ method: 'eth_getBlockByNumber', params }, request.signal);
  if (value === null) return undefined;
  const body = readBody(value, request.height);
  const { receipts, logs } = await readOutcomes(reading, body);
  const payments = await readPayments(reading, body, receipts);
  return observe({ body, receipts, logs, payments }, request.interest);
}

type Outcomes = { readonly receipts: ReadonlyMap<Hash, ReceiptFacts>; readonly logs: readonly LogFacts[] };

async function readOutcomes(reading: Reading, body: BlockBody): Promise<Outcomes> {
  const { source, capabilities, request } = reading;
  if (body.transactions.length === 0) return { receipts: new Map(), logs: [] };
  if (capabilities.receipts === 'none') return await readOutcomesSingly(reading, body);
  const block = capabilities.receipts === 'by-hash' ? body.header.hash : hexQuantity(body.header.number);
  const value = await source.read({ method: 'eth_getBlockReceipts', params: [block] }, request.signal);
  const receipts = readReceipts(value ?? gone(body), body);
  return { receipts, logs: [...receipts.values()].flatMap((receipt) => receipt.logs) };
}

async function readOutcomesSingly(reading: Reading, body: BlockBody): Promise<Outcomes> {
  const { source, request } = reading;
  const receipts = new Map<Hash, ReceiptFacts>();
  for (const transaction of body.transactions) {
    if (!touches(transaction, request.interest.watch)) continue;
    const call = { method: 'eth_getTransactionReceipt', params: [transaction.hash] };
    const value = await source.read(call, request.signal);
    receipts.set(transaction.hash, readReceipt(value ?? gone(body), transaction, body.header));
  }
  const { tokens, watch } = request.interest;
  // Contracts of ours may be a million: where some are followed, all events of the block are asked for and most are dropped.
  const follows = watch.contracts !== undefined;
  if (tokens.size === 0 && !follows) return { receipts, logs: [] };
  const filter = follows
    ? { blockHash: body.header.hash }
    : { blockHash: body.header.hash, address: [...tokens], topics: [transferTopic] };
  const logs = await source.read({ method: 'eth_getLogs', params: [filter] }, request.signal);
  return { receipts, logs: readLogs(logs, body.header) };
}

async function readPayments(
  reading: Reading,
  body: BlockBody,
  receipts: ReadonlyMap<Hash, ReceiptFacts>,
): Promise<readonly InnerPayment[]> {
  const { source, capabilities, request } = reading;
  const ranCode = body.transactions.some(({ hash }) => receipts.get(hash)?.gasUsed !== plainTransferGas);
  if (!request.traced || !ranCode) return [];
  if (!capabilities.traces) {
    throw new CustodyError(
      'chain/unavailable',
      'The node does not offer trace_block, which is needed for inner calls.',
    );
  }
  const call = { method: 'trace_block', params: [hexQuantity(body.header.number)] };
  return readInnerPayments(await source.read(call, request.signal), body);
}

/** A node that has the block and not its receipts has just changed its mind about the block, or is not done with it. */
function gone(body: BlockBody): never {
  throw new CustodyError('chain/unavailable', `The node has block ${body.header.number} and not yet its receipts.`);
}
