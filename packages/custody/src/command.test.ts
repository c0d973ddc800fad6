import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, refuse } from '@bulkhead/domain';
import { bigint, only, type Transaction } from '@bulkhead/postgres';
import { createClient, listClients } from './client.ts';
import { type Answer, command, notFound, refuseCommand, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { keepPersonal } from './personal.ts';
import { type Bench, openBench, refusalOf, viewOf } from './testing/bench.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';

const client = (reference: string): Parameters<typeof createClient>[2] => ({
  reference,
  kind: 'legal',
  segregation: 'individual',
});

/** Contexts of four processes over one database: what stands in line inside a process does not across them. */
function processes(bench: Bench): (n: number) => Custody {
  const contexts = Array.from({ length: 4 }, () => ({ ...bench.custody }));
  return (n) => contexts[n % contexts.length] ?? bench.custody;
}

/** A call whose fingerprint is of its own, as another body under the same key has. */
function call(bench: Bench, name: string, key: string, fingerprint: string = key): WriteCall {
  return { ...bench.as(name, key), idempotency: { key, fingerprint } };
}

async function stored(bench: Bench, key: string): Promise<number> {
  const rows = await bench.database.owner.query('select count(*) as n from custody.command where key = $1', [key]);
  return Number(bigint(only(rows), 'n'));
}

/** Leaves a trace that shows whether the work was undone. */
async function mark(tx: Transaction, reference: string): Promise<void> {
  await tx.query(
    `insert into custody.client (id, kind, segregation, created_by, created_at) values ('cl_' || $1, 'legal', 'omnibus', 'x', now())`,
    [reference],
  );
  const id = `cl_${reference}`;
  await keepPersonal(tx, { id, client: id, content: { reference }, now: new Date() });
}

async function marked(bench: Bench, reference: string): Promise<boolean> {
  return (await listClients(bench.custody.db, { reference, after: null, limit: 1 })).length === 1;
}

test('the same key and body a hundred times at once, in one process or four, has one effect and one answer', async () => {
  await using bench = await openBench();
  const process = processes(bench);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => createClient(process(n), bench.as('ann', 'key'), client('one'))),
  );
  const [first] = answers;
  assert.ok(first !== undefined);
  for (const answer of answers) assert.deepEqual(viewOf(answer), viewOf(first));
  assert.equal(answers.filter(({ hit }) => !hit).length, 1, 'one did it, the others hit its answer');
  assert.equal((await listClients(bench.custody.db, { after: null, limit: 200 })).length, 1);
  const journal = await bench.database.owner.query(
    `select position from custody.journal where event = 'client-created'`,
  );
  assert.equal(journal.length, 1);
});

test('while one process works on a key, the others wait for its answer instead of working beside it', async () => {
  await using bench = await openBench();
  const process = processes(bench);
  let worked = 0;
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      command(process(n), bench.as('ann', 'key'), async (tx) => {
        worked += 1;
        // Long enough for all of them to have a connection.
        await tx.query('select pg_sleep(0.5)');
        return { worked };
      }),
    ),
  );
  assert.equal(worked, 1);
  assert.deepEqual(
    answers.map(viewOf),
    Array.from({ length: 4 }, () => ({ worked: 1 })),
  );
});

test('another body under the same key is told so, works nothing, and leaves the first answer as it was', async () => {
  await using bench = await openBench();
  const first = await createClient(bench.custody, call(bench, 'ann', 'key', 'body 1'), client('one'));
  const other = await createClient(bench.custody, call(bench, 'ann', 'key', 'body 2'), client('two'));
  assert.deepEqual(other, { hit: false, outcome: { status: 'key-reused' }, facts: [] });
  assert.equal(await marked(bench, 'two'), false);
  const again = await createClient(bench.custody, call(bench, 'ann', 'key', 'body 1'), client('one'));
  assert.deepEqual(again, { ...first, hit: true });
});

test('of different bodies under one key at once, one is done and the others are told', async () => {
  await using bench = await openBench();
  const process = processes(bench);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      createClient(process(n), call(bench, 'ann', 'key', `body ${n}`), client(`c ${n}`)),
    ),
  );
  assert.deepEqual(answers.map(refusalOf).toSorted(), ['done', ...Array.from({ length: 19 }, () => 'key-reused')]);
  assert.equal((await listClients(bench.custody.db, { after: null, limit: 200 })).length, 1);
});

