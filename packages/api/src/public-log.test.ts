import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { memoryApi } from '../test/memory.ts';

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
