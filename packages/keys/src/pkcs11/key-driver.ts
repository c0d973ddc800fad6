import { randomBytes } from 'node:crypto';
import { CustodyError, type KeyLabel, type KeyRef } from '@bulkhead/domain';
import type { KeyDriver } from '../driver.ts';
import { assertDigest, checkedSignature } from '../signature.ts';
import { assertResident } from './key-template.ts';
import type { Token } from './token.ts';

export type Pkcs11KeyDriver = KeyDriver & {
  /** Makes the key of a wallet in the token and answers its public key, 65 bytes. Throws `hsm/key-exists`. */
  create(key: KeyLabel): Promise<Uint8Array>;
};

/** The compartment is part of the label: a key is not found for another compartment than its own. */
export function walletKeyLabel(key: KeyLabel): string {
  return `bulkhead/wallet/${key.compartment}/${key.label}`;
}

/**
 * Driver `pkcs11-key`: one secp256k1 key per wallet, made in the token and never leaving it. There is no seed behind these keys: their
 * only copies are those that the module's own backup makes.
 *
 * Before a key is used its attributes are read, and it proves by a signature that the public key of the same label is its own. Closing
 * the driver closes the token.
 */
export function openPkcs11Keys(token: Token): Pkcs11KeyDriver {
  const proven = new Map<string, Promise<Uint8Array>>();

  const publicKeyOf = async (label: string): Promise<Uint8Array> => {
    const known = proven.get(label) ?? prove(token, label);
    proven.set(label, known);
    try {
      return await known;
    } catch (error) {
      proven.delete(label);
      throw error;
    }
  };
  return {
    name: 'pkcs11-key',
    residency: 'hsm',
    publicKey: async (key) => Uint8Array.from(await publicKeyOf(labelOf(key))),
    async sign(key, digest) {
      assertDigest(digest);
      const label = labelOf(key);
      const publicKey = await publicKeyOf(label);
      return checkedSignature({ compact: await token.signEcdsa(label, digest), digest, publicKey });
    },
    async create(key) {
      await token.generateSecp256k1(walletKeyLabel(key));
      return await publicKeyOf(walletKeyLabel(key));
    },
    health: async () => [await token.health()],
    [Symbol.asyncDispose]: () => token[Symbol.asyncDispose](),
  };
}

async function prove(token: Token, label: string): Promise<Uint8Array> {
  assertResident(await token.attributes(label), label);
  const publicKey = await token.publicKey(label);
  // 32 random bytes that nobody else chooses: a signature over them is of no use to anyone.
  const digest = randomBytes(32);
  checkedSignature({ compact: await token.signEcdsa(label, digest), digest, publicKey });
  return publicKey;
}

function labelOf(key: KeyRef): string {
  if ('label' in key) return walletKeyLabel(key);
  throw new CustodyError(
    'hsm/key-missing',
    `The driver pkcs11-key has one key per wallet and no tree: there is no key at index ${key.index} of compartment ${key.compartment}. Use a wallet with a key of its own, or a driver with a seed.`,
    { details: { compartment: key.compartment, index: key.index } },
  );
}
