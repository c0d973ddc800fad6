import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { parseAddress } from '@bulkhead/domain';
import { verifyEd25519 } from '@bulkhead/log';
import { openReceipt, receiptOf } from '@bulkhead/tlog';
import { examine } from '../src/examination.ts';
import {
  admit,
  approve,
  chain,
  changeRegistry,
  coin,
  deposit,
  enrol,
  ether,
  type House,
  logKeyOf,
  onChain,
  openHouse,
  type Person,
  settled,
  until,
  firstOf,
} from './house.ts';

const outside = parseAddress(`0x${'0b'.repeat(20)}`);
let house: House;
before(async () => {
  house = await openHouse();
});
after(async () => {
  await house[Symbol.asyncDispose]();
});

test('the way of a client through the API alone: from the agreement to a settled withdrawal', async () => {
  const { desk, node, server } = house;
  const client = await admit(desk, 'C-1');
  assert.equal(client.compartment, 100_000);
  await enrol(desk, client, outside);
  const released = await deposit(house, client, 3n * coin);
  assert.equal(released.state, 'released');
  assert.equal(released.verdict, 'not-screened');
  assert.equal(released.releasedBy, 'approver-2');
  assert.equal(released.finality.rule, 'finalized');
  const before = await desk.get(`/v1/clients/${client.id}/balances`);
  assert.deepEqual(
    before.items.map((one) => [one.asset, one.available, one.held]),
    [[ether, String(3n * coin), '0']],
  );

  const asked = await desk.post(
    '/v1/withdrawals',
    { clientId: client.id, asset: ether, amount: String(coin), destination: outside },
    'operator',
  );
  assert.equal(asked.state, 'requested');
  const held = await desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(
    firstOf(held.items).held,
    String(coin + BigInt(asked.feeMax)),
    'Amount and highest fee are held at once.',
  );
  await approve(desk, asked.id);
  const done = await settled(desk, asked.id);
  assert.equal(await onChain(node, outside), coin);
  assert.equal(done.chainState, 'final');
  assert.deepEqual(
    done.approvals.map((one) => one.by),
    ['approver-1', 'approver-2'],
  );
  const after = await desk.get(`/v1/clients/${client.id}/balances`);
  const left = 2n * coin - BigInt(done.feePaid);
  assert.deepEqual(
    after.items.map((one) => [one.available, one.held]),
    [[String(left), '0']],
  );
  assert.equal(await onChain(node, client.address), left, 'The books say what the chain says.');

  const reconciled = await desk.post('/v1/reconciliations', { chain }, 'operator');
  assert.equal(reconciled.breaksCount, 0);
  const lines = await desk.get(`/v1/reconciliations/${reconciled.id}/lines`);
  assert.equal(firstOf(lines.items).books, firstOf(lines.items).onChain);
  assert.deepEqual(await examine(server.access), []);
});

test('whoever writes gets a receipt that proves it offline; the opening is for them, for admins and for auditors', async () => {
  const { desk, server } = house;
  const body = { reference: 'C-receipt', kind: 'legal', segregation: 'individual' };
  const reply = await desk.ask('POST', '/v1/clients', { person: 'operator', body, key: randomUUID() });
  const fact = reply.headers.get('log-facts') ?? '';
  assert.match(fact, /^[1-9][0-9]*$/u);
  const path = `/v1/log/receipts/${fact}`;
  const log = await logKeyOf(server);
  const seen = async (person: Person): Promise<string | undefined> => {
    const shown = await until('the receipt', async () => {
      const { status, body: told } = await desk.ask('GET', path, { person });
      assert.ok(status === 200 || told.code === 'log/receipt-pending', JSON.stringify(told));
      return status === 200 && told;
    });
    return openReceipt(receiptOf(shown), { log, witnesses: [], witnessesMin: 0, verify: verifyEd25519 }).content;
  };
  assert.match((await seen('operator')) ?? '', /"actor": "operator".*"event": "client-created"/u);
  assert.deepEqual(
    [await seen('approver-1'), await seen('admin'), await seen('auditor')].map((content) => content !== undefined),
    [false, true, true],
  );
  const list = await desk.get(`/v1/log/subjects/${reply.body.id}/receipts`, 'operator');
  assert.equal(list.items.length, 1);
  assert.equal(
    (await desk.ask('GET', '/v1/log/receipts/999999999', { person: 'operator' })).body.code,
    'resource/not-found',
  );
  const [read] = await server.custody.db.query(
    `select actor, data from custody.journal where event = 'auditor-read' and data ->> 'operation' = 'getReceipt'`,
  );
  assert.deepEqual({ ...read }, { actor: 'auditor', data: { operation: 'getReceipt', asked: { fact } } });
});

