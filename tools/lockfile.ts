import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObject } from './manifests.ts';
import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { root } from './tree.ts';

const lockPath = 'package-lock.json';

/** A binary for one platform that a package offers and the lockfile does not know. */
export type Gap = { readonly owner: string; readonly name: string; readonly version: string; readonly dev: boolean };

type Entries = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

/**
 * npm 11 refuses `npm ci` when the lockfile lacks a platform's binary, although this platform would
 * never install it, and `npm install` leaves out those that the nearest package store does not hold.
 * So every optional dependency has an entry, whoever wrote the lockfile and wherever.
 */
export function findGaps(lockfile: string): readonly Gap[] {
  const entries = entriesOf(lockfile);
  const gaps: Gap[] = [];
  for (const [owner, fields] of entries) {
    for (const [name, version] of mapOf(fields.get('optionalDependencies'))) {
      if (typeof version !== 'string' || isInstalledFor(owner, name, entries)) continue;
      gaps.push({ owner, name, version, dev: fields.get('dev') === true });
    }
  }
  return gaps;
}

/** The lockfile with an entry for every gap: pinned to the version its owner names, for that platform only. */
export function fillGaps(lockfile: string): string {
  const lock = new Map(parseObject(lockfile) ?? []);
  const entries = new Map<string, unknown>(mapOf(lock.get('packages')));
  for (const { name, version, dev } of findGaps(lockfile)) {
    if (!/^\d+\.\d+\.\d+\S*$/u.test(version)) continue;
    const platform = platformOf(name);
    entries.set(`node_modules/${name}`, {
      version,
      ...(platform.cpu === undefined ? {} : { cpu: [platform.cpu] }),
      ...(dev ? { dev } : {}),
      ...(platform.libc === undefined ? {} : { libc: [platform.libc] }),
      optional: true,
      ...(platform.os === undefined ? {} : { os: [platform.os] }),
    });
  }
  const sorted = [...entries].sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.set('packages', Object.fromEntries(sorted));
  return `${JSON.stringify(Object.fromEntries(lock), undefined, 2)}\n`;
}

export function checkLockfile(tree: Tree): readonly Finding[] {
  return findGaps(tree.get(lockPath) ?? '').map(({ owner, name, version }) => ({
    path: lockPath,
    message: `${owner} may need ${name} ${version}, which has no entry: run node tools/lockfile.ts --write`,
  }));
}

const oses = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const cpus = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/** `@oxlint/binding-linux-x64-musl` is for Linux on x64 with musl. */
function platformOf(name: string): { readonly os?: string; readonly cpu?: string; readonly libc?: string } {
  const words = name.split(/[-/]/u).map((word) => (word === 'amd64' ? 'x64' : word));
  const os = words.find((word) => oses.includes(word));
  const cpu = words.find((word) => cpus.includes(word));
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined;
  return {
    ...(os === undefined ? {} : { os }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(libc === undefined ? {} : { libc }),
  };
}

/** Looks where node would: beside the owner, then in every folder above it. */
function isInstalledFor(owner: string, name: string, entries: Entries): boolean {
  for (let at = owner; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (entries.has(at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`)) return true;
    if (at === '') return false;
  }
}

function entriesOf(lockfile: string): Entries {
  const packages = mapOf(parseObject(lockfile)?.get('packages'));
  return new Map([...packages].map(([path, fields]) => [path, mapOf(fields)]));
}

function mapOf(value: unknown): ReadonlyMap<string, unknown> {
  return typeof value === 'object' && value !== null ? new Map<string, unknown>(Object.entries(value)) : new Map();
}

if (import.meta.main) {
  const path = join(root, lockPath);
  if (process.argv.includes('--write')) writeFileSync(path, fillGaps(readFileSync(path, 'utf8')));
  runCheck('lockfile', checkLockfile);
}
