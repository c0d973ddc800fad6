import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { createSecret, secretOf } from './memory.ts';
import { entropyBytesAllowed, entropyOfMnemonic, mnemonicOfEntropy, seedOfEntropy } from './mnemonic.ts';

type Bip39 = {
  readonly passphrase: string;
  readonly vectors: {
    readonly entropy: string;
    readonly mnemonic: string;
    readonly seed: string;
    readonly xprv: string;
  }[];
};

const { passphrase, vectors }: Bip39 = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/bip-39.json', import.meta.url), 'utf8'),
);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the English vectors of BIP-39 of 12, 18 and 24 words, up to the master key', () => {
  assert.deepEqual(new Set(vectors.map(({ mnemonic }) => mnemonic.split(' ').length)), new Set([12, 18, 24]));
  for (const { entropy, mnemonic, seed, xprv } of vectors) {
    const bytes = Buffer.from(entropy, 'hex');
    assert.equal(mnemonicOfEntropy(bytes), mnemonic);
    assert.equal(hex(entropyOfMnemonic(mnemonic)), entropy);
    using secret = secretOf(bytes);
    using derived = seedOfEntropy(secret, passphrase);
    assert.equal(derived.read(hex), seed);
    assert.equal(
      derived.read((read) => HDKey.fromMasterSeed(read).privateExtendedKey),
      xprv,
    );
  }
});

test('white space between and around the words does not matter', () => {
  const [first] = vectors;
  assert.ok(first !== undefined);
  const spaced = `  ${first.mnemonic.replaceAll(' ', ' \n ')}\t`;
  assert.equal(hex(entropyOfMnemonic(spaced)), first.entropy);
});

test('a wrong checksum, an unknown word or a wrong number of words is refused without being quoted', () => {
  const words = 'legal winner thank year wave sausage worth useful legal winner thank yellow'.split(' ');
  const wrong = [
    [...words.slice(0, 11), 'zoo'],
    [...words.slice(0, 11), 'bulkhead'],
    words.slice(0, 11),
    [...words, 'yellow'],
    [...words].reverse(),
    [],
  ];
  for (const list of wrong) {
    assert.throws(
      () => entropyOfMnemonic(list.join(' ')),
      (error) => {
        assert.ok(error instanceof CustodyError);
        assert.equal(error.code, 'key/malformed-mnemonic');
        assert.equal(error.cause, undefined);
        assert.doesNotMatch(error.stack ?? '', /sausage|bulkhead|yellow/u);
        return true;
      },
    );
  }
});

test('entropy of a length that BIP-39 does not know is refused', () => {
  for (let length = 0; length <= 40; length++) {
    const entropy = new Uint8Array(length);
    if (entropyBytesAllowed.includes(length)) {
      assert.equal(mnemonicOfEntropy(entropy).split(' ').length, (length * 3) / 4);
      continue;
    }
    assert.throws(() => mnemonicOfEntropy(entropy), { code: 'key/malformed-mnemonic' }, String(length));
  }
});

test('the seed of every length of entropy is that of another implementation', () => {
  for (const length of entropyBytesAllowed) {
    const entropy = Uint8Array.from({ length }, (_, at) => (at * 37 + length) & 0xff);
    const expected = hex(mnemonicToSeedSync(mnemonicOfEntropy(entropy)));
    using secret = secretOf(entropy);
    using seed = seedOfEntropy(secret);
    assert.equal(seed.read(hex), expected);
  }
  using odd = createSecret(17);
  assert.throws(() => seedOfEntropy(odd), { code: 'key/malformed-mnemonic' });
});
