import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDependencies } from './dependencies.ts';

const heading = '| name | version | what for | licence | what would replace it |\n|---|---|---|---|---|\n';

function messages(files: {
  readonly root?: object;
  readonly workspace?: object;
  readonly rows: readonly string[];
  readonly licence?: string;
}): readonly string[] {
  const tree = new Map([
    ['package.json', JSON.stringify({ name: 'bulkhead', devDependencies: files.root ?? {} })],
    ['packages/a/package.json', JSON.stringify({ name: '@bulkhead/a', dependencies: files.workspace ?? {} })],
    ['docs/dependencies.md', heading + files.rows.join('\n')],
  ]);
  return checkDependencies(tree, () => files.licence ?? 'MIT').map(({ message }) => message);
}

const row = '| `viem` | 2.57.1 | speaks to EVM nodes | MIT | ethers |';

test('a pinned dependency with its row passes; our own workspaces need none', () => {
  const workspace = { viem: '2.57.1', '@bulkhead/domain': '0.1.0' };
  assert.deepEqual(messages({ workspace, rows: [row] }), []);
});

test('versions are exact and the same everywhere', () => {
  for (const version of ['^2.57.1', '~2.57.1', '2.57', 'latest', '*', '>=2.57.1']) {
    const found = messages({ workspace: { viem: version }, rows: [row] });
    assert.ok(found.includes(`viem ${version} is not an exact version`), version);
  }
  const found = messages({ root: { viem: '2.57.1' }, workspace: { viem: '2.57.0' }, rows: [row] });
  assert.match(found.join('\n'), /one version only/u);
});

test('table and manifests agree in both directions', () => {
  assert.deepEqual(messages({ workspace: { viem: '2.57.1' }, rows: [] }), ['has no row for viem 2.57.1']);
  assert.deepEqual(messages({ rows: [row] }), ['viem is no dependency of any manifest: remove the row']);
  assert.deepEqual(messages({ workspace: { viem: '2.57.2' }, rows: [row] }), ['viem is pinned to 2.57.2, not 2.57.1']);
  assert.deepEqual(messages({ workspace: { viem: '2.57.1' }, rows: [row, row] }), ['viem has a row already']);
});

test('a row says what for, the licence as installed, and what would replace it', () => {
  const workspace = { viem: '2.57.1' };
  assert.deepEqual(messages({ workspace, rows: ['| viem | 2.57.1 | | MIT | |'] }), [
    'viem needs five cells: name, version, what for, licence, what would replace it',
  ]);
  assert.deepEqual(messages({ workspace, rows: [row], licence: 'AGPL-3.0' }), [
    'viem states the licence AGPL-3.0, not "MIT"',
  ]);
});
