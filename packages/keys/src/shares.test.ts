import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { createSecret, type Secret, secretOf } from './memory.ts';
import { assertReadBack, combineShares, shareCountMax, shareFacts, splitEntropy } from './shares.ts';
import { masterFingerprint } from './tree.ts';

const bytesOf = (secret: Secret): number[] => secret.read((bytes) => [...bytes]);
const entropy = secretOf(Uint8Array.from({ length: 32 }, (_, at) => at * 7));
const fingerprint = masterFingerprint(entropy);
const shares = await splitEntropy({ entropy, threshold: 3, count: 5 });

async function refused(given: readonly string[], message: RegExp): Promise<void> {
  await assert.rejects(combineShares({ shares: given, fingerprint }), (error) => {
    assert.ok(error instanceof CustodyError);
    assert.equal(error.code, 'ceremony/wrong-share');
    assert.match(error.message, message);
    assert.equal(error.cause, undefined);
    for (const share of given) {
      const words = share.toLowerCase().split(/\s+/u);
      // In pairs: a message may well use one of the thousand common words of the list.
      for (let at = 1; at < words.length; at++) {
        assert.ok(!error.message.includes(`${words[at - 1]} ${words[at]}`), 'a message quotes no words');
      }
      assert.ok(!error.message.includes('bulkhead'), 'nor one that is not in the list');
    }
    return true;
  });
}
const pick = (...members: number[]): string[] => members.map((member) => shares[member - 1] ?? '');

test('any three of five give the entropy back, in any order, and more than three are all used', async () => {
  for (let a = 1; a <= 5; a++) {
    for (let b = a + 1; b <= 5; b++) {
      for (let c = b + 1; c <= 5; c++) {
        using again = await combineShares({ shares: pick(c, a, b), fingerprint });
        assert.deepEqual(bytesOf(again), bytesOf(entropy));
      }
    }
  }
  using all = await combineShares({ shares: pick(1, 2, 3, 4, 5), fingerprint });
  assert.deepEqual(bytesOf(all), bytesOf(entropy));
});

test('32 bytes are 33 words and 16 bytes are 20; each share says its place and nothing else', async () => {
  using short = secretOf(randomBytes(16));
  const small = await splitEntropy({ entropy: short, threshold: 2, count: 3 });
  const facts = await Promise.all([...shares, ...small].map((share) => shareFacts(share)));
  assert.deepEqual(
    facts.map(({ words }) => words),
    [33, 33, 33, 33, 33, 20, 20, 20],
  );
  assert.deepEqual(
    facts.map(({ member }) => member),
    [1, 2, 3, 4, 5, 1, 2, 3],
  );
  assert.deepEqual(
    facts.map(({ threshold }) => threshold),
    [3, 3, 3, 3, 3, 2, 2, 2],
  );
  assert.equal(new Set(facts.map(({ set }) => set)).size, 2);
  using again = await combineShares({ shares: small.slice(1), fingerprint: masterFingerprint(short) });
  assert.deepEqual(bytesOf(again), bytesOf(short));
});

test('what is typed by a person may have other case and space', async () => {
  const typed = pick(1, 3, 5).map((share) => `  ${share.toUpperCase().replaceAll(' ', '\n ')}\t`);
  using again = await combineShares({ shares: typed, fingerprint });
  assert.deepEqual(bytesOf(again), bytesOf(entropy));
});

test('a word that is wrong, unknown or missing is found, with the share that has it', async () => {
  const [one = '', two = '', three = ''] = shares;
  const words = two.split(' ');
  const swapped = [...words.slice(0, 10), words[11], words[10], ...words.slice(12)].join(' ');
  await refused([one, swapped, three], /Share 2 has 33 words and a wrong checksum/u);
  await refused([one, words.slice(0, -1).join(' '), three], /Share 2 has 32 words/u);
  for (const unknown of ['bulkhead', 'constructor', '__proto__']) {
    await refused([one, two, [...words.slice(0, 4), unknown, ...words.slice(5)].join(' ')], /Word 5 of share 3/u);
  }
  await refused([one, two, ''], /Word 1 of share 3/u);
});

