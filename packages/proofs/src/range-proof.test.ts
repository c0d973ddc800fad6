import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { group } from '../test/confidential-epoch.ts';
import { seeded, tamperedCopies } from '../test/tamper.ts';
import { portableGroup, type Refutation } from './index.ts';
import { type RangeBits, rangeProofBytes } from './range-proof.ts';
import { proveRanges, type RangeWitness } from './range-prover.ts';
import { verifyRanges } from './range-verifier.ts';
import { groupOrder, littleEndian, littleEndianOf, reduced } from './scalar.ts';
import { textbookProof } from './testing/index.ts';
import { newTranscript } from './transcript.ts';

type DalekVectors = {
  readonly transcriptLabel: string;
  readonly commitments: readonly string[];
  readonly cases: readonly { readonly bits: RangeBits; readonly parties: number; readonly proof: string }[];
};

/** Ours are four of theirs; all of them are read where the reference is at hand. */
const sources = ['../../../spec/vectors/bulletproofs.json', '../../../../shared/vectors/bulletproofs-dalek.json']
  .map((path) => new URL(path, import.meta.url))
  .filter((path, at) => at === 0 || existsSync(path));

const label = 'a label of these tests';

function witnessOf(bits: RangeBits, values: readonly bigint[], salt = 1n): RangeWitness {
  const blindings = values.map((_, at) => reduced((salt + BigInt(at)) ** 150n));
  const commitments = values.map((value, at) => group.commit(value, blindings[at] ?? 0n));
  return { bits, values, blindings, commitments, nonceKey: new Uint8Array(32).fill(Number(salt)) };
}

type Shown = { readonly bits: RangeBits; readonly commitments: readonly Uint8Array[]; readonly proof: Uint8Array };

function said(shown: Shown, by = group, under = label): Refutation | 'holds' {
  return verifyRanges(by, [{ ...shown, transcript: newTranscript(under) }]) ?? 'holds';
}

test('a transcript is that of Merlin', () => {
  // The vector that Merlin's own tests and its other implementations share.
  const transcript = newTranscript('test protocol');
  transcript.append('some label', utf8ToBytes('some data'));
  const expected = 'd5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615';
  assert.equal(bytesToHex(transcript.fork().bytes('challenge', 32)), expected);
  assert.equal(bytesToHex(transcript.bytes('challenge', 32)), expected);
  assert.notEqual(bytesToHex(transcript.bytes('challenge', 32)), expected);
  // Longer than a block, in and out.
  const long = newTranscript('test protocol');
  long.append('some label', new Uint8Array(1_000));
  assert.equal(new Set(long.bytes('challenge', 500)).size > 100, true);
});

for (const source of sources) {
  const vectors: DalekVectors = JSON.parse(readFileSync(source, 'utf8'));
  test(`proofs of dalek hold, and no others: ${source.pathname.split('/').at(-1) ?? ''}`, () => {
    assert.ok(vectors.cases.length >= 4);
    for (const { bits, parties, proof } of vectors.cases) {
      const commitments = vectors.commitments.slice(0, parties).map((each) => hexToBytes(each));
      const shown = { bits, commitments, proof: hexToBytes(proof) };
      assert.equal(said(shown, group, vectors.transcriptLabel), 'holds', `${bits} x ${parties}`);
      if (bits * parties <= 32) assert.equal(said(shown, portableGroup(), vectors.transcriptLabel), 'holds');
      assert.equal(said(shown), 'range-unproven');
      const others = vectors.commitments.slice(1, parties + 1).map((each) => hexToBytes(each));
      assert.equal(said({ ...shown, commitments: others }, group, vectors.transcriptLabel), 'range-unproven');
    }
  });
}

test('the prover makes, byte for byte, the proof that the paper describes', () => {
  for (const [bits, values] of [
    [8, [200n]],
    [8, [0n, 255n]],
    [16, [1n, 2n, 3n, 65_535n]],
  ] as const) {
    const witness = witnessOf(bits, values);
    const proof = proveRanges(group, newTranscript(label), witness);
    assert.deepEqual(textbookProof(newTranscript(label), witness), proof);
    assert.deepEqual(proveRanges(portableGroup(), newTranscript(label), witness), proof);
    assert.equal(said({ ...witness, proof }), 'holds');
  }
});

test('proofs of every width and number hold, for the least and the largest values', () => {
  for (const [bits, parties] of [
    [8, 16],
    [32, 2],
    [64, 1],
    [64, 16],
    [128, 2],
  ] as const) {
    const values = Array.from({ length: parties }, (_, at) => (at % 2 === 0 ? 2n ** BigInt(bits) - 1n : 0n));
    const witness = witnessOf(bits, values);
    const proof = proveRanges(group, newTranscript(label), witness);
    assert.equal(proof.length, rangeProofBytes(bits, parties));
    assert.equal(said({ ...witness, proof }), 'holds');
  }
  assert.equal(rangeProofBytes(64, 1), 672);
  assert.equal(rangeProofBytes(64, 16), 928);
});

