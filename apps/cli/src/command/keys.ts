import { createKeyFile } from '@bulkhead/keys';
import { denyCoreFiles, readSecret } from '@bulkhead/signer/ceremony';
import { resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

/** Makes the key file of a signer with keys in software, for chains whose coins are worth nothing. */
export async function keys(terminal: Terminal): Promise<ExitCode> {
  const [action, ...words] = terminal.words;
  if (action !== 'init') throw new UsageError('keys knows one action: init. "bulkhead help keys" explains it.');
  const { file, 'passphrase-file': secret } = readOptions('keys', words, {
    file: { type: 'string' },
    'passphrase-file': { type: 'string' },
  });
  const path = resolve(terminal.folder, needed('keys', 'file', file));
  const passphraseFile = resolve(terminal.folder, needed('keys', 'passphrase-file', secret));
  denyCoreFiles();
  // The signer reads the same file in the same way, so what is made here opens there.
  const passphrase = readSecret(passphraseFile);
  const { fingerprint } = await withProgress(terminal, 'stretching the passphrase', () =>
    createKeyFile({ path, passphrase }),
  ).finally(() => passphrase.fill(0));
  terminal.out(
    `Key file ${path}, fingerprint ${fingerprint}. DEVELOPMENT ONLY: a signer signs with it for chains that its registry lists as such. Copy it and its passphrase to a safe place.`,
  );
  return exitCodes.ok;
}
