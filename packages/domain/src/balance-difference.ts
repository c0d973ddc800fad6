import type { Address } from './address.ts';
import { nativeAsset } from './asset.ts';
import type { BlockRef, Chain, Movement } from './chain.ts';
import { CustodyError, invariant } from './fault.ts';

/** What {@link bisectDifference} looks for, and where. */
export type DifferenceSearch = {
  readonly address: Address;
  /** Height up to which the balance is explained. */
  readonly from: bigint;
  /** Height at which it may no longer be; above `from`. */
  readonly to: bigint;
  /**
   * What the movements and fees we know did to the balance after `from`, up to and including this height, in wei; negative
   * where it fell. Zero at `from`.
   */
  readonly expected: (height: bigint) => bigint | Promise<bigint>;
};

/** The block whose known movements do not explain what the balance did in it, and the movement that would. */
export type FoundDifference = { readonly block: BlockRef; readonly movement: Movement };

/**
 * Finds the block of native coin that moved without a transaction we saw: forced by self-destruct, a block reward, an inner
 * call that no node traced. Halves the range until the balance is explained before a block and not after it, so the number
 * of calls grows with the logarithm of the range: two per step, one for the hash of a block and one for the balance at it.
 *
 * Uses nothing but the port, so it works on any chain behind it. Differences that cancel each other out inside the range
 * stay unseen; of several that do not, one is found: book it, and search again from its block.
 *
 * @returns undefined when the balance at `to` is explained
 * @throws CustodyError `chain/unavailable` when the chain has no block at a height of the range, and what the port throws
 */
export async function bisectDifference(chain: Chain, search: DifferenceSearch): Promise<FoundDifference | undefined> {
  invariant(search.from < search.to, 'A balance difference is searched in a range of at least one block.');
  const base = await balanceAt(chain, search.address, search.from);
  const unexplainedAt = async (height: bigint): Promise<{ block: BlockRef; amount: bigint }> => {
    const position = await balanceAt(chain, search.address, height);
    const expected = await search.expected(height);
    return { block: position.block, amount: position.amount - base.amount - expected };
  };

  let explained = search.from;
  let found = await unexplainedAt(search.to);
  if (found.amount === 0n) return undefined;
  // Between `explained` and `found` the difference appears: true now, and after every step of the loop.
  while (found.block.number - explained > 1n) {
    const middle = (explained + found.block.number) / 2n;
    const probe = await unexplainedAt(middle);
    if (probe.amount === 0n) explained = middle;
    else found = probe;
  }
  return { block: found.block, movement: movementOf(chain, search.address, found.amount) };
}

async function balanceAt(chain: Chain, address: Address, height: bigint): Promise<{ block: BlockRef; amount: bigint }> {
  const hash = await chain.hashAt(height);
  if (hash === undefined) {
    throw new CustodyError(
      'chain/unavailable',
      `${chain.id} has no block at height ${height} now; search for a balance difference in final blocks.`,
    );
  }
  const block = { number: height, hash };
  const [amount] = await chain.balances([{ asset: nativeAsset(chain.id), address }], block);
  invariant(amount !== undefined, 'One balance was asked for and none came back.');
  return { block, amount };
}

function movementOf(chain: Chain, address: Address, amount: bigint): Movement {
  const facts = {
    kind: 'balance-difference',
    reference: address,
    asset: nativeAsset(chain.id),
  } as const;
  return amount > 0n ? { ...facts, to: address, amount } : { ...facts, from: address, amount: -amount };
}
