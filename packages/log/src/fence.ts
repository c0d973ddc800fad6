import { bigint, only, type Queries, text } from '@bulkhead/postgres';

/**
 * A place in the order of facts, and a number of transactions: once all transactions below that number have ended, no fact up to
 * that place is still to come.
 *
 * Whoever writes a fact has the number of its transaction before it draws the place (`ledger.next_position`, `ledger.post`). So a
 * transaction that drew a place up to `position` has a number below one that was given out after `position` was read.
 */
export type Fence = { readonly position: bigint; readonly transaction: bigint };

/** Fences that wait behind one long transaction; more are thinned out, which holds facts back a little longer and loses none. */
export const fencesMax = 512;

export type FenceReading = {
  readonly fence: Fence;
  /** Number of the oldest transaction that is still open, this one included. */
  readonly oldestOpen: bigint;
};

/** Sets a fence. Two statements, in this order: the newest place is read before the number is given out. */
export async function readFence(tx: Queries): Promise<FenceReading> {
  const position = bigint(only(await tx.query('select ledger.last_position() as position')), 'position');
  const row = only(
    await tx.query(`select pg_current_xact_id()::text as own, pg_snapshot_xmin(pg_current_snapshot())::text as oldest`),
  );
  return { fence: { position, transaction: BigInt(text(row, 'own')) }, oldestOpen: BigInt(text(row, 'oldest')) };
}

/** The fences that still wait, and the place up to which everything is known to be there; 0 where no fence says so. */
export function passFences(
  waiting: readonly Fence[],
  { fence, oldestOpen }: FenceReading,
): { readonly waiting: readonly Fence[]; readonly position: bigint } {
  const all = [...waiting, fence];
  const passed = all.filter(({ transaction }) => transaction <= oldestOpen);
  const left = all.filter(({ transaction }) => transaction > oldestOpen);
  const thinned = left.length <= fencesMax ? left : left.filter((_, n) => n % 2 === 0);
  return { waiting: thinned, position: passed.at(-1)?.position ?? 0n };
}
