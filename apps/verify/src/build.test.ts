import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildVerifyPage, serveVerifyPage, verifyPageName } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-build-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the same source gives the same bytes, and they stand alone', async () => {
  const one = await buildVerifyPage(join(folder, 'one'));
  const two = await buildVerifyPage(join(folder, 'deep', 'two'));
  assert.deepEqual(one, two);
  const bytes = readFileSync(join(folder, 'one', verifyPageName));
  assert.equal(createHash('sha256').update(bytes).digest('hex'), one.sha256);
  const html = bytes.toString('utf8');
  const [, script = ''] = /<script>([^]*)<\/script>/u.exec(html) ?? [];
  const [, sheet = ''] = /<style>([^]*)<\/style>/u.exec(html) ?? [];
  const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/u.exec(html) ?? [];
  const hashOf = (text: string): string => createHash('sha256').update(text, 'utf8').digest('base64');
  assert.deepEqual(policy.split('; '), [
    "default-src 'none'",
    `script-src 'sha256-${hashOf(script)}' 'wasm-unsafe-eval'`,
    `style-src 'sha256-${hashOf(sheet)}'`,
    'worker-src blob:',
    'connect-src https: http://localhost:* http://127.0.0.1:*',
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types bulkhead-verify',
  ]);
  const markup = html.replace(script, '').replace(sheet, '');
  assert.ok(!/<script[^>]+src|<link[^>]+href="(?!data:)|<img|<iframe|style="| on[a-z]+=/iu.test(markup), markup);
  assert.ok(!/@import|url\(/u.test(sheet), 'the sheet fetches something');
});

test('the server gives that one file with its headers, and nothing else', async () => {
  const directory = join(folder, 'served');
  await buildVerifyPage(directory);
  const server = await serveVerifyPage({ directory, host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${server.port}`;
  for (const path of ['/', `/${verifyPageName}`]) {
    const answer = await fetch(address + path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-security-policy'), "frame-ancestors 'none'");
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(await answer.text(), readFileSync(join(directory, verifyPageName), 'utf8'));
  }
  for (const path of ['/favicon.ico', '/%2e%2e/package.json', '/?x', '//']) {
    assert.equal((await fetch(address + path)).status, 404, path);
  }
  assert.equal((await fetch(`${address}/`, { method: 'POST' })).status, 405);
  await assert.rejects(serveVerifyPage({ directory, host: '127.0.0.1', port: server.port }), {
    code: 'platform/port-taken',
  });
  await assert.rejects(serveVerifyPage({ directory: join(folder, 'none'), host: '127.0.0.1', port: 0 }), {
    code: 'platform/folder-unreachable',
  });
  await server.close();
});
