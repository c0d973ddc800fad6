import { CustodyError } from '@bulkhead/domain';
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { createSecret, type Secret } from './memory.ts';
import { nativeModules } from './native.ts';

/** Entropy of a new key file in bytes: 24 words. */
export const entropyBytesDefault: number = 32;

/** Lengths of entropy that BIP-39 knows, in bytes: 12, 15, 18, 21 and 24 words. */
export const entropyBytesAllowed: readonly number[] = [16, 20, 24, 28, 32];

/**
 * The English words of an entropy (BIP-39). They are the whole secret: show them to the person who keeps the paper copy, and
 * to nothing else. A string cannot be wiped: this is for ceremonies, not for a process that goes on.
 *
 * @throws CustodyError `key/malformed-mnemonic` for a length that BIP-39 does not know
 */
export function mnemonicOfEntropy(entropy: Uint8Array): string {
  assertEntropyLength(entropy);
  return entropyToMnemonic(entropy, wordlist);
}

/**
 * The entropy behind English words, with the checksum verified (BIP-39).
 *
 * @throws CustodyError `key/malformed-mnemonic`. The message names no word: it may come close to a secret.
 */
export function entropyOfMnemonic(mnemonic: string): Uint8Array {
  const words = mnemonic.normalize('NFKD').trim().split(/\s+/u);
  try {
    return mnemonicToEntropy(words.join(' '), wordlist);
  } catch {
    // The library's error is not passed on as a cause, because it may quote the words.
    throw new CustodyError(
      'key/malformed-mnemonic',
      `These ${words.length} words are no BIP-39 mnemonic: 12, 15, 18, 21 or 24 words of the English list whose last one carries the checksum. Compare them with the paper copy.`,
    );
  }
}

/** Bytes of a BIP-39 seed. */
export const seedBytes: number = 64;

/**
 * The seed of BIP-39. The words pass through locked memory as bytes and are never a JavaScript string, which nothing can wipe;
 * the list of words is public.
 *
 * @throws CustodyError `key/malformed-mnemonic` for a length of entropy that BIP-39 does not know
 */
export function seedOfEntropy(entropy: Secret, mnemonicPassphrase: string = ''): Secret {
  assertEntropyLength(entropy);
  const { sodium } = nativeModules();
  const salt = Buffer.from(`mnemonic${mnemonicPassphrase}`.normalize('NFKD'), 'utf8');
  using sentence = createSecret(sentenceBytesMax);
  const seed = createSecret(seedBytes);
  sentence.write((text) => {
    const length = entropy.read((bytes) => writeSentence(bytes, text));
    seed.write((out) => sodium.extension_pbkdf2_sha512(out, text.subarray(0, length), salt, seedIterations, seedBytes));
  });
  // The library leaves its last block on the stack. The same call over nothing writes over it.
  sodium.extension_pbkdf2_sha512(new Uint8Array(seedBytes), new Uint8Array(1), salt, 1, seedBytes);
  return seed;
}

const seedIterations = 2_048;
/** 24 words of 8 letters with spaces between them, and the 33 bytes that they stand for behind. */
const sentenceBytesMax = 24 * 9 + 64;
const wordBytes: readonly Uint8Array[] = wordlist.map((word) => Buffer.from(word, 'ascii'));
const space = 0x20;

/** @returns how many bytes the sentence has */
function writeSentence(entropy: Uint8Array, text: Uint8Array): number {
  const { sodium } = nativeModules();
  // The entropy and, behind it, the hash whose first bits are the checksum.
  const source = text.subarray(text.length - 64);
  source.set(entropy);
  sodium.crypto_hash_sha256(source.subarray(entropy.length, entropy.length + 32), entropy);
  let length = 0;
  const words = (entropy.length * 3) / 4;
  for (let word = 0; word < words; word++) {
    if (word > 0) text[length++] = space;
    let index = 0;
    for (let bit = word * 11; bit < word * 11 + 11; bit++) {
      index = (index << 1) | (((source[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
    }
    const bytes = wordBytes[index] ?? new Uint8Array(0);
    text.set(bytes, length);
    length += bytes.length;
  }
  return length;
}

function assertEntropyLength(entropy: { readonly byteLength: number }): void {
  if (!entropyBytesAllowed.includes(entropy.byteLength)) {
    throw new CustodyError(
      'key/malformed-mnemonic',
      `BIP-39 knows no entropy of ${entropy.byteLength} bytes: give ${entropyBytesAllowed.join(', ')}.`,
    );
  }
}
