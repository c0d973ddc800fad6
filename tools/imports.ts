import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';
import { readManifests } from './manifests.ts';
import type { Manifest } from './manifests.ts';
import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { isSource, isTest, lineAt } from './tree.ts';

/** What a workspace may import. Names are those of workspaces without `@bulkhead/`. */
export type Zone = {
  readonly folder: string;
  /** A name with a path, as `keys/whole-file`, is that one side door and not the rest of the workspace. */
  readonly imports: readonly string[];
  /** What its tests may import besides. */
  readonly testImports: readonly string[];
  /** Closed list of packages from outside; absent where any declared one will do. */
  readonly outside?: readonly string[];
  /** Whether `node:*` may be imported. */
  readonly node: boolean;
};

/** What an app may put together. `fakes` is not among them: nothing that runs for a client contains one. */
const packages = [
  'api',
  'authority',
  'chain-evm',
  'contracts',
  'custody',
  'domain',
  'keys',
  'ledger',
  'log',
  'postgres',
  'proofs',
  'reserves',
  'signer-client',
  'tlog',
  'vaults',
  'verifier',
] as const;

/**
 * The arrows of ARCHITECTURE.md as data. `domain` imports nothing of ours and does no I/O; `custody`
 * gets the adapters as ports and never imports one; only the apps know everything.
 */
export const importTable: Readonly<Record<string, Zone>> = {
  domain: {
    folder: 'packages/domain',
    imports: [],
    testImports: [],
    outside: ['@noble/hashes'],
    node: false,
  },
  // What a client's vault is, in bytes: pure, and the same in a browser.
  vaults: {
    folder: 'packages/vaults',
    imports: ['domain'],
    testImports: ['chain-evm', 'contracts'],
    outside: ['@noble/hashes'],
    node: false,
  },
  // Transparency logs and their proofs: pure, and the same in a browser.
  tlog: {
    folder: 'packages/tlog',
    imports: ['domain'],
    testImports: [],
    outside: ['@noble/hashes'],
    node: false,
  },
  // What the signer and the approval page decide and show: pure, and the same in a browser.
  authority: {
    folder: 'packages/authority',
    imports: ['domain', 'vaults'],
    testImports: [],
    outside: ['@noble/hashes'],
    node: false,
  },
  // Proof of reserves, made and checked: pure, and the same in a browser.
  proofs: {
    folder: 'packages/proofs',
    imports: ['domain'],
    testImports: [],
    outside: ['@noble/curves', '@noble/hashes'],
    node: false,
  },
  // Checks what a custodian shows with nothing but a chain and a file: pure, and the same in a browser.
  verifier: {
    folder: 'packages/verifier',
    imports: ['authority', 'domain', 'proofs', 'tlog', 'vaults'],
    testImports: ['contracts'],
    outside: ['@noble/curves', '@noble/hashes'],
    node: false,
  },
  'signer-client': {
    folder: 'packages/signer-client',
    imports: ['authority', 'domain', 'tlog', 'vaults'],
    testImports: [],
    node: true,
  },
  postgres: { folder: 'packages/postgres', imports: ['domain'], testImports: [], node: true },
  ledger: {
    folder: 'packages/ledger',
    imports: ['domain', 'postgres'],
    testImports: [],
    node: true,
  },
  // Facts come from views that other packages answer for; their tables are theirs.
  log: {
    folder: 'packages/log',
    imports: ['domain', 'postgres', 'tlog'],
    testImports: ['ledger'],
    node: true,
  },
  // Makes proofs of reserves from the books. Where addresses are comes from a source that the caller has.
  reserves: {
    folder: 'packages/reserves',
    imports: ['domain', 'ledger', 'postgres', 'proofs'],
    testImports: ['fakes', 'log'],
    node: true,
  },
  // Stand-ins for the ports, for tests and the simulated world.
  fakes: {
    folder: 'packages/fakes',
    imports: ['domain', 'proofs/header', 'tlog', 'vaults'],
    testImports: [],
    node: true,
  },
  keys: { folder: 'packages/keys', imports: ['domain'], testImports: [], node: true },
  'chain-evm': {
    folder: 'packages/chain-evm',
    imports: ['domain'],
    testImports: ['contracts', 'fakes', 'keys', 'postgres'],
    node: true,
  },
  custody: {
    folder: 'packages/custody',
    imports: ['domain', 'ledger', 'postgres', 'proofs/header', 'reserves', 'vaults'],
    testImports: ['chain-evm', 'contracts', 'fakes', 'keys', 'log', 'proofs'],
    node: true,
  },
  api: { folder: 'packages/api', imports: ['domain'], testImports: [], node: true },
  contracts: { folder: 'contracts', imports: [], testImports: [], node: true },
  // The signer knows no database, no API and no chain; nothing that knows them is imported by it.
  signer: {
    folder: 'apps/signer',
    imports: ['authority', 'domain', 'keys', 'proofs/header', 'signer-client', 'tlog', 'vaults'],
    testImports: ['chain-evm'],
    node: true,
  },
  // Of keys it gets how a private file is written and read, and nothing that knows a key of a wallet.
  approve: {
    folder: 'apps/approve',
    imports: ['authority', 'domain', 'keys/whole-file', 'vaults'],
    testImports: ['keys'],
    node: true,
  },
  // The verification page: what it checks with is the verifier's, and nothing of it knows a server.
  verify: {
    folder: 'apps/verify',
    imports: ['domain', 'tlog', 'verifier'],
    testImports: ['approve'],
    node: true,
  },
  server: { folder: 'apps/server', imports: [...packages, 'approve', 'signer'], testImports: ['fakes'], node: true },
  cli: {
    folder: 'apps/cli',
    imports: [...packages, 'approve', 'server', 'signer', 'verify'],
    testImports: ['fakes'],
    node: true,
  },
  simulation: {
    folder: 'simulation',
    imports: [...packages, 'fakes', 'server'],
    testImports: [],
    node: true,
  },
  bench: {
    folder: 'bench',
    imports: [...packages, 'fakes', 'server', 'signer', 'verify'],
    testImports: [],
    node: true,
  },
};

