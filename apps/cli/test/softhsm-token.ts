import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const libraries = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];

export type TestToken = {
  readonly library: string;
  readonly label: string;
  readonly configuration: string;
  readonly pinFile: string;
};

/** SoftHSM with a copy of the library, a configuration and a folder of its own: another module than every other. */
export function makeTestToken(folder: string, label: string): TestToken {
  const own = join(folder, label);
  mkdirSync(join(own, 'tokens'), { recursive: true, mode: 0o700 });
  const installed = libraries.find((path) => existsSync(path));
  if (installed === undefined) throw new Error('SoftHSM is not installed: apt-get install softhsm2.');
  const library = join(own, 'libsofthsm2.so');
  copyFileSync(installed, library);
  const configuration = join(own, 'softhsm2.conf');
  writeFileSync(configuration, `directories.tokendir = ${own}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const initialise = ['--init-token', '--free', '--label', label, '--so-pin', '12345678', '--pin', '24681357'];
  execFileSync('softhsm2-util', initialise, { env: { ...process.env, SOFTHSM2_CONF: configuration }, stdio: 'ignore' });
  const pinFile = join(own, 'pin');
  writeFileSync(pinFile, '24681357\n', { mode: 0o400 });
  return { library, label, configuration, pinFile };
}

/** Words for `--slot`. */
export function slotWord(slot: string, { library, label, configuration }: TestToken): string {
  return `${slot}=${library},${label},SOFTHSM2_CONF=${configuration}`;
}
