import {
  type BlockRef,
  type Chain,
  type ChainId,
  CustodyError,
  type Hash,
  invariant,
  isHash,
  refuse,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { type Answer, command, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { record } from './journal.ts';

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

/**
 * Lets a chain that stood still go on, because somebody mended what made it stop. If the reason is still there, it stops again:
 * nothing is skipped, the block at hand is taken as if for the first time.
 */
export async function resumeChain(
  custody: Custody,
  call: WriteCall,
  input: { readonly chain: ChainId },
): Promise<Answer<ResumedView>> {
  chainPort(custody, input.chain);
  return command(custody, call, async (tx, now) => {
    const [row] = await tx.query('select * from custody.chain_cursor where chain = $1 for update', [input.chain]);
    const cursor = row === undefined ? undefined : cursorOf(input.chain, row);
    if (cursor === undefined || cursor.stoppedReason === undefined) {
      return refuse('chain/not-stopped', `${input.chain} does not stand still; there is nothing to resume.`, {
        chain: input.chain,
      });
    }
    const { stoppedReason } = cursor;
    await tx.query('update custody.chain_cursor set stopped_reason = null, updated_at = $2 where chain = $1', [
      input.chain,
      now,
    ]);
    await record(tx, now, { actor: call.actor, subject: input.chain, event: 'chain-resumed', data: { stoppedReason } });
    return { chain: input.chain, resumedBy: call.actor.name, resumedAt: now.toISOString(), stoppedReason };
  });
}

export type ResumedView = {
  readonly chain: string;
  readonly resumedBy: string;
  readonly resumedAt: string;
  /** Why it stood still. */
  readonly stoppedReason: string;
};

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
