import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObject, readManifests } from './manifests.ts';
import { runCheck } from './report.ts';
import { readRows } from './rows.ts';
import type { Finding, Tree } from './tree.ts';
import { root } from './tree.ts';

const tablePath = 'docs/dependencies.md';
const exactVersion = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/u;
const ours = '@bulkhead/';

type Dependency = { readonly name: string; readonly version: string; readonly folder: string };

/** The licence that an installed package states, or nothing if it is not installed. */
export type LicenceOf = (dependency: Dependency) => string | undefined;

/**
 * Every dependency of every manifest is pinned to one exact version and has one row in
 * `docs/dependencies.md`: name, version, what for, licence as installed, what would replace it.
 */
export function checkDependencies(tree: Tree, licenceOf: LicenceOf = installedLicence): readonly Finding[] {
  const { manifests, findings } = readManifests(tree);
  const found: Finding[] = [...findings];
  const dependencies = new Map<string, Dependency>();
  for (const { path, folder, dependencies: run, devDependencies } of manifests) {
    for (const [name, version] of [...run, ...devDependencies]) {
      if (!exactVersion.test(version)) {
        found.push({ path, message: `${name} ${version} is not an exact version` });
      }
      const other = dependencies.get(name);
      if (other !== undefined && other.version !== version) {
        const message = `${name} ${version}, but ${other.version} in ${other.folder || 'the root'}: one version only`;
        found.push({ path, message });
      }
      if (!name.startsWith(ours)) dependencies.set(name, { name, version, folder });
    }
  }
  return [...found, ...checkTable(tree.get(tablePath) ?? '', dependencies, licenceOf)];
}

function checkTable(
  markdown: string,
  dependencies: ReadonlyMap<string, Dependency>,
  licenceOf: LicenceOf,
): readonly Finding[] {
  const found: Finding[] = [];
  const seen = new Set<string>();
  for (const { line, cells } of readRows(markdown)) {
    const [name = '', version = '', purpose = '', licence = '', replacement = ''] = cells;
    if (name === 'name') continue;
    const object = (message: string): number => found.push({ path: tablePath, line, message });
    const dependency = dependencies.get(name);
    if (seen.has(name)) object(`${name} has a row already`);
    seen.add(name);
    if (dependency === undefined) {
      object(`${name} is no dependency of any manifest: remove the row`);
      continue;
    }
    if (version !== dependency.version) object(`${name} is pinned to ${dependency.version}, not ${version}`);
    if (cells.length !== 5 || purpose === '' || replacement === '') {
      object(`${name} needs five cells: name, version, what for, licence, what would replace it`);
    }
    const installed = licenceOf(dependency);
    if (installed === undefined) object(`${name} is not installed: run npm ci`);
    else if (installed !== licence) object(`${name} states the licence ${installed}, not "${licence}"`);
  }
  for (const { name, version } of dependencies.values()) {
    if (!seen.has(name)) found.push({ path: tablePath, message: `has no row for ${name} ${version}` });
  }
  return found;
}

function installedLicence({ name, folder }: Dependency): string | undefined {
  const paths = [join(root, folder), root].map((at) => join(at, 'node_modules', name, 'package.json'));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  const licence = parseObject(readFileSync(path, 'utf8'))?.get('license');
  return typeof licence === 'string' ? licence : 'none stated';
}

if (import.meta.main) runCheck('dependencies', (tree) => checkDependencies(tree));
