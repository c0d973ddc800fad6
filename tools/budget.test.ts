import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBudget, fileLinesMax } from './budget.ts';

const lines = (count: number): string => 'x;\n'.repeat(count);

test('a file may have as many lines as the budget says and not one more', () => {
  assert.deepEqual(checkBudget(new Map([['a.ts', lines(fileLinesMax)]]), {}), []);
  for (const path of ['a.ts', 'a.sql', 'a.sol', 'a.test.ts']) {
    const found = checkBudget(new Map([[path, lines(fileLinesMax + 1)]]), {});
    assert.deepEqual(
      found.map((finding) => finding.path),
      [path],
    );
  }
});

test('prose and generated files have no such budget', () => {
  const text = lines(fileLinesMax + 1);
  assert.deepEqual(
    checkBudget(
      new Map([
        ['a.md', text],
        ['packages/a/schema.sql', text],
      ]),
      {},
    ),
    [],
  );
});

test('the list of exceptions only shrinks', () => {
  const messages = (count: number): readonly string[] =>
    checkBudget(new Map([['a.ts', lines(count)]]), { 'a.ts': 600 }).map(({ message }) => message);
  assert.deepEqual(messages(600), []);
  assert.match(messages(601).join('\n'), /shorten it/u);
  assert.match(messages(599).join('\n'), /lower the number/u);
  assert.match(messages(400).join('\n'), /take it off the list/u);
  assert.match(
    checkBudget(new Map(), { 'a.ts': 600 })
      .map(({ message }) => message)
      .join('\n'),
    /is gone/u,
  );
});
