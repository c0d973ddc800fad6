import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenOptions } from '../token.ts';

/** Where Debian and Ubuntu put the library, and where other distributions do. */
const libraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
];

export type TemporaryToken = Disposable & {
  readonly library: string;
  readonly label: string;
  /** Only for tests: a real PIN is never text. */
  readonly pinText: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** What `openToken` takes. */
  options(): TokenOptions;
  /** The token's storage goes away, as a module does whose network is down; `restore` brings it back. */
  vanish(): void;
  restore(): void;
};

/**
 * Makes a SoftHSM token of its own: folder, configuration and a copy of the library, so that it is another hardware module than every
 * other in the process.
 */
export function temporaryToken(given: { readonly label: string }): TemporaryToken {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-token-'));
  const tokens = join(folder, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  const configuration = join(folder, 'softhsm2.conf');
  writeFileSync(
    configuration,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.mechanisms = ALL\nlibrary.reset_on_fork = false\n`,
  );
  const environment = { SOFTHSM2_CONF: configuration };
  const pinText = '428571';
  const { label } = given;
  const initialise = ['--init-token', '--free', '--label', label, '--so-pin', '142857142857', '--pin', pinText];
  execFileSync('softhsm2-util', initialise, { env: { ...process.env, ...environment }, stdio: 'pipe' });
  const library = copyLibrary(folder);
  const away = `${tokens}.away`;
  return {
    library,
    label,
    pinText,
    environment,
    folder,
    options: () => ({ library, label, environment, pin: () => Buffer.from(pinText) }),
    vanish: () => renameSync(tokens, away),
    restore: () => renameSync(away, tokens),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A copy is a second module: the library knows one state per file. */
export function copyLibrary(folder: string): string {
  const copy = join(folder, `libsofthsm2-${process.hrtime.bigint()}.so`);
  copyFileSync(softHsmLibrary(), copy);
  return copy;
}

/** Path of the installed library. */
export function softHsmLibrary(): string {
  const found = libraries.find((path) => existsSync(path));
  if (found === undefined) throw new Error('SoftHSM is not installed: apt-get install softhsm2.');
  return found;
}
