import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { countLines, isSource, isTest, lineAt, readTree } from './tree.ts';

test('a tree holds the text files of a folder, sorted, without dependencies and data', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tree-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  for (const at of ['src/deep', 'node_modules/x', '.bulkhead']) {
    mkdirSync(join(folder, at), { recursive: true });
  }
  for (const at of ['src/deep/b.ts', 'a.md', 'node_modules/x/c.ts', '.bulkhead/d.sql', 'e.png']) {
    writeFileSync(join(folder, at), at);
  }
  assert.deepEqual(
    [...readTree(folder)],
    [
      ['a.md', 'a.md'],
      ['src/deep/b.ts', 'src/deep/b.ts'],
    ],
  );
});

test('lines are counted as a person counts them', () => {
  assert.deepEqual(
    ['', 'a', 'a\n', 'a\n\n', 'a\nb'].map((text) => countLines(text)),
    [0, 1, 1, 2, 2],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 5].map((offset) => lineAt('a\nb\nc\n', offset)),
    [1, 1, 2, 2, 3],
  );
});

test('tests and declarations are told from the code that runs', () => {
  assert.deepEqual(['packages/a/src/b.ts', 'packages/a/src/b.test.ts', 'packages/a/test/b.ts'].map(isTest), [
    false,
    true,
    true,
  ]);
  assert.deepEqual(['a.ts', 'a.d.ts', 'a.md'].map(isSource), [true, false, false]);
});
