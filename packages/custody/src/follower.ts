import {
  type BlockRef,
  type Chain,
  type ChainId,
  CustodyError,
  invariant,
  type ObservedBlock,
  type WatchSet,
} from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { type Cursor, chainPort, findCursor, lockCursor, movingCursor, stopChain, storedBlock } from './cursor.ts';
import type { Custody } from './custody.ts';
import { detectDeposits, removeDeposits } from './deposit-detection.ts';
import { sightAttempt } from './dispatch.ts';
import { openReorgBreak } from './freeze.ts';
import { removeAbove, storeBlock } from './movement.ts';
import { removeLogsAbove, storeLogs } from './vault-event.ts';
import { followedOn } from './vault-system.ts';
import { AddressWatch } from './watch.ts';

/** Blocks that one call of {@link observe} takes. */
export const observeBlocksMax = 64;

export type ObserveOptions = {
  readonly blocksMax?: number;
  /** Kept over calls, so that a million addresses are read once. */
  readonly watch?: AddressWatch;
  readonly signal?: AbortSignal;
};

export type Observed = {
  /** Blocks that this call stored. */
  readonly taken: number;
  /** Blocks that a reorg took away again. */
  readonly removed: number;
  /** There was no block above the tip. */
  readonly atHead: boolean;
};

const watchesNothing: WatchSet = { has: () => false };

/**
 * Starts to follow a chain, or checks that it is still the chain our books were made from. The first start begins above
 * `fromHeight`, or above the block that is final now: deposits below it were never watched.
 *
 * @throws CustodyError `chain/behind-books` when the chain lacks our final block, and what the port throws
 */
export async function startChain(custody: Custody, chain: ChainId, fromHeight?: bigint): Promise<Cursor> {
  const port = chainPort(custody, chain);
  const known = await findCursor(custody.db, chain);
  if (known !== undefined) {
    await checkFinal(port, known);
    return known;
  }
  const { final } = await port.heads();
  const height = fromHeight ?? final.number;
  if (height > final.number) {
    throw new CustodyError(
      'chain/behind-books',
      `${chain} is to be followed from block ${height}, and only block ${final.number} is final. Start at a final block.`,
    );
  }
  const block = await port.block(height, watchesNothing);
  if (block === undefined) {
    throw new CustodyError('chain/unavailable', `${chain} has no block ${height} now, though it is final. Try again.`);
  }
  const now = custody.clock.now();
  return custody.db.transaction(async (tx) => {
    const inserted = await tx.query(
      `insert into custody.chain_cursor (chain, start_number, tip_number, tip_hash, final_number, final_hash, swept_number, updated_at)
       values ($1, $2, $2, $3, $2, $3, $2, $4) on conflict (chain) do nothing returning chain`,
      [chain, block.number, block.hash, now],
    );
    // Of two servers that start at once one begins the run; the other one follows it.
    if (inserted.length > 0) await storeBlock(tx, { chain, block, watch: watchesNothing, now });
    return movingCursor(tx, chain);
  });
}

async function checkFinal(port: Chain, cursor: Cursor): Promise<void> {
  const { final } = cursor;
  const there = await port.hashAt(final.number);
  if (there === final.hash) return;
  if (there === undefined) {
    const { latest } = await port.heads();
    throw new CustodyError(
      'chain/behind-books',
      `${port.id} ends at block ${latest.number}, and our books are made up to block ${final.number}: the node lost its data or is still catching up. Give it its data back, or wait.`,
      { details: { booked: final.number.toString(), latest: latest.number.toString() } },
    );
  }
  throw new CustodyError(
    'chain/behind-books',
    `${port.id} has block ${there} at height ${final.number}, and our books are made from ${final.hash}: this is another chain. Point the configuration at the right one, or begin with a new database.`,
    { details: { booked: final.hash, found: there } },
  );
}

