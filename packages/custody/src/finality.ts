import { type BlockRef, type Chain, type ChainId, CustodyError, invariant } from '@bulkhead/domain';
import { lastMarker, mark } from '@bulkhead/ledger';
import { creditsOf, tokenArrivals } from './arrival.ts';
import { sweepBeforeExits } from './balance-sweep.ts';
import { addressesOf, bookFinalBlock, type FinalityRule, walletsByAddress } from './block-booking.ts';
import { chainPort, type Cursor, lockCursor, movingCursor, storedBlock } from './cursor.ts';
import type { Custody } from './custody.ts';
import { blockMovements } from './movement.ts';
import { takenDecided } from './vault-applied.ts';

/** Blocks that one call of {@link finalize} books. */
export const finalizeBlocksMax = 64;

export type FinalizeOptions = { readonly blocksMax?: number; readonly signal?: AbortSignal };

export type Finalized = {
  /** Blocks that this call booked. */
  readonly booked: number;
  /** Everything the chain calls final and we have observed is booked. */
  readonly atFinal: boolean;
};

/**
 * Books the observed blocks that became final, in order: one database transaction for everything in a block, then the coverage
 * marker of the ledger in a transaction of its own. A crash between the two is repaired by the next call, which marks the
 * newest booked block before it books another one.
 *
 * A block counts as final when the chain of hashes that we stored leads from it to a block that the chain says is final.
 *
 * @throws CustodyError `chain/stopped`, `invariant/broken`, and what port, ledger and database throw
 */
export async function finalize(custody: Custody, chain: ChainId, options: FinalizeOptions = {}): Promise<Finalized> {
  const port = chainPort(custody, chain);
  const blocksMax = options.blocksMax ?? finalizeBlocksMax;
  const { final } = await port.heads();
  const target = await provenFinal(port, await movingCursor(custody.db, chain), final);
  const rule = finalityRule(custody, chain, final);
  let marked = (await lastMarker(custody.db, chain))?.block.hash;
  let booked = 0;
  while (options.signal?.aborted !== true) {
    const cursor = await movingCursor(custody.db, chain);
    // Also repairs the marker of a block whose booking was the last thing before a crash.
    if (marked !== cursor.final.hash) await mark(custody.db, { chain, block: cursor.final });
    marked = cursor.final.hash;
    if (target === undefined || cursor.final.number >= target.number) return { booked, atFinal: true };
    if (booked >= blocksMax) break;
    if (await bookBlock(custody, port, { cursor, target, rule })) booked += 1;
  }
  return { booked, atFinal: false };
}

/**
 * The newest block of ours that is final for sure: the chain's final block itself where we have come that far, or else our tip
 * when it is the canonical block at a height that is final. Undefined while our branch is another one, until the observer has
 * stepped back.
 */
async function provenFinal(port: Chain, cursor: Cursor, final: BlockRef): Promise<BlockRef | undefined> {
  if (final.number <= cursor.tip.number) return final;
  return (await port.hashAt(cursor.tip.number)) === cursor.tip.hash ? cursor.tip : undefined;
}

function finalityRule(custody: Custody, chain: ChainId, final: BlockRef): FinalityRule {
  const agreement = custody.policy.agreement.get(chain);
  invariant(agreement !== undefined, 'The policy does not say which sources of a chain must agree.', { chain });
  return {
    rule: 'finalized',
    block: { number: final.number.toString(), hash: final.hash },
    sources: agreement.sources,
    required: agreement.required,
    reachedAt: custody.clock.now().toISOString(),
  };
}

type Booking = { readonly cursor: Cursor; readonly target: BlockRef; readonly rule: FinalityRule };

/** Books the block above the final one. False when somebody else did, or when it must be looked at once more. */
async function bookBlock(custody: Custody, port: Chain, { cursor, target, rule }: Booking): Promise<boolean> {
  const chain = port.id;
  const stored = await storedBlock(custody.db, chain, cursor.final.number + 1n);
  // Whoever stepped back from a branch moved the tip too: the next call sees where the chain is now.
  if (stored === undefined || stored.parentHash !== cursor.final.hash) return await lookAgain(custody, cursor);
  const block: BlockRef = { number: stored.number, hash: stored.hash };
  await sweepBeforeExits(custody, chain, block);
  const credits = await tokenCredits(custody, port, { block, parent: cursor.final });
  const decided = await takenDecided(custody.db, port, { chain, block });
  const now = custody.clock.now();
  const outcome = await custody.db.transaction(async (tx) => {
    const { final } = await lockCursor(tx, chain);
    if (final.hash !== cursor.final.hash) return 'others did';
    // Stored blocks that stand are linked by hash from the tip down, so the one at the target speaks for all below it.
    const standing = await storedBlock(tx, chain, block.number);
    const proof = await storedBlock(tx, chain, target.number);
    if (standing?.hash !== block.hash || proof?.hash !== target.hash) return 'another branch';
    const movements = await blockMovements(tx, chain, block.hash);
    if (movements.some(({ id }) => !credits.seen.has(id))) return 'others did';
    await bookFinalBlock(custody, tx, { chain, block, movements, credits: credits.amounts, decided, rule, now });
    // The commit stores the transfers of the block, the states they belong to, their jobs and the new final block. A crash
    // before it leaves the block unbooked as a whole; one after it leaves only the marker to be written.
    return 'booked';
  });
  if (outcome === 'another branch') return await lookAgain(custody, cursor);
  return outcome === 'booked';
}

/** What we stored is not the branch that is final. The observer steps back from it; until then there is nothing to book. */
async function lookAgain(custody: Custody, before: Cursor): Promise<boolean> {
  const cursor = await movingCursor(custody.db, before.chain);
  if (cursor.final.hash !== before.final.hash) return false;
  throw new CustodyError(
    'chain/unavailable',
    `Block ${cursor.final.number + 1n} of ${cursor.chain} is final, and what we observed there is another branch. It is booked after the observer has stepped back.`,
  );
}

type TokenCredits = {
  /** Movements that were looked at. */
  readonly seen: ReadonlySet<string>;
  /** What token movements really brought, by movement id. */
  readonly amounts: ReadonlyMap<string, bigint>;
};

/** Asks the chain for the balances before and after a block of every wallet and token that received something in it. */
async function tokenCredits(
  custody: Custody,
  port: Chain,
  at: { readonly block: BlockRef; readonly parent: BlockRef },
): Promise<TokenCredits> {
  const movements = await blockMovements(custody.db, port.id, at.block.hash);
  const seen = new Set(movements.map(({ id }) => id));
  const ours = await walletsByAddress(custody.db, port.id, addressesOf(movements));
  const arrivals = tokenArrivals(movements, (address) => ours.has(address));
  if (arrivals.length === 0) return { seen, amounts: new Map() };
  const before = await port.balances(arrivals, at.parent);
  const after = await port.balances(arrivals, at.block);
  const changes = arrivals.map((arrival, index) => {
    const [earlier, later] = [before[index], after[index]];
    invariant(earlier !== undefined && later !== undefined, 'The chain answered fewer balances than it was asked for.');
    return { ...arrival, before: earlier, after: later };
  });
  return { seen, amounts: creditsOf(movements, changes) };
}
