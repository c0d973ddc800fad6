import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SignerStatus } from '@bulkhead/domain';
import { createFrameReader, frameOf, readAnswer, SignerClient } from '@bulkhead/signer-client';
import type { Served } from '../src/process/dispatch.ts';
import { type ListenLimits, listenLimits } from '../src/process/limits.ts';
import { listen, type Listener } from '../src/process/listener.ts';
import type { LogFields } from '../src/process/log.ts';

const status: SignerStatus = {
  deployment: '0'.repeat(32),
  residency: 'software',
  registryVersion: 1n,
  registryHash: '0'.repeat(64),
  sequence: 1n,
  identities: [],
  slots: [],
};

/** The port with answers that a test decides; what it does not decide is a defect of the test. */
function port(own: Partial<Served>): Served {
  const none = (): Promise<never> => Promise.reject(new TypeError('secret-text-of-a-defect'));
  return {
    status: () => Promise.resolve(status),
    account: none,
    wallet: none,
    certifyAddress: none,
    outlook: none,
    lodge: none,
    sign: none,
    signVault: none,
    certifyVault: none,
    certifyForwarder: none,
    signReserves: none,
    signControl: none,
    signCheckpoint: none,
    logKey: none,
    change: none,
    records: none,
    ...own,
  };
}

type Place = AsyncDisposable & {
  readonly path: string;
  readonly listener: Listener;
  readonly lines: { event: string; fields: LogFields | undefined }[];
};