test('a key belongs to whoever used it: the same key of two people is two commands', async () => {
  await using bench = await openBench();
  const one = viewOf(await createClient(bench.custody, bench.as('ann', 'key'), client('one')));
  const two = viewOf(await createClient(bench.custody, bench.as('bob', 'key'), client('two')));
  assert.notEqual(one.id, two.id);
  assert.deepEqual([one.createdBy, two.createdBy], ['ann', 'bob']);
  // Names and keys that read the same when put together share a lock, and still no answer.
  const three = await createClient(bench.custody, bench.as('ann\nk', 'ey'), client('three'));
  const four = await createClient(bench.custody, bench.as('ann', 'k\ney'), client('four'));
  assert.deepEqual([three, four].map(refusalOf), ['done', 'done']);
});

test('a fault stores nothing: what was done is undone, and the key is free for the request that is right', async () => {
  await using bench = await openBench();
  const fault = new CustodyError('amount/malformed', 'That is no amount.');
  const failing = command(bench.custody, bench.as('ann', 'key'), async (tx) => {
    await mark(tx, 'half');
    throw fault;
  });
  await assert.rejects(failing, fault);
  assert.equal(await marked(bench, 'half'), false);
  assert.equal(await stored(bench, 'key'), 0);
  const right = await createClient(bench.custody, call(bench, 'ann', 'key', 'another body'), client('one'));
  assert.equal(refusalOf(right), 'done');
});

test('a refusal undoes the work, is stored, and is the answer ever after, though it would be done by now', async () => {
  await using bench = await openBench();
  const refused = refuse('asset/not-allowed', 'Not yet.', { asset: 'x' });
  for (const [key, end] of [
    ['returned', () => refused],
    ['thrown', () => refuseCommand(refused)],
  ] as const) {
    const work = async (tx: Transaction): Promise<typeof refused> => {
      await mark(tx, key);
      return end();
    };
    const answer = await command(bench.custody, bench.as('ann', key), work);
    assert.deepEqual(answer, { hit: false, outcome: refused, facts: [] });
    assert.equal(await marked(bench, key), false);
    assert.equal(await stored(bench, key), 1);
    const later = await command(bench.custody, bench.as('ann', key), async () => ({ fine: true }));
    assert.deepEqual(later, { hit: true, outcome: refused, facts: [] });
  }
  const missing = await command(bench.custody, bench.as('ann', 'missing'), async () =>
    notFound('client', 'x'.repeat(200)),
  );
  assert.equal(refusalOf(missing), 'resource/not-found');
  assert.ok(
    missing.outcome.status === 'refused' && missing.outcome.message.length < 120,
    'what was sent is not sent back whole',
  );
});

test('a stored answer comes back as it was given', async () => {
  await using bench = await openBench();
  const view = {
    id: 'x',
    amount: '115792089237316195423570985008687907853269984665640564039457584007913129639935',
    none: null,
    list: [1, 'ü', false],
    deep: { a: {} },
  };
  const first = await command(bench.custody, bench.as('ann', 'key'), async () => view);
  const again = await command(bench.custody, bench.as('ann', 'key'), async () => ({ other: true }));
  assert.deepEqual(first, { hit: false, outcome: { status: 'done', view }, facts: [] });
  assert.deepEqual(again, { hit: true, outcome: { status: 'done', view }, facts: [] });
});

test('a connection that is lost at any statement or commit, and a retry, have exactly one effect and one answer', async () => {
  const interrupter = new Interrupter();
  await using bench = await openBench({ database: (db) => interruptible(db, interrupter) });
  const create = (key: string): Promise<Answer<{ id: string }>> =>
    createClient(bench.custody, bench.as('ann', key), client(key));
  interrupter.arm(1_000, 'before');
  await create('whole');
  const { steps } = interrupter;
  assert.ok(steps >= 6, `a command has ${steps} steps`);
  let kept = 0;
  for (const kind of ['before', 'after'] satisfies Interruption[]) {
    for (let step = 0; step < steps; step += 1) {
      const key = `${kind} ${step}`;
      interrupter.arm(step, kind);
      await assert.rejects(create(key), { code: 'database/unavailable' });
      interrupter.disarm();
      const happened = await marked(bench, key);
      assert.equal(await stored(bench, key), happened ? 1 : 0, 'work and answer are there together or not at all');
      kept += happened ? 1 : 0;
      const retry = await create(key);
      assert.equal(retry.hit, happened);
      assert.deepEqual((await create(key)).outcome, retry.outcome);
      const found = await listClients(bench.custody.db, { reference: key, after: null, limit: 9 });
      assert.deepEqual(
        found.map(({ id }) => id),
        [viewOf(retry).id],
      );
    }
  }
  assert.ok(kept >= 1, 'one of the losses came after the commit');
});
