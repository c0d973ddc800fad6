import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import type { IdentityKey } from '../driver.ts';
import { assertResident } from './key-template.ts';
import type { Token } from './token.ts';

/** Label of the identity key in a token. */
export const identityLabel: string = 'bulkhead/identity';

/** In a thread: a decision that waits for its turn need not wait for this. */
const isVerified = async (message: Uint8Array, key: KeyObject, signature: Uint8Array): Promise<boolean> =>
  await new Promise((resolve) => {
    verify(null, message, key, signature, (error, right) => resolve(error === null && right));
  });

/** DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410), up to the key itself. */
const spkiHeader = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * An identity key in a token. Closing it leaves the token open.
 *
 * Every signature is verified before it is given out: one that a fault spoiled would betray an Ed25519 key.
 *
 * @throws CustodyError `hsm/key-missing`, `hsm/refused` where the key was not made in the token or can leave it
 */
export async function openTokenIdentity(token: Token, label: string = identityLabel): Promise<IdentityKey> {
  assertResident(await token.attributes(label), label);
  const raw = await token.publicKey(label);
  const key = createPublicKey({ key: Buffer.concat([spkiHeader, raw]), format: 'der', type: 'spki' });
  return {
    publicKey: Buffer.from(raw).toString('hex'),
    residency: 'hsm',
    async sign(message) {
      const signature = await token.signEddsa(label, message);
      if (await isVerified(message, key, signature)) return signature;
      throw new CustodyError(
        'hsm/signature-invalid',
        `A signature of the identity key "${label}" does not verify under its public key, and is not given out. Check the module, and whether somebody replaced the public key.`,
        { details: { token: token.label, label } },
      );
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** @throws CustodyError `hsm/key-exists` */
export async function createTokenIdentity(token: Token, label: string = identityLabel): Promise<IdentityKey> {
  await token.generateEd25519(label);
  return await openTokenIdentity(token, label);
}
