import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { CustodyError, faultCodes, refusalCodes, refuse } from '@bulkhead/domain';
import type { RefusalCode } from '@bulkhead/domain';
import { bearer, memoryApi, secrets } from '../test/memory.ts';
import type { Memory } from '../test/memory.ts';
import { bodies, clientId } from '../test/samples.ts';
import { parseCatalogue, readCatalogue } from './catalogue.ts';
import { objections, problem, problemDocument, problemErrorsMax } from './problem.ts';
import { problemCodes, statusOf } from './status.ts';

let app: FastifyInstance;
let memory: Memory;

before(async () => {
  ({ app, memory } = await memoryApi());
});
after(async () => {
  await app.close();
});

const get = async () => app.inject({ url: `/v1/clients/${clientId}`, headers: bearer(secrets.auditor) });

test('every fault that an operation throws becomes the document of its code', async () => {
  for (const code of faultCodes) {
    memory.next = new CustodyError(code, `The fact behind ${code}.`, { details: { height: 7 } });
    const answer = await get();
    assert.equal(answer.statusCode, statusOf[code], code);
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
    const document = problem.parse(answer.json());
    assert.equal(document.code, code);
    assert.equal(document.status, statusOf[code]);
    assert.equal(document.type, `/problems/${code}`);
    assert.equal(document.detail, `The fact behind ${code}.`);
    assert.deepEqual(document.details, { height: 7 });
    assert.equal(document.instance, `urn:uuid:${String(answer.headers['request-id'])}`);
    assert.equal(answer.headers['retry-after'], [429, 503].includes(document.status) ? '1' : undefined, code);
  }
});

test('every refusal of a read and of a write becomes the document of its code', async () => {
  for (const [n, code] of refusalCodes.entries()) {
    memory.next = refuse(code, `No, because ${code}.`, { why: 'so' });
    const written = await app.inject({
      method: 'POST',
      url: '/v1/withdrawals',
      headers: { ...bearer(secrets.operator), 'idempotency-key': `refusal-${n}` },
      payload: bodies.requestWithdrawal ?? {},
    });
    for (const answer of [await get(), written]) {
      assert.equal(answer.statusCode, statusOf[code], code);
      const document = problem.parse(answer.json());
      assert.equal(document.code, code);
      assert.equal(document.detail, `No, because ${code}.`);
      assert.deepEqual(document.details, { why: 'so' });
    }
  }
  memory.next = undefined;
});

test('refusals are 4xx: none of them is our failure', () => {
  for (const code of refusalCodes) {
    const status = statusOf[code];
    assert.ok([404, 409, 422].includes(status), `${code} ${status}`);
  }
});

test('what nobody planned for says nothing of our insides', async () => {
  memory.next = new TypeError('select * from private_table where password = 1');
  const answer = await get();
  memory.next = undefined;
  assert.equal(answer.statusCode, 500);
  assert.equal(answer.json().code, 'invariant/broken');
  assert.ok(!answer.body.includes('password'));
  assert.ok(!answer.body.includes('TypeError'));
});

test('a view that is not what the documentation says never leaves', async () => {
  const { app: broken } = await memoryApi({
    operations: { ...memory.operations, getClient: async () => ({ ...(await client()), createdBy: '' }) },
  });
  const answer = await broken.inject({ url: `/v1/clients/${clientId}`, headers: bearer(secrets.auditor) });
  await broken.close();
  assert.equal(answer.statusCode, 500);
  assert.equal(problem.parse(answer.json()).code, 'invariant/broken');
});

async function client() {
  const answer = await memory.operations.getClient({ actor: { name: 'ida', role: 'auditor' } }, { clientId });
  assert.ok(!('status' in answer));
  return answer;
}

test('the catalogue explains every code, and its page is where the type of a problem leads', async () => {
  const catalogue = readCatalogue();
  for (const code of problemCodes) {
    const row = catalogue.get(code);
    assert.ok(row, `no row for ${code} in spec/`);
    const page = await app.inject(`/problems/${code}`);
    assert.equal(page.statusCode, 200, code);
    assert.equal(page.headers['content-type'], 'text/plain; charset=utf-8');
    for (const part of [code, String(statusOf[code]), row.meaning, row.why, row.remedy]) {
      assert.ok(page.body.includes(part), `${code}: ${part}`);
    }
    assert.equal(problemDocument({ code, message: 'x' }, 'id', row).title, row.meaning);
  }
  assert.equal(problemCodes.length, new Set([...faultCodes, ...refusalCodes]).size);
  for (const nothing of [
    '/problems/request/nonsense',
    '/problems/a/b',
    '/problems/request',
    '/problems/constructor/name',
  ]) {
    assert.equal((await app.inject(nothing)).statusCode, 404, nothing);
  }
});

test('the catalogue is read from its table and nothing else', async () => {
  const rows = parseCatalogue(
    '| code | meaning | why | what to do |\n|---|---|---|---|\n| `a/b` | m | w \\| x | d |\n| c/d | too | few |\nprose a/b\n',
  );
  assert.deepEqual([...rows.values()], [{ code: 'a/b', meaning: 'm', why: 'w | x', remedy: 'd' }]);
  const text = await readFile(new URL('../../../spec/refusals.md', import.meta.url), 'utf8');
  const codes: readonly string[] = refusalCodes;
  assert.ok([...parseCatalogue(text).keys()].every((code) => codes.includes(code)));
});

test('objections name the place of each value, escaped and bounded', () => {
  const issue = {
    code: 'unrecognized_keys',
    keys: ['a/b~c', 'x'.repeat(500), '\ud800'],
    path: ['items', 0],
    message: '',
    input: {},
  } as const;
  const found = objections('body', [{ ...issue, keys: [...issue.keys], path: [...issue.path] }]);
  assert.equal(found[0]?.pointer, '/items/0/a~1b~0c');
  assert.ok((found[1]?.pointer.length ?? 999) < 120);
  assert.ok(found.every(({ pointer }) => pointer.isWellFormed()));
  const many = Array.from({ length: 200 }, () => ({ in: 'body' as const, pointer: '/x', detail: 'no' }));
  assert.equal(
    problemDocument({ code: 'request/malformed', message: 'x', errors: many }, 'id', undefined).errors?.length,
    problemErrorsMax,
  );
});

test('a code without an explanation still has a title', () => {
  const code: RefusalCode = 'resource/not-found';
  assert.equal(problemDocument({ code, message: 'x' }, 'id', undefined).title, code);
});