/**
 * Takes the blocks above the tip, one database transaction each, until the head or `blocksMax`. Several indexers may run at
 * once: whoever holds the cursor takes the block, and the others go on from there.
 *
 * A crash at any point leaves the tip at a block that is stored whole; the next call takes the next one. A block that cannot
 * be taken ends the call with its fault and is taken again by the next call: none is ever skipped.
 *
 * @throws CustodyError `chain/stopped`, `chain/finality-violated`, `chain/behind-books`, and what port and database throw
 */
export async function observe(custody: Custody, chain: ChainId, options: ObserveOptions = {}): Promise<Observed> {
  const port = chainPort(custody, chain);
  const watch = options.watch ?? new AddressWatch(chain, followedOn(custody, chain));
  const blocksMax = options.blocksMax ?? observeBlocksMax;
  let taken = 0;
  let removed = 0;
  while (taken < blocksMax && removed <= taken + blocksMax && options.signal?.aborted !== true) {
    const cursor = await movingCursor(custody.db, chain);
    // The set is read before the block is: what an address got that was issued in between is looked for once more below.
    await watch.refresh(custody.db);
    const height = cursor.tip.number + 1n;
    const block = await port.block(height, watch);
    if (block !== undefined && block.number !== height) {
      throw new CustodyError(
        'chain/nonsense',
        `${chain} was asked for block ${height} and gave block ${block.number}.`,
      );
    }
    if (block?.parentHash === cursor.tip.hash) {
      if (await takeBlock(custody, { chain, block, watch })) taken += 1;
      continue;
    }
    const steppedBack = await stepBack(custody, port, cursor);
    removed += steppedBack;
    if (steppedBack > 0) continue;
    if (block === undefined) return { taken, removed, atHead: true };
    // The tip is still canonical, so the block was read while the chain changed, or another indexer moved on.
    const moved = await movingCursor(custody.db, chain);
    if (moved.tip.hash === cursor.tip.hash) {
      throw new CustodyError(
        'chain/unavailable',
        `Block ${height} of ${chain} does not follow our block ${cursor.tip.hash}: the chain is changing. Try again.`,
      );
    }
  }
  return { taken, removed, atHead: false };
}

/** False when the block must be read again: another indexer was faster, or an address was issued while it was on its way. */
async function takeBlock(
  custody: Custody,
  { chain, block, watch }: { readonly chain: ChainId; readonly block: ObservedBlock; readonly watch: AddressWatch },
): Promise<boolean> {
  const now = custody.clock.now();
  return custody.db.transaction(async (tx) => {
    const cursor = await lockCursor(tx, chain);
    if (cursor.tip.hash !== block.parentHash) return false;
    // Everything somebody can have paid to in this block was issued before it was read; all of it is committed by now.
    if (await watch.refresh(tx)) return false;
    await storeBlock(tx, { chain, block, watch, now });
    for (const { hash, succeeded } of block.sent) {
      await sightAttempt(tx, hash, {
        sight: { at: 'block', block: { number: block.number, hash: block.hash }, succeeded },
        now,
      });
    }
    await storeLogs(tx, block.logs, { chain, block, watch, now });
    if (block.movements.length > 0) await detectDeposits(tx, { chain, block: block.hash, now });
    await moveTip(tx, chain, { tip: block, now });
    // The commit stores the block, all that is in it and the new tip. A crash before it leaves nothing of the block.
    return true;
  });
}

async function moveTip(
  tx: Transaction,
  chain: ChainId,
  to: { readonly tip: BlockRef; readonly now: Date },
): Promise<void> {
  await tx.query('update custody.chain_cursor set tip_number = $2, tip_hash = $3, updated_at = $4 where chain = $1', [
    chain,
    to.tip.number,
    to.tip.hash,
    to.now,
  ]);
}

/**
 * Looks whether the chain left our branch, and takes away what is on it: all blocks above the last common one in one
 * transaction. Answers how many; none when the tip still stands or the chain is merely shorter than it was.
 */
