import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { run } from './command.ts';
import { selectTests } from './suite.ts';
import { root } from './tree.ts';

test('without a word every test file is taken, with words those whose path has one', () => {
  const paths = ['packages/ledger/src/a.test.ts', 'packages/ledger/src/a.ts', 'tools/b.test.ts'];
  assert.deepEqual(selectTests(paths, []), [paths[0], paths[2]]);
  assert.deepEqual(selectTests(paths, ['ledger']), [paths[0]]);
  assert.deepEqual(selectTests(paths, ['nothing']), []);
});

function suite(word: string): { readonly status: number | null; readonly lines: readonly string[] } {
  // A runner that believes itself inside another one would run nothing.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const args = ['tools/suite.ts', word];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env });
  return { status, lines: (stdout + stderr).trim().split('\n') };
}

test('the summary of the runner comes last', () => {
  const { status, lines } = suite('tools/rows.test.ts');
  assert.equal(status, 0);
  assert.match(lines.at(-1) ?? '', /duration_ms/u);
  assert.match(lines.at(-8) ?? '', /tests 1$/u);
});

test('a word that no test has in its path is a failure, not an empty success', () => {
  const { status, lines } = suite('no-such-test');
  assert.equal(status, 1);
  assert.match(lines.join('\n'), /No test file has "no-such-test"/u);
});

test('a program is judged by its exit code, and one that is missing has failed', async () => {
  const ended = await run('node', ['-e', 'console.log("said"); process.exit(3)']);
  assert.equal(ended.code, 3);
  assert.equal(ended.output, 'said');
  const missing = await run('no-such-program', []);
  assert.equal(missing.code, 1);
  assert.match(missing.output, /Run npm ci/u);
});
