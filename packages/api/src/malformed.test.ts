import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { amountMax } from '@bulkhead/domain';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import type { Memory } from '../test/memory.ts';
import { approval, bodies, chain, clientId, coin, pathOf, registryItems, withdrawalId } from '../test/samples.ts';
import { registryItemsMax } from './resource/registry-change.ts';
import { problem } from './problem.ts';
import { routes } from './route/table.ts';

let app: FastifyInstance;
let memory: Memory;

before(async () => {
  ({ app, memory } = await memoryApi());
});
after(async () => {
  await app.close();
});
beforeEach(() => {
  memory.calls.length = 0;
});

const headers = { ...bearer(secrets.admin), 'idempotency-key': 'k', 'content-type': 'application/json' };
const good = { ...bodies.requestWithdrawal };

async function post(payload: string | Buffer, more: { url?: string; headers?: Record<string, string> } = {}) {
  return app.inject({
    method: 'POST',
    url: more.url ?? '/v1/withdrawals',
    headers: { ...headers, ...more.headers },
    payload,
  });
}

async function refused(
  answer: { statusCode: number; json: () => unknown; body: string },
  status: number,
  code: string,
) {
  assert.equal(answer.statusCode, status, answer.body);
  const document = problem.parse(answer.json());
  assert.equal(document.code, code);
  assert.equal(memory.calls.length, 0, 'the operation was called');
  return document;
}

const token = 'erc20:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed';
const wrongValues: readonly (readonly [field: string, value: unknown, code?: string])[] = [
  ['amount', '-1', 'amount/malformed'],
  ['amount', '0', 'amount/out-of-range'],
  ['amount', '', 'amount/malformed'],
  ['amount', '1.5', 'amount/malformed'],
  ['amount', '1e18', 'amount/malformed'],
  ['amount', '0x10', 'amount/malformed'],
  ['amount', '007', 'amount/malformed'],
  ['amount', ' 1', 'amount/malformed'],
  ['amount', '١', 'amount/malformed'],
  ['amount', String(amountMax + 1n), 'amount/out-of-range'],
  ['amount', '9'.repeat(79), 'amount/malformed'],
  ['amount', '1'.repeat(100_000)],
  ['amount', 5],
  ['amount', null],
  ['amount', ['5']],
  ['amount', { value: '5' }],
  ['asset', 'ETH', 'asset/malformed'],
  ['asset', `${chain}/slip44:61`, 'asset/malformed'],
  ['asset', `eip155:01/${token}`, 'chain/malformed'],
  ['asset', `solana:1/${token}`, 'chain/malformed'],
  ['asset', `${chain}/erc20:0x5AAeb6053f3e94c9b9a09f33669435e7ef1beaed`, 'address/checksum'],
  ['asset', `${chain}/${token}/1`, 'asset/malformed'],
  ['destination', '0x5AAeb6053f3e94c9b9a09f33669435e7ef1beaed', 'address/checksum'],
  ['destination', '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae', 'address/malformed'],
  ['destination', '5aaeb6053f3e94c9b9a09f33669435e7ef1beaed', 'address/malformed'],
  ['destination', 'vitalik.eth', 'address/malformed'],
  ['destination', "'; drop table withdrawal; --", 'address/malformed'],
  ['destination', '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae\u0000', 'address/malformed'],
  ['clientId', "cl_1' or '1'='1"],
  ['clientId', withdrawalId],
  ['clientId', clientId.toUpperCase()],
  ['clientId', `${clientId}\n`],
  ['feePayer', 'nobody'],
];

test('each wrong value is named by its place, and by the code of the rule it breaks', async () => {
  for (const [field, value, code] of wrongValues) {
    const document = await refused(await post(JSON.stringify({ ...good, [field]: value })), 400, 'request/malformed');
    const [objection, ...rest] = document.errors ?? [];
    assert.equal(rest.length, 0, `${field} ${JSON.stringify(value)}`);
    assert.equal(objection?.in, 'body');
    assert.equal(objection?.pointer, `/${field}`);
    assert.equal(objection?.code, code, `${field} ${JSON.stringify(value)?.slice(0, 80)}`);
    assert.ok((objection?.detail.length ?? 0) > 10);
    assert.ok(document.detail.length < 600);
  }
});

test('the largest amount and every spelling of an address that the standards allow go through', async () => {
  for (const [n, body] of [
    { ...good, amount: String(amountMax) },
    { ...good, destination: '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed' },
    { ...good, destination: '0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED' },
    { ...good, asset: `${chain}/${token}` },
  ].entries()) {
    assert.equal((await post(JSON.stringify(body), { headers: { 'idempotency-key': `ok-${n}` } })).statusCode, 201);
  }
  assert.deepEqual(memory.calls[0]?.input, {
    clientId,
    asset: coin,
    amount: amountMax,
    destination: '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed',
    feePayer: 'client',
  });
});

