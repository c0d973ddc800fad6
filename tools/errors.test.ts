import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkErrors, declaredCodes } from './errors.ts';

const fault = (codes: readonly string[]): string =>
  `export const faultCodes = [${codes.map((code) => `'${code}'`).join(', ')}] as const;\nconst other = 'no/code';\n`;
const table = (rows: readonly string[]): string =>
  ['| code | meaning | why | what to do |', '|---|---|---|---|', ...rows].join('\n');
const row = (code: string): string => `| \`${code}\` | what | why | do |`;

function messages(files: {
  readonly codes: readonly string[];
  readonly rows: readonly string[];
  readonly code?: string;
}): readonly string[] {
  const raised = files.codes.map((code) => `throw new CustodyError('${code}', '');`).join('\n');
  return checkErrors(
    new Map([
      ['packages/domain/src/fault.ts', fault(files.codes)],
      ['packages/domain/src/a.ts', files.code ?? raised],
      ['spec/errors.md', table(files.rows)],
    ]),
  ).map(({ message }) => message);
}

test('the codes are the literals of faultCodes and of nothing else', () => {
  assert.deepEqual(
    declaredCodes(fault(['a/b', 'c/d', 'a/b'])).map(({ code }) => code),
    ['a/b', 'c/d'],
  );
});

test('a code and a row for each pass', () => {
  assert.deepEqual(messages({ codes: ['a/b', 'c/d'], rows: [row('a/b'), row('c/d')] }), []);
});

test('a code without a row, a row without a code, a row twice', () => {
  assert.deepEqual(messages({ codes: ['a/b'], rows: [] }), ['has 0 rows for a/b, one is needed']);
  assert.deepEqual(messages({ codes: ['a/b'], rows: [row('a/b'), row('c/d')] }), [
    'c/d is not a code of packages/domain/src/fault.ts',
  ]);
  assert.deepEqual(messages({ codes: ['a/b'], rows: [row('a/b'), row('a/b')] }), ['has 2 rows for a/b, one is needed']);
});

test('rows are whole and sorted', () => {
  assert.deepEqual(messages({ codes: ['a/b'], rows: ['| a/b | what | | do |'] }), [
    'a/b needs four cells: code, meaning, why, what to do',
  ]);
  assert.deepEqual(messages({ codes: ['a/b', 'c/d'], rows: [row('c/d'), row('a/b')] }), [
    'a/b stands after c/d: sort the rows by code',
  ]);
});

test('a code has the form noun/reason and is raised by code that is no test', () => {
  assert.deepEqual(messages({ codes: ['Broken'], rows: [row('Broken')] }), ['Broken is not of the form noun/reason']);
  assert.deepEqual(messages({ codes: ['a/b'], rows: [row('a/b')], code: '' }), ['a/b is raised nowhere: remove it']);
});

test('a repository without its faults does not pass for a clean one', () => {
  assert.equal(checkErrors(new Map()).length, 1);
  assert.equal(checkErrors(new Map([['packages/domain/src/fault.ts', 'export {};']])).length, 1);
});
