import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import type { Memory } from '../test/memory.ts';
import { address, bodies, clientId, coin, pathOf } from '../test/samples.ts';
import { addressCertificate } from '../test/proof-samples.ts';
import type { OperationName } from './operations.ts';
import { allowedRoles, clientsOwn } from './permission.ts';
import { problem } from './problem.ts';
import { roles } from './role.ts';
import type { Role } from './role.ts';
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

async function call(name: OperationName, authorization: { authorization?: string }, key: string) {
  const route = routes.find(({ operation }) => operation === name);
  assert.ok(route);
  const body = bodies[name];
  return app.inject({
    method: route.method,
    url: pathOf(route.url),
    headers: { ...authorization, ...(route.kind === 'write' ? { 'idempotency-key': key } : {}) },
    ...(body === undefined ? {} : { payload: body }),
  });
}

test('every operation has one route, which reaches it and answers what its schema says', async () => {
  const names = Object.keys(memory.operations).toSorted();
  assert.deepEqual(routes.map(({ operation }) => operation).toSorted(), names);
  assert.deepEqual(Object.keys(allowedRoles).toSorted(), names);
  for (const route of routes) {
    memory.calls.length = 0;
    const answer = await call(route.operation, bearer(secrets.admin), `reach-${route.operation}`);
    assert.equal(answer.statusCode, route.success, `${route.operation}: ${answer.body}`);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.ok(route.view.safeParse(answer.json()).success, route.operation);
    assert.deepEqual(
      memory.calls.map(({ name, actor }) => ({ name, actor })),
      [{ name: route.operation, actor: { name: 'anna', role: 'admin' } }],
    );
  }
});

test('each role reaches exactly what the table allows it, and is told which role is needed', async () => {
  for (const { operation } of routes) {
    for (const role of roles) {
      memory.calls.length = 0;
      const answer = await call(operation, bearer(secrets[role]), `${role}-${operation}`);
      const allowed = allowedRoles[operation].includes(role);
      assert.equal(answer.statusCode === 403, !allowed, `${role} ${operation}: ${answer.statusCode}`);
      assert.equal(memory.calls.length, allowed ? 1 : 0, `${role} ${operation}`);
      if (allowed) continue;
      const { code, detail } = problem.parse(answer.json());
      assert.equal(code, 'request/forbidden');
      assert.ok(
        allowedRoles[operation].every((needed) => detail.includes(needed)),
        detail,
      );
    }
  }
});

test('nobody without a token reaches anything, and no body is looked at', async () => {
  for (const { operation } of routes) {
    const answer = await call(operation, {}, 'nobody');
    assert.equal(answer.statusCode, 401, operation);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="bulkhead"');
    assert.equal(answer.json().code, 'request/unauthenticated');
  }
  assert.equal(memory.calls.length, 0);
  const nonsense = await app.inject({
    method: 'POST',
    url: '/v1/withdrawals',
    headers: { 'content-type': 'application/json' },
    payload: '{',
  });
  assert.equal(nonsense.statusCode, 401);
});

test('the roles are what the product says they are', () => {
  const may = (role: Role) => routes.filter(({ operation }) => allowedRoles[operation].includes(role));
  const kinds = (role: Role) => new Set(may(role).map(({ kind }) => kind));
  assert.equal(may('admin').length, routes.length);
  assert.deepEqual(
    may('client').map(({ operation }) => operation),
    ['listProofs', 'getProof', 'getClientProof', 'getSegregationProof', 'getAddressCertificate'],
  );
  assert.deepEqual(kinds('auditor'), new Set(['read']));
  assert.equal(may('auditor').length, routes.filter(({ kind }) => kind === 'read').length);
  const writes = (role: Role) => may(role).flatMap(({ kind, operation }) => (kind === 'write' ? [operation] : []));
  assert.deepEqual(
    new Set(writes('approver')),
    new Set([
      'approveKeyRecovery',
      'approveRegistryChange',
      'approveSignerSetChange',
      'approveVaultRestriction',
      'approveWithdrawal',
      'assignDeposit',
      'cancelKeyRecovery',
      'cancelSignerSetChange',
      'cancelSweep',
      'cancelWithdrawal',
      'confirmSegregationMove',
      'freezeDeposit',
      'rejectWithdrawal',
      'releaseDeposit',
      'releaseWithdrawal',
      'resolveBreak',
      'restrictVault',
      'revokeDelegation',
      'withdrawSegregationMove',
    ]),
  );
  assert.deepEqual(
    roles.filter((role) => allowedRoles.approveRegistryChange.includes(role)),
    roles.filter((role) => role !== 'auditor' && role !== 'client'),
  );
  assert.ok(!writes('approver').includes('requestRegistryChange'));
  for (const decision of [
    'approveWithdrawal',
    'rejectWithdrawal',
    'releaseDeposit',
    'releaseWithdrawal',
    'resolveBreak',
    'allowAsset',
  ] as const) {
    assert.ok(!writes('operator').includes(decision), decision);
  }
});

test('a client reaches its own proofs and nothing of another one, whatever it puts into a path', async () => {
  const client = bearer(secrets.client);
  const other = clientId.replace(/.$/u, '0');
  const asset = encodeURIComponent(coin);
  for (const path of ['proof', 'proof-of-segregation']) {
    const own = await app.inject({ url: `/v1/clients/${clientId}/${path}?asset=${asset}`, headers: client });
    assert.equal(own.statusCode, 200, own.body);
    memory.calls.length = 0;
    for (const stranger of [other, `${clientId}%00`, clientId.toUpperCase(), '..', `${other}%2F..%2F${clientId}`]) {
      const answer = await app.inject({ url: `/v1/clients/${stranger}/${path}?asset=${asset}`, headers: client });
      assert.ok([403, 404].includes(answer.statusCode), `${stranger}: ${answer.statusCode}`);
    }
    assert.deepEqual(memory.calls, [], 'nobody looked');
    const staff = await app.inject({
      url: `/v1/clients/${other}/${path}?asset=${asset}`,
      headers: bearer(secrets.auditor),
    });
    assert.equal(staff.statusCode, 200);
  }
  const url = `/v1/addresses/${address}/certificate`;
  const { operations } = memory;
  assert.equal((await app.inject({ url, headers: client })).statusCode, 200);
  const foreign = await memoryApi({
    operations: { ...operations, getAddressCertificate: async () => ({ ...addressCertificate, clientId: other }) },
  });
  const hidden = await foreign.app.inject({ url, headers: client });
  assert.deepEqual([hidden.statusCode, hidden.json().code], [404, 'resource/not-found']);
  assert.equal((await foreign.app.inject({ url, headers: bearer(secrets.operator) })).statusCode, 200);
  await foreign.app.close();
});

test('what a client may read is named twice: by its role, and by whose it is', () => {
  const byRole = routes.flatMap(({ operation }) => (allowedRoles[operation].includes('client') ? [operation] : []));
  assert.deepEqual(byRole.toSorted(), Object.keys(clientsOwn).toSorted());
  assert.ok(routes.every(({ operation, kind }) => !byRole.includes(operation) || kind === 'read'));
});
