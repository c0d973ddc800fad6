import { CustodyError } from '@bulkhead/domain';
import type { IdentityKey } from '../driver.ts';
import { isEd25519Signature } from '../signature.ts';
import { assertResident } from './key-template.ts';
import type { Token } from './token.ts';

/** Label of the identity key in a token. */
export const identityLabel: string = 'bulkhead/identity';
/** Label of the key that signs checkpoints of the audit log: an object of its own, so that neither key signs for the other. */
export const logLabel: string = 'bulkhead/log';

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
  return {
    publicKey: Buffer.from(raw).toString('hex'),
    residency: 'hsm',
    async sign(message) {
      const signature = await token.signEddsa(label, message);
      if (isEd25519Signature({ message, publicKey: raw, signature })) return signature;
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
