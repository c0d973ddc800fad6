import { nativeAsset, parseAddress, tokenAsset } from '@bulkhead/domain';
import type {
  Address,
  AssetId,
  ChainId,
  ContractLog,
  Hash,
  Movement,
  ObservedBlock,
  SentTransaction,
  WatchSet,
} from '@bulkhead/domain';
import type { BlockBody, LogFacts, ReceiptFacts, TransactionFacts } from './block-facts.ts';
import type { InnerPayment } from './call-frame.ts';

/** `keccak256("Transfer(address,address,uint256)")`, ERC-20. */
export const transferTopic = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';

const addressTopic = /^0x0{24}([0-9a-f]{40})$/u;
const wordData = /^0x[0-9a-f]{64}$/u;

/** All that one source said of one block. */
export type BlockFacts = {
  readonly body: BlockBody;
  /** Of every transaction, or of those that touch a watched address. */
  readonly receipts: ReadonlyMap<Hash, ReceiptFacts>;
  readonly logs: readonly LogFacts[];
  /** Absent where the source traces nothing. */
  readonly payments: readonly InnerPayment[];
};

/** What is looked for in a block. */
export type Interest = {
  readonly chain: ChainId;
  readonly watch: WatchSet;
  /** Allow-listed token contracts. Events of any other contract prove nothing. */
  readonly tokens: ReadonlySet<Address>;
};

/**
 * The part of a block that concerns the watched addresses. Token movements of zero are kept, because they are how addresses
 * are poisoned and people ask about them; native ones of zero move nothing and are left out.
 */
export function observe(facts: BlockFacts, interest: Interest): ObservedBlock {
  const { header, transactions, withdrawals } = facts.body;
  const movements: Movement[] = [];
  const sent: SentTransaction[] = [];
  for (const transaction of transactions) {
    const receipt = facts.receipts.get(transaction.hash);
    if (receipt === undefined) continue;
    const movement = nativeMovement(transaction, receipt, interest);
    if (movement !== undefined) movements.push(movement);
    if (interest.watch.has(transaction.from)) sent.push(sentTransaction(transaction, receipt));
  }
  movements.push(...innerMovements(facts, interest));
  for (const log of facts.logs) {
    const movement = tokenMovement(log, interest);
    if (movement !== undefined) movements.push(movement);
  }
  for (const { index, to, amount } of withdrawals) {
    if (amount === 0n || !interest.watch.has(to)) continue;
    const asset = nativeAsset(interest.chain);
    movements.push({ kind: 'validator-withdrawal', reference: index.toString(), asset, to, amount });
  }
  return { ...header, movements, sent, logs: followedLogs(facts.logs, interest) };
}

/** Transfers of listed tokens are movements, whoever emits them; every other event of ours or of a followed contract is told as it is. */
function followedLogs(logs: readonly LogFacts[], { watch, tokens }: Interest): readonly ContractLog[] {
  return logs
    .filter(({ address }) => !tokens.has(address) && (watch.has(address) || watch.contracts?.has(address) === true))
    .toSorted((a, b) => (a.index < b.index ? -1 : 1));
}

/** Whether the transaction itself, not what it calls, has to do with us. */
export function touches(transaction: TransactionFacts, watch: WatchSet): boolean {
  return watch.has(transaction.from) || (transaction.to !== undefined && watch.has(transaction.to));
}

function nativeMovement(
  transaction: TransactionFacts,
  receipt: ReceiptFacts,
  interest: Interest,
): Movement | undefined {
  const { hash, from, value } = transaction;
  const to = transaction.to ?? receipt.created;
  if (!receipt.succeeded || value === 0n) return undefined;
  if (!interest.watch.has(from) && (to === undefined || !interest.watch.has(to))) return undefined;
  const asset = nativeAsset(interest.chain);
  return {
    kind: 'native',
    reference: hash,
    transaction: hash,
    asset,
    from,
    ...(to === undefined ? {} : { to }),
    amount: value,
  };
}

function sentTransaction(transaction: TransactionFacts, receipt: ReceiptFacts): SentTransaction {
  const { hash, from, nonce } = transaction;
  return { hash, from, nonce, succeeded: receipt.succeeded, fee: receipt.fee };
}

function innerMovements(facts: BlockFacts, interest: Interest): readonly Movement[] {
  const asset: AssetId = nativeAsset(interest.chain);
  const movements: Movement[] = [];
  for (const { transaction, path, from, to, amount } of facts.payments) {
    if (!interest.watch.has(from) && !interest.watch.has(to)) continue;
    // A trace that contradicts the receipt proves nothing; the receipt is what consensus covers.
    if (facts.receipts.get(transaction)?.succeeded === false) continue;
    movements.push({ kind: 'internal', reference: `${transaction}:${path}`, transaction, asset, from, to, amount });
  }
  return movements;
}

/** Logs of another shape (ERC-721, other events, garbage) are not transfers of an ERC-20 token, and are no error. */
function tokenMovement(log: LogFacts, interest: Interest): Movement | undefined {
  if (!interest.tokens.has(log.address)) return undefined;
  const [signature, sender, recipient, ...rest] = log.topics;
  if (signature !== transferTopic || rest.length > 0 || !wordData.test(log.data)) return undefined;
  const from = addressIn(sender);
  const to = addressIn(recipient);
  if (from === undefined || to === undefined) return undefined;
  if (!interest.watch.has(from) && !interest.watch.has(to)) return undefined;
  return {
    kind: 'token',
    reference: `${log.transaction}:${log.index}`,
    transaction: log.transaction,
    asset: tokenAsset(interest.chain, log.address),
    from,
    to,
    amount: BigInt(log.data),
  };
}

function addressIn(topic: string | undefined): Address | undefined {
  const digits = topic === undefined ? undefined : addressTopic.exec(topic)?.[1];
  return digits === undefined ? undefined : parseAddress(`0x${digits}`);
}
