import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkImports, importsOf, importTable } from './imports.ts';
import type { Zone } from './imports.ts';
import type { Tree } from './tree.ts';

const table: Readonly<Record<string, Zone>> = {
  core: { folder: 'packages/core', imports: [], testImports: [], outside: ['pure'], node: false },
  edge: { folder: 'packages/edge', imports: ['core'], testImports: ['far'], node: true },
  far: { folder: 'packages/far', imports: [], testImports: [], node: true },
};

function manifest(name: string, dependencies: readonly string[], dev: readonly string[] = []): string {
  const versions = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.map((dependency) => [dependency, '0.1.0']));
  return JSON.stringify({
    name: `@bulkhead/${name}`,
    dependencies: versions(dependencies),
    devDependencies: versions(dev),
  });
}

const sound: Tree = new Map([
  ['packages/core/package.json', manifest('core', ['pure'])],
  ['packages/core/src/a.ts', "import { p } from 'pure/deep.js';\nimport { b } from './b.ts';\n"],
  ['packages/core/src/a.test.ts', "import { test } from 'node:test';\n"],
  ['packages/edge/package.json', manifest('edge', ['@bulkhead/core', 'viem'], ['@bulkhead/far'])],
  ['packages/edge/src/a.ts', "export { a } from '@bulkhead/core';\nimport 'node:fs';\n"],
  ['packages/edge/src/a.test.ts', "import { far } from '@bulkhead/far';\n"],
  ['packages/far/package.json', manifest('far', [])],
]);

/** The messages for the sound repository after one file was replaced. */
function messagesWith(path: string, text: string): readonly string[] {
  return checkImports(new Map([...sound, [path, text]]), table).map(
    (finding) => `${finding.path}:${finding.line ?? 0} ${finding.message}`,
  );
}

test('what the table allows and the manifest declares passes', () => {
  assert.deepEqual(checkImports(sound, table), []);
});

test('an import against the arrows is found, in each of its forms', () => {
  const extra = "import type { T } from '@bulkhead/edge';";
  const forms = [extra, "export * from '@bulkhead/edge';", "await import('@bulkhead/edge');"];
  for (const form of forms) {
    assert.deepEqual(messagesWith('packages/core/src/c.ts', `\n${form}\n`), [
      'packages/core/src/c.ts:2 imports @bulkhead/edge, which the import table does not allow',
    ]);
  }
});

test('the pure zone gets no node module and no foreign package', () => {
  assert.deepEqual(messagesWith('packages/core/src/c.ts', "import 'node:fs';\nimport 'viem';\n"), [
    'packages/core/src/c.ts:1 imports node:fs; @bulkhead/core does no I/O',
    'packages/core/src/c.ts:2 imports viem; @bulkhead/core may use only pure',
  ]);
  assert.deepEqual(messagesWith('packages/core/package.json', manifest('core', ['pure', 'viem'])), [
    'packages/core/package.json:0 depends on viem; @bulkhead/core may use only pure',
  ]);
});

test('what only tests may import stays out of the code', () => {
  assert.deepEqual(messagesWith('packages/edge/src/c.ts', "import '@bulkhead/far';\n"), [
    'packages/edge/src/c.ts:1 imports @bulkhead/far, which the import table does not allow',
  ]);
});

test('manifest, table and imports must agree', () => {
  assert.deepEqual(messagesWith('packages/edge/package.json', manifest('edge', [], ['@bulkhead/far'])), [
    'packages/edge/src/a.ts:1 imports @bulkhead/core, which packages/edge/package.json does not declare',
  ]);
  assert.deepEqual(messagesWith('packages/edge/src/a.ts', ''), [
    'packages/edge/package.json:0 declares @bulkhead/core and never imports it',
  ]);
  assert.deepEqual(messagesWith('packages/far/package.json', manifest('far', ['@bulkhead/core'])), [
    'packages/far/package.json:0 depends on @bulkhead/core, which the import table does not allow',
    'packages/far/package.json:0 declares @bulkhead/core and never imports it',
  ]);
  assert.deepEqual(messagesWith('packages/new/package.json', manifest('new', [])), [
    'packages/new/package.json:0 @bulkhead/new in packages/new has no row in the import table of tools/imports.ts',
  ]);
  assert.deepEqual(messagesWith('packages/far/package.json', '[]'), [
    'packages/far/package.json:0 is not a JSON object',
  ]);
});

test('a missing declaration is said once, an import that is not allowed wherever it stands', () => {
  const twice = (text: string): number =>
    checkImports(new Map([...sound, ['packages/edge/src/c.ts', text], ['packages/edge/src/d.ts', text]]), table).length;
  assert.equal(twice("import '@bulkhead/far';\n"), 2);
  const undeclared = new Map([...sound, ['packages/edge/package.json', manifest('edge', [], ['@bulkhead/far'])]]);
  assert.equal(
    checkImports(new Map([...undeclared, ['packages/edge/src/c.ts', "import '@bulkhead/core';\n"]]), table).length,
    1,
  );
});

test('a side door opens itself and not the rest of the workspace', () => {
  const doors = {
    ...table,
    edge: { folder: 'packages/edge', imports: ['core/door'], testImports: ['far'], node: true },
  };
  const messages = (text: string): readonly string[] =>
    checkImports(new Map([...sound, ['packages/edge/src/a.ts', text]]), doors).map(({ message }) => message);
  assert.deepEqual(messages("import '@bulkhead/core/door';\n"), []);
  for (const target of ['@bulkhead/core', '@bulkhead/core/doors', '@bulkhead/core/door/in']) {
    assert.deepEqual(messages(`import '${target}';\n`), [`imports ${target}, which the import table does not allow`]);
  }
});

test('a path out of the workspace is no way around the table', () => {
  assert.deepEqual(messagesWith('packages/core/src/c.ts', "import '../../edge/src/a.ts';\n"), [
    'packages/core/src/c.ts:1 imports ../../edge/src/a.ts, which is outside of packages/core',
  ]);
});

test('the tools import only tools', () => {
  const tree = new Map([
    ['package.json', JSON.stringify({ name: 'bulkhead' })],
    ['tools/a.ts', "import './b.ts';\nimport '@bulkhead/core';\nimport '../packages/core/src/a.ts';\n"],
  ]);
  assert.deepEqual(
    checkImports(tree, table).map(({ line }) => line),
    [2, 3],
  );
});

test('a comment and a string are no import', () => {
  assert.deepEqual(importsOf('a.ts', "// import 'x';\nconst text = \"import 'y'\";\n"), []);
});

test('the arrows of the repository never come back to where they started', () => {
  const reach = (name: string, seen: readonly string[]): void => {
    assert.ok(!seen.includes(name), `${[...seen, name].join(' -> ')} is a cycle`);
    for (const next of importTable[name]?.imports ?? []) reach(next, [...seen, name]);
  };
  for (const name of Object.keys(importTable)) reach(name, []);
  assert.deepEqual(importTable['domain']?.imports, []);
  assert.deepEqual(importTable['custody']?.imports, [
    'domain',
    'ledger',
    'postgres',
    'proofs/header',
    'reserves',
    'vaults',
  ]);
  for (const app of ['server', 'cli']) assert.ok(importTable[app]?.imports.includes('fakes') === false);
});
