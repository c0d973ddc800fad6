import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { logMigrations, newKeyPem, readFacts, Sequencer, softwareSigner, verifyLog } from '@bulkhead/log';
import { migrate, sqlState } from '@bulkhead/postgres';
import { migrationSources } from './migrations.ts';
import { pullSignerRecords } from './signer-record.ts';
import type { Bench } from './testing/bench.ts';
import { approve, ask, ether, funded, openWithdrawing, settle, workers } from './testing/withdrawing.ts';

const views = ['ledger.facts', 'custody.facts'] as const;
const log = softwareSigner(newKeyPem(), 'bulkhead.example.com/log', 'ed25519').key;
const all = { after: 0n, until: 1_000_000n, limit: 10_000 };

/** A client paid in and out, and the signer's records were taken over. */
async function lived(): Promise<Bench> {
  const bench = await openWithdrawing({ workers });
  await migrate(bench.database.owner, [...migrationSources, logMigrations]);
  const account = await funded(bench, 5n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  await settle(bench);
  await pullSignerRecords(bench.custody);
  return bench;
}

async function sequence({ database }: Bench): Promise<number> {
  const sequencer = new Sequencer(database.app, { views, leaseMs: 1 });
  const facts = await readFacts(database.app, views, all);
  for (let n = 0; n < 200; n += 1) {
    const step = await sequencer.step();
    if (step.status === 'sequenced' && step.size === facts.length) return step.size;
    await sleep(25);
  }
  return assert.fail('The log did not take all facts.');
}

test('everything that happens to a client becomes a leaf, and the whole log is proven', async () => {
  await using bench = await lived();
  const size = await sequence(bench);
  const facts = await readFacts(bench.database.app, views, all);
  const kinds = new Set(facts.map(({ kind }) => kind));
  for (const kind of [
    'transfer',
    'movement',
    'deposit-step',
    'withdrawal-step',
    'approval',
    'signer-decision',
    'address-issued',
    'client-change',
    'policy-change',
  ] as const) {
    assert.ok(kinds.has(kind), `a fact of kind ${kind}`);
  }
  const report = await verifyLog(bench.database.app, { log, views });
  assert.deepEqual([report.leaves, report.findings, report.unnamed], [size, [], 0]);
});

test('a movement that a fork removes, and that comes back, is journaled each time', async () => {
  await using bench = await lived();
  const { owner, app } = bench.database;
  const [movement] = await app.query('select id from custody.movement limit 1');
  const id = String(movement?.['id']);
  await owner.query('update custody.movement set removed_at = now() where id = $1', [id]);
  await owner.query('update custody.movement set removed_at = null where id = $1', [id]);
  await owner.query('update custody.movement set removed_at = null where id = $1', [id]);
  const rows = await app.query('select event from custody.journal where subject = $1 order by fact', [id]);
  assert.deepEqual(
    rows.map((row) => row['event']),
    ['movement-observed', 'movement-removed', 'movement-restored'],
  );
});

test('a superuser who edits, deletes or reorders rows of custody or of the books is found', async (t) => {
  for (const [act, statement] of [
    ['edits the journal', `update custody.journal set data = '{"forged": true}' where position = 5`],
    ['changes who did it', `update custody.journal set actor = 'somebody' where position = 5`],
    ['deletes from the journal', `delete from custody.journal where position = 5`],
    ['reorders the journal', `update custody.journal set fact = 1000000 - fact where position in (5, 6)`],
    [
      'edits a transfer',
      `update ledger.transfer set amount = amount + 1 where position = (select min(position) from ledger.transfer)`,
    ],
    ['deletes a transfer', `delete from ledger.transfer where position = (select min(position) from ledger.transfer)`],
    ['renames a holder', `update ledger.account set holder = 'cl_other' where kind = 'available'`],
  ] as const) {
    await t.test(act, async () => {
      await using bench = await lived();
      await sequence(bench);
      await bench.database.admin.transaction(async (tx) => {
        await tx.query('set local session_replication_role = replica');
        await tx.query(statement);
      });
      const report = await verifyLog(bench.database.app, { log, views });
      assert.ok(
        report.findings.some(({ index }) => index !== undefined),
        'a leaf is named',
      );
    });
  }
});

test('the owner alone erases a fact, and nothing is left of who and what', async () => {
  await using bench = await lived();
  const { app, owner } = bench.database;
  const [row] = await app.query(`select fact from custody.journal where event = 'client-created'`);
  const fact = BigInt(String(row?.['fact']));
  const order = 'select custody.erase_facts($1::bigint[], now()) as erased';
  await assert.rejects(app.query(order, [[fact]]), (error) => sqlState(error) === '42501');
  assert.equal((await owner.query(order, [[fact]]))[0]?.['erased'], '1');
  const [erased] = await app.query('select actor, data::text as data from custody.journal where fact = $1', [fact]);
  assert.deepEqual({ ...erased }, { actor: '', data: '{}' });
  const [found] = await readFacts(app, views, { after: fact - 1n, until: fact, limit: 1 });
  assert.equal(found?.content, undefined);
  await assert.rejects(owner.query(`update custody.journal set actor = 'x'`), (error) => sqlState(error) === 'BH001');
});

test('a subject that cannot stand in a leaf is not written at all', async () => {
  await using bench = await openWithdrawing();
  const insert = `insert into custody.journal (at, actor, subject, event, data) values (now(), 'a', $1, 'e', '{}')`;
  await bench.database.app.query(insert, ['compartment 100000']);
  for (const subject of ['', 'ä', 'a'.repeat(129)]) {
    await assert.rejects(bench.database.app.query(insert, [subject]), (error) => sqlState(error) === '23514');
  }
});
