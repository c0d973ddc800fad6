import { type Address, type BlockRef, type Chain, type ChainId, type Compartment, type Hash, type TransferRequest, invariant, parseCompartment } from '@bulkhead/domain';
import { mark, openBook } from '@bulkhead/ledger';
import { bigint, type Queries, text, type Transaction } from '@bulkhead/postgres';
import { creditsOf, tokenArrivals } from './arrival.ts';
import { postAll } from './books.ts';
import { chainPort, type Cursor, lockCursor, movingCursor, storedBlock } from './cursor.ts';
import type { Custody } from './custody.ts';
import { creditDeposits } from './deposit-credit.ts';
import { detectDeposits } from './deposit-detection.ts';
import { blockMovements, blockSent, type StoredMovement, type StoredSent, toItself } from './movement.ts';
import { type ExplainedBy, settleSent, wakeWaiting } from './settlement.ts';
import { ourWallets, type Wallet } from './wallet.ts';

/** Blocks that one call of {@link finalize} books. */
export const finalizeBlocksMax = 64;

export type FinalizeOptions = { readonly blocksMax?: number; readonly signal?: AbortSignal };

export type Finalized = {
  /** Blocks that this call booked. */
  readonly booked: number;
  /** Everything the chain calls final and we have observed is booked. */
  readonly atFinal: boolean;
};

/** Why a credit was allowed; stored with each deposit. */
export type FinalityRule = {
  readonly rule: 'finalized';
  /** The final block that stood on top of the credited one. */
  readonly block: { readonly number: string; readonly hash: string };
  readonly sources: readonly string[];
  readonly required: number;
  readonly reachedAt: string;
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
  let booked = 0;
  while (options.signal?.aborted !== true) {
    const cursor = await movingCursor(custody.db, chain);
    // Also repairs the marker of a block whose booking was the last thing before a crash.
    await mark(custody.db, { chain, block: cursor.final });
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

/** Books the block above the final one. False when somebody else did, or when what is stored is not the final branch. */
async function bookBlock(custody: Custody, port: Chain, { cursor, target, rule }: Booking): Promise<boolean> {
  const chain = port.id;
  const block = await storedBlock(custody.db, chain, cursor.final.number + 1n);
  if (block === undefined || block.parentHash !== cursor.final.hash) return await notOurs(custody, cursor);
  const credits = await tokenCredits(custody, port, { block, parent: cursor.final });
  const now = custody.clock.now();
  return custody.db.transaction(async (tx) => {
    const { final } = await lockCursor(tx, chain);
    if (final.hash !== cursor.final.hash) return false;
    // The stored blocks of one height each are linked by hash from the tip down, so the one at the target decides for all below.
    const [standing, proof] = [await storedBlock(tx, chain, block.number), await storedBlock(tx, chain, target.number)];
    if (standing?.hash !== block.hash || proof?.hash !== target.hash) return await notOurs(custody, cursor);
    const movements = await blockMovements(tx, chain, block.hash);
    if (movements.some(({ id }) => !credits.read.has(id))) return false;
    await bookMovements(custody, tx, { chain, block: { number: block.number, hash: block.hash }, movements, credits: credits.amounts, rule, now });
    // The commit stores the transfers of the block, the states they belong to, their jobs and the new final block. A crash
    // before it leaves the block unbooked as a whole; one after it leaves only the marker to be written.
    return true;
  });
}

/** The stored branch is not the one that is final. The observer steps back from it; until then there is nothing to book. */
async function notOurs(custody: Custody, cursor: Cursor): Promise<boolean> {
  const now = await movingCursor(custody.db, cursor.chain);
  if (now.final.hash !== cursor.final.hash) return false;
  throw branchUnknown(cursor);
}
