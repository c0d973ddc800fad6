import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import type { Memory } from '../test/memory.ts';
import { bodies, clientId } from '../test/samples.ts';

let app: FastifyInstance;
let memory: Memory;
let port: number;
let lines: { level: string; fields: unknown; message: unknown }[] = [];

function lineLogger(): FastifyBaseLogger {
  const write = (level: string) => (fields: unknown, message?: unknown) => {
    lines.push({ level, fields, message });
  };
  const logger: FastifyBaseLogger = {
    level: 'info',
    silent: () => undefined,
    fatal: write('fatal'),
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: () => undefined,
    trace: () => undefined,
    child: () => logger,
  };
  return logger;
}

async function listen(instance: FastifyInstance): Promise<number> {
  await instance.listen({ host: '127.0.0.1', port: 0 });
  const address = instance.server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

before(async () => {
  const limits = { answerTimeMsMax: 200 };
  ({ app, memory } = await memoryApi({ logger: lineLogger(), limits }));
  port = await listen(app);
});
after(async () => {
  await app.close();
});
beforeEach(() => {
  lines = [];
  memory.calls.length = 0;
  memory.gate = undefined;
});

const url = (path: string) => `http://127.0.0.1:${port}${path}`;

function post(body: string, key: string, more: Record<string, string> = {}): Promise<Response> {
  const headers = { ...bearer(secrets.operator), 'content-type': 'application/json', 'idempotency-key': key, ...more };
  return fetch(url('/v1/withdrawals'), { method: 'POST', headers, body });
}

/** Sends bytes and returns everything that comes back until the server closes. */
async function raw(bytes: string, to = port): Promise<string> {
  const socket = connect(to, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

function gate(): { open: () => void; opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}

/** Waits until so many calls have reached the operations. */
async function reached(kept: Memory, count: number): Promise<void> {
  for (let tries = 0; kept.calls.length < count; tries++) {
    assert.ok(tries < 400, `${kept.calls.length} of ${count} calls arrived`);
    await sleep(5);
  }
}

test('a write over a real socket', async () => {
  const answer = await post(JSON.stringify(bodies.requestWithdrawal), 'socket');
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get('idempotency-hit'), null);
  const again = await post(JSON.stringify(bodies.requestWithdrawal), 'socket');
  assert.equal(again.headers.get('idempotency-hit'), 'true');
  assert.deepEqual(await again.json(), await answer.json());
});

test('ten megabytes are not read', async () => {
  const head = `POST /v1/withdrawals HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${secrets.operator}\r\nContent-Type: application/json\r\nIdempotency-Key: big\r\n`;
  const announced = await raw(`${head}Content-Length: 10485760\r\nConnection: close\r\n\r\n`);
  assert.match(announced, /^HTTP\/1\.1 413 /u);
  assert.match(announced, /"code":"request\/too-large"/u);
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const chunked = await raw(`${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk.repeat(6)}`);
  assert.match(chunked, /^HTTP\/1\.1 413 /u);
  assert.equal(memory.calls.length, 0);
});

test('bytes that are not HTTP, endless headers and requests that never arrive get a document and the door', async () => {
  const nonsense = await raw('GET\u0000 / nonsense\r\n\r\n');
  assert.match(nonsense, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/u);
  assert.equal(JSON.parse(nonsense.slice(nonsense.indexOf('\r\n\r\n') + 4)).status, 400);
  const endless = await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
  assert.match(endless, /^HTTP\/1\.1 431 /u);
  const smuggled = await raw(
    'POST /v1/withdrawals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  );
  assert.match(smuggled, /^HTTP\/1\.1 400 /u);
});

test('one log line per answer, without tokens, headers, bodies or queries', async () => {
  const secretQuery = 'reference=SECRET-REFERENCE';
  await fetch(url(`/v1/clients?${secretQuery}`), { headers: { ...bearer(secrets.auditor), cookie: 'SECRET-COOKIE' } });
  await post(JSON.stringify({ ...bodies.requestWithdrawal, amount: '987654321' }), 'SECRET-KEY');
  await fetch(url('/v1/clients'), { headers: bearer('SECRET-UNKNOWN-TOKEN') });
  await sleep(20);
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [
      ['info', 'answered'],
      ['info', 'answered'],
      ['info', 'answered'],
    ],
  );
  const text = JSON.stringify(lines);
  for (const secret of ['SECRET', secrets.auditor, secrets.operator, '987654321']) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.ok(text.includes('"route":"/v1/clients"') && text.includes('"actor":"ida"') && text.includes('"status":401'));
});

test('what fails on our side is logged with its cause, and the caller learns where to look', async () => {
  memory.next = new TypeError('a bug');
  const answer = await fetch(url(`/v1/clients/${clientId}`), { headers: bearer(secrets.auditor) });
  memory.next = undefined;
  assert.equal(answer.status, 500);
  const failed = lines.find(({ level }) => level === 'error');
  assert.ok(failed);
  const { fields } = failed;
  assert.ok(typeof fields === 'object' && fields !== null && 'err' in fields && fields.err instanceof Error);
  assert.ok(fields.err.cause instanceof TypeError);
});

test('an answer that takes too long is given up as 503, and the same key finds the work done', async () => {
  const { open, opened } = gate();
  memory.gate = opened;
  const late = await post(JSON.stringify(bodies.requestWithdrawal), 'slow');
  assert.equal(late.status, 503);
  assert.equal(late.headers.get('retry-after'), '1');
  const document: { code: string } = JSON.parse(await late.text());
  assert.equal(document.code, 'request/timed-out');
  open();
  await sleep(20);
  memory.gate = undefined;
  const again = await post(JSON.stringify(bodies.requestWithdrawal), 'slow');
  assert.equal(again.status, 201);
  assert.equal(again.headers.get('idempotency-hit'), 'true');
});

test('work beyond the limit is refused until work ends, also when callers go away', async () => {
  const { app: narrow, memory: kept } = await memoryApi({ limits: { inFlightMax: 20 } });
  const path = `http://127.0.0.1:${await listen(narrow)}/v1/clients/${clientId}`;
  const { open, opened } = gate();
  kept.gate = opened;
  const headers = bearer(secrets.auditor);
  const leaving = new AbortController();
  const gone = Array.from({ length: 10 }, () =>
    fetch(path, { headers, signal: leaving.signal }).catch(() => undefined),
  );
  const waiting = Array.from({ length: 10 }, () => fetch(path, { headers }));
  await reached(kept, 20);
  leaving.abort();
  await Promise.all(gone);
  const refused = await fetch(path, { headers });
  await refused.text();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  const alive = await fetch(new URL('/healthz', path));
  assert.deepEqual(await alive.json(), { status: 'alive' });
  open();
  for (const answer of await Promise.all(waiting)) {
    assert.equal(answer.status, 200);
    await answer.text();
  }
  const last = await fetch(path, { headers });
  assert.equal(last.status, 200);
  await last.text();
  await narrow.close();
});

test('a hundred callers at once with one key make one withdrawal', async () => {
  const { app: wide, memory: kept } = await memoryApi();
  const to = await listen(wide);
  const answers = await Promise.all(
    Array.from({ length: 100 }, () =>
      fetch(`http://127.0.0.1:${to}/v1/withdrawals`, {
        method: 'POST',
        headers: { ...bearer(secrets.operator), 'content-type': 'application/json', 'idempotency-key': 'one' },
        body: JSON.stringify(bodies.requestWithdrawal),
      }),
    ),
  );
  assert.ok(answers.every(({ status }) => status === 201));
  assert.equal(new Set(kept.calls.map(({ fingerprint }) => fingerprint)).size, 1);
  assert.equal(kept.calls.length, 100);
  await wide.close();
});

test('closing answers what is under way, and takes nothing new', async () => {
  const { app: ending, memory: kept } = await memoryApi();
  const to = await listen(ending);
  const { open, opened } = gate();
  kept.gate = opened;
  const under = fetch(`http://127.0.0.1:${to}/v1/clients/${clientId}`, { headers: bearer(secrets.auditor) });
  await reached(kept, 1);
  const silent = connect(to, '127.0.0.1');
  await once(silent, 'connect');
  await sleep(20);
  const cut = once(silent, 'close');
  const closed = ending.close();
  await cut;
  await sleep(20);
  await assert.rejects(fetch(`http://127.0.0.1:${to}/healthz`));
  open();
  const answer = await under;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('connection'), 'close');
  const answeredAt = performance.now();
  await closed;
  // Far below the time that an idle connection is kept.
  assert.ok(performance.now() - answeredAt < 2_000);
});
