import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { privateText } from '../private-file.ts';
import { slots } from './set-up-order.ts';

const pinDigits = 12;

/**
 * Two tokens of SoftHSM in the folder of a signer for development, each with a copy of the library, a configuration and a folder of
 * its own: to the signer they are two hardware modules.
 *
 * @throws CustodyError `platform/missing-binary`
 */
export function makeTokens(directory: string, library: string): void {
  for (const name of slots) {
    const folder = join(directory, 'hsm', name);
    const tokens = join(folder, 'tokens');
    mkdirSync(tokens, { recursive: true, mode: 0o700 });
    copyFileSync(library, join(folder, 'libsofthsm2.so'));
    const configuration = join(folder, 'softhsm2.conf');
    writeFileSync(
      configuration,
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
      { mode: 0o600 },
    );
    const pin = privateText(join(folder, 'pin'), () =>
      Array.from({ length: pinDigits }, () => String(randomInt(10))).join(''),
    );
    initialise(name, { configuration, pin });
  }
}

function initialise(
  label: string,
  { configuration, pin }: { readonly configuration: string; readonly pin: string },
): void {
  // Nobody needs the officer's PIN of a token that is thrown away with its folder.
  const officer = randomBytes(12).toString('hex');
  try {
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', officer], {
      env: { PATH: '/usr/bin:/bin', SOFTHSM2_CONF: configuration },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch {
    throw new CustodyError(
      'platform/missing-binary',
      'softhsm2-util cannot make a token. Install it (Debian: apt-get install softhsm2), or remove the library to use keys in software.',
    );
  }
}
