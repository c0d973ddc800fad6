import { CustodyError, type KeyPath, type KeyRef } from '@bulkhead/domain';
import type { IdentityKey, KeyDriver } from './driver.ts';
import { logLabel, openSoftwareIdentity } from './identity.ts';
import { openKeyFile, type Passphrase } from './key-file.ts';
import { type KeyTree, openTree } from './tree.ts';

export type SoftwareKeys = AsyncDisposable & {
  readonly driver: KeyDriver;
  readonly identity: IdentityKey;
  /** Signs checkpoints of the audit log, and nothing else. */
  readonly logKey: IdentityKey;
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
};

/**
 * Opens a key file: the wallets of its tree and, of the same entropy, the identity key and the log's. For chains where coins are worth
 * nothing; the signer sees to that. All keys stay in locked memory until they are disposed of.
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
  await using made = new AsyncDisposableStack();
  const driver = made.use(softwareDriver(tree));
  const identity = made.use(openSoftwareIdentity(entropy));
  const logKey = made.use(openSoftwareIdentity(entropy, logLabel));
  const rest = made.move();
  return {
    driver,
    identity,
    logKey,
    fingerprint: opened.fingerprint,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
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