test('several wrong values are told at once, in path, query and body', async () => {
  const answer = await post(JSON.stringify({ chain: 'mainnet', purpose: 'savings', colour: 1 }), {
    url: '/v1/compartments/4294967296/wallets?verbose=1',
  });
  const document = await refused(answer, 400, 'request/malformed');
  assert.deepEqual(
    document.errors?.map(({ in: place, pointer, code }) => `${place} ${pointer} ${code ?? ''}`.trim()),
    [
      'path /compartment compartment/out-of-range',
      'query /verbose',
      'body /chain chain/malformed',
      'body /purpose',
      'body /colour',
    ],
  );
});

test('fields that nobody knows are refused by name, also those that are traps of the language', async () => {
  for (const name of [
    'colour',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'feepayer',
    'id',
    'state',
    'a/b',
  ]) {
    const text = `${JSON.stringify(good).slice(0, -1)},${JSON.stringify(name)}:{"isAdmin":true}}`;
    const document = await refused(await post(text), 400, 'request/malformed');
    assert.deepEqual(
      document.errors?.map(({ pointer }) => pointer),
      [`/${name.replace('/', '~1')}`],
    );
  }
  assert.equal(Object.hasOwn(Object.prototype, 'isAdmin'), false);
  const query = await app.inject({ url: '/v1/clients?__proto__=1&colour=2', headers });
  assert.equal(query.statusCode, 400);
  assert.deepEqual(
    new Set(problem.parse(query.json()).errors?.map(({ pointer }) => pointer)),
    new Set(['/__proto__', '/colour']),
  );
});

test('a body that is not one JSON object is refused', async () => {
  const deep = '['.repeat(100_000);
  const bodiesWithout = [
    '{',
    '{"a":1}}',
    'null',
    '[]',
    '"text"',
    '5',
    'NaN',
    "{'a':1}",
    '{"a":1,}',
    deep,
    `${deep}${']'.repeat(100_000)}`,
    '\u0000',
    'undefined',
  ];
  for (const body of bodiesWithout) await refused(await post(body), 400, 'request/malformed');
  // Sound JSON but for one byte that is no UTF-8: a lenient decoder would store another text than was sent.
  const latin = Buffer.from(JSON.stringify({ ...bodies.createClient, reference: 'caf\u00e9' }), 'latin1');
  await refused(await post(latin, { url: '/v1/clients' }), 400, 'request/malformed');
});

test('text is kept from NUL bytes, control characters, lone surrogates and emptiness', async () => {
  const url = '/v1/clients';
  const client = { ...bodies.createClient };
  for (const reference of [
    'a\u0000b',
    '\ud800',
    'a\udc00',
    'a\u0007',
    'line\nbreak',
    '',
    ' a',
    'a ',
    'x'.repeat(121),
  ]) {
    const document = await refused(
      await post(JSON.stringify({ ...client, reference }), { url }),
      400,
      'request/malformed',
    );
    assert.deepEqual(
      document.errors?.map(({ pointer }) => pointer),
      ['/reference'],
      JSON.stringify(reference),
    );
  }
  const odd = [
    "Robert'); DROP TABLE client;--",
    '名前 𝒳 é',
    '<script>alert(1)</script>',
    '${jndi:ldap://x}',
    '../../etc/passwd',
  ];
  for (const [n, reference] of odd.entries()) {
    const answer = await post(JSON.stringify({ ...client, reference }), {
      url,
      headers: { 'idempotency-key': `odd-${n}` },
    });
    assert.equal(answer.statusCode, 201, answer.body);
    assert.equal(answer.json().reference, reference);
  }
});

test('an agreement has its seven items, and a time that exists', async () => {
  const url = `/v1/clients/${clientId}/agreements`;
  const whole = { ...bodies.recordAgreement };
  for (const item of Object.keys(whole)) {
    const { [item]: _left, ...rest } = whole;
    const document = await refused(await post(JSON.stringify(rest), { url }), 400, 'request/malformed');
    assert.deepEqual(
      document.errors?.map(({ pointer }) => pointer),
      [`/${item}`],
    );
  }
  assert.equal(Object.keys(whole).length, 8);
  for (const signedAt of ['2026-02-30T00:00:00Z', '2026-01-31', 'yesterday', '2026-01-31T25:00:00Z', 1_700_000_000]) {
    await refused(await post(JSON.stringify({ ...whole, signedAt }), { url }), 400, 'request/malformed');
  }
  await post(JSON.stringify(whole), { url, headers: { 'idempotency-key': 'signed' } });
  assert.deepEqual(memory.calls[0]?.input, { clientId, ...whole, signedAt: '2026-01-31T09:30:00.000Z' });
});

