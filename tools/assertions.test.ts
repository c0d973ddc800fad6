import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAssertions } from './assertions.ts';

function linesOf(path: string, text: string): readonly (number | undefined)[] {
  return checkAssertions(new Map([[path, text]])).map(({ line }) => line);
}

const brand = 'declare const b: unique symbol;\nexport type Id = string & { readonly [b]: true };\n';

test('a brand is asserted in the file that declares it', () => {
  const parse = 'export function parseId(text: string): Id {\n  return text as Id;\n}\n';
  assert.deepEqual(linesOf('packages/a/src/id.ts', brand + parse), []);
  assert.deepEqual(linesOf('packages/a/src/id.ts', parse), [2]);
});

test('any other assertion is found, in both spellings', () => {
  assert.deepEqual(linesOf('a.ts', `${brand}const x = JSON.parse('1') as number;\n`), [3]);
  assert.deepEqual(linesOf('a.ts', 'const x = <number>y;\n'), [1]);
  assert.deepEqual(linesOf('a.ts', 'const x = y as unknown as Id;\n'), [1, 1]);
  assert.deepEqual(linesOf('a.ts', 'type Plain = { a: 1 };\nconst x = y as Plain;\n'), [2]);
});

test('constants, renamed imports, checks and tests pass', () => {
  const text = "import { a as b } from './a.ts';\nconst x = [b] as const;\nconst y = x satisfies object;\n";
  assert.deepEqual(linesOf('a.ts', text), []);
  assert.deepEqual(linesOf('a.test.ts', 'const x = y as never;\n'), []);
});
