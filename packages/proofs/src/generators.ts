import { ed25519, ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { sha3_512, shake256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** A point of ristretto255, one of its representatives on edwards25519. */
export type GroupPoint = InstanceType<typeof ristretto255.Point>;

/** What a value is multiplied with: the basepoint. */
export const valueBase: GroupPoint = ristretto255.Point.BASE;

/** 64 uniform bytes as a point (RFC 9496, section 4.3.4). */
function pointOf(uniform: Uint8Array): GroupPoint {
  const point = ristretto255_hasher.deriveToCurve?.(uniform);
  if (point === undefined) throw new TypeError('This build of @noble/curves maps no bytes to ristretto255.');
  return point;
}

let hiding: GroupPoint | undefined;

/** What a blinding is multiplied with: SHA3-512 of the basepoint, mapped to the group. Nobody knows its logarithm. */
export function blindingBase(): GroupPoint {
  hiding ??= pointOf(sha3_512(valueBase.toBytes()));
  return hiding;
}

const chains = new Map<string, GroupPoint[]>();

/**
 * The generators of dalek: for each party and side a stream of SHAKE256, 64 bytes for each point. They are the same for every
 * width: a narrower proof uses the first of them.
 */
export function vectorBases(side: 'G' | 'H', party: number, count: number): readonly GroupPoint[] {
  const key = `${side}${party}`;
  const known = chains.get(key) ?? [];
  if (known.length < count) {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, party, true);
    const seed = concatBytes(utf8ToBytes(`GeneratorsChain${side}`), number);
    const stream = shake256(seed, { dkLen: 64 * count });
    for (let at = known.length; at < count; at += 1) {
      known.push(pointOf(stream.subarray(64 * at, 64 * (at + 1))));
    }
    chains.set(key, known);
  }
  return known.slice(0, count);
}

/** Coordinates of a point on edwards25519. */
export function coordinatesOf(point: GroupPoint): { readonly x: bigint; readonly y: bigint } {
  return point.toAffine();
}

/** The curve's d. */
export const curveD: bigint = ed25519.Point.CURVE().d;
