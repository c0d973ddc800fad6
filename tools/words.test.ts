import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkWords } from './words.ts';

const count = (path: string, text: string): number => checkWords(new Map([[path, text]])).length;

test('work left over, hosts of packages and paths of one machine are found', () => {
  const texts = [
    '// TODO later',
    '# FIXME',
    'see https://registry.npmjs.org/viem',
    'from https://example.org/viem-2.57.1.tgz',
    'cd /work/main',
    'see `/tmp/bash_jobs.0`',
    '/home/someone/.npmrc',
    'read ../shared/design/DESIGN.md',
    '<<<<<<< ours',
    '>>>>>>> theirs',
  ];
  for (const text of texts) assert.equal(count('docs/a.md', `first\n${text}\n`), 1, text);
  assert.equal(checkWords(new Map([['a.md', 'first\nTODO\n']]))[0]?.line, 2);
});

test('ordinary text passes', () => {
  const texts = ['Todos', 'the artwork/work/ folder', 'https://example.org/home/index', 'a registry. Then'];
  for (const text of texts) assert.equal(count('docs/a.md', text), 0, text);
});

test('the lockfile holds no addresses', () => {
  assert.equal(count('package-lock.json', '"resolved": "https://example.org/viem"'), 1);
  assert.equal(count('package-lock.json', '"resolved": "packages/domain"'), 0);
});

test('no test is left out, no rule switched off without a reason', () => {
  assert.equal(count('a.test.ts', "test.skip('x', () => {});"), 1);
  assert.equal(count('a.test.ts', "describe.only('x', () => {});"), 1);
  assert.equal(count('a.test.ts', "test('x', { skip: true }, () => {});"), 1);
  assert.equal(count('a.ts', '// oxlint-disable-next-line no-console'), 1);
  assert.equal(count('a.ts', '// oxlint-disable-next-line no-console -- the reader waits for it'), 0);
});
