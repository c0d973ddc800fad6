import { keccak_256, shake256 } from '@noble/hashes/sha3.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { malformed, unsignedBytes, wordBytes } from './fixed-width.ts';
import { commitment, type Group } from './group.ts';
import { beginInnerProduct, beginRangeProof, partiesMax, type RangeBits } from './range-proof.ts';
import { groupOrder, inverseOf, littleEndian, littleEndianOf, powersOf, reduced } from './scalar.ts';
import type { Transcript } from './transcript.ts';

/** What is proven: that each commitment is to a value of so many bits. The number of values is a power of two, at most 16. */
export type RangeWitness = {
  readonly bits: RangeBits;
  readonly values: readonly bigint[];
  readonly blindings: readonly bigint[];
  /** Bytes of value * G + blinding * H, in the order of the values. */
  readonly commitments: readonly Uint8Array[];
  /** A secret of 32 bytes. What is random in the proof follows from it, the transcript and the witness. */
  readonly nonceKey: Uint8Array;
};

type Vectors = { readonly l0: bigint[]; readonly l1: bigint[]; readonly r0: bigint[]; readonly r1: bigint[] };

/**
 * An aggregated proof of dalek's form (Bulletproofs, sections 4.2 and 4.3). The transcript must have absorbed what the proof is
 * about. Generators are never folded: a round's points are sums over the first ones, for which the group has tables.
 *
 * @throws CustodyError `proof/malformed` for a value that is out of the range: such a proof would not verify
 */
export function proveRanges(group: Group, transcript: Transcript, witness: RangeWitness): Uint8Array {
  checkWitness(witness);
  const { bits, values, blindings } = witness;
  const length = bits * values.length;
  beginRangeProof(transcript, witness);
  const random = nonces(transcript, witness);
  const bit = bitsOf(witness);
  const [alpha, rho] = [random(), random()];
  const sL = bit.map(random);
  const sR = bit.map(random);
  const over = (blinding: bigint, left: readonly bigint[], right: readonly bigint[]): Uint8Array =>
    encoded(group.combine({ ...commitment(0n, blinding), bits, left, right }));
  const a = over(
    alpha,
    bit,
    bit.map((each) => each - 1n),
  );
  const s = over(rho, sL, sR);
  transcript.append('A', a);
  transcript.append('S', s);
  const y = transcript.challenge('y');
  const z = transcript.challenge('z');
  const vectors = polynomials({ bit, sL, sR, y, z, bits });
  const t1 = reduced(inner(vectors.l0, vectors.r1) + inner(vectors.l1, vectors.r0));
  const t2 = reduced(inner(vectors.l1, vectors.r1));
  const [tau1, tau2] = [random(), random()];
  const committed1 = group.commit(t1, tau1);
  const committed2 = group.commit(t2, tau2);
  transcript.append('T_1', committed1);
  transcript.append('T_2', committed2);
  const x = transcript.challenge('x');
  const left = vectors.l0.map((each, at) => (each + x * (vectors.l1[at] ?? 0n)) % groupOrder);
  const right = vectors.r0.map((each, at) => (each + x * (vectors.r1[at] ?? 0n)) % groupOrder);
  const t = reduced(inner(left, right));
  const powers = powersOf(z, values.length + 2).slice(2);
  const tBlinding = reduced(inner(powers, blindings) + x * (tau1 + x * tau2));
  const eBlinding = reduced(alpha + x * rho);
  const scalars = [t, tBlinding, eBlinding].map(littleEndian);
  ['t_x', 't_x_blinding', 'e_blinding'].forEach((label, at) => transcript.append(label, scalars[at] ?? a));
  const w = transcript.challenge('w');
  beginInnerProduct(transcript, length);
  const last = proveInnerProduct(group, transcript, { left, right, w, inverseY: inverseOf(y), bits });
  return concatBytes(a, s, committed1, committed2, ...scalars, last);
}

function checkWitness({ bits, values, blindings, commitments, nonceKey }: RangeWitness): void {
  const parties = values.length;
  if (!Number.isInteger(Math.log2(parties)) || parties > partiesMax) {
    throw malformed(`${parties} values are no power of two up to ${partiesMax}`);
  }
  if (blindings.length !== parties || commitments.length !== parties || nonceKey.length !== wordBytes) {
    throw malformed('values, blindings and commitments are not as many, or the key of nonces is no word');
  }
  for (const value of values) {
    if (value < 0n || value >= 2n ** BigInt(bits)) {
      throw malformed(`a value is outside of the ${bits} bits that are proven`);
    }
  }
}

/** Least bit first, value after value. */
function bitsOf({ bits, values }: RangeWitness): bigint[] {
  return values.flatMap((value) => Array.from({ length: bits }, (_, bit) => (value >> BigInt(bit)) & 1n));
}

/**
 * Random scalars that are the same in every run over the same: a stream of SHAKE256, keyed by a hash of the secret key, of what
 * the transcript has absorbed, and of the witness. A nonce that served two different proofs would give the values away.
 */
