import type { BlockHasher } from './block-hasher.ts';
import { shuffleHash } from './reserve-hash.ts';

/**
 * Indexes of leaves in the order of claims: the first claim stands at the first of them. The places after the claims are
 * nobody's. Fisher and Yates, with numbers from the epoch's key, so that a client's index says nothing and changes with every epoch.
 */
export function leafOrder(of: {
  readonly hasher: BlockHasher;
  readonly key: Uint8Array;
  readonly compartment: number;
  readonly depth: number;
  readonly claims: number;
}): Uint32Array {
  const leaves = 2 ** of.depth;
  const order = new Uint32Array(leaves);
  for (let at = 0; at < leaves; at += 1) order[at] = at;
  const below = randomBelow(of);
  for (let at = 0; at < of.claims; at += 1) {
    const other = at + below(leaves - at);
    const kept = order[at] ?? 0;
    order[at] = order[other] ?? 0;
    order[other] = kept;
  }
  return order;
}

function randomBelow(of: {
  readonly hasher: BlockHasher;
  readonly key: Uint8Array;
  readonly compartment: number;
}): (bound: number) => number {
  const words = new Uint8Array(32);
  const view = new DataView(words.buffer);
  let used = 32;
  let round = 0;
  const word = (): number => {
    if (used === 32) {
      words.set(shuffleHash({ hasher: of.hasher, context: of.key }, { compartment: of.compartment, place: round }));
      round += 1;
      used = 0;
    }
    used += 4;
    return view.getUint32(used - 4);
  };
  return (bound) => {
    // Words beyond the last whole multiple are drawn again: a remainder of all would favour the low indexes.
    const whole = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const drawn = word();
      if (drawn < whole) return drawn % bound;
    }
  };
}
