import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { refuse } from '@bulkhead/domain';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import type { Memory } from '../test/memory.ts';
import { bodies, clientId, withdrawalId } from '../test/samples.ts';
import { canonicalJson, fingerprint } from './idempotency.ts';

let app: FastifyInstance;
let memory: Memory;

before(async () => {
  ({ app, memory } = await memoryApi());
});
after(async () => {
  await app.close();
});

type Post = {
  readonly key?: string;
  readonly body?: unknown;
  readonly who?: keyof typeof secrets;
  readonly url?: string;
};

async function post({ key, body = bodies.requestWithdrawal, who = 'operator', url = '/v1/withdrawals' }: Post) {
  return app.inject({
    method: 'POST',
    url,
    headers: {
      ...bearer(secrets[who]),
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

test('the same wish with the same key gets the same answer, and is told that it is one', async () => {
  const first = await post({ key: 'same' });
  const { calls } = memory;
  const second = await post({
    key: 'same',
    body: ` ${JSON.stringify(Object.fromEntries(Object.entries(bodies.requestWithdrawal ?? {}).toReversed()))}\n`,
  });
  assert.equal(first.statusCode, 201);
  assert.equal(first.headers['idempotency-hit'], undefined);
  assert.equal(second.statusCode, 201);
  assert.equal(second.headers['idempotency-hit'], 'true');
  assert.equal(second.body, first.body);
  assert.equal(calls.at(-1)?.fingerprint, calls.at(-2)?.fingerprint);
  assert.match(calls.at(-1)?.fingerprint ?? '', /^[0-9a-f]{64}$/u);
});

test('another wish under the same key is a conflict', async () => {
  await post({ key: 'taken' });
  const others: Post[] = [
    { body: { ...bodies.requestWithdrawal, amount: '6' } },
    { body: { ...bodies.requestWithdrawal, feePayer: 'house' } },
    { url: '/v1/fees', body: bodies.chargeFee },
    { url: `/v1/clients/${clientId}/wallets`, body: bodies.issueClientWallet },
  ];
  for (const other of others) {
    const answer = await post({ key: 'taken', ...other });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.json().code, 'request/idempotency-key-reused');
    assert.equal(answer.headers['idempotency-hit'], undefined);
  }
});

test('the path is part of the wish', async () => {
  const [a, b] = [withdrawalId, `${withdrawalId.slice(0, -1)}0`];
  const approve = (id: string) =>
    post({ key: 'path', who: 'approver', url: `/v1/withdrawals/${id}/approvals`, body: bodies.approveWithdrawal });
  assert.equal((await approve(a)).statusCode, 201);
  assert.equal((await approve(b)).statusCode, 409);
  assert.equal((await approve(a)).headers['idempotency-hit'], 'true');
});

test('two people may choose the same key', async () => {
  assert.equal((await post({ key: 'mine' })).headers['idempotency-hit'], undefined);
  assert.equal((await post({ key: 'mine', who: 'admin' })).headers['idempotency-hit'], undefined);
  assert.deepEqual(
    memory.calls.slice(-2).map(({ actor }) => actor.name),
    ['olga', 'anna'],
  );
});

test('a refusal is an answer: it is kept and comes again', async () => {
  memory.next = refuse('withdrawal/insufficient-funds', 'There are 4 base units and 5 were asked for.', {
    available: '4',
  });
  const first = await post({ key: 'refused' });
  memory.next = undefined;
  const second = await post({ key: 'refused' });
  assert.equal(first.statusCode, 422);
  assert.equal(second.statusCode, 422);
  assert.equal(second.headers['idempotency-hit'], 'true');
  assert.equal(second.json().detail, first.json().detail);
  assert.deepEqual(second.json().details, { available: '4' });
});

test('a malformed request does not use its key up', async () => {
  const before = memory.calls.length;
  const wrong = await post({ key: 'malformed', body: { ...bodies.requestWithdrawal, amount: '-5' } });
  assert.equal(wrong.statusCode, 400);
  assert.equal(memory.calls.length, before);
  assert.equal((await post({ key: 'malformed' })).statusCode, 201);
});

test('every write without a usable key is refused, after the body was found well formed', async () => {
  const before = memory.calls.length;
  for (const key of [undefined, '', 'with space', 'ümlaut', 'tab\tinside', 'x'.repeat(256)]) {
    const answer = await post(key === undefined ? {} : { key });
    assert.equal(answer.statusCode, 400, key);
    assert.equal(answer.json().code, 'request/idempotency-key-missing', key);
  }
  assert.equal((await post({ body: {} })).json().code, 'request/malformed');
  assert.equal(memory.calls.length, before);
  assert.equal((await post({ key: 'x'.repeat(255) })).statusCode, 201);
  assert.equal((await post({ key: '!~' })).statusCode, 201);
});

test('an absent body is the empty one', async () => {
  const url = `/v1/withdrawals/${withdrawalId}/cancellation`;
  const headers = { ...bearer(secrets.operator), 'idempotency-key': 'absent' };
  const without = await app.inject({ method: 'POST', url, headers });
  const announced = await app.inject({
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/json' },
  });
  const empty = await app.inject({ method: 'POST', url, headers, payload: {} });
  assert.equal(without.statusCode, 200);
  assert.equal(announced.headers['idempotency-hit'], 'true');
  assert.equal(empty.headers['idempotency-hit'], 'true');
});

test('a fingerprint keeps its parts apart', () => {
  const wish = { method: 'POST', route: '/v1/a', params: {}, body: {} };
  const seen = new Set(
    [
      wish,
      { ...wish, method: 'PUT' },
      { ...wish, route: '/v1/a2' },
      { ...wish, params: { a: '1' } },
      { ...wish, body: { a: '1' } },
      { ...wish, body: { a: 1 } },
      { ...wish, body: { a: '1', b: '1' } },
      { ...wish, body: { a: '1,b:1' } },
      { ...wish, body: null },
      { ...wish, body: [] },
    ].map(fingerprint),
  );
  assert.equal(seen.size, 10);
  assert.equal(
    fingerprint({ ...wish, body: { b: [1, { d: 2, c: 3 }], a: 'é' } }),
    fingerprint({ ...wish, body: { a: 'é', b: [1, { c: 3, d: 2 }] } }),
  );
  assert.equal(canonicalJson({ b: [true, null], a: { d: 'x', c: 1 } }), '{"a":{"c":1,"d":"x"},"b":[true,null]}');
});