export function nonces(transcript: Transcript, { values, blindings, nonceKey }: RangeWitness): () => bigint {
  const seed = keccak_256(
    concatBytes(
      Uint8Array.of(0x17),
      nonceKey,
      transcript.fork().bytes('nonces', wordBytes),
      ...values.map((value) => unsignedBytes(value, 16)),
      ...blindings.map(littleEndian),
    ),
  );
  const stream = shake256.create({ dkLen: 64 }).update(seed);
  return () => reduced(littleEndianOf(stream.xof(64)));
}

/** l(X) = l0 + l1 X and r(X) = r0 + r1 X, whose inner product has what is to be proven as its constant. */
function polynomials(of: {
  readonly bit: readonly bigint[];
  readonly sL: bigint[];
  readonly sR: readonly bigint[];
  readonly y: bigint;
  readonly z: bigint;
  readonly bits: number;
}): Vectors {
  const { bit, sL, sR, z, bits } = of;
  const y = powersOf(of.y, bit.length);
  const zs = powersOf(z, bit.length / bits + 2);
  return {
    l0: bit.map((each) => reduced(each - z)),
    l1: sL,
    r0: bit.map((each, at) => {
      const shifted = (zs[2 + Math.floor(at / bits)] ?? 0n) << BigInt(at % bits);
      return ((y[at] ?? 0n) * (each - 1n + z + groupOrder) + shifted) % groupOrder;
    }),
    r1: sR.map((each, at) => (each * (y[at] ?? 0n)) % groupOrder),
  };
}

/** Not reduced: a thousand products of two scalars have 516 bits. */
function inner(a: readonly bigint[], b: readonly bigint[]): bigint {
  let sum = 0n;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0n) * (b[at] ?? 0n);
  return sum;
}

function encoded(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new TypeError('A sum of generators has a form.');
  return bytes;
}

type InnerProduct = {
  readonly left: bigint[];
  readonly right: bigint[];
  /** Multiple of the basepoint that carries the inner product. */
  readonly w: bigint;
  /** The generators of the right side count y^-i times. */
  readonly inverseY: bigint;
  readonly bits: number;
};

/**
 * Halves the vectors round by round. In a round over vectors of n the generator i belongs to element i mod n, times a product of
 * the challenges before, which depends on the block i / n alone: so much is kept in place of folded generators.
 */
function proveInnerProduct(group: Group, transcript: Transcript, of: InnerProduct): Uint8Array {
  const total = of.left.length;
  let { left, right } = of;
  let leftBlocks = [1n];
  let rightBlocks = [1n];
  const points: Uint8Array[] = [];
  const weights = powersOf(of.inverseY, total);
  while (left.length > 1) {
    const half = left.length / 2;
    const scaled = { left, right: right.map((each, at) => (each * (weights[at] ?? 0n)) % groupOrder) };
    // The lower half of the right vector meets the upper half of its generators, whose weight is y^-half more, and the other way round.
    const up = weights[half] ?? 1n;
    const down = inverseOf(up);
    const blocks = { left: leftBlocks, right: rightBlocks };
    const sum = (upper: boolean): Uint8Array => {
      const [from, to] = upper ? [half, 0] : [0, half];
      const crossed = inner(left.slice(to, to + half), right.slice(from, from + half));
      return encoded(
        group.combine({
          ...commitment(reduced(of.w * reduced(crossed)), 0n),
          bits: of.bits,
          left: spread(scaled.left.slice(to, to + half), blocks.left, { offset: from, total }),
          right: spread(scaled.right.slice(from, from + half), blocks.right, {
            offset: to,
            total,
            times: upper ? down : up,
          }),
        }),
      );
    };
    const [l, r] = [sum(true), sum(false)];
    points.push(l, r);
    transcript.append('L', l);
    transcript.append('R', r);
    const u = transcript.challenge('u');
    const inverseU = inverseOf(u);
    left = fold(left, u, inverseU);
    right = fold(right, inverseU, u);
    leftBlocks = leftBlocks.flatMap((block) => [(block * inverseU) % groupOrder, (block * u) % groupOrder]);
    // The right blocks carry the weight of where they begin.
    rightBlocks = rightBlocks.flatMap((block) => [
      (block * u) % groupOrder,
      (((block * inverseU) % groupOrder) * up) % groupOrder,
    ]);
  }
  return concatBytes(...points, littleEndian(left[0] ?? 0n), littleEndian(right[0] ?? 0n));
}

/** Multiples of all generators: those of each block at the offset within it, the others zero. */
function spread(
  half: readonly bigint[],
  blocks: readonly bigint[],
  at: { readonly offset: number; readonly total: number; readonly times?: bigint },
): bigint[] {
  const multiples: bigint[] = Array.from({ length: at.total }, () => 0n);
  blocks.forEach((block, index) => {
    const factor = at.times === undefined ? block : (block * at.times) % groupOrder;
    const first = 2 * half.length * index + at.offset;
    for (let element = 0; element < half.length; element += 1) {
      multiples[first + element] = ((half[element] ?? 0n) * factor) % groupOrder;
    }
  });
  return multiples;
}

/** Lower half times one factor, upper half times the other. */
function fold(vector: readonly bigint[], lower: bigint, upper: bigint): bigint[] {
  const half = vector.length / 2;
  return Array.from(
    { length: half },
    (_, at) => ((vector[at] ?? 0n) * lower + (vector[at + half] ?? 0n) * upper) % groupOrder,
  );
}
