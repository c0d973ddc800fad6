import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { buildApprovalPage, serveApprovalPage } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-approve-build-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const pins = {
  relyingParty: 'approve.example',
  origin: 'https://approve.example',
  identities: ['ab'.repeat(32)],
  deployment: '00'.repeat(16),
  name: 'Test custody',
};

test('the same source and pins give the same bytes, wherever they are written; other pins give others', async () => {
  const reordered = Object.fromEntries(Object.entries(pins).reverse());
  const one = await buildApprovalPage(join(folder, 'one'), pins);
  const two = await buildApprovalPage(join(folder, 'deep', 'two'), { ...pins, ...reordered });
  assert.deepEqual(one, two);
  const three = await buildApprovalPage(join(folder, 'three'), { ...pins, identities: ['cd'.repeat(32)] });
  assert.notEqual(one[0]?.sha256, three[0]?.sha256, 'the HTML does not stand for the script');
  const html = readFileSync(join(folder, 'one', 'index.html'), 'utf8');
  for (const name of ['approve.js', 'approve.css']) {
    const hash = createHash('sha384')
      .update(readFileSync(join(folder, 'one', name)))
      .digest('base64');
    assert.ok(html.includes(`sha384-${hash}`), name);
  }
  assert.ok(!/<script>|<style|style="|onclick=/u.test(html));
});

test('pins that cannot be meant are refused', async () => {
  const wrong = [
    { deployment: 'xyz' },
    { identities: [] },
    { identities: ['ab'] },
    { name: ' ' },
    { origin: 'http://approve.example' },
    { origin: 'https://approve.example/path' },
    { origin: 'https://example.evil' },
    { relyingParty: 'other.example' },
  ];
  for (const change of wrong) {
    await assert.rejects(buildApprovalPage(join(folder, 'wrong'), { ...pins, ...change }), (error) => {
      return error instanceof CustodyError && error.code === 'config/invalid';
    });
  }
});

test('the server gives three files with their headers, and nothing else', async () => {
  await buildApprovalPage(join(folder, 'served'), pins);
  const server = await serveApprovalPage({ directory: join(folder, 'served'), host: '127.0.0.1', port: 0 });
  const ask = async (
    path: string,
    method = 'GET',
  ): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: server.port, path, method }, (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      })
        .on('error', reject)
        .end();
    });
  for (const path of ['/', '/approve.js', '/approve.css']) {
    const { status, headers } = await ask(path);
    assert.equal(status, 200);
    const policy = String(headers['content-security-policy']);
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' blob:",
      "connect-src 'none'",
      "frame-ancestors 'none'",
    ]) {
      assert.ok(policy.split('; ').includes(part), part);
    }
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
  }
  for (const path of [
    '/index.html',
    '/../package.json',
    '/%2e%2e/package.json',
    '/favicon.ico',
    '//',
    '/?x',
    '/approve.js/',
  ]) {
    assert.equal((await ask(path)).status, 404, path);
  }
  for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await ask('/', method)).status, 405, method);
  await assert.rejects(serveApprovalPage({ directory: join(folder, 'served'), host: '127.0.0.1', port: server.port }), {
    code: 'platform/port-taken',
  });
  await assert.rejects(serveApprovalPage({ directory: join(folder, 'none'), host: '127.0.0.1', port: 0 }), {
    code: 'platform/folder-unreachable',
  });
  await server.close();
});