test('reads of one thing and lists answer, page by page, and say when there is no such thing', async () => {
  const { desk } = house;
  await admit(desk, 'C-page-1');
  await admit(desk, 'C-page-2');
  const whole = await desk.get('/v1/clients');
  const names: string[] = [];
  for (let cursor = ''; ;) {
    const page = await desk.get(`/v1/clients?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
    names.push(...page.items.map((one) => one.reference));
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  assert.deepEqual(
    names,
    whole.items.map((one) => one.reference),
  );
  assert.ok(names.length >= 2);
  for (const path of [
    'ledger/accounts',
    'ledger/transfers',
    'compartments',
    'deposits',
    'assets',
    'dispatches',
    'chains',
  ]) {
    const first = await desk.get(`/v1/${path}?limit=1`);
    assert.equal(first.items.length, 1, path);
    if (first.nextCursor === null) continue;
    const second = await desk.get(`/v1/${path}?limit=1&cursor=${first.nextCursor}`);
    assert.notDeepEqual(second.items, first.items, path);
  }
  const id = '01931d5c-6f3a-7cc3-98c4-dc0c0c07398f';
  for (const path of [
    `clients/cl_${id}`,
    `clients/cl_${id}/wallets`,
    `clients/cl_${id}/balances`,
    `deposits/dep_${id}`,
    `withdrawals/wd_${id}`,
    `withdrawals/wd_${id}/approvals`,
    `sweeps/swp_${id}`,
    `fee-payments/fp_${id}`,
    `reconciliations/rec_${id}`,
    `reconciliations/rec_${id}/lines`,
    `breaks/brk_${id}`,
    `dispatches/dsp_${id}`,
    'compartments/77777',
    'chains/eip155:4711',
  ]) {
    const reply = await desk.ask('GET', `/v1/${path}`, { person: 'auditor' });
    assert.deepEqual([path, reply.status, reply.body.code], [path, 404, 'resource/not-found']);
  }
  const forged = await desk.ask('GET', `/v1/clients?cursor=${Buffer.from('["a","b"]').toString('base64url')}`, {
    person: 'auditor',
  });
  assert.deepEqual([forged.status, forged.body.code], [400, 'request/malformed']);
});

test('the same request a thousand times at once makes one withdrawal', async () => {
  const { desk } = house;
  const client = await admit(desk, 'C-thousand');
  await deposit(house, client, 2n * coin);
  const body = { clientId: client.id, asset: ether, amount: String(coin / 10n), destination: outside };
  const key = randomUUID();
  const replies = await Promise.all(
    Array.from({ length: 1_000 }, () => desk.ask('POST', '/v1/withdrawals', { person: 'operator', body, key })),
  );
  assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([201]));
  assert.equal(new Set(replies.map((reply) => reply.body.id)).size, 1);
  assert.equal(replies.filter((reply) => reply.headers.get('idempotency-hit') === null).length, 1);
  const stored = await desk.get(`/v1/withdrawals?clientId=${client.id}`);
  assert.equal(stored.items.length, 1);
  const other = await desk.ask('POST', '/v1/withdrawals', { person: 'operator', body: { ...body, amount: '1' }, key });
  assert.deepEqual([other.status, other.body.code], [409, 'request/idempotency-key-reused']);
});

test('two requests for the last coin make one', async () => {
  const { desk } = house;
  const client = await admit(desk, 'C-last');
  await deposit(house, client, 2n * coin);
  const body = { clientId: client.id, asset: ether, amount: String(coin + coin / 2n), destination: outside };
  const replies = await Promise.all(
    [1, 2].map(() => desk.ask('POST', '/v1/withdrawals', { person: 'operator', body, key: randomUUID() })),
  );
  assert.deepEqual(
    replies.map((reply) => reply.status).toSorted((a, b) => a - b),
    [201, 422],
  );
  assert.equal(replies.find((reply) => reply.status === 422)?.body.code, 'withdrawal/insufficient-funds');
});

test('probes and measurements tell how the process fares, and no secret', async () => {
  const { server, desk } = house;
  const ready = await fetch(`${server.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true, reasons: [] }]);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /bulkhead_withdrawals\{state="settled"\} 1\n/u);
  assert.match(metrics, /bulkhead_deposits\{state="released"\} 3\n/u);
  assert.match(metrics, /bulkhead_chain_stalled\{chain="eip155:31337"\} 0\n/u);
  assert.match(
    metrics,
    /bulkhead_http_answer_seconds_count\{method="POST",route="\/v1\/withdrawals",status="201"\} \d{4}/u,
  );
  assert.match(metrics, /bulkhead_blocks_booked_total\{chain="eip155:31337"\} [1-9]/u);
  const view = await desk.get(`/v1/chains/${chain}`);
  assert.deepEqual([view.state, view.sources.map((one) => one.healthy)], ['following', [true]]);
  assert.equal((await desk.get('/v1/chains')).items.length, 1);
});

test('a fee is charged and owed, and an asset is allowed while the chain is followed', async () => {
  const { desk } = house;
  const client = await admit(desk, 'C-fee');
  await deposit(house, client, coin);
  const fee = await desk.post(
    '/v1/fees',
    { clientId: client.id, asset: ether, amount: '1000', description: 'Custody, January' },
    'operator',
  );
  assert.equal(fee.chargedBy, 'operator');
  const { items } = await desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(firstOf(items).feePayable, '1000');
  const token = `${chain}/erc20:0x${'77'.repeat(20)}`;
  const allowed = await desk.post(
    '/v1/assets',
    { asset: token, symbol: 'TOK', decimals: 6, behaviour: 'standard', dustMax: '0' },
    'admin',
  );
  assert.equal(allowed.allowedBy, 'admin');
  await until('the follower to go on', async () => (await desk.get(`/v1/chains/${chain}`)).state === 'following');
});

test('ten thousand clients are enrolled with the signer by one list and one signature of each of two people', async () => {
  const { desk, server } = house;
  const before = (await server.reached.signer.status()).registryVersion;
  const id = (n: number): string => `cl_01a22d39-04d6-7000-8000-${String(n).padStart(12, '0')}`;
  const items = Array.from({ length: 10_000 }, (_, n) => ({ item: 'client', client: id(n), compartment: 200_000 + n }));
  await changeRegistry(desk, 'enrolment', items);
  assert.equal((await server.reached.signer.status()).registryVersion, before + 1n);
});
