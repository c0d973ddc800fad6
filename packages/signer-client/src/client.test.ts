import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SignerClient } from './client.ts';
import { parseEndpoint } from './endpoint.ts';
import { createFrameReader, frameOf } from './frame.ts';
import { answerText, readRequest } from './wire.ts';

const status = {
  deployment: 'd',
  residency: 'software',
  registryVersion: '1',
  registryHash: '0'.repeat(64),
  sequence: '1',
  identities: [],
  slots: [],
} as const;

type Peer = AsyncDisposable & { readonly endpoint: string; readonly server: Server; readonly sockets: Set<Socket> };

/** Something at the other end of a socket that does with each request what the test says. */
async function listen(onRequest: (socket: Socket, id: string) => void, at?: string): Promise<Peer> {
  const folder = at ?? mkdtempSync(join(tmpdir(), 'client-'));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const reader = createFrameReader(() => 1_000_000);
    socket.on('data', (piece) => {
      for (const text of reader.read(piece)) onRequest(socket, readRequest(text).id);
    });
  });
  await new Promise<void>((done) => server.listen(join(folder, 's.sock'), done));
  return {
    endpoint: `unix:${join(folder, 's.sock')}`,
    server,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answer(socket: Socket, id: string, ok: unknown = status): void {
  socket.write(frameOf(answerText({ id, ok })));
}

test('requests share a connection and are answered in any order', async () => {
  const ids: string[] = [];
  await using peer = await listen((socket, id) => {
    ids.push(id);
    if (ids.length === 3) for (const each of ids.toReversed()) answer(socket, each, { ...status, deployment: each });
  });
  await using client = new SignerClient({ endpoint: peer.endpoint });
  const answers = await Promise.all([client.status(), client.status(), client.status()]);
  assert.deepEqual(
    answers.map(({ deployment }) => deployment),
    ids,
  );
  assert.equal(peer.sockets.size, 1);
});

test('a refusal keeps its code, sentence and details', async () => {
  await using peer = await listen((socket, id) => {
    const error = { code: 'signer/intent-spent', message: 'Spent.', details: { nonce: 4 } } as const;
    socket.write(frameOf(answerText({ id, error })));
  });
  await using client = new SignerClient({ endpoint: peer.endpoint });
  await assert.rejects(client.status(), { code: 'signer/intent-spent', message: 'Spent.', details: { nonce: 4 } });
});

test('nobody there, silence and a broken connection are signer/unavailable; the client comes back by itself', async () => {
  const peer = await listen((socket) => socket.destroy());
  await using client = new SignerClient({ endpoint: peer.endpoint, requestMsMax: 100 });
  await assert.rejects(client.status(), { code: 'signer/unavailable', message: /repeat the same request/u });
  await peer[Symbol.asyncDispose]();
  await new Promise((done) => setTimeout(done, 30));
  await assert.rejects(client.status(), { code: 'signer/unavailable' });
  await using silent = await listen(() => undefined);
  await using patient = new SignerClient({ endpoint: silent.endpoint, requestMsMax: 50 });
  await assert.rejects(patient.status(), { code: 'signer/unavailable', message: /outcome is unknown/u });
  let broken = false;
  await using back = await listen((socket, id) => {
    if (broken) answer(socket, id);
    else socket.destroy();
    broken = true;
  });
  await using returning = new SignerClient({ endpoint: back.endpoint });
  await assert.rejects(returning.status(), { code: 'signer/unavailable' });
  await assert.rejects(returning.status(), { code: 'signer/unavailable', message: /called again in/u });
  await new Promise((done) => setTimeout(done, 40));
  assert.equal((await returning.status()).deployment, 'd');
});

test('nonsense is signer/protocol', async () => {
  for (const ok of [{ ...status, sequence: 1 }, { ...status, more: 1 }, [], null]) {
    await using peer = await listen((socket, id) => answer(socket, id, ok));
    await using client = new SignerClient({ endpoint: peer.endpoint });
    await assert.rejects(client.status(), { code: 'signer/protocol' });
  }
  for (const bytes of [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(10)), frameOf('{"v":2}'), frameOf('{')]) {
    await using peer = await listen((socket) => socket.write(bytes));
    await using client = new SignerClient({ endpoint: peer.endpoint });
    await assert.rejects(client.status(), { code: 'signer/protocol' });
  }
});

test('there is a limit to what waits', async () => {
  await using peer = await listen(() => undefined);
  const client = new SignerClient({ endpoint: peer.endpoint, outstandingMax: 2 });
  const waiting = [client.status(), client.status()];
  await assert.rejects(client.status(), { code: 'signer/unavailable', message: /2 requests wait/u });
  await client.close();
  for (const each of waiting) await assert.rejects(each, { code: 'signer/unavailable' });
  await assert.rejects(client.status(), { code: 'signer/unavailable' });
});

test('an endpoint is a socket or mutual TLS, nothing in the clear', () => {
  assert.deepEqual(parseEndpoint('unix:/run/s.sock'), { kind: 'unix', path: '/run/s.sock' });
  assert.deepEqual(parseEndpoint('tls://[::1]:7000'), { kind: 'tls', host: '::1', port: 7000 });
  for (const text of ['tcp://host:1', 'unix:run', 'tls://host', 'tls://host:0', 'tls://host:70000', 'http://x:1', '']) {
    assert.throws(() => parseEndpoint(text), { code: 'config/invalid' }, text);
  }
  assert.throws(() => new SignerClient({ endpoint: 'http://x:1' }), { code: 'config/invalid' });
});
