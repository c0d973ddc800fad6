import { pippenger } from '@noble/curves/abstract/curve.js';
import { ristretto255 } from '@noble/curves/ed25519.js';
import { blindingBase, type GroupPoint, valueBase, vectorBases } from './generators.ts';
import { reduced } from './scalar.ts';

/** A sum of multiples: of the two bases of commitments, of the generators of range proofs, and of points in their one form. */
export type Combination = {
  readonly value: bigint;
  readonly blinding: bigint;
  /** Multiples of the generators G and H, party after party, `bits` of each. They may be negative or beyond the order. */
  readonly left: readonly bigint[];
  readonly right: readonly bigint[];
  readonly bits: number;
  readonly points: readonly Uint8Array[];
  readonly scalars: readonly bigint[];
};

/**
 * The group of commitments and range proofs, ristretto255. Neither form is constant in time: secrets go through it on a host that
 * nobody else can time.
 */
export type Group = {
  /** Bytes of the sum; undefined where a point is not in its one form. The identity is 32 zeros. */
  combine(of: Combination): Uint8Array | undefined;
  /** value * G + blinding * H. */
  commit(value: bigint, blinding: bigint): Uint8Array;
  /** Bytes of the sum of points; undefined where one is not in its one form. */
  sum(points: readonly Uint8Array[]): Uint8Array | undefined;
};

/** Slow and the same everywhere: what a client's own commitment is checked with, and what the machine is tested against. */
export function portableGroup(): Group {
  return {
    combine: combineWithNoble,
    commit: (value, blinding) => combineWithNoble(commitment(value, blinding)) ?? new Uint8Array(),
    sum: (points) => combineWithNoble({ ...commitment(0n, 0n), points, scalars: points.map(() => 1n) }),
  };
}

/** The sum that a commitment is. */
export function commitment(value: bigint, blinding: bigint): Combination {
  return { value, blinding, left: [], right: [], bits: 1, points: [], scalars: [] };
}

function combineWithNoble(of: Combination): Uint8Array | undefined {
  const points: GroupPoint[] = [valueBase, blindingBase()];
  const scalars = [of.value, of.blinding, ...of.left, ...of.right, ...of.scalars].map(reduced);
  for (const [side, multiples] of [
    ['G', of.left],
    ['H', of.right],
  ] as const) {
    for (let party = 0; party * of.bits < multiples.length; party += 1) {
      points.push(...vectorBases(side, party, of.bits));
    }
  }
  for (const bytes of of.points) {
    const point = parsePoint(bytes);
    if (point === undefined) return undefined;
    points.push(point);
  }
  return pippenger(ristretto255.Point, points, scalars).toBytes();
}

function parsePoint(bytes: Uint8Array): GroupPoint | undefined {
  try {
    return ristretto255.Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}
