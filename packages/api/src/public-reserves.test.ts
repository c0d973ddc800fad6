import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { memoryApi } from '../test/memory.ts';
import type { PublicPlace } from './public-reserves.ts';

const bytes = Buffer.from([0, 255, 10, 13]);
const asked: PublicPlace[] = [];

let app: FastifyInstance;
before(async () => {
  const file = async (place: PublicPlace) => {
    asked.push(place);
    return place.epoch === '12' ? { bytes: bytes.length, content: Readable.from([bytes]) } : undefined;
  };
  ({ app } = await memoryApi({ publicReserves: { file } }));
});
after(async () => {
  await app.close();
});

test('a file needs no token, is read from any origin byte by byte, and is kept for a while', async () => {
  const answer = await app.inject('/v1/reserves/eip155-1-slip44-60/12/wallets.bin');
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(answer.rawPayload, bytes);
  assert.equal(answer.headers['content-type'], 'application/octet-stream');
  assert.equal(answer.headers['content-length'], '4');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.equal(answer.headers['cache-control'], 'public, max-age=3600');
  const text = await app.inject('/v1/reserves/eip155-1-slip44-60/12/manifest.txt');
  assert.equal(text.headers['content-type'], 'text/plain; charset=utf-8');
  const none = await app.inject('/v1/reserves/eip155-1-slip44-60/13/wallets.bin');
  assert.deepEqual([none.statusCode, none.headers['cache-control']], [404, 'no-store']);
});

test('no name leaves its folder: what is no plain name is asked of nobody', async () => {
  const places = [
    '../12/wallets.bin',
    'eip155-1-slip44-60/../wallets.bin',
    'eip155-1-slip44-60/12/..',
    'eip155-1-slip44-60/12/..%2F..%2Fprivate%2Fpackages.bin',
    'eip155-1-slip44-60/12/%2e%2e%2f%2e%2e%2fprivate',
    '..%2f..%2fprivate/12/wallets.bin',
    'eip155-1-slip44-60/%2e%2e/wallets.bin',
    'eip155-1-slip44-60/12/wallets.bin%00.txt',
    'eip155-1-slip44-60/12/.wallets.bin',
    'eip155-1-slip44-60/12/%5c..%5cwallets.bin',
    `eip155-1-slip44-60/12/${'a'.repeat(110)}`,
  ];
  asked.length = 0;
  for (const place of places) {
    const answer = await app.inject(`/v1/reserves/${place}`);
    assert.ok([400, 401, 404].includes(answer.statusCode), `${place}: ${answer.statusCode}`);
  }
  assert.deepEqual(asked, []);
});
