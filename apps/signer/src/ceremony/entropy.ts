import { invariant } from '@bulkhead/domain';
import { createSecret, nativeModules, type Secret } from '@bulkhead/keys';

/** Bytes that each token gives, and bytes of the entropy. */
export const entropyBytes: number = 32;

/** Throws of dice that are hashed in at most. */
export const diceRollsMax: number = 1_000;

const header = 'bulkhead-ceremony-entropy-v1\n';

/**
 * Mixes the sources: SHA-256 over the header, the 32 bytes of each slot in their order, and the throws as ASCII digits. As long as one
 * source is random and unknown, so is the outcome: nobody who made one token can know the seed.
 *
 * What is given is zeros afterwards, but for the text of the throws, which nothing can wipe and which alone says nothing.
 */
export function mixEntropy(of: { readonly random: readonly Uint8Array[]; readonly dice: string }): Secret {
  const { random, dice } = of;
  invariant(
    random.length === 2 && random.every((bytes) => bytes.length === entropyBytes),
    `Each of two tokens gives ${entropyBytes} bytes.`,
  );
  invariant(/^[1-6]*$/u.test(dice) && dice.length <= diceRollsMax, 'Throws are digits from 1 to 6.');
  const { sodium } = nativeModules();
  const parts = [Buffer.from(header, 'ascii'), ...random, Buffer.from(dice, 'ascii')];
  using message = createSecret(parts.reduce((length, part) => length + part.length, 0));
  message.write((bytes) => {
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
      part.fill(0);
    }
  });
  const entropy = createSecret(entropyBytes);
  message.read((bytes) => entropy.write((out) => sodium.crypto_hash_sha256(out, bytes)));
  return entropy;
}
