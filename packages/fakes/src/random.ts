import { createHash } from 'node:crypto';
import { invariant } from '@bulkhead/domain';

/** Repeatable randomness: the same seed gives the same numbers on every machine. Nothing secret may come from it. */
export type Random = {
  /** A whole number from 0 to `count - 1`. */
  below(count: number): number;
  /** An amount from 1 to `max`, in base units. */
  amount(max: bigint): bigint;
  /** True in `percent` of a hundred cases. */
  percent(percent: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  /** A generator of its own, so that what one part draws does not change what another one gets. */
  fork(label: string): Random;
};

const drawBytes = 8;

/** Reads SHA-256 over seed and counter as numbers. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  const draw = (): bigint => {
    counter += 1;
    return createHash('sha256').update(`${seed}\n${counter}`).digest().readBigUInt64BE(0);
  };
  const below = (count: number): number => {
    invariant(Number.isSafeInteger(count) && count > 0, 'A random number needs a range of at least one.', { count });
    return Number(draw() % BigInt(count));
  };
  return {
    below,
    amount(max) {
      invariant(max > 0n, 'A random amount needs a maximum of at least one base unit.');
      let value = 0n;
      for (let bits = 0n; max >> bits > 0n; bits += BigInt(drawBytes * 8)) value = (value << 64n) | draw();
      return 1n + (value % max);
    },
    percent: (percent) => below(100) < percent,
    pick(items) {
      const item = items[items.length === 0 ? 0 : below(items.length)];
      invariant(item !== undefined, 'Nothing can be picked from an empty list.');
      return item;
    },
    fork: (label) => seededRandom(`${seed}/${label}`),
  };
}