test('too few shares, none, and one given twice are refused', async () => {
  await refused(pick(1, 2), /2 shares were given and 3 are needed/u);
  await refused([], /No share/u);
  await refused(pick(1, 2, 1), /Share 3 is the same as share 1: both are member 1/u);
  await refused(pick(1, 2, 3, 2), /Share 4 is the same as share 2/u);
});

test('a share of another set is named, and a set of another seed', async () => {
  const other = await splitEntropy({ entropy, threshold: 3, count: 5 });
  await refused([...pick(1, 2), other[2] ?? ''], /Share 3 is of another set/u);
  using foreign = secretOf(randomBytes(32));
  const strangers = await splitEntropy({ entropy: foreign, threshold: 3, count: 3 });
  await refused(strangers, /lead to the master key [0-9a-f]{8}; wanted is/u);
});

test('a forged share with the numbers of the set and a right checksum does not fit', async () => {
  const { default: Slip39 } = await import('slip39');
  const { default: parts } = await import('slip39/src/slip39_helper.js');
  const words = pick(3)[0]?.split(' ') ?? [];
  const forged = forge(words, parts.WORD_LIST);
  assert.ok(Slip39.validateMnemonic(forged));
  await refused([...pick(1, 2), forged], /Shares 1 to 3 do not fit together/u);
  await refused([...pick(1, 2, 4), forged], /Share 4 and shares 2 to 3 do not fit together/u);
});

test('what is read back must be what was printed', () => {
  const [share = ''] = shares;
  assertReadBack(share, ` ${share.toUpperCase()} `);
  const words = share.split(' ');
  const typed = [...words.slice(0, 6), words[6] === 'academic' ? 'acid' : 'academic', ...words.slice(7)].join(' ');
  assert.throws(() => assertReadBack(share, typed), { code: 'ceremony/wrong-share', message: /^Word 7 of 33/u });
  assert.throws(() => assertReadBack(share, words.slice(0, 32).join(' ')), { message: /^Word 33 of 33/u });
  assert.throws(() => assertReadBack(share, `${share} academic`), { message: /1 words too many/u });
});

test('a quorum of one, of more than there are and of more than SLIP-39 knows makes no shares', async () => {
  for (const [threshold, count] of [
    [1, 1],
    [1, 3],
    [4, 3],
    [0, 3],
    [2, shareCountMax + 1],
    [2.5, 3],
  ] as const) {
    await assert.rejects(splitEntropy({ entropy, threshold, count }), { code: 'ceremony/malformed-plan' });
  }
  using odd = createSecret(18);
  await assert.rejects(splitEntropy({ entropy: odd, threshold: 2, count: 3 }), { code: 'invariant/broken' });
});

/** Another value under the same numbers, with its RS1024 checksum (SLIP-39). */
function forge(words: readonly string[], list: readonly string[]): string {
  const data = words.slice(0, -3).map((word) => list.indexOf(word));
  data[10] = ((data[10] ?? 0) + 1) % 1024;
  const generators = [
    0xe0e040, 0x1c1c080, 0x3838100, 0x7070200, 0xe0e0009, 0x1c0c2412, 0x38086c24, 0x3090fc48, 0x21b1f890, 0x3f3f120,
  ];
  let sum = 1;
  for (const value of [...Buffer.from('shamir_extendable', 'ascii'), ...data, 0, 0, 0]) {
    const top = sum >>> 20;
    sum = ((sum & 0xfffff) << 10) ^ value;
    for (const [bit, generator] of generators.entries()) if (((top >>> bit) & 1) === 1) sum ^= generator;
  }
  sum ^= 1;
  const checksum = [(sum >>> 20) & 1023, (sum >>> 10) & 1023, sum & 1023];
  return [...data, ...checksum].map((value) => list[value]).join(' ');
}
