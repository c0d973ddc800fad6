import { CustodyError } from '@bulkhead/domain';
import { bigint, type Database, type Queries, sqlState, type Transaction } from '@bulkhead/postgres';

/** Leaves that one erasure destroys the openings of. */
export const erasedAtOnceMax = 1_000;

export type ErasureOrder = {
  readonly leaves: readonly number[];
  /** Destroys the contents of facts, in the transaction of the erasure. */
  readonly eraseContents: (tx: Transaction, positions: readonly bigint[]) => Promise<void>;
  /** Writes down the erasure as a fact whose content lists `leaves`. */
  readonly record: (tx: Transaction, leaves: readonly number[]) => Promise<void>;
};

/** Adds a period for which openings are kept; the longest one counts, and none is removed. For the owner, in the transaction of the fact that says so. */
export async function lengthenRetention(
  tx: Transaction,
  now: Date,
  { period, reason }: { readonly period: string; readonly reason: string },
): Promise<void> {
  await tx.query(
    'insert into log.retention (period, reason, decided_at) values ($1::interval, $2, $3) on conflict (period) do nothing',
    [period, reason, now],
  );
}

/** Which of the facts at these places are leaves with an opening. */
export async function openedLeaves(db: Queries, positions: readonly bigint[]): Promise<readonly number[]> {
  const rows = await db.query(
    'select l.index from log.leaf l join log.opening o on o.index = l.index where l.position = any ($1::bigint[]) order by l.index',
    [positions],
  );
  return rows.map((row) => Number(bigint(row, 'index')));
}

/**
 * Destroys salts and contents of leaves whose retention is over, in one transaction with the fact that says so. For the owner of
 * the tables alone: the application has no right to delete.
 *
 * @throws CustodyError `log/retained` where one of them is under legal retention, or is no leaf with an opening: nothing is erased
 */
export async function eraseOpenings(owner: Database, order: ErasureOrder): Promise<void> {
  const leaves = [...new Set(order.leaves)].toSorted((a, b) => a - b);
  if (leaves.length > erasedAtOnceMax) {
    throw new CustodyError(
      'log/retained',
      `One erasure is of at most ${erasedAtOnceMax} leaves, not ${leaves.length}.`,
    );
  }
  await owner.transaction(async (tx) => {
    const rows = await tx.query(
      `select l.position, substring(l.entry from 3 for get_byte(l.entry, 1)) in ('transfer'::bytea, 'erasure'::bytea) as kept
       from log.leaf l join log.opening o on o.index = l.index where l.index = any ($1::bigint[])`,
      [leaves],
    );
    if (rows.length !== leaves.length || rows.some((row) => row['kept'] === true)) {
      const message =
        'Only leaves with an opening are erased, none of a transfer (the books hold ids and amounts, and are kept), and none of an erasure (it accounts for others).';
      throw new CustodyError('log/retained', message);
    }
    try {
      await tx.query('delete from log.opening where index = any ($1::bigint[])', [leaves]);
    } catch (cause) {
      if (sqlState(cause) !== 'BH004') throw cause;
      const message = `Nothing was erased: ${cause instanceof Error ? cause.message : 'a leaf is under legal retention'}.`;
      throw new CustodyError('log/retained', message, { cause });
    }
    await order.eraseContents(
      tx,
      rows.map((row) => bigint(row, 'position')),
    );
    await order.record(tx, leaves);
    // Commit point: salts, contents and the fact of their erasure go together or not at all.
  });
}
