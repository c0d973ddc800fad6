import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReadmes, rootReadmeLinesMax, workspaceReadmeLinesMax } from './readmes.ts';

function pathsFound(rootLines: number, workspaceLines: number): readonly string[] {
  const found = checkReadmes(
    new Map([
      ['package.json', '{}'],
      ['README.md', 'x\n'.repeat(rootLines)],
      ['packages/a/package.json', '{}'],
      ['packages/a/README.md', 'x\n'.repeat(workspaceLines)],
    ]),
  );
  return found.map(({ path }) => path);
}

test('the root and each workspace have a short README', () => {
  assert.deepEqual(pathsFound(rootReadmeLinesMax, workspaceReadmeLinesMax), []);
  assert.deepEqual(pathsFound(rootReadmeLinesMax + 1, workspaceReadmeLinesMax), ['README.md']);
  assert.deepEqual(pathsFound(1, workspaceReadmeLinesMax + 1), ['packages/a/README.md']);
  assert.deepEqual(pathsFound(0, 0), ['README.md', 'packages/a/README.md']);
});
