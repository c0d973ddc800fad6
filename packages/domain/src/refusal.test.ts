import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { refusalCodes, refuse } from './refusal.ts';

test('every refusal has one row in the specification that says meaning, why and what to do, and no row is left over', () => {
  const text = readFileSync(new URL('../../../spec/refusals.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  assert.deepEqual(
    cells.map(([, code]) => code),
    refusalCodes.map((code) => `\`${code}\``),
  );
  for (const [, code, ...prose] of cells) {
    assert.equal(prose.filter((cell) => cell.length > 10).length, 3, code);
  }
});

test('refusals are sorted, different, and of the form noun/reason', () => {
  const sorted = [...refusalCodes].sort((a, b) => (a < b ? -1 : 1));
  assert.deepEqual([...refusalCodes], sorted);
  assert.equal(new Set(refusalCodes).size, refusalCodes.length);
  for (const code of refusalCodes) assert.match(code, /^[a-z-]+\/[a-z-]+$/u);
});

test('a refusal is a value with code, message and details', () => {
  assert.deepEqual(refuse('resource/not-found', 'There is no wd_1.', { id: 'wd_1' }), {
    status: 'refused',
    code: 'resource/not-found',
    message: 'There is no wd_1.',
    details: { id: 'wd_1' },
  });
});
