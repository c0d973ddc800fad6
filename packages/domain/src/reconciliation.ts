/**
 * Types of break, in words of the reconciliation desk.
 * - `pending`: a movement that is final on chain and not yet in the books;
 * - `fee`: exactly a network fee of our own that is not booked;
 * - `unknown-deposit`: value arrived in a way we saw, and is in no book;
 * - `missing-movement`: value left in a way we saw, and nobody here asked for it;
 * - `shortfall`, `excess`: less or more on chain than in the books, without any explanation;
 * - `reorg`: the pinned block is not the one that our books were made from.
 */
export type BreakType = 'pending' | 'fee' | 'unknown-deposit' | 'missing-movement' | 'shortfall' | 'excess' | 'reorg';

/** One wallet and asset at the pinned block. All sums in base units; `unbooked` sums are of movements we observed up to there. */
export type ReconciliationLine = {
  readonly books: bigint;
  readonly chain: bigint;
  /** Left the wallet, matched to no dispatch. */
  readonly unbookedOut: bigint;
  /** Burnt by transactions matched to no dispatch. */
  readonly unbookedFees: bigint;
  /** Reached the wallet, in a block that is final but not yet booked. */
  readonly pendingIn: bigint;
  /** Left the wallet, matched to a dispatch, in a block that is final but not yet booked; fees included. */
  readonly pendingOut: bigint;
  /** Reached the wallet and booked nowhere although its block is booked. */
  readonly unbookedIn: bigint;
};

/** The type of the break, or undefined where books and chain agree. Tolerance is zero. */
export function classifyBreak(line: ReconciliationLine): BreakType | undefined {
  const difference = line.chain - line.books;
  if (difference === 0n) return undefined;
  if (difference === line.pendingIn - line.pendingOut) return 'pending';
  if (line.unbookedOut === 0n && line.unbookedFees > 0n && difference === -line.unbookedFees) return 'fee';
  if (line.unbookedOut > 0n && difference === line.unbookedIn - line.unbookedOut - line.unbookedFees) return 'missing-movement';
  if (line.unbookedIn > 0n && difference === line.unbookedIn) return 'unknown-deposit';
  return difference < 0n ? 'shortfall' : 'excess';
}

/** Whether a break of this type stops withdrawals of its compartment until it is resolved. */
export function breakFreezes(type: BreakType): boolean {
  return type !== 'pending';
}
