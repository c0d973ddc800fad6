import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRows } from './rows.ts';

test('rows of a table come with their line, cells without marks of code', () => {
  const text = 'Text | with a bar\n\n| name | why |\n|---|:-:|\n| `a/b` | one \\| two |\n';
  assert.deepEqual(readRows(text), [
    { line: 3, cells: ['name', 'why'] },
    { line: 5, cells: ['a/b', 'one \\| two'] },
  ]);
});
