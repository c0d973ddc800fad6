import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import {
  checkpointText,
  cosignatureBytes,
  cosignedMessage,
  formatSignedNote,
  type KeyPurpose,
  type TreeHead,
  type VerifierKey,
  verifierKey,
  type VerifyEd25519,
} from '../index.ts';

/** What stands before the 32 bytes of a private and of a public key in DER (RFC 8410). */
const [privatePrefix, publicPrefix] = [
  Buffer.from('302e020100300506032b657004220420', 'hex'),
  Buffer.from('302a300506032b6570032100', 'hex'),
];
const publicKeyOf = (key: Uint8Array): ReturnType<typeof createPublicKey> =>
  createPublicKey({ key: Buffer.concat([publicPrefix, key]), format: 'der', type: 'spki' });
const privateKeyOf = (secret: Uint8Array): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({ key: Buffer.concat([privatePrefix, secret]), format: 'der', type: 'pkcs8' });

/** Ed25519 of OpenSSL, for tests. */
export const verifyEd25519: VerifyEd25519 = ({ signature, message, publicKey }) =>
  verify(null, message, publicKeyOf(publicKey), signature);

const signEd25519 = (message: Uint8Array, secret: Uint8Array): Uint8Array => sign(null, message, privateKeyOf(secret));

export type TestKey = VerifierKey & { readonly secret: Uint8Array };

export function testKey(name: string, purpose: KeyPurpose, seed: number): TestKey {
  const secret = new Uint8Array(32).fill(seed);
  return {
    ...verifierKey(
      name,
      purpose,
      createPublicKey(privateKeyOf(secret)).export({ format: 'der', type: 'spki' }).subarray(-32),
    ),
    secret,
  };
}

/** A checkpoint that a log signed, and witnesses at a time. */
export function signedCheckpoint(
  head: TreeHead & { readonly origin?: string },
  by: { readonly log: TestKey; readonly witnesses?: readonly TestKey[]; readonly timeS?: number },
): string {
  const text = checkpointText({ origin: head.origin ?? by.log.name, size: head.size, root: head.root });
  const timeS = by.timeS ?? 1_790_000_000;
  return formatSignedNote({
    text,
    signatures: [
      { name: by.log.name, keyId: by.log.id, bytes: signEd25519(utf8ToBytes(text), by.log.secret) },
      ...(by.witnesses ?? []).map(({ name, id, secret }) => ({
        name,
        keyId: id,
        bytes: cosignatureBytes(timeS, signEd25519(cosignedMessage(text, timeS), secret)),
      })),
    ],
  });
}