test('a sweep is of a compartment or of a wallet, and the objection is to the one that was meant', async () => {
  const url = '/v1/sweeps';
  const document = await refused(
    await post(JSON.stringify({ compartment: 1.5, chain }), { url }),
    400,
    'request/malformed',
  );
  assert.deepEqual(
    document.errors?.map(({ pointer, code }) => [pointer, code]),
    [['/compartment', 'compartment/out-of-range']],
  );
  await refused(await post('{}', { url }), 400, 'request/malformed');
  await refused(
    await post(JSON.stringify({ compartment: 10_000, chain, walletId: 'wal_1' }), { url }),
    400,
    'request/malformed',
  );
});

test('queries are read as strictly as bodies', async () => {
  const wrong = [
    '/v1/clients?limit=0',
    '/v1/clients?limit=201',
    '/v1/clients?limit=1e2',
    '/v1/clients?limit=-1',
    '/v1/clients?limit=10&limit=20',
    '/v1/clients?limit=',
    '/v1/clients?cursor=a%20b',
    '/v1/clients?cursor=',
    `/v1/clients?cursor=${'a'.repeat(513)}`,
    '/v1/clients?reference=%00',
    '/v1/clients?reference=%ff',
    '/v1/deposits?state=lost',
    '/v1/deposits?chain=1',
    '/v1/deposits?compartment=01',
    '/v1/deposits?clientId=1',
    '/v1/deposits?asset=ETH',
    '/v1/compartments?frozen=yes',
    '/v1/compartments/-1',
    '/v1/compartments/1.0',
    '/v1/chains/mainnet',
    '/v1/clients/1',
    `/v1/ledger/transfers?account=1&compartment=1`,
    `/v1/ledger/transfers?account=1&asset=${coin}`,
    `/v1/ledger/transfers?account=99999999999&compartment=1&asset=${coin}`,
  ];
  for (const url of wrong) {
    const answer = await app.inject({ url, headers });
    if (url.endsWith('%ff')) {
      // Not UTF-8: whatever the decoder makes of it, it is text without control characters, and nothing breaks.
      assert.ok(answer.statusCode < 500, url);
      memory.calls.length = 0;
      continue;
    }
    const document = await refused(answer, 400, 'request/malformed');
    assert.equal(document.errors?.length, 1, url);
  }
  const right = await app.inject({
    url: `/v1/ledger/transfers?account=1&compartment=1&asset=${coin}&limit=200`,
    headers,
  });
  assert.equal(right.statusCode, 200);
  assert.deepEqual(memory.calls[0]?.input, { account: 1, compartment: 1, asset: coin, limit: 200 });
});

test('paths that cannot be decoded or are too long are refused', async () => {
  for (const url of [
    '/v1/clients/%ff',
    '/v1/clients/%ED%A0%80',
    '/v1/clients/%',
    `/v1/clients/${'a'.repeat(121)}`,
    '/v1/clients/%00',
    '/v1/clients/..%2f..%2fetc',
  ]) {
    const answer = await app.inject({ url, headers });
    await refused(answer, 400, 'request/malformed');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', url);
    assert.match(String(answer.headers['request-id']), /^[0-9a-f-]{36}$/u);
  }
});

test('what no route serves is a problem document too', async () => {
  const strange = [
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/clients/x/y/'],
    ['GET', '/V1/clients'],
    ['DELETE', `/v1/clients/${clientId}`],
    ['PATCH', `/v1/withdrawals/${withdrawalId}`],
    ['OPTIONS', '/v1/clients'],
    ['HEAD', '/v1/clients'],
    ['GET', '/v1/../etc/passwd'],
  ] as const;
  for (const [method, url] of strange) {
    const answer = await app.inject({ method, url, headers: bearer(secrets.admin) });
    assert.equal(answer.statusCode, 404, `${method} ${url}`);
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
    if (method !== 'HEAD') assert.equal(problem.parse(answer.json()).code, 'request/unknown-route');
  }
});

test('only JSON is read', async () => {
  const text = JSON.stringify(good);
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'nonsense',
    'application/jsonx',
  ]) {
    await refused(await post(text, { headers: { 'content-type': type } }), 415, 'request/unsupported-media-type');
  }
  assert.equal(
    (await post(text, { headers: { 'content-type': 'application/json; charset=utf-8', 'idempotency-key': 'charset' } }))
      .statusCode,
    201,
  );
});

test('a body above the limit is refused, one below is read', async () => {
  const limit = 256 * 1024;
  await refused(await post('x'.repeat(10 * 1024 * 1024)), 413, 'request/too-large');
  await refused(await post('x'.repeat(limit + 1)), 413, 'request/too-large');
  await refused(await post(' '.repeat(limit)), 400, 'request/malformed');
});