async function open(own: Partial<Served> = {}, limits: Partial<ListenLimits> = {}, users?: number[]): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'abuse-'));
  const path = join(folder, 's.sock');
  const lines: Place['lines'] = [];
  const listener = await listen({
    unix: { path, mode: 0o600, users: users ?? [process.getuid?.() ?? 0] },
    signer: port(own),
    limits: { ...listenLimits, ...limits },
    log: (_level, event, fields) => lines.push({ event, fields }),
  });
  return {
    path,
    listener,
    lines,
    async [Symbol.asyncDispose]() {
      await listener.stop(100);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Raw = { readonly socket: Socket; readonly texts: string[]; readonly closed: Promise<void> };

function raw(path: string): Raw {
  const socket = connect({ path });
  const texts: string[] = [];
  const reader = createFrameReader(() => 100_000_000);
  socket.on('data', (piece) => texts.push(...reader.read(piece)));
  socket.on('error', () => undefined);
  return { socket, texts, closed: new Promise((done) => socket.once('close', () => done())) };
}

function announced(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

/** What the far side says last, before it closes. */
async function refusalOf(path: string, bytes: Uint8Array): Promise<string> {
  const { socket, texts, closed } = raw(path);
  socket.write(bytes);
  await closed;
  const last = readAnswer(texts.at(-1) ?? '');
  assert.equal(last.id, '');
  return 'error' in last ? last.error.code : 'none';
}

const good = frameOf('{"v":1,"id":"1","method":"status","params":{}}');

async function answersStill(path: string): Promise<void> {
  await using client = new SignerClient({ endpoint: `unix:${path}` });
  assert.equal((await client.status()).deployment, status.deployment);
}

test('frames that are none end their connection with signer/protocol, and nobody else notices', async () => {
  await using place = await open();
  const bad: readonly Uint8Array[] = [
    Buffer.concat([announced(300_000), Buffer.alloc(200, 0x20)]),
    Buffer.concat([announced(0xff_ff_ff_ff), Buffer.alloc(200, 0x20)]),
    Buffer.concat([announced(20_000_000), Buffer.from(`{"v":1,"id":"1","method":"change",${' '.repeat(200)}`)]),
    announced(0),
    Buffer.from('GET / HTTP/1.1\r\nHost: signer\r\n\r\n'.repeat(8)),
    Buffer.concat([announced(2), Buffer.from([0xc3, 0x28])]),
    frameOf('not json'),
    frameOf('{"v":2,"id":"1","method":"status","params":{}}'),
    frameOf('{"v":1,"id":"1","method":"status","params":{},"more":1}'),
    frameOf('{"v":1,"id":"ÄÖ","method":"status","params":{}}'),
  ];
  for (const bytes of bad) assert.equal(await refusalOf(place.path, bytes), 'signer/protocol');
  await answersStill(place.path);
});

test('an unknown method and unknown fields are answered, and the connection goes on', async () => {
  await using place = await open();
  const { socket, texts } = raw(place.path);
  socket.write(frameOf('{"v":1,"id":"a","method":"signDigest","params":{"digest":"00"}}'));
  socket.write(frameOf('{"v":1,"id":"b","method":"status","params":{"digest":"00"}}'));
  socket.write(frameOf('{"v":1,"id":"c","method":"sign","params":{"digest":"00"}}'));
  socket.write(frameOf('{"v":1,"id":"d","method":"__proto__","params":{}}'));
  socket.write(good);
  while (texts.length < 5) await new Promise((done) => socket.once('data', done));
  const answers = texts.map(readAnswer).sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(
    answers.map((each) => [each.id, 'error' in each ? each.error.code : 'ok']),
    [
      ['1', 'ok'],
      ['a', 'signer/protocol'],
      ['b', 'signer/protocol'],
      ['c', 'signer/protocol'],
      ['d', 'signer/protocol'],
    ],
  );
  socket.destroy();
});

test('half a frame has a deadline that further bytes do not move', async () => {
  await using place = await open({}, { frameMsMax: 150 });
  const { socket, closed } = raw(place.path);
  const began = performance.now();
  socket.write(announced(1_000));
  const drip = setInterval(() => socket.write(' '), 20);
  await closed;
  clearInterval(drip);
  const ms = performance.now() - began;
  assert.ok(ms < 1_000, `a slow frame was kept for ${Math.round(ms)} ms`);
  await answersStill(place.path);
});

test('a connection that says nothing, and one that has gone quiet, end', async () => {
  await using place = await open({}, { frameMsMax: 60, idleMsMax: 120 });
  const silent = raw(place.path);
  const quiet = raw(place.path);
  quiet.socket.write(good);
  await silent.closed;
  assert.equal(quiet.socket.destroyed, false);
  await quiet.closed;
  assert.equal(quiet.texts.length, 1);
});

test('a busy client whose pieces always end in half a frame is not cut off', async () => {
  await using place = await open({}, { frameMsMax: 80 });
  const { socket, texts } = raw(place.path);
  socket.write(good.subarray(0, 10));
  for (let i = 0; i < 10; i++) {
    await new Promise((done) => setTimeout(done, 20));
    socket.write(Buffer.concat([good.subarray(10), good.subarray(0, 10)]));
  }
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(texts.length, 10);
  socket.destroy();
});

test('half frames of many connections together cannot hold more than the limit', async () => {
  await using place = await open({}, { heldBytesMax: 500_000 });
  const many = Array.from({ length: 8 }, () => raw(place.path));
  let ended = 0;
  for (const { closed } of many) closed.then(() => (ended += 1)).catch(() => undefined);
  for (const { socket } of many) socket.write(Buffer.concat([announced(200_000), Buffer.alloc(150_000, 0x20)]));
  while (ended < 5) await new Promise((done) => setTimeout(done, 10));
  await answersStill(place.path);
  for (const { socket } of many) socket.destroy();
});

test('of a thousand connections the limit is served, and the place is free again afterwards', async () => {
  await using place = await open({}, { connectionsMax: 16, frameMsMax: 300 });
  const many = Array.from({ length: 1_000 }, () => raw(place.path));
  await Promise.all(many.map(({ closed }) => closed));
  await answersStill(place.path);
  const dropped = place.lines.filter(({ event }) => event === 'connections-dropped');
  assert.ok(dropped.length >= 1 && dropped.length < 20, `${dropped.length} lines about dropped connections`);
});

test('a client that does not take its answers gets no further work done and is ended', async () => {
  const long = { ...status, slots: [{ name: 'x'.repeat(1_000), healthy: true, detail: 'y'.repeat(1_000) }] };
  let asked = 0;
  const slow: Partial<Served> = {
    status: () => {
      asked += 1;
      return Promise.resolve(long);
    },
  };
  await using place = await open(slow, { untakenBytesMax: 20_000, frameMsMax: 200 });
  const socket = connect({ path: place.path });
  socket.pause();
  socket.on('error', () => undefined);
  const closed = new Promise((done) => socket.once('close', done));
  const flood = setInterval(() => socket.write(Buffer.concat(Array.from({ length: 50 }, () => good))), 1);
  await new Promise((done) => setTimeout(done, 600));
  clearInterval(flood);
  const before = asked;
  socket.destroy();
  await closed;
  assert.ok(before < 5_000, `${before} answers were made for a client that took none`);
  await answersStill(place.path);
});

test('requests beyond the limit are told to come again, and a late answer is told to be unknown', async () => {
  const waiting: (() => void)[] = [];
  const held: Partial<Served> = {
    status: () => new Promise((done) => waiting.push(() => done(status))),
  };
  await using place = await open(held, { outstandingMax: 2, requestMsMax: 100 });
  await using client = new SignerClient({ endpoint: `unix:${place.path}` });
  const first = [client.status(), client.status()];
  while (waiting.length < 2) await new Promise((done) => setTimeout(done, 5));
  await assert.rejects(client.status(), { code: 'signer/unavailable', message: /2 requests are being worked on/u });
  for (const each of first) {
    await assert.rejects(each, { code: 'signer/unavailable', message: /outcome is unknown/u });
  }
  // What nobody waits for any more still counts until it ends.
  await assert.rejects(client.status(), { code: 'signer/unavailable', message: /2 requests are being worked on/u });
  for (const done of waiting) done();
});

test('a defect is told without its message', async () => {
  await using place = await open();
  await using client = new SignerClient({ endpoint: `unix:${place.path}` });
  await assert.rejects(client.records(0n, 1), { code: 'invariant/broken' });
  assert.ok(!JSON.stringify(place.lines).includes('secret-text'));
  assert.ok(
    place.lines.some(({ event, fields }) => event === 'defect' && String(fields?.['frames']).includes('abuse')),
  );
});

test('another user is refused by the kernel’s word, and the modes keep it out besides', async () => {
  await using place = await open({}, {}, [(process.getuid?.() ?? 0) + 1]);
  const { closed, texts } = raw(place.path);
  await closed;
  assert.deepEqual(texts, []);
  assert.equal(statSync(place.path).mode & 0o777, 0o600);
});

test('a socket of a living signer is not taken, a left one is, and an open folder is refused', async () => {
  await using place = await open();
  const options = { unix: { path: place.path, mode: 0o600, users: [0] }, signer: port({}), limits: listenLimits };
  await assert.rejects(listen({ ...options, log: () => undefined }), { code: 'signer/other-signer-active' });
  const folder = mkdtempSync(join(tmpdir(), 'abuse-'));
  const file = join(folder, 'plain');
  writeFileSync(file, '');
  const plain = { ...options, unix: { ...options.unix, path: file }, log: () => undefined };
  await assert.rejects(listen(plain), { code: 'signer/other-signer-active' });
  chmodSync(folder, 0o777);
  await assert.rejects(listen(plain), { code: 'signer/hardening' });
  rmSync(folder, { recursive: true });
});