const scope = '@bulkhead/';

/** Holds imports and manifests against a table of zones, the repository's own by default. */
export function checkImports(tree: Tree, table: Readonly<Record<string, Zone>> = importTable): readonly Finding[] {
  const { manifests, findings } = readManifests(tree);
  const found: Finding[] = [...findings];
  for (const manifest of manifests) {
    if (manifest.folder === '') {
      found.push(...checkTools(tree));
      continue;
    }
    const name = manifest.name.startsWith(scope) ? manifest.name.slice(scope.length) : undefined;
    const zone = name === undefined ? undefined : table[name];
    if (zone === undefined || zone.folder !== manifest.folder) {
      const message = `${manifest.name} in ${manifest.folder} has no row in the import table of tools/imports.ts`;
      found.push({ path: manifest.path, message });
      continue;
    }
    found.push(...checkManifest(manifest, zone), ...checkWorkspace(tree, manifest, zone));
  }
  return found;
}

function checkManifest(manifest: Manifest, zone: Zone): readonly Finding[] {
  const found: Finding[] = [];
  const object = (message: string): number => found.push({ path: manifest.path, message });
  for (const [dependency] of manifest.dependencies) {
    if (dependency.startsWith(scope)) {
      if (!opened(zone.imports).includes(dependency.slice(scope.length))) {
        object(`depends on ${dependency}, which the import table does not allow`);
      }
    } else if (zone.outside?.includes(dependency) === false) {
      object(`depends on ${dependency}; ${manifest.name} may use only ${zone.outside.join(', ')}`);
    }
  }
  for (const [dependency] of manifest.devDependencies) {
    const ours = dependency.startsWith(scope);
    const known = opened([...zone.imports, ...zone.testImports]);
    if (ours && !known.includes(dependency.slice(scope.length))) {
      object(`depends on ${dependency} for tests, which the import table does not allow`);
    }
  }
  return found;
}

