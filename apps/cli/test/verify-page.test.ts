import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../src/index.ts';
import { endAll, type Said, type Shell, type } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-page-'));
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});

async function typed(...words: readonly string[]): Promise<Said> {
  let [out, err] = ['', ''];
  const code = await main({
    words,
    folder,
    environment: {},
    out: (line) => (out += `${line}\n`),
    err: (line) => (err += `${line}\n`),
  });
  return { code, out, err };
}

test('the verification page is one file, told by its hash, and served with nothing beside it', async () => {
  const missing = await typed('verify-page', 'serve', '--port', '0');
  assert.equal(missing.code, 3);
  assert.match(missing.err, /Build it with "bulkhead verify-page build"/u);
  const said = await typed('verify-page', 'build');
  assert.deepEqual([said.code, said.err], [0, '']);
  const [sha256, path = ''] = said.out.trim().split('  ');
  const bytes = readFileSync(path);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
  const again = await typed('verify-page', 'build', '--out', 'other');
  assert.ok(again.out.startsWith(sha256 ?? '-'), 'the same source gives the same file');
  const shell: Shell = { folder };
  const serving = type(shell, ['verify-page', 'serve', '--port', '0', '--from', 'other']);
  const port = await new Promise<string>((resolve, reject) => {
    serving.child.stdout?.on('data', () => {
      const found = /127\.0\.0\.1:(\d+)\. Ctrl-C/u.exec(serving.said().out)?.[1];
      if (found !== undefined) resolve(found);
    });
    serving.ended.then(({ err }) => reject(new Error(err)), reject);
  });
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(answer.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/u);
  assert.equal(await answer.text(), bytes.toString('utf8'));
  serving.child.kill('SIGTERM');
  assert.equal((await serving.ended).code, 0);
});

test('what cannot be meant is one sentence', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['verify-page'], /knows: build, serve/u],
    [['verify-page', 'serve'], /needs --port/u],
    [['verify-page', 'serve', '--port', '70000'], /0 to 65535/u],
    [['verify-page', 'build', '--origin', 'https://x.example'], /help verify-page/u],
  ];
  for (const [words, sentence] of wrong) {
    const said = await typed(...words);
    assert.deepEqual([said.code, said.out], [2, ''], said.err);
    assert.match(said.err, sentence);
  }
});