async function stepBack(custody: Custody, port: Chain, cursor: Cursor): Promise<number> {
  const fork = await forkBelow(custody, port, cursor);
  if (fork === undefined) return 0;
  const now = custody.clock.now();
  return custody.db.transaction(async (tx) => {
    const { tip, final } = await lockCursor(tx, port.id);
    // Another indexer moved the tip or finalized a block meanwhile: what we compared is no longer what is stored.
    if (tip.hash !== cursor.tip.hash || final.hash !== cursor.final.hash) return 0;
    const block = await storedBlock(tx, port.id, fork);
    if (block === undefined) return 0;
    const sent = await removeAbove(tx, port.id, { height: fork, now });
    for (const hash of sent) await sightAttempt(tx, hash, { sight: 'removed', now });
    await removeDeposits(tx, port.id, { height: fork, now });
    await removeLogsAbove(tx, port.id, { height: fork, now });
    await moveTip(tx, port.id, { tip: block, now });
    return Number(tip.number - fork);
  });
}

/**
 * Height of the last block that the chain and we have in common, or undefined when the chain shows no block that contradicts
 * ours. Found by halving: below the fork all hashes are equal, above it none is.
 */
async function forkBelow(custody: Custody, port: Chain, cursor: Cursor): Promise<bigint | undefined> {
  const { latest } = await port.heads();
  const { final, tip } = cursor;
  if (latest.number < final.number) {
    throw new CustodyError(
      'chain/behind-books',
      `${port.id} shows block ${latest.number} as its newest, and our books are made up to block ${final.number}. Wait until it has caught up, or give it its data back.`,
    );
  }
  const agrees = async (height: bigint): Promise<boolean> => {
    const there = await port.hashAt(height);
    if (there === undefined) {
      throw new CustodyError(
        'chain/unavailable',
        `${port.id} has no block ${height} now, and it had one just before. Try again.`,
      );
    }
    const stored = height === final.number ? final : await storedBlock(custody.db, port.id, height);
    return stored?.hash === there;
  };
  let above = tip.number < latest.number ? tip.number : latest.number;
  if (await agrees(above)) return undefined;
  if (above === final.number || !(await agrees(final.number))) return await violated(custody, port, cursor);
  let below = final.number;
  while (above - below > 1n) {
    const middle = (above + below) / 2n;
    if (await agrees(middle)) below = middle;
    else above = middle;
  }
  return below;
}

/** Final blocks that are compared to say how far back a broken finality reaches. */
const violationDepthMax = 64n;

/** Our books were made from blocks that the chain no longer has. Guessing on is worse than standing still. */
async function violated(custody: Custody, port: Chain, cursor: Cursor): Promise<never> {
  const removed: BlockRef[] = [];
  for (
    let height = cursor.final.number;
    height > cursor.start && height > cursor.final.number - violationDepthMax;
    height -= 1n
  ) {
    const stored = await storedBlock(custody.db, port.id, height);
    if (stored === undefined || stored.hash === (await port.hashAt(height))) break;
    removed.push({ number: stored.number, hash: stored.hash });
  }
  const oldest = removed.at(-1)?.number ?? cursor.final.number;
  const reason = `Final blocks from ${oldest} to ${cursor.final.number} (${cursor.final.hash}) are no longer on the chain.`;
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    const { final } = await lockCursor(tx, port.id);
    invariant(final.number >= cursor.final.number, 'A chain became less final.');
    await stopChain(tx, port.id, { reason, now });
    await openReorgBreak(custody, tx, { chain: port.id, removed, now });
  });
  throw new CustodyError(
    'chain/finality-violated',
    `${port.id} broke its finality. ${reason} Nothing more is credited or settled until people have looked.`,
    {
      details: { chain: port.id, height: cursor.final.number.toString(), hash: cursor.final.hash },
    },
  );
}
