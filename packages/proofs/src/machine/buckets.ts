import { recode } from '../recode.ts';
import { type CurveMachine, extendedBytes } from './curve-machine.ts';
import type { Table } from './table.ts';

/** Room for sums of points by digit. */
export type Buckets = {
  readonly machine: CurveMachine;
  readonly at: number;
  readonly digitBits: number;
  /** Which of them hold something. */
  readonly used: Uint8Array;
  readonly running: number;
  readonly cached: number;
  readonly zero: number;
};

export function newBuckets(machine: CurveMachine, digitBits: number): Buckets {
  const count = 2 ** (digitBits - 1) + 1;
  const zero = machine.take(extendedBytes);
  machine.writeIdentity(zero);
  return {
    machine,
    at: machine.take(count * extendedBytes),
    digitBits,
    used: new Uint8Array(count),
    running: machine.take(extendedBytes),
    cached: machine.take(extendedBytes),
    zero,
  };
}

/** Adds a ready point to the bucket of a digit that is not zero. */
function put(buckets: Buckets, digit: number, point: number): void {
  const { machine } = buckets;
  const index = digit < 0 ? -digit : digit;
  const bucket = buckets.at + index * extendedBytes;
  const from = buckets.used[index] === 1 ? bucket : buckets.zero;
  buckets.used[index] = 1;
  if (digit > 0) machine.addReady(bucket, from, point);
  else machine.subtractReady(bucket, from, point);
}

/** Adds to `sum` each bucket as often as its digit says, and empties them: from the top, the running sum is added once a step. */
function drain(buckets: Buckets, sum: number): void {
  const { machine, used, running, cached } = buckets;
  machine.writeIdentity(running);
  let something = false;
  for (let index = used.length - 1; index > 0; index -= 1) {
    if (used[index] === 1) {
      const bucket = buckets.at + index * extendedBytes;
      machine.cache(cached, bucket, bucket);
      machine.addCached(running, running, cached);
      something = true;
    }
    if (!something) continue;
    machine.cache(cached, running, running);
    machine.addCached(sum, sum, cached);
  }
  used.fill(0);
}

/** Bits of a digit that cost least for so many points: an addition for each point and window, two for each bucket. */
function digitBitsFor(points: number, max: number): number {
  let best = 2;
  let least = Infinity;
  for (let bits = 2; bits <= max; bits += 1) {
    const cost = Math.ceil(254 / bits) * (points + 2.5 * 2 ** (bits - 1));
    if (cost < least) [best, least] = [bits, cost];
  }
  return best;
}

/** sum = the sum of multiples of ready points: Pippenger, window after window from the top. */
export function sumOfPoints(
  buckets: Buckets,
  of: { readonly sum: number; readonly places: readonly number[]; readonly scalars: readonly bigint[] },
): void {
  const { machine } = buckets;
  const digitBits = digitBitsFor(of.places.length, buckets.digitBits);
  const digits = recode(of.scalars, digitBits);
  const { sum, places } = of;
  machine.writeIdentity(sum);
  for (let window = digits.windows - 1; window >= 0; window -= 1) {
    for (let bit = 0; bit < digitBits; bit += 1) machine.double(sum, sum, sum);
    for (let index = 0; index < places.length; index += 1) {
      const digit = digits.at[window * digits.count + index] ?? 0;
      if (digit !== 0) put(buckets, digit, places[index] ?? 0);
    }
    drain(buckets, sum);
  }
}

/** sum = the sum of multiples of points with tables, all of one form. */
export function sumOfTables(
  buckets: Buckets,
  of: { readonly sum: number; readonly tables: readonly Table[]; readonly scalars: readonly bigint[] },
): void {
  const { machine } = buckets;
  const { sum, tables } = of;
  machine.writeIdentity(sum);
  const [some] = tables;
  if (some === undefined) return;
  const { digitBits, multiples } = some;
  const digits = recode(of.scalars, digitBits);
  for (let index = 0; index < tables.length; index += 1) {
    const table = tables[index] ?? some;
    for (let window = 0; window < digits.windows; window += 1) {
      const digit = digits.at[window * digits.count + index] ?? 0;
      if (digit === 0) continue;
      if (multiples === 1) put(buckets, digit, table.place(window, 1));
      else if (digit > 0) machine.addReady(sum, sum, table.place(window, digit));
      else machine.subtractReady(sum, sum, table.place(window, -digit));
    }
  }
  if (multiples === 1) drain(buckets, sum);
}
