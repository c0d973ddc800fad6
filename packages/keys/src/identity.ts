import { hmac, hmacWorkBytes, sha256 } from './hmac.ts';
import type { IdentityKey } from './driver.ts';
import { createSecret, type Secret } from './memory.ts';
import { nativeModules } from './native.ts';

/** What separates the identity key from everything else that is made of the same entropy (RFC 5869, `info`). */
export const identityLabel: string = 'bulkhead identity key v1';
/** The same for the key that signs checkpoints of the audit log. */
export const logLabel: string = 'bulkhead log key v1';

const publicKeyBytes = 32;
const secretKeyBytes = 64;
const signatureBytes = 64;

/**
 * The identity key of a signer whose keys are in software: Ed25519 (RFC 8032) with a private seed of HKDF-SHA256 (RFC 5869) over
 * the entropy. It lives in locked memory and is wiped with the driver. Nobody who knows the identity key learns the entropy.
 */
export function openSoftwareIdentity(entropy: Secret, label: string = identityLabel): IdentityKey {
  const { sodium } = nativeModules();
  const secretKey = createSecret(secretKeyBytes);
  const publicKey = Buffer.alloc(publicKeyBytes);
  using seed = createSecret(32);
  seed.write((out) => {
    entropy.read((bytes) => hkdf(bytes, label, out));
    secretKey.write((key) => sodium.crypto_sign_seed_keypair(publicKey, key, out));
  });
  return {
    publicKey: publicKey.toString('hex'),
    residency: 'software',
    sign: async (message) => {
      const signature = new Uint8Array(signatureBytes);
      secretKey.read((key) => sodium.crypto_sign_detached(signature, message, key));
      return signature;
    },
    [Symbol.asyncDispose]: async () => secretKey.wipe(),
  };
}

/** HKDF-SHA256 with an empty salt and one block of output. */
function hkdf(input: Uint8Array, label: string, out: Uint8Array): void {
  const info = Buffer.concat([Buffer.from(label, 'ascii'), Buffer.of(1)]);
  const workBytes = hmacWorkBytes(sha256, Math.max(input.length, info.length));
  using memory = createSecret(32 + workBytes);
  memory.write((bytes) => {
    const extracted = bytes.subarray(0, 32);
    const work = bytes.subarray(32);
    hmac(sha256, { key: new Uint8Array(32), message: input, out: extracted, work });
    hmac(sha256, { key: extracted, message: info, out, work });
  });
}