test('nonces follow from key, transcript and witness, and are never the same for two proofs', () => {
  const witness = witnessOf(8, [5n]);
  const first = proveRanges(group, newTranscript(label), witness);
  assert.deepEqual(proveRanges(group, newTranscript(label), witness), first);
  const others = [
    proveRanges(group, newTranscript('another'), witness),
    proveRanges(group, newTranscript(label), { ...witness, nonceKey: new Uint8Array(32).fill(9) }),
    proveRanges(group, newTranscript(label), witnessOf(8, [6n])),
    proveRanges(group, newTranscript(label), { ...witness, blindings: [7n] }),
    proveRanges(group, newTranscript(label), { ...witness, values: [6n] }),
  ];
  const s = (proof: Uint8Array): string => bytesToHex(proof.slice(32, 64));
  assert.equal(new Set([first, ...others].map(s)).size, 6);
});

test('a value outside of the range, or a number that is no power of two, makes no proof', () => {
  const refused = { code: 'proof/malformed' };
  const make = (bits: RangeBits, values: readonly bigint[]): unknown =>
    proveRanges(group, newTranscript(label), witnessOf(bits, values));
  assert.throws(() => make(8, [256n]), refused);
  assert.throws(() => make(8, [1n, -1n]), refused);
  assert.throws(() => make(8, [1n, 2n, 3n]), refused);
  assert.throws(() => make(8, []), refused);
  assert.throws(
    () =>
      make(
        8,
        Array.from({ length: 32 }, () => 1n),
      ),
    refused,
  );
  const witness = witnessOf(8, [1n]);
  assert.throws(() => proveRanges(group, newTranscript(label), { ...witness, blindings: [] }), refused);
  assert.throws(() => proveRanges(group, newTranscript(label), { ...witness, commitments: [] }), refused);
  assert.throws(() => proveRanges(group, newTranscript(label), { ...witness, nonceKey: new Uint8Array(16) }), refused);
});

test('a proof over other bits than those of the commitment does not hold: negative, wrapped, or another value', () => {
  // What a prover without the guard would make: the bits are of the value modulo 2^bits, the commitment is to the value itself.
  for (const [bits, value] of [
    [8, -100n],
    [8, 256n + 5n],
    [64, groupOrder - 100n],
    [64, 2n ** 64n],
    [8, 2n ** 252n],
  ] as const) {
    const honest = witnessOf(bits, [7n, 9n]);
    const cheat = group.commit(reduced(value), honest.blindings[0] ?? 0n);
    const commitments = [cheat, honest.commitments[1] ?? cheat];
    const wrapped = reduced(value) % 2n ** BigInt(bits);
    const proof = proveRanges(group, newTranscript(label), { ...honest, values: [wrapped, 9n], commitments });
    assert.equal(said({ bits, commitments, proof }), 'range-unproven', String(value));
  }
});

test('another order of commitments, one that comes twice, and another width or number do not hold', () => {
  const witness = witnessOf(16, [1n, 2n, 3n, 4n]);
  const proof = proveRanges(group, newTranscript(label), witness);
  const [a, b, c, d] = witness.commitments;
  assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
  const shown = { ...witness, proof };
  assert.equal(said({ ...shown, commitments: [b, a, c, d] }), 'range-unproven');
  assert.equal(said({ ...shown, commitments: [a, a, c, d] }), 'range-unproven');
  assert.equal(said({ ...shown, commitments: [a, b] }), 'not-canonical');
  assert.equal(said({ ...shown, commitments: [a, b, c] }), 'other-count');
  assert.equal(said({ ...shown, commitments: [] }), 'other-count');
  assert.equal(said({ ...shown, bits: 8 }), 'not-canonical');
  // As many bits in all, cut in another way.
  assert.equal(said({ ...shown, bits: 32, commitments: [a, b] }), 'range-unproven');
  assert.equal(said({ ...shown, bits: 8, commitments: [a, b, c, d, a, b, c, d] }), 'range-unproven');
  assert.equal(verifyRanges(group, []), 'other-count');
  const many = Array.from({ length: 32 }, () => a);
  assert.equal(said({ ...shown, commitments: many, proof: new Uint8Array(rangeProofBytes(16, 32)) }), 'other-count');
});

