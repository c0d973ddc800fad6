import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { memoryApi } from '../test/memory.ts';
import { completeDocument } from './openapi.ts';
import { allowedRoles } from './permission.ts';
import { routes } from './route/table.ts';

type Media = { schema: Record<string, unknown> };
type Answer = { description: string; headers?: Record<string, unknown>; content?: Record<string, Media> };
type Parameter = { name: string; in: string; required?: boolean; schema: unknown };
type Operation = {
  operationId?: string;
  summary: string;
  description?: string;
  tags: string[];
  security?: unknown[];
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, Answer>;
};
type Document = {
  openapi: string;
  info: { title: string; version: string };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Record<string, unknown>>; securitySchemes: Record<string, unknown> };
};

let app: FastifyInstance;
let document: Document;

before(async () => {
  ({ app } = await memoryApi());
  const answer = await app.inject('/openapi.json');
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  document = answer.json();
});
after(async () => {
  await app.close();
});

const system = [
  'GET /healthz',
  'GET /metrics',
  'GET /openapi.json',
  'GET /problems/{noun}/{reason}',
  'GET /readyz',
  'GET /v1/log/checkpoint',
  'GET /v1/log/tile/{*}',
  'GET /v1/reserves/{asset}/{epoch}/{name}',
];
const pathName = (url: string) => url.replace(/:([a-zA-Z]+)/gu, '{$1}');

test('the document describes exactly the routes there are', () => {
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(document.components.securitySchemes, { bearer: { type: 'http', scheme: 'bearer' } });
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = routes.map(({ method, url }) => `${method} ${pathName(url)}`);
  assert.deepEqual(described.toSorted(), [...served, ...system].toSorted());
  for (const { method, url } of routes) assert.ok(app.hasRoute({ method, url }), url);
});

test('every operation has summary, roles, security, parameters, answers and problems', () => {
  for (const route of routes) {
    const operation = document.paths[pathName(route.url)]?.[route.method.toLowerCase()];
    assert.ok(operation, route.operation);
    assert.equal(operation.operationId, route.operation);
    assert.ok(operation.summary.length > 10 && !operation.summary.endsWith('.'), route.operation);
    assert.equal(operation.description, `For: ${allowedRoles[route.operation].join(', ')}.`);
    assert.deepEqual(operation.security, [{ bearer: [] }]);
    assert.ok(operation.tags.every((tag) => document.tags.some(({ name }) => name === tag)));
    const named = (place: string) => (operation.parameters ?? []).filter((parameter) => parameter.in === place);
    assert.deepEqual(
      named('path').map(({ name }) => `:${name}`),
      route.url.match(/:[a-zA-Z]+/gu) ?? [],
    );
    assert.ok(named('path').every(({ required }) => required === true));
    assert.deepEqual(
      named('header').map(({ name, required }) => [name, required]),
      route.kind === 'write' ? [['Idempotency-Key', true]] : [],
    );
    assert.equal(operation.requestBody !== undefined, route.kind === 'write');
    const success = operation.responses[route.success];
    assert.ok(success?.content?.['application/json']?.schema, route.operation);
    assert.equal(success.headers?.['Idempotency-Hit'] !== undefined, route.kind === 'write', route.operation);
    const statuses = Object.keys(operation.responses).filter((status) => Number(status) >= 400);
    const wanted =
      route.kind === 'write'
        ? [400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 500, 503]
        : [400, 401, 403, 404, 421, 429, 500, 503];
    assert.deepEqual(statuses, wanted.map(String));
    for (const status of statuses) {
      assert.deepEqual(operation.responses[status]?.content, {
        'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
      });
      assert.ok(operation.responses[status]?.description);
    }
  }
});

test('lists say how they are paged', () => {
  for (const route of routes.filter(({ operation }) => operation.startsWith('list'))) {
    const operation = document.paths[pathName(route.url)]?.['get'];
    const names = (operation?.parameters ?? []).map(({ name }) => name);
    assert.ok(names.includes('limit') && names.includes('cursor'), route.operation);
    const schema = operation?.responses['200']?.content?.['application/json']?.schema;
    assert.deepEqual(schema?.['required'], ['items', 'nextCursor'], route.operation);
  }
});

test('a body may be left out exactly where nothing in it is needed', () => {
  const optional = routes.filter(
    ({ url, method }) => document.paths[pathName(url)]?.[method.toLowerCase()]?.requestBody?.required === false,
  );
  assert.deepEqual(
    optional.map(({ operation }) => operation),
    [
      'confirmSegregationMove',
      'withdrawSegregationMove',
      'certifyWallet',
      'certifyVault',
      'cancelVaultRestriction',
      'cancelKeyRecovery',
      'cancelSignerSetChange',
      'releaseDeposit',
      'freezeDeposit',
      'returnDeposit',
      'releaseWithdrawal',
      'cancelWithdrawal',
      'cancelSweep',
      'retrySweep',
      'revokeDelegation',
      'resumeChain',
    ],
  );
});

test('objects are closed, references lead somewhere and nothing lies about unused', () => {
  const used = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('$ref' in value) {
      const name = String(value.$ref).replace('#/components/schemas/', '');
      assert.ok(document.components.schemas[name], `${path}: ${name}`);
      used.add(name);
    }
    if ('type' in value && value.type === 'object' && 'properties' in value) {
      assert.equal('additionalProperties' in value && value.additionalProperties, false, path);
    }
    for (const [key, entry] of Object.entries(value)) visit(entry, `${path}/${key}`);
  };
  visit(document.paths, 'paths');
  visit(document.components.schemas, 'schemas');
  assert.deepEqual([...used].toSorted(), Object.keys(document.components.schemas).toSorted());
  for (const name of ['Client', 'Deposit', 'Withdrawal', 'Compartment', 'Break', 'Reconciliation', 'Problem']) {
    assert.ok(document.components.schemas[name]?.['description'], name);
  }
});

test('money is never a number', () => {
  const money =
    /^(?:amount|feeMax|feePaid|books|onChain|difference|available|held|quarantine|gas|feePayable|posted|pending|unbooked|dustMax|maxFee|nonce)/u;
  let count = 0;
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('properties' in value && typeof value.properties === 'object' && value.properties !== null) {
      for (const [name, schema] of Object.entries(value.properties)) {
        if (!money.test(name) || schema.type === 'array') continue;
        count += 1;
        assert.match(JSON.stringify(schema), /"string"/u, name);
        assert.ok(!JSON.stringify(schema).includes('"number"') && !JSON.stringify(schema).includes('"integer"'), name);
      }
    }
    Object.values(value).forEach(visit);
  };
  visit(document);
  assert.ok(count > 40, String(count));
});

test('what is not a document is left as it is', () => {
  assert.equal(completeDocument(null), null);
  assert.deepEqual(completeDocument({ openapi: '3.1.0' }), { openapi: '3.1.0' });
});
