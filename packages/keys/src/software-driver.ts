import { CustodyError, type KeyPath, type KeyRef } from '@bulkhead/domain';
import type { IdentityKey, KeyDriver } from './driver.ts';
import { openSoftwareIdentity } from './identity.ts';
import { openKeyFile, type Passphrase } from './key-file.ts';
import { type KeyTree, openTree } from './tree.ts';

export type SoftwareKeys = AsyncDisposable & {
  readonly driver: KeyDriver;
  readonly identity: IdentityKey;
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
};

/**
 * Opens a key file: the wallets of its tree and, of the same entropy, the identity key. For chains where coins are worth nothing;
 * the signer sees to that. Both keys stay in locked memory until they are disposed of.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`,
 *   `key/native-module-missing`, `key/memory-lock`
 */
export async function openSoftwareKeys(options: {
  readonly path: string;
  readonly passphrase: Passphrase;
}): Promise<SoftwareKeys> {
  const opened = await openKeyFile(options.path, options.passphrase);
  using entropy = opened.entropy;
  const tree = openTree(entropy);
  let identity: IdentityKey;
  try {
    identity = openSoftwareIdentity(entropy);
  } catch (error) {
    tree.wipe();
    throw error;
  }
  const driver = softwareDriver(tree);
  return {
    driver,
    identity,
    fingerprint: opened.fingerprint,
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
    },
  };
}

function softwareDriver(tree: KeyTree): KeyDriver {
  return {
    name: 'software',
    residency: 'software',
    accountXpub: async (compartment) => tree.accountXpub(compartment),
    publicKey: async (key) => tree.publicKey(pathOf(key)),
    sign: async (key, digest) => tree.sign(pathOf(key), digest),
    health: async () => [
      {
        name: 'software',
        healthy: true,
        detail: `keys in a file, fingerprint ${tree.fingerprint}; for development only`,
      },
    ],
    [Symbol.asyncDispose]: async () => tree.wipe(),
  };
}

/** @throws CustodyError `hsm/key-missing` for a key that is found by its label: a tree has none. */
export function pathOf(key: KeyRef): KeyPath {
  if ('index' in key) return key;
  throw new CustodyError(
    'hsm/key-missing',
    `A key with the label "${key.label}" was asked for, and this driver has only keys of a tree, found by compartment and index. Give the wallet to a driver with keys of their own.`,
    { details: { label: key.label } },
  );
}
