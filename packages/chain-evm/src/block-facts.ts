import type { Address, BlockRef, ContractLog, Hash } from '@bulkhead/domain';
import {
  type Fields,
  nonsense,
  readAddress,
  readData,
  readFields,
  readHash,
  readList,
  readQuantity,
  readText,
} from './shape.ts';

export type Header = BlockRef & { readonly parentHash: Hash; readonly timestamp: bigint };

export type TransactionFacts = {
  readonly hash: Hash;
  readonly from: Address;
  /** Absent when the transaction creates a contract. */
  readonly to?: Address;
  readonly value: bigint;
  readonly nonce: bigint;
  readonly gasPrice: bigint | undefined;
};

export type LogFacts = ContractLog;

export type ReceiptFacts = {
  readonly transaction: Hash;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly fee: bigint;
  readonly created?: Address;
  readonly logs: readonly LogFacts[];
};

/** A credit of the consensus layer (EIP-4895), in wei. */
export type ValidatorWithdrawal = { readonly index: bigint; readonly to: Address; readonly amount: bigint };

export type BlockBody = {
  readonly header: Header;
  readonly transactions: readonly TransactionFacts[];
  readonly withdrawals: readonly ValidatorWithdrawal[];
};

/** EIP-4895 counts in gwei. */
const weiPerGwei = 10n ** 9n;

/** Reads the header of the block at `height`, or of whichever block was asked for by tag. */
export function readHeader(value: unknown, height?: bigint): Header {
  const block = readFields(value, 'the block');
  const number = readQuantity(block['number'], 'the number of the block');
  if (height !== undefined && number !== height) {
    throw nonsense(`block ${height} was asked for and another came`, number.toString());
  }
  const hash = readHash(block['hash'], `the hash of block ${number}`);
  const parentHash = readHash(block['parentHash'], `the parent of block ${number}`);
  if (hash === parentHash) throw nonsense(`block ${number} is its own parent`, hash);
  const timestamp = readQuantity(block['timestamp'], `the time of block ${number}`);
  return { number, hash, parentHash, timestamp };
}

/** Reads a full block; every transaction must say that it belongs to it, once. */
export function readBody(value: unknown, height: bigint): BlockBody {
  const header = readHeader(value, height);
  const block = readFields(value, 'the block');
  const seen = new Set<Hash>();
  const transactions = readList(block['transactions'], `the transactions of block ${height}`).map((item) => {
    const transaction = readTransactionFacts(item, header);
    if (seen.has(transaction.hash)) throw nonsense(`block ${height} holds a transaction twice`, transaction.hash);
    seen.add(transaction.hash);
    return transaction;
  });
  // Blocks before the Shanghai fork, and of many layer-2 chains, have no such field.
  const list = block['withdrawals'] ?? [];
  const withdrawals = readList(list, `the withdrawals of block ${height}`).map(readWithdrawal);
  return { header, transactions, withdrawals };
}

function readTransactionFacts(value: unknown, header: Header): TransactionFacts {
  const fields = readFields(value, `a transaction of block ${header.number}`);
  const hash = readHash(fields['hash'], `the hash of a transaction of block ${header.number}`);
  checkBlock(fields, header, `transaction ${hash}`);
  const to = fields['to'];
  const gasPrice = fields['gasPrice'];
  return {
    hash,
    from: readAddress(fields['from'], `the sender of ${hash}`),
    ...(to === null || to === undefined ? {} : { to: readAddress(to, `the recipient of ${hash}`) }),
    value: readQuantity(fields['value'], `the value of ${hash}`),
    nonce: readQuantity(fields['nonce'], `the nonce of ${hash}`),
    gasPrice: gasPrice === undefined ? undefined : readQuantity(gasPrice, `the gas price of ${hash}`),
  };
}

function readWithdrawal(value: unknown): ValidatorWithdrawal {
  const fields = readFields(value, 'a validator withdrawal');
  return {
    index: readQuantity(fields['index'], 'the index of a validator withdrawal'),
    to: readAddress(fields['address'], 'the address of a validator withdrawal'),
    amount: readQuantity(fields['amount'], 'the amount of a validator withdrawal') * weiPerGwei,
  };
}

