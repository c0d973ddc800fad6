import { CustodyError } from '@bulkhead/domain';
import { entropyToMnemonic, mnemonicToEntropy, mnemonicToSeed } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

/** Entropy of a new key file in bytes: 24 words. */
export const entropyBytesDefault: number = 32;

/** Lengths of entropy that BIP-39 knows, in bytes: 12, 15, 18, 21 and 24 words. */
export const entropyBytesAllowed: readonly number[] = [16, 20, 24, 28, 32];

/**
 * The English words of an entropy (BIP-39). They are the whole secret: show them to the person who keeps the paper copy, and
 * to nothing else.
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

/** The 64-byte seed of BIP-39. The caller wipes it. */
export function seedOfEntropy(entropy: Uint8Array, mnemonicPassphrase: string = ''): Promise<Uint8Array> {
  return mnemonicToSeed(mnemonicOfEntropy(entropy), mnemonicPassphrase);
}

function assertEntropyLength(entropy: Uint8Array): void {
  if (!entropyBytesAllowed.includes(entropy.length)) {
    throw new CustodyError(
      'key/malformed-mnemonic',
      `BIP-39 knows no entropy of ${entropy.length} bytes: give ${entropyBytesAllowed.join(', ')}.`,
    );
  }
}
