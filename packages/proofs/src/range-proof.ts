import { utf8ToBytes } from '@noble/hashes/utils.js';
import { wordBytes } from './fixed-width.ts';
import { decodeScalar, littleEndianOf } from './scalar.ts';
import type { Transcript } from './transcript.ts';

/** Width of a range in bits. Generators are the same for all; dalek has the first four. */
export type RangeBits = 8 | 16 | 32 | 64 | 128;

/** Most commitments that one proof is about. */
export const partiesMax = 16;

/** Points and scalars of a proof, in the order of its bytes. */
export type RangeProof = {
  readonly a: Uint8Array;
  readonly s: Uint8Array;
  readonly t1: Uint8Array;
  readonly t2: Uint8Array;
  readonly t: bigint;
  readonly tBlinding: bigint;
  readonly eBlinding: bigint;
  /** Left and right of each round of the inner product. */
  readonly rounds: readonly (readonly [Uint8Array, Uint8Array])[];
  readonly lastA: bigint;
  readonly lastB: bigint;
};

/** Rounds of the inner product: logarithm of the number of bits of all parties. */
export function roundsFor(bits: RangeBits, parties: number): number {
  return Math.log2(bits * parties);
}

/** Bytes of a proof: nine words and two for each round. */
export function rangeProofBytes(bits: RangeBits, parties: number): number {
  return wordBytes * (9 + 2 * roundsFor(bits, parties));
}

/** Takes a proof apart. Undefined for another length than this width and number of parties have, and for scalars at or beyond the order. */
export function parseRangeProof(bytes: Uint8Array, bits: RangeBits, parties: number): RangeProof | undefined {
  if (bytes.length !== rangeProofBytes(bits, parties)) return undefined;
  const word = (at: number): Uint8Array => bytes.slice(at * wordBytes, (at + 1) * wordBytes);
  const rounds = roundsFor(bits, parties);
  const scalars = [4, 5, 6, 7 + 2 * rounds, 8 + 2 * rounds].map((at) => decodeScalar(word(at)));
  const [t, tBlinding, eBlinding, lastA, lastB] = scalars;
  if (t === undefined || tBlinding === undefined || eBlinding === undefined) return undefined;
  if (lastA === undefined || lastB === undefined) return undefined;
  return {
    a: word(0),
    s: word(1),
    t1: word(2),
    t2: word(3),
    t,
    tBlinding,
    eBlinding,
    rounds: Array.from({ length: rounds }, (_, at): [Uint8Array, Uint8Array] => [word(7 + 2 * at), word(8 + 2 * at)]),
    lastA,
    lastB,
  };
}

/** What both sides absorb before anything else. */
export function beginRangeProof(
  transcript: Transcript,
  { bits, commitments }: { readonly bits: RangeBits; readonly commitments: readonly Uint8Array[] },
): void {
  transcript.append('dom-sep', utf8ToBytes('rangeproof v1'));
  transcript.appendNumber('n', bits);
  transcript.appendNumber('m', commitments.length);
  for (const commitment of commitments) transcript.append('V', commitment);
}

export function beginInnerProduct(transcript: Transcript, length: number): void {
  transcript.append('dom-sep', utf8ToBytes('ipp v1'));
  transcript.appendNumber('n', length);
}

/** The identity has no place in a proof: it would take the challenge's grip off what it stands for. */
export function isIdentity(point: Uint8Array): boolean {
  return littleEndianOf(point) === 0n;
}
