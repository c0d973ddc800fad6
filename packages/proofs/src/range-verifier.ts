import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { joined, unsignedBytes, unsignedOf } from './fixed-width.ts';
import type { Group } from './group.ts';
import {
  beginInnerProduct,
  beginRangeProof,
  isIdentity,
  parseRangeProof,
  partiesMax,
  type RangeBits,
  type RangeProof,
} from './range-proof.ts';
import { groupOrder, inverseOf, littleEndian, powersOf, reduced } from './scalar.ts';
import type { Transcript } from './transcript.ts';
import type { Refutation } from './verdict.ts';

/** A proof and what it is about. The transcript must have absorbed the same as the prover's, and is used up. */
export type RangeClaim = {
  readonly bits: RangeBits;
  readonly commitments: readonly Uint8Array[];
  readonly transcript: Transcript;
  readonly proof: Uint8Array;
};

type Challenges = {
  readonly y: bigint;
  readonly z: bigint;
  readonly x: bigint;
  readonly w: bigint;
  readonly u: readonly bigint[];
  /** Depends on all of the proof: what the batch's weights are drawn from. */
  readonly end: Uint8Array;
};

type Prepared = { readonly claim: RangeClaim; readonly proof: RangeProof; readonly challenges: Challenges };

/**
 * Whether all of these proofs hold. They are one sum with random weights: if a single one does not hold, the sum is the identity
 * with a chance of 2^-128. The weights follow from all of the proofs, so that nobody can choose a proof by them.
 * All are of one width. An empty list holds for nothing: it is the caller who says how many there must be.
 */
export function verifyRanges(group: Group, claims: readonly RangeClaim[]): Refutation | undefined {
  const prepared: Prepared[] = [];
  for (const claim of claims) {
    const parties = claim.commitments.length;
    if (!Number.isInteger(Math.log2(parties)) || parties > partiesMax) return 'other-count';
    const proof = parseRangeProof(claim.proof, claim.bits, parties);
    if (proof === undefined) return 'not-canonical';
    const points = [proof.a, proof.s, proof.t1, proof.t2, ...proof.rounds.flat(), ...claim.commitments];
    if (points.some((point) => point.length !== 32 || isIdentity(point))) return 'not-canonical';
    prepared.push({ claim, proof, challenges: challengesOf(claim, proof) });
  }
  const [some] = claims;
  if (some === undefined || claims.some(({ bits }) => bits !== some.bits)) return 'other-count';
  const sum = newSum(some.bits);
  const seed = keccak_256(joined(prepared.map(({ challenges }) => challenges.end)));
  prepared.forEach((each, at) => {
    addProof(sum, each, { proof: weight(seed, 2 * at), t: weight(seed, 2 * at + 1) });
  });
  const total = group.combine({
    ...sum,
    left: sum.left.map(reduced),
    right: sum.right.map(reduced),
    value: reduced(sum.value),
    blinding: reduced(sum.blinding),
  });
  if (total === undefined) return 'not-canonical';
  return isIdentity(total) ? undefined : 'range-unproven';
}

function weight(seed: Uint8Array, at: number): bigint {
  return unsignedOf(keccak_256(concatBytes(seed, unsignedBytes(at, 4))).subarray(16)) + 1n;
}

/** What the verifier of a proof asks, in the order of the proof. */
function challengesOf({ bits, commitments, transcript, proof: bytes }: RangeClaim, proof: RangeProof): Challenges {
  beginRangeProof(transcript, { bits, commitments });
  transcript.append('A', proof.a);
  transcript.append('S', proof.s);
  const y = transcript.challenge('y');
  const z = transcript.challenge('z');
  transcript.append('T_1', proof.t1);
  transcript.append('T_2', proof.t2);
  const x = transcript.challenge('x');
  transcript.append('t_x', littleEndian(proof.t));
  transcript.append('t_x_blinding', littleEndian(proof.tBlinding));
  transcript.append('e_blinding', littleEndian(proof.eBlinding));
  const w = transcript.challenge('w');
  beginInnerProduct(transcript, bits * commitments.length);
  const u = proof.rounds.map(([left, right]) => {
    transcript.append('L', left);
    transcript.append('R', right);
    return transcript.challenge('u');
  });
  transcript.append('proof', bytes);
  return { y, z, x, w, u, end: transcript.bytes('batch', 32) };
}

