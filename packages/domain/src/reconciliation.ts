/**
 * Types of break, in words of the reconciliation desk. Each but `pending` is about what is left once that is taken away.
 * - `pending`: a movement that is final on chain and not yet in the books;
 * - `missing-movement`: value left in a way we saw, and nobody here asked for it;
 * - `fee`: nothing left in another way, and network fees of our own are not booked;
 * - `unknown-deposit`: value arrived in a way we saw, more than fees took, and is in no book;
 * - `shortfall`, `excess`: less or more on chain than in the books, and what we saw does not explain it;
 * - `reorg`: the pinned block is not the one that our books were made from;
 * - `token-code`: a token has another code than the one that was reviewed; its assets wait, and no compartment is frozen;
 * - `vault-code`: a vault that was deployed is not what its certificate says; its compartment waits.
 */
export type BreakType =
  | 'pending'
  | 'fee'
  | 'unknown-deposit'
  | 'missing-movement'
  | 'shortfall'
  | 'excess'
  | 'reorg'
  | 'token-code'
  | 'vault-code';

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
  // What is on its way into the books must not hide what is not: a theft beside a larger deposit is no excess.
  const rest = difference - line.pendingIn + line.pendingOut;
  if (rest === 0n) return 'pending';
  const seen = line.unbookedIn - line.unbookedOut - line.unbookedFees;
  if (rest !== seen) return rest < 0n ? 'shortfall' : 'excess';
  if (line.unbookedOut > 0n) return 'missing-movement';
  return rest < 0n ? 'fee' : 'unknown-deposit';
}

/** Whether a break of this type stops withdrawals of its compartment until it is resolved. */
export function breakFreezes(type: BreakType): boolean {
  return type !== 'pending' && type !== 'token-code';
}
