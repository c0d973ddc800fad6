import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Something that tests use and npm cannot bring. */
export type Part = {
  readonly name: string;
  /** Debian's packages. */
  readonly packages: readonly string[];
  /** Test files that cannot run without it, by path. */
  readonly neededBy: RegExp;
  present(machine: Machine): boolean;
};

/** What is asked of the machine, so that a test can be another one. */
export type Machine = {
  hasProgram(name: string): boolean;
  hasFile(path: string): boolean;
  readonly root: boolean;
  /** Installs with apt-get and says whether that went well. */
  install(packages: readonly string[]): boolean;
};

const softHsmLibraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
];

export const parts: readonly Part[] = [
  {
    name: 'SoftHSM 2',
    packages: ['softhsm2'],
    neededBy: /^(?:packages\/keys|apps\/(?:signer|server|cli)|bench|simulation)\//u,
    present: (machine) => machine.hasProgram('softhsm2-util') && softHsmLibraries.some((path) => machine.hasFile(path)),
  },
  {
    // For `pkcs11-tool`: what a stranger with the PIN can do to a token.
    name: 'OpenSC',
    packages: ['opensc'],
    neededBy: /^packages\/keys\//u,
    present: (machine) => machine.hasProgram('pkcs11-tool'),
  },
  {
    name: 'Chromium',
    packages: ['chromium'],
    neededBy: /^apps\/(?:approve|verify)\//u,
    present: (machine) => ['chromium', 'chromium-browser', 'google-chrome'].some((name) => machine.hasProgram(name)),
  },
  {
    // A ceremony is played as people do it: at a terminal.
    name: 'tmux',
    packages: ['tmux'],
    neededBy: /^apps\/cli\//u,
    present: (machine) => machine.hasProgram('tmux'),
  },
  {
    // Proves what the compiler's model checker asks about the vault's policy.
    name: 'z3',
    packages: ['z3'],
    neededBy: /^contracts\//u,
    present: (machine) => machine.hasProgram('z3'),
  },
  {
    // For the shim that stands in for a Luna.
    name: 'a C compiler',
    packages: ['gcc', 'libc6-dev'],
    neededBy: /^packages\/keys\//u,
    present: (machine) => ['cc', 'gcc', 'clang'].some((name) => machine.hasProgram(name)),
  },
];

/**
 * Sees to it that what these test files need is there: installs it where it may, and answers with one sentence that says what to
 * type where it may not. Nothing is skipped for want of a part.
 */
export function ensure(files: readonly string[], machine: Machine = thisMachine): string | undefined {
  const missing = (): readonly Part[] =>
    parts.filter((part) => files.some((file) => part.neededBy.test(file)) && !part.present(machine));
  const before = missing();
  if (before.length === 0) return undefined;
  const packages = before.flatMap((part) => part.packages);
  const debian = machine.hasProgram('apt-get');
  if (debian && machine.root && machine.install(packages) && missing().length === 0) return undefined;
  const names = missing().map((part) => part.name);
  const list = new Intl.ListFormat('en').format(names);
  const command = `${machine.root ? '' : 'sudo '}apt-get install -y ${missing()
    .flatMap((part) => part.packages)
    .join(' ')}`;
  const advice = debian
    ? `Type: ${command}`
    : `With Debian it is: ${command}. Here, use the package manager of the system.`;
  return `These tests need ${list}, which this machine lacks. ${advice}`;
}

/** Downloading packages is slow, but ends. */
const installTimeoutMs = 600_000;

const thisMachine: Machine = {
  hasProgram: (name) => (process.env['PATH'] ?? '').split(delimiter).some((folder) => isProgram(join(folder, name))),
  hasFile: existsSync,
  root: process.getuid?.() === 0,
  install(packages) {
    console.log(`Installing ${packages.join(', ')}, which the tests need.`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const run = (args: readonly string[]): boolean =>
      spawnSync('apt-get', args, { stdio: 'ignore', timeout: installTimeoutMs, env }).status === 0;
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    // The lists of packages may be missing or old: then they are fetched, and it is tried again.
    return run(install) || (run(['update']) && run(install));
  },
};

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