test('scalars at or beyond the order, points in a second form, and the identity are refused wherever they stand', () => {
  const witness = witnessOf(8, [5n, 6n]);
  const proof = proveRanges(group, newTranscript(label), witness);
  const words = proof.length / 32;
  const scalarsAt = [4, 5, 6, words - 2, words - 1];
  for (let word = 0; word < words; word += 1) {
    const put = (bytes: Uint8Array): Refutation | 'holds' => {
      const changed = proof.slice();
      changed.set(bytes, 32 * word);
      return said({ ...witness, proof: changed });
    };
    const own = proof.slice(32 * word, 32 * word + 32);
    assert.equal(put(own), 'holds');
    if (scalarsAt.includes(word)) {
      // The same scalar modulo the order, in its second form.
      assert.equal(put(littleEndian(littleEndianOf(own) + groupOrder)), 'not-canonical');
      assert.equal(put(new Uint8Array(32).fill(0xff)), 'not-canonical');
      assert.equal(put(littleEndian(groupOrder)), 'not-canonical');
      continue;
    }
    assert.equal(put(new Uint8Array(32)), 'not-canonical');
    const p = 2n ** 255n - 19n;
    const s = littleEndianOf(own);
    assert.equal(put(littleEndian(p - s)), 'not-canonical');
    assert.equal(put(littleEndian(s + 2n ** 255n)), 'not-canonical');
    assert.equal(put(littleEndian(p)), 'not-canonical');
    assert.equal(put(littleEndian(p + 2n)), 'not-canonical');
  }
  const [, second] = witness.commitments;
  assert.ok(second !== undefined);
  assert.equal(said({ ...witness, proof, commitments: [new Uint8Array(32), second] }), 'not-canonical');
  assert.equal(said({ ...witness, proof, commitments: [second.slice(0, 31), second] }), 'not-canonical');
});

test('a batch holds only if each of its proofs does, and proofs cannot make up for each other', () => {
  const witnesses = [1n, 2n, 3n].map((salt) => witnessOf(8, [salt, salt + 1n], salt));
  const claims = witnesses.map((witness) => ({ ...witness, proof: proveRanges(group, newTranscript(label), witness) }));
  const batch = (list: readonly Shown[]): Refutation | undefined =>
    verifyRanges(
      group,
      list.map((claim) => ({ ...claim, transcript: newTranscript(label) })),
    );
  assert.equal(batch(claims), undefined);
  claims.forEach((claim, at) => {
    const spoilt = claims.slice();
    const changed = claim.proof.slice();
    changed[32 * 4] = (changed[32 * 4] ?? 0) ^ 1;
    spoilt[at] = { ...claim, proof: changed };
    assert.equal(batch(spoilt), 'range-unproven');
  });
  // Two errors that cancel in a sum with equal weights: the last scalar of one proof is a unit more, that of its twin one less.
  const [first] = claims;
  assert.ok(first !== undefined);
  const shifted = (by: bigint): Shown => {
    const proof = first.proof.slice();
    const at = proof.length - 64;
    proof.set(littleEndian(reduced(littleEndianOf(proof.slice(at, at + 32)) + by)), at);
    return { ...first, proof };
  };
  assert.equal(batch([first, first]), undefined);
  assert.equal(batch([shifted(1n), shifted(-1n)]), 'range-unproven');
});

test('proofs of two widths are no batch', () => {
  const narrow = witnessOf(8, [1n, 2n]);
  const wide = witnessOf(16, [1n]);
  const claims = [narrow, wide].map((witness) => ({
    ...witness,
    proof: proveRanges(group, newTranscript(label), witness),
    transcript: newTranscript(label),
  }));
  assert.equal(verifyRanges(group, claims), 'other-count');
});

test('of 200 tampered copies of a proof none holds', () => {
  const deep = process.env['BULKHEAD_DEEP'] === '1' ? 100 : 1;
  for (const [bits, values] of [
    [64, [2n ** 63n]],
    [8, [0n, 1n, 2n, 255n]],
  ] as const) {
    const witness = witnessOf(bits, values);
    const proof = proveRanges(group, newTranscript(label), witness);
    for (const copy of tamperedCopies(proof, { copies: 200 * deep, seed: bits, elements: [32, 64] })) {
      assert.notEqual(said({ ...witness, proof: copy }), 'holds', bytesToHex(copy));
    }
    // And of what it is about.
    const shown = concatBytes(...witness.commitments);
    for (const copy of tamperedCopies(shown, { copies: 200 * deep, seed: bits + 1, elements: [32] })) {
      const commitments = Array.from({ length: values.length }, (_, at) => copy.slice(32 * at, 32 * at + 32));
      if (
        copy.length > shown.length &&
        commitments.every((each, at) => bytesToHex(each) === bytesToHex(witness.commitments[at] ?? each))
      ) {
        continue;
      }
      assert.notEqual(said({ ...witness, proof, commitments }), 'holds', bytesToHex(copy));
    }
  }
  assert.equal(seeded(1)(100), seeded(1)(100));
});
