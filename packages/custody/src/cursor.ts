import { type BlockRef, type Chain, type ChainId, CustodyError, type Hash, invariant, isHash } from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';

/** How far a chain is taken. Everything up to `tip` is observed without a hole, everything up to `final` is booked. */
export type Cursor = {
  readonly chain: ChainId;
  /** The block below the first one that was taken. */
  readonly start: bigint;
  readonly tip: BlockRef;
  readonly final: BlockRef;
  /** Height up to which the balances of all wallets were looked at. */
  readonly swept: bigint;
  readonly stoppedReason: string | undefined;
};

/** The configured chain. @throws CustodyError `chain/unknown` */
export function chainPort(custody: Custody, chain: ChainId): Chain {
  const port = custody.chains.get(chain);
  if (port === undefined) {
    const known = [...custody.chains.keys()].join(', ');
    throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${known}.`);
  }
  return port;
}

export function hash(row: Row, name: string): Hash {
  const value = text(row, name);
  invariant(isHash(value), `Column "${name}" holds no hash.`, { value });
  return value;
}

function cursorOf(chain: ChainId, row: Row): Cursor {
  return {
    chain,
    start: bigint(row, 'start_number'),
    tip: { number: bigint(row, 'tip_number'), hash: hash(row, 'tip_hash') },
    final: { number: bigint(row, 'final_number'), hash: hash(row, 'final_hash') },
    swept: bigint(row, 'swept_number'),
    stoppedReason: textOrNull(row, 'stopped_reason') ?? undefined,
  };
}

export async function findCursor(db: Queries, chain: ChainId): Promise<Cursor | undefined> {
  const [row] = await db.query('select * from custody.chain_cursor where chain = $1', [chain]);
  return row === undefined ? undefined : cursorOf(chain, row);
}

/**
 * The cursor of a chain that may be advanced.
 *
 * @throws CustodyError `chain/stopped` when it stands still until people have looked, `chain/unknown` before its first start
 */
export async function movingCursor(db: Queries, chain: ChainId): Promise<Cursor> {
  return moving(chain, await findCursor(db, chain));
}

/**
 * As {@link movingCursor}, and nobody else moves the chain until the transaction ends. First in the order of locks: cursor,
 * dispatches, withdrawals, deposits, wallets, ledger.
 */
export async function lockCursor(tx: Transaction, chain: ChainId): Promise<Cursor> {
  const [row] = await tx.query('select * from custody.chain_cursor where chain = $1 for update', [chain]);
  return moving(chain, row === undefined ? undefined : cursorOf(chain, row));
}

function moving(chain: ChainId, cursor: Cursor | undefined): Cursor {
  if (cursor === undefined) {
    throw new CustodyError('chain/unknown', `${chain} was never started: nothing of it is followed.`);
  }
  if (cursor.stoppedReason !== undefined) {
    throw new CustodyError(
      'chain/stopped',
      `${chain} stands still at block ${cursor.tip.number}: ${cursor.stoppedReason} Nothing is credited or settled until this is resolved.`,
    );
  }
  return cursor;
}

/** Lets a chain stand still. The first reason stays: what comes after it is a consequence. */
export async function stopChain(
  db: Queries,
  chain: ChainId,
  stop: { readonly reason: string; readonly now: Date },
): Promise<void> {
  await db.query(
    'update custody.chain_cursor set stopped_reason = $2, updated_at = $3 where chain = $1 and stopped_reason is null',
    [chain, stop.reason, stop.now],
  );
}

/** The canonical block that we stored at a height, or undefined where there is none. */
export async function storedBlock(
  db: Queries,
  chain: ChainId,
  height: bigint,
): Promise<(BlockRef & { readonly parentHash: Hash }) | undefined> {
  const [row] = await db.query(
    'select number, hash, parent_hash from custody.block where chain = $1 and number = $2 and removed_at is null',
    [chain, height],
  );
  if (row === undefined) return undefined;
  return { number: bigint(row, 'number'), hash: hash(row, 'hash'), parentHash: hash(row, 'parent_hash') };
}