/** A declaration that forty files lack is one fault, said at the first of them. */
function checkWorkspace(tree: Tree, manifest: Manifest, zone: Zone): readonly Finding[] {
  const found: Finding[] = [];
  const used = new Set<string>();
  for (const [path, text] of tree) {
    if (!path.startsWith(`${manifest.folder}/`) || !isSource(path)) continue;
    for (const { target, line } of importsOf(path, text)) {
      used.add(packageOf(target));
      const message = objection({ path, target, manifest, zone });
      if (message === undefined) continue;
      const said = message.endsWith('declare') && found.some((earlier) => earlier.message === message);
      if (!said) found.push({ path, line, message });
    }
  }
  for (const name of [...manifest.dependencies.keys(), ...manifest.devDependencies.keys()]) {
    if (name.startsWith(scope) && !used.has(name)) {
      found.push({ path: manifest.path, message: `declares ${name} and never imports it` });
    }
  }
  return found;
}

function objection(at: {
  readonly path: string;
  readonly target: string;
  readonly manifest: Manifest;
  readonly zone: Zone;
}): string | undefined {
  const { path, target, manifest, zone } = at;
  const test = isTest(path);
  if (target.startsWith('.')) {
    const inside = posix.join(posix.dirname(path), target).startsWith(`${manifest.folder}/`);
    return inside ? undefined : `imports ${target}, which is outside of ${manifest.folder}`;
  }
  if (target.startsWith('node:')) {
    return zone.node || test ? undefined : `imports ${target}; ${manifest.name} does no I/O`;
  }
  const name = packageOf(target);
  const declared = manifest.dependencies.has(name) || (test && manifest.devDependencies.has(name));
  if (!name.startsWith(scope)) {
    const allowed = test || zone.outside?.includes(name) !== false;
    return allowed ? undefined : `imports ${name}; ${manifest.name} may use only ${zone.outside?.join(', ')}`;
  }
  const allowed = test ? [...zone.imports, ...zone.testImports] : zone.imports;
  if (!allowed.includes(name.slice(scope.length)) && !allowed.includes(target.slice(scope.length))) {
    return `imports ${target}, which the import table does not allow`;
  }
  return declared ? undefined : `imports ${name}, which ${manifest.path} does not declare`;
}

/** The tools check the repository and must work when it does not: they import none of it. */
function checkTools(tree: Tree): readonly Finding[] {
  const found: Finding[] = [];
  for (const [path, text] of tree) {
    if (!path.startsWith('tools/') || !isSource(path)) continue;
    for (const { target, line } of importsOf(path, text)) {
      const outside =
        target.startsWith(scope) ||
        (target.startsWith('.') && !posix.join(posix.dirname(path), target).startsWith('tools/'));
      if (outside) found.push({ path, line, message: `imports ${target}; tools import only tools` });
    }
  }
  return found;
}

/** The workspaces that a list of imports opens, wholly or by a side door. */
function opened(imports: readonly string[]): readonly string[] {
  return imports.map((name) => name.split('/', 1).join(''));
}

/** `viem` of `viem/chains`, `@noble/hashes` of `@noble/hashes/sha2.js`. */
function packageOf(target: string): string {
  return target.split('/', target.startsWith('@') ? 2 : 1).join('/');
}

type Import = { readonly target: string; readonly line: number };

/** Every module a file names: `import`, `export … from` and `import('…')` with a literal. */
export function importsOf(path: string, text: string): readonly Import[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) return [];
  const requests = [
    ...module.staticImports.map((statement) => statement.moduleRequest),
    ...module.staticExports.flatMap((statement) => statement.entries.flatMap((entry) => entry.moduleRequest ?? [])),
  ].map((request) => ({ target: request.value, line: lineAt(text, request.start) }));
  const dynamic = module.dynamicImports.flatMap(({ moduleRequest }) => {
    const literal = /^(['"`])(.*)\1$/su.exec(text.slice(moduleRequest.start, moduleRequest.end));
    const target = literal?.[2];
    return target === undefined ? [] : [{ target, line: lineAt(text, moduleRequest.start) }];
  });
  return [...requests, ...dynamic];
}

if (import.meta.main) runCheck('imports', (tree) => checkImports(tree));