/** Reads the receipts of a whole block: exactly one for each transaction, in their order. */
export function readReceipts(value: unknown, body: BlockBody): ReadonlyMap<Hash, ReceiptFacts> {
  const { header, transactions } = body;
  const list = readList(value, `the receipts of block ${header.number}`);
  if (list.length !== transactions.length) {
    throw nonsense(`block ${header.number} has ${transactions.length} transactions and ${list.length} receipts`);
  }
  const receipts = new Map<Hash, ReceiptFacts>();
  for (const [index, transaction] of transactions.entries()) {
    receipts.set(transaction.hash, readReceipt(list[index], transaction, header));
  }
  return receipts;
}

export function readReceipt(value: unknown, transaction: TransactionFacts, header: Header): ReceiptFacts {
  const { hash } = transaction;
  const fields = readFields(value, `the receipt of ${hash}`);
  const owner = readHash(fields['transactionHash'], `the transaction of the receipt of ${hash}`);
  if (owner !== hash) throw nonsense(`the receipt of ${hash} belongs to another transaction`, owner);
  checkBlock(fields, header, `the receipt of ${hash}`);
  const from = readAddress(fields['from'], `the sender in the receipt of ${hash}`);
  if (from !== transaction.from) throw nonsense(`the receipt of ${hash} names another sender`, from);
  const status = readQuantity(fields['status'], `the status of ${hash}`);
  if (status > 1n) throw nonsense(`the status of ${hash} is neither success nor failure`, fields['status']);
  const succeeded = status === 1n;
  const logs = readLogs(fields['logs'], header, hash);
  if (!succeeded && logs.length > 0) throw nonsense(`${hash} failed and left logs`);
  const gasUsed = readQuantity(fields['gasUsed'], `the gas of ${hash}`);
  const created = fields['contractAddress'];
  return {
    transaction: hash,
    succeeded,
    gasUsed,
    fee: readFee(fields, transaction, gasUsed),
    ...(created === null || created === undefined
      ? {}
      : { created: readAddress(created, `the contract made by ${hash}`) }),
    logs,
  };
}

/** All that the sender lost beside the value: execution, blobs (EIP-4844), and the data fee of a layer 2. */
function readFee(fields: Fields, transaction: TransactionFacts, gasUsed: bigint): bigint {
  const { hash, gasPrice } = transaction;
  const optional = (name: string): bigint => {
    const value = fields[name];
    return value === undefined || value === null ? 0n : readQuantity(value, `the ${name} of ${hash}`);
  };
  const stated = fields['effectiveGasPrice'];
  const price = stated === undefined ? gasPrice : readQuantity(stated, `the gas price paid by ${hash}`);
  if (price === undefined) throw nonsense(`the receipt of ${hash} has no gas price`);
  return gasUsed * price + optional('blobGasUsed') * optional('blobGasPrice') + optional('l1Fee');
}

/** Reads a list of logs that must belong to the block and, where one is named, to the transaction. */
export function readLogs(value: unknown, header: Header, transaction?: Hash): readonly LogFacts[] {
  const what = transaction === undefined ? `a log of block ${header.number}` : `a log of ${transaction}`;
  const seen = new Set<string>();
  return readList(value, `the list of ${what}`).map((item) => {
    const fields = readFields(item, what);
    checkBlock(fields, header, what);
    const owner = readHash(fields['transactionHash'], `the transaction of ${what}`);
    if (transaction !== undefined && owner !== transaction) {
      throw nonsense(`${what} belongs to another transaction`, owner);
    }
    const index = readQuantity(fields['logIndex'], `the index of ${what}`);
    const key = `${owner}:${index}`;
    if (seen.has(key)) throw nonsense(`${what} comes twice`, key);
    seen.add(key);
    return {
      transaction: owner,
      index,
      address: readAddress(fields['address'], `the contract of ${what}`),
      topics: readList(fields['topics'], `the topics of ${what}`).map((topic) =>
        readText(topic, `a topic of ${what}`).toLowerCase(),
      ),
      data: readData(fields['data'], `the data of ${what}`),
    };
  });
}

export function checkBlock(fields: Fields, header: Header, what: string): void {
  const hash = readHash(fields['blockHash'], `the block of ${what}`);
  if (hash !== header.hash) throw nonsense(`${what} belongs to block ${hash}, not to ${header.hash}`);
}
