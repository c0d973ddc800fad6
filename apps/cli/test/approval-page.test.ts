import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { main } from '../src/index.ts';
import { endAll, run, type Said, type Shell, type } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-page-'));
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
const shell: Shell = { folder };
const deployment = '0d'.repeat(16);
const build = ['approval-page', 'build', '--deployment', deployment, '--name', 'Trial custody'];
const pinned = [...build, '--identity', '0e'.repeat(32), '--identity', '0f'.repeat(32)];

test('the page is built for one installation, told by its hashes, and served with nothing beside it', async () => {
  const said = await run(shell, ...pinned, '--origin', 'https://approve.example');
  assert.deepEqual([said.code, said.err], [0, '']);
  const lines = said.out.trim().split('\n');
  assert.equal(lines.length, 3);
  for (const line of lines) {
    const [sha256, path = ''] = line.split('  ');
    assert.equal(createHash('sha256').update(readFileSync(path)).digest('hex'), sha256);
  }
  const script = readFileSync(join(folder, 'approval-page', 'approve.js'), 'utf8');
  for (const pin of [deployment, '0e'.repeat(32), '0f'.repeat(32), 'Trial custody', 'https://approve.example']) {
    assert.ok(script.includes(pin), pin);
  }
  const serving = type(shell, ['approval-page', 'serve', '--port', '0']);
  const port = await new Promise<string>((resolve, reject) => {
    serving.child.stdout?.on('data', () => {
      const found = /127\.0\.0\.1:(\d+)\. Ctrl-C/u.exec(serving.said().out)?.[1];
      if (found !== undefined) resolve(found);
    });
    serving.ended.then(({ err }) => reject(new Error(err)), reject);
  });
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(answer.headers.get('content-security-policy') ?? '', /connect-src 'none'.*frame-ancestors 'none'/u);
  assert.equal(await answer.text(), readFileSync(join(folder, 'approval-page', 'index.html'), 'utf8'));
  assert.equal((await fetch(`http://127.0.0.1:${port}/v1/clients`)).status, 404);
  const second = await run(shell, 'approval-page', 'serve', '--port', port);
  assert.equal(second.code, 3);
  assert.match(
    second.err,
    new RegExp(`^bulkhead: The approval page cannot listen on 127\\.0\\.0\\.1:${port}: .*\\n$`, 'u'),
  );
  serving.child.kill('SIGINT');
  assert.equal((await serving.ended).code, 0);
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

test('what cannot be meant is one sentence, and builds nothing', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['approval-page'], /knows: build, serve/u],
    [['approval-page', 'serve'], /needs --port/u],
    [['approval-page', 'serve', '--port', 'x'], /0 to 65535/u],
    [[...build, '--origin', 'https://approve.example'], /needs --identity/u],
    [[...pinned, '--origin', 'approve'], /--origin needs an address/u],
    [[...pinned, '--origin', 'http://approve.example'], /passkeys need https/u],
    [[...pinned, '--origin', 'https://approve.example', '--relying-party', 'example.org'], /not below/u],
  ];
  for (const [words, sentence] of wrong) {
    const said = await typed(...words, ...(words[1] === 'build' ? ['--out', 'nowhere'] : []));
    assert.deepEqual([said.code, said.out], [2, ''], said.err);
    assert.match(said.err, sentence);
  }
  assert.ok(!existsSync(join(folder, 'nowhere')));
  const missing = await typed('approval-page', 'serve', '--from', 'nowhere', '--port', '0');
  assert.equal(missing.code, 3);
  assert.match(missing.err, /Build it with "bulkhead approval-page build"/u);
});
