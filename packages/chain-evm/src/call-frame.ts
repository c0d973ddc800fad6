import type { Address, Hash } from '@bulkhead/domain';
import { type BlockBody, checkBlock } from './block-facts.ts';
import { type Fields, nonsense, readAddress, readFields, readHash, readList, readQuantity } from './shape.ts';

/** Value that an inner call moved. */
export type InnerPayment = {
  readonly transaction: Hash;
  /** Where in the tree of calls, as `0.2.1`: third call of the first call, and in it the second. */
  readonly path: string;
  readonly from: Address;
  readonly to: Address;
  readonly amount: bigint;
};

type Frame = {
  readonly transaction: Hash;
  readonly path: readonly number[];
  readonly failed: boolean;
  readonly payment: Omit<InnerPayment, 'transaction' | 'path'> | undefined;
};

/**
 * The payments of inner calls in what `trace_block` (OpenEthereum, Nethermind, Erigon, Reth, Besu, anvil) says of a block.
 * A frame that failed moved nothing, and neither did any frame below it, whatever they say of themselves. The top frame is
 * the transaction itself, whose value is read from the transaction.
 *
 * @throws CustodyError `chain/nonsense` when a frame belongs elsewhere or a transaction has no top frame
 */
export function readInnerPayments(value: unknown, body: BlockBody): readonly InnerPayment[] {
  const known = new Set(body.transactions.map(({ hash }) => hash));
  const frames = new Map<Hash, Frame[]>();
  for (const item of readList(value, `the traces of block ${body.header.number}`)) {
    const frame = readFrame(readFields(item, 'a trace'), body);
    if (frame === undefined) continue;
    if (!known.has(frame.transaction)) {
      throw nonsense(`block ${body.header.number} has a trace of the foreign transaction`, frame.transaction);
    }
    const list = frames.get(frame.transaction) ?? [];
    list.push(frame);
    frames.set(frame.transaction, list);
  }
  return body.transactions.flatMap(({ hash }) => paymentsOf(hash, frames.get(hash) ?? []));
}

function paymentsOf(transaction: Hash, frames: readonly Frame[]): readonly InnerPayment[] {
  if (!frames.some(({ path }) => path.length === 0)) throw nonsense(`the traces lack the transaction`, transaction);
  const failed = new Set<string>();
  for (const frame of frames) if (frame.failed) failed.add(frame.path.join('.'));
  const payments: InnerPayment[] = [];
  const seen = new Set<string>();
  for (const { path, payment } of frames) {
    const place = path.join('.');
    if (seen.has(place)) throw nonsense(`a trace of ${transaction} comes twice`, place);
    seen.add(place);
    if (path.length === 0 || payment === undefined || payment.amount === 0n) continue;
    // From the frame itself up to the top frame, whose path is the empty text.
    const standing = path.every((_, depth) => !failed.has(path.slice(0, depth + 1).join('.'))) && !failed.has('');
    if (standing) payments.push({ transaction, path: place, ...payment });
  }
  return payments;
}

/** Rewards of old chains have no transaction and are no frame of one: the balance sweep finds them. */
function readFrame(fields: Fields, body: BlockBody): Frame | undefined {
  checkBlock(fields, body.header, 'a trace');
  if (fields['type'] === 'reward') return undefined;
  const transaction = readHash(fields['transactionHash'], 'the transaction of a trace');
  const path = readList(fields['traceAddress'], `the place of a trace of ${transaction}`).map((index) => {
    if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) {
      throw nonsense(`the place of a trace of ${transaction} is no list of indices`, index);
    }
    return index;
  });
  const failed = fields['error'] !== undefined && fields['error'] !== null;
  return { transaction, path, failed, payment: failed ? undefined : readPayment(fields, transaction) };
}

function readPayment(fields: Fields, transaction: Hash): Frame['payment'] {
  const action = readFields(fields['action'], `a trace of ${transaction}`);
  const address = (value: unknown): Address => readAddress(value, `an address in a trace of ${transaction}`);
  const amount = (value: unknown): bigint => readQuantity(value, `a value in a trace of ${transaction}`);
  switch (fields['type']) {
    case 'call':
      // Delegate calls carry the value of the call around them, and code calls pay nobody but themselves.
      if (action['callType'] !== 'call') return undefined;
      return { from: address(action['from']), to: address(action['to']), amount: amount(action['value']) };
    case 'create': {
      const result = readFields(fields['result'], `the contract made in a trace of ${transaction}`);
      return { from: address(action['from']), to: address(result['address']), amount: amount(action['value']) };
    }
    case 'suicide':
    case 'selfdestruct':
      return {
        from: address(action['address']),
        to: address(action['refundAddress']),
        amount: amount(action['balance']),
      };
    default:
      throw nonsense(`a trace of ${transaction} has an unknown type`, fields['type']);
  }
}
