import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import { isLoopbackHost } from './guard.ts';
import type { Readiness } from './system.ts';

let app: FastifyInstance;
let readiness: () => Promise<Readiness> = async () => ({ ready: true, reasons: [] });

before(async () => {
  ({ app } = await memoryApi({ readiness: () => readiness(), hosts: ['Custody.example'] }));
});
after(async () => {
  await app.close();
});

test('the probes need no token and say alive, ready and why not', async () => {
  assert.deepEqual((await app.inject('/healthz')).json(), { status: 'alive' });
  const ready = await app.inject('/readyz');
  assert.equal(ready.statusCode, 200);
  assert.deepEqual(ready.json(), { ready: true, reasons: [] });

  readiness = async () => ({ ready: false, reasons: ['The chain eip155:1 is 40 blocks behind.'] });
  const behind = await app.inject('/readyz');
  assert.equal(behind.statusCode, 503);
  assert.deepEqual(behind.json(), { ready: false, reasons: ['The chain eip155:1 is 40 blocks behind.'] });

  readiness = async () => {
    throw new Error('The database does not answer.');
  };
  const broken = await app.inject('/readyz');
  assert.equal(broken.statusCode, 503);
  assert.deepEqual(broken.json(), { ready: false, reasons: ['The database does not answer.'] });
  assert.equal((await app.inject('/healthz')).statusCode, 200);
});

test('metrics are handed over as text', async () => {
  const answer = await app.inject('/metrics');
  assert.equal(answer.body, 'bulkhead_up 1\n');
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
});

test('every answer carries the headers that keep browsers from harm, and a name of its own', async () => {
  const ids = new Set<unknown>();
  for (const url of [
    '/healthz',
    '/openapi.json',
    '/docs/',
    '/docs/js/scalar.js',
    '/nothing',
    '/v1/clients',
    '/problems/request/malformed',
  ]) {
    const answer = await app.inject({ url, headers: { 'request-id': 'chosen-by-caller' } });
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', url);
    assert.equal(answer.headers['cache-control'], 'no-store', url);
    assert.equal(answer.headers['x-frame-options'], 'DENY', url);
    assert.equal(answer.headers['referrer-policy'], 'no-referrer', url);
    assert.equal(answer.headers['cross-origin-resource-policy'], 'same-origin', url);
    assert.match(String(answer.headers['content-security-policy']), /^default-src 'none'/u, url);
    assert.equal(answer.headers['access-control-allow-origin'], undefined, url);
    assert.match(String(answer.headers['request-id']), /^[0-9a-f]{8}-[0-9a-f]{4}-4/u, url);
    ids.add(answer.headers['request-id']);
  }
  assert.equal(ids.size, 7);
});

test('only loopback and configured names are served', async () => {
  for (const host of [
    'localhost',
    'localhost:7070',
    '127.0.0.1:7070',
    '127.8.9.1',
    '[::1]:7070',
    '[::1]',
    'custody.example',
    'CUSTODY.EXAMPLE:443',
  ]) {
    assert.equal((await app.inject({ url: '/healthz', headers: { host } })).statusCode, 200, host);
  }
  const strange = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.evil.example',
    'evil.example:127.0.0.1',
    '10.0.0.1',
    '[::2]',
    '0.0.0.0',
    'localhost@evil.example',
    'custody.example.evil',
    'custody.example:x',
    ' ',
  ];
  for (const host of strange) {
    const answer = await app.inject({ url: '/v1/clients', headers: { ...bearer(secrets.admin), host } });
    assert.equal(answer.statusCode, 421, host);
    assert.equal(answer.json().code, 'request/unknown-host', host);
  }
  assert.equal(isLoopbackHost(''), false);
});

test('the documentation page loads nothing from another host, and only its own script may run', async () => {
  const moved = await app.inject('/docs');
  assert.equal(moved.statusCode, 301);
  assert.equal(moved.headers['location'], '/docs/');

  const page = await app.inject('/docs/');
  assert.equal(page.statusCode, 200);
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  assert.doesNotMatch(page.body, /https?:\/\/|(?:src|href)="\/\//u);
  assert.deepEqual(
    [...page.body.matchAll(/src="([^"]*)"/gu)].map(([, src]) => src),
    ['js/scalar.js'],
  );
  assert.ok(page.body.includes('"url": "/openapi.json"'));

  const policy = String(page.headers['content-security-policy']);
  const inline = /<script type="text\/javascript">([\s\S]*?)<\/script>/u.exec(page.body)?.[1];
  assert.ok(inline);
  assert.ok(
    policy.includes(`script-src 'self' 'sha256-${createHash('sha256').update(inline).digest('base64')}'`),
    policy,
  );
  assert.ok(policy.includes("connect-src 'self';"));
  assert.doesNotMatch(policy, /https?:|script-src[^;]*unsafe/u);

  const script = await app.inject('/docs/js/scalar.js');
  assert.equal(script.statusCode, 200);
  assert.match(String(script.headers['content-type']), /^application\/javascript/u);
  assert.ok(script.body.length > 100_000);
  assert.ok(script.body.includes('createApiReference'));
});