type Sum = {
  value: bigint;
  blinding: bigint;
  readonly left: bigint[];
  readonly right: bigint[];
  readonly bits: RangeBits;
  readonly points: Uint8Array[];
  readonly scalars: bigint[];
};

function newSum(bits: RangeBits): Sum {
  return { value: 0n, blinding: 0n, left: [], right: [], bits, points: [], scalars: [] };
}

/** Adds the equation of a proof, times its weight; the one of t(x) times another. Dalek's `verification_scalars`, in one sum. */
function addProof(
  sum: Sum,
  { claim, proof, challenges }: Prepared,
  by: { readonly proof: bigint; readonly t: bigint },
): void {
  const { y, z, x, w, u } = challenges;
  const parties = claim.commitments.length;
  const length = claim.bits * parties;
  const inverses = u.map(inverseOf);
  const put = (point: Uint8Array, scalar: bigint): void => {
    sum.points.push(point);
    sum.scalars.push(scalar);
  };
  const xt = (x * by.t) % groupOrder;
  put(proof.a, by.proof);
  put(proof.s, (x * by.proof) % groupOrder);
  put(proof.t1, xt);
  put(proof.t2, (x * xt) % groupOrder);
  proof.rounds.forEach(([left, right], at) => {
    const [challenge, inverse] = [u[at] ?? 1n, inverses[at] ?? 1n];
    put(left, (((challenge * challenge) % groupOrder) * by.proof) % groupOrder);
    put(right, (((inverse * inverse) % groupOrder) * by.proof) % groupOrder);
  });
  const zs = powersOf(z, parties + 3);
  claim.commitments.forEach((each, at) => put(each, ((zs[at + 2] ?? 0n) * by.t) % groupOrder));
  addVectors(sum, { claim, proof, challenges }, { weight: by.proof, inverses, zs });
  const delta = deltaOf({ y, z, bits: claim.bits, zs, length });
  sum.value += by.proof * w * (proof.t - proof.lastA * proof.lastB) + by.t * (delta - proof.t);
  sum.blinding -= by.proof * proof.eBlinding + by.t * proof.tBlinding;
}

/** (z - z^2) <1, y^n> - sum of z^(j+3) <1, 2^n>. */
function deltaOf(of: {
  readonly y: bigint;
  readonly z: bigint;
  readonly bits: number;
  readonly zs: readonly bigint[];
  readonly length: number;
}): bigint {
  const sumY = powersOf(of.y, of.length).reduce((sum, power) => sum + power, 0n);
  const sumZ = of.zs.slice(3).reduce((sum, power) => sum + power, 0n);
  return reduced((of.z - of.z * of.z) * sumY - sumZ * (2n ** BigInt(of.bits) - 1n));
}

/** Multiples of the generators. They are left unreduced: the sum over a batch is reduced once. */
function addVectors(
  sum: Sum,
  { claim, proof, challenges: { y, z, u } }: Prepared,
  by: { readonly weight: bigint; readonly inverses: readonly bigint[]; readonly zs: readonly bigint[] },
): void {
  const { bits } = claim;
  const length = bits * claim.commitments.length;
  const products = challengeProducts(u, by.inverses);
  const weightedA = (by.weight * proof.lastA) % groupOrder;
  const weightedB = (by.weight * proof.lastB) % groupOrder;
  const weightedZ = (by.weight * z) % groupOrder;
  const perParty = by.zs.slice(2).map((power) => (power * by.weight) % groupOrder);
  const inverseY = inverseOf(y);
  let power = 1n;
  for (let at = 0; at < length; at += 1) {
    const bit = BigInt(at % bits);
    const ofBit = (perParty[Math.floor(at / bits)] ?? 0n) << bit;
    const mirrored = products[length - 1 - at] ?? 0n;
    sum.left[at] = (sum.left[at] ?? 0n) - weightedZ - weightedA * (products[at] ?? 0n);
    sum.right[at] = (sum.right[at] ?? 0n) + weightedZ + power * ((ofBit - weightedB * mirrored) % groupOrder);
    power = (power * inverseY) % groupOrder;
  }
}

/** For each generator the product of the challenges: u of a round where the bit of its index is one, 1/u where it is zero. */
function challengeProducts(u: readonly bigint[], inverses: readonly bigint[]): readonly bigint[] {
  let products = [1n];
  u.forEach((challenge, round) => {
    const inverse = inverses[round] ?? 1n;
    products = products.flatMap((product) => [(product * inverse) % groupOrder, (product * challenge) % groupOrder]);
  });
  return products;
}
