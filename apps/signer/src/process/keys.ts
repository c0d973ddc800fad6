import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { type HeadStore, type IdentityKey, openHeadFile, openSoftwareKeys } from '@bulkhead/keys';
import type { CoreDrivers } from '../core/index.ts';
import type { SignerConfiguration } from './configuration.ts';
import { readSecret } from './secret-file.ts';

/** Everything that a configuration names and that keeps keys or remembers heads. Disposing wipes and logs out. */
export type OpenedKeys = AsyncDisposable & {
  readonly drivers: CoreDrivers;
  readonly identities: readonly IdentityKey[];
  readonly heads: readonly HeadStore[];
};

/** Name of the file that remembers the head where no module does. It protects against accidents only. */
export const headFileName = 'head.json';

/**
 * Opens drivers, identity keys and head stores. What was opened before a failure is closed again.
 *
 * @throws CustodyError `key/…`, `hsm/…`, `config/invalid`
 */
export async function openKeys(configuration: SignerConfiguration): Promise<OpenedKeys> {
  await using opened = new AsyncDisposableStack();
  const { tree, state } = configuration;
  if (tree?.driver !== 'software') {
    throw new CustodyError('config/invalid', 'not there yet');
  }
  const software = opened.use(await openSoftwareKeys({ path: tree.file, passphrase: readSecret(tree.passphraseFile) }));
  const rest = opened.move();
  return {
    drivers: { tree: software.driver },
    identities: [software.identity],
    heads: [openHeadFile(join(state, headFileName))],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