test('a signature has the form of its kind, to the byte', async () => {
  const url = `/v1/withdrawals/${withdrawalId}/approvals`;
  const { kind: _kind, ...whose } = approval;
  const passkey = {
    ...whose,
    kind: 'webauthn',
    authenticatorData: '00'.repeat(37),
    clientDataJson: '7b7d',
    signature: '30'.repeat(70),
  };
  const wrong = [
    { ...approval, signature: '01'.repeat(63) },
    { ...approval, signature: '01'.repeat(65) },
    { ...approval, signature: `${'01'.repeat(63)}0` },
    { ...approval, signature: 'AB'.repeat(64) },
    { ...approval, signature: `0x${'01'.repeat(63)}` },
    { ...approval, kind: 'eip712' },
    { ...approval, kind: 'rsa' },
    { ...approval, person: '' },
    { ...approval, key: 'k'.repeat(65) },
    { ...approval, digest: '00'.repeat(32) },
    { ...passkey, authenticatorData: '00'.repeat(36) },
    { ...passkey, authenticatorData: '00'.repeat(1_025) },
    { ...passkey, clientDataJson: '' },
    { ...passkey, clientDataJson: '00'.repeat(4_097) },
    { ...passkey, signature: '30'.repeat(73) },
    whose,
    [approval],
    null,
  ];
  for (const value of wrong) {
    await refused(await post(JSON.stringify({ approval: value }), { url }), 400, 'request/malformed');
  }
  await refused(await post(JSON.stringify(approval), { url }), 400, 'request/malformed');
  await refused(await post('{}', { url }), 400, 'request/malformed');
  for (const [n, value] of [approval, passkey, { ...approval, kind: 'eip712', signature: '01'.repeat(65) }].entries()) {
    const key = { 'idempotency-key': `form-${n}` };
    assert.equal((await post(JSON.stringify({ approval: value }), { url, headers: key })).statusCode, 201);
  }
  assert.deepEqual(
    memory.calls.map(({ input }) => input),
    [approval, passkey, { ...approval, kind: 'eip712', signature: '01'.repeat(65) }].map((value) => ({
      withdrawalId,
      approval: value,
    })),
  );
});

test('a list of changes is read item by item, up to its longest', async () => {
  const url = '/v1/registry-changes';
  const list = (items: unknown, kind = 'enrolment'): string => JSON.stringify({ kind, items });
  const [client, destination] = registryItems;
  const wrong: readonly (readonly [string, string])[] = [
    [list([]), '/items'],
    [list([client], 'state-recovery'), '/kind'],
    [list([{ ...client, item: 'admin' }]), '/items/0/item'],
    [list([client, { ...client, compartment: 2 ** 31 }]), '/items/1/compartment'],
    [list([{ ...client, client: 'C-1' }]), '/items/0/client'],
    [list([{ ...client, note: 'x' }]), '/items/0/note'],
    [list([{ ...destination, address: '0x5AAeb6053f3e94c9b9a09f33669435e7ef1beaed' }]), '/items/0/address'],
    [list([{ ...destination, label: 'two\nlines' }]), '/items/0/label'],
  ];
  for (const [text, pointer] of wrong) {
    const document = await refused(await post(text, { url }), 400, 'request/malformed');
    assert.deepEqual(
      document.errors?.map((objection) => objection.pointer),
      [pointer],
    );
  }
  for (const item of registryItems) {
    for (const name of Object.keys(item)) {
      const { [name]: _left, ...rest } = item;
      await refused(await post(list([rest]), { url }), 400, 'request/malformed');
    }
  }
  const many = Array.from({ length: registryItemsMax }, () => destination);
  await refused(await post(list([...many, destination]), { url }), 400, 'request/malformed');
  assert.equal((await post(list(many), { url, headers: { 'idempotency-key': 'many' } })).statusCode, 201);
});

test('no route answers 500 to nonsense in any of its parts', async () => {
  const nonsense = [
    'null',
    '[]',
    '{"__proto__":null}',
    '{"amount":{"$gt":0}}',
    '{"clientId":["a"]}',
    '"\\ud800"',
    '1e999',
    '{"chain":"\\u0000"}',
  ];
  for (const route of routes) {
    for (const value of nonsense) {
      const url =
        route.kind === 'read' ? `${pathOf(route.url)}?q=${encodeURIComponent(value)}&limit[]=1` : pathOf(route.url);
      const answer = await app.inject({
        method: route.method,
        url,
        headers,
        ...(route.kind === 'write' ? { payload: value } : {}),
      });
      assert.ok(
        answer.statusCode >= 400 && answer.statusCode < 500,
        `${route.operation} ${value}: ${answer.statusCode} ${answer.body}`,
      );
      problem.parse(answer.json());
    }
  }
  assert.equal(memory.calls.length, 0);
});
