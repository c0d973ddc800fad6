import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createKeyFile } from '@bulkhead/keys';
import { developmentPassphrase, loadConfiguration } from '@bulkhead/server';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

export async function keys(terminal: Terminal): Promise<ExitCode> {
  const [action, ...words] = terminal.words;
  if (action !== 'init') throw new UsageError('keys knows one action: init. "bulkhead help keys" explains it.');
  readOptions('keys', words, {});
  const { keys: named } = loadConfiguration(terminal.folder, terminal.environment);
  mkdirSync(dirname(named.path), { recursive: true, mode: 0o700 });
  const passphrase = named.kind === 'given' ? named.passphrase : developmentPassphrase(named);
  const { fingerprint } = await withProgress(terminal, 'stretching the passphrase', () =>
    createKeyFile({ path: named.path, passphrase }),
  );
  terminal.out(
    `Key file ${named.path}, fingerprint ${fingerprint}. Copy it to a safe place now: without it and its passphrase the coins are gone.`,
  );
  if (named.kind === 'development') {
    terminal.out(`DEVELOPMENT ONLY: its passphrase was made and is in ${named.passphrasePath}.`);
  }
  return exitCodes.ok;
}
