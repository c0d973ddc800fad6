import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { CustodyError, refuse } from '@bulkhead/domain';
import { memoryApi, secrets } from '../test/memory.ts';
import { bodies, clientId, receipt } from '../test/samples.ts';
import type { Reading } from './api.ts';

const note = 'log.example.com\n1\nAAAA\n\n\u2014 log.example.com AAAA\n';
const tile = Uint8Array.of(0, 255, 10, 13);
let isEmpty = false;

let app: FastifyInstance;
before(async () => {
  const publicLog = {
    checkpoint: async () => (isEmpty ? undefined : note),
    tile: async (path: string) => (path === '0/x001/234.p/7' ? tile : undefined),
  };
  ({ app } = await memoryApi({ publicLog }));
});
after(async () => {
  await app.close();
});

test('the checkpoint needs no token, is read from any origin, and is kept for a moment', async () => {
  const answer = await app.inject('/v1/log/checkpoint');
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.body, note);
  assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(answer.headers['cache-control'], 'public, max-age=1');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  isEmpty = true;
  const none = await app.inject('/v1/log/checkpoint');
  assert.equal(none.statusCode, 404);
  assert.equal(none.headers['cache-control'], 'no-store', 'that there is none yet is not kept');
});

test('a tile is given byte by byte and kept for ever; what the log does not have is not', async () => {
  const answer = await app.inject('/v1/log/tile/0/x001/234.p/7');
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(Uint8Array.from(answer.rawPayload), tile);
  assert.equal(answer.headers['content-type'], 'application/octet-stream');
  assert.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
  for (const path of ['0/x001/234', '0/x001/234.p/8', '', '../clients', '%2e%2e/clients']) {
    const none = await app.inject(`/v1/log/tile/${path}`);
    assert.ok(none.statusCode === 404 || none.statusCode === 401, `${path}: ${none.statusCode}`);
    assert.equal(none.headers['cache-control'], 'no-store');
  }
});

test('a write says which facts it wrote, and a receipt that is not there yet says when to ask again', async () => {
  const { app: other, memory } = await memoryApi();
  after(() => other.close());
  const headers = { authorization: `Bearer ${secrets.operator}` };
  const post = async () =>
    other.inject({
      method: 'POST',
      url: '/v1/clients',
      headers: { ...headers, 'idempotency-key': 'k' },
      payload: bodies.createClient ?? {},
    });
  for (const hit of [undefined, 'true']) {
    const answer = await post();
    assert.deepEqual(
      [answer.statusCode, answer.headers['log-facts'], answer.headers['idempotency-hit']],
      [201, '4711, 4712', hit],
    );
  }
  const read = await other.inject({ url: '/v1/clients', headers });
  assert.equal(read.headers['log-facts'], undefined);
  memory.next = refuse('log/receipt-pending', 'Ask again.');
  const pending = await other.inject({ url: '/v1/log/receipts/4711', headers });
  assert.deepEqual([pending.statusCode, pending.headers['retry-after']], [404, '1']);
  memory.next = undefined;
  assert.deepEqual((await other.inject({ url: '/v1/log/receipts/4711', headers })).json(), receipt);
  assert.equal(memory.calls.at(-1)?.name, 'getReceipt');
  for (const path of ['0', '-1', 'x', '1'.repeat(19), '4711n']) {
    assert.equal((await other.inject({ url: `/v1/log/receipts/${path}`, headers })).statusCode, 400, path);
  }
});

test('what an auditor reads is written down before it is answered, and is not answered if it cannot be', async () => {
  const readings: Reading[] = [];
  let fails = false;
  const onAuditorRead = async (reading: Reading): Promise<void> => {
    if (fails) throw new CustodyError('database/unavailable', 'gone');
    readings.push(reading);
  };
  const { app: other, memory } = await memoryApi({ onAuditorRead });
  after(() => other.close());
  const ask = async (who: keyof typeof secrets, url: string) =>
    (await other.inject({ url, headers: { authorization: `Bearer ${secrets[who]}` } })).statusCode;
  const path = `/v1/clients/${clientId}/balances?limit=7`;
  assert.deepEqual(
    [await ask('auditor', path), await ask('operator', path), await ask('auditor', '/v1/clients?x=1')],
    [200, 200, 400],
  );
  memory.next = refuse('resource/not-found', 'none');
  assert.equal(await ask('auditor', path), 404);
  memory.next = undefined;
  const actor = { name: 'ida', role: 'auditor' };
  assert.deepEqual(readings, [{ actor, operation: 'listBalances', asked: { clientId, limit: '7' } }]);
  fails = true;
  assert.deepEqual([await ask('auditor', path), await ask('operator', path)], [503, 200]);
});
