import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { logMigrations, newKeyPem, readFacts, Sequencer, softwareSigner, verifyLog } from '@bulkhead/log';
import { migrate, sqlState } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/postgres/testing';
import { auditorReadings } from './auditor-access.ts';
import { importCeremony } from './ceremony.ts';
import { createClient } from './client.ts';
import { command } from './command.ts';
import { factPlaces } from './fact-place.ts';
import { record } from './journal.ts';
import { migrationSources } from './migrations.ts';
import { notePolicy } from './policy-fact.ts';
import { pullSignerRecords } from './signer-record.ts';
import { type Bench, openBench } from './testing/bench.ts';
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

/** The record of a checkpoint is no fact, so that a log at rest does not grow by being signed; one that quotes it is. */
async function assertCheckpointsAreNone({ signer, custody, database }: Bench): Promise<void> {
  const quoting = signer.log.append('refused', { message: '"type":"checkpointed"' });
  const checkpoint = signer.log.append('checkpointed', { intent: 'bulkhead-intent-v1' });
  await pullSignerRecords(custody);
  const rows = await database.app.query(`select subject from custody.journal where event = 'signer-decided'`);
  const subjects = new Set(rows.map((row) => row['subject']));
  assert.ok(subjects.has(`signer-record-${quoting.sequence}`));
  assert.equal(BigInt(rows.length), checkpoint.sequence - 1n, 'all but one');
  assert.ok(!subjects.has(`signer-record-${checkpoint.sequence}`));
}

test('everything that happens to a client becomes a leaf, and the whole log is proven', async () => {
  await using bench = await lived();
  await assertCheckpointsAreNone(bench);
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

class Undone extends Error {}

test('a superuser who edits, deletes or reorders rows of custody or of the books is found', async (t) => {
  await using bench = await lived();
  await sequence(bench);
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
      let named = false;
      const undone = bench.database.admin.transaction(async (tx) => {
        await tx.query('set local session_replication_role = replica');
        await tx.query(statement);
        named = (await verifyLog(tx, { log, views })).findings.some(({ index }) => index !== undefined);
        throw new Undone();
      });
      await assert.rejects(undone, Undone);
      assert.ok(named, 'a leaf is named');
    });
  }
  assert.deepEqual((await verifyLog(bench.database.app, { log, views })).findings, [], 'each act was undone');
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

/** For each kind of spec/log.md the file that writes such a fact, and how: by an event of the journal about an id, or by SQL of its own. */
const writers: Readonly<
  Record<string, { readonly file: string; readonly says: string; readonly about?: string; readonly event?: string }>
> = {
  transfer: { file: 'packages/ledger/sql/0005_facts.sql', says: "'transfer' as kind" },
  movement: {
    file: 'packages/custody/sql/0014_facts.sql',
    says: "'movement-observed'",
    about: 'mov_1',
    event: 'movement-observed',
  },
  'deposit-step': journaled('deposit-detection', 'deposit-detected', 'dep_1'),
  'withdrawal-step': {
    ...journaled('withdrawal', 'withdrawal-requested', 'wd_1'),
    says: 'event: `${terms.kind}-requested`',
  },
  'dispatch-step': journaled('gas', 'gas-granted', 'dsp_1'),
  approval: journaled('registry-change', 'approved', 'chg_1'),
  'signer-decision': {
    file: 'packages/custody/sql/0014_facts.sql',
    says: "'signer-decided'",
    about: 'signer-record-1',
    event: 'signer-decided',
  },
  'policy-change': journaled('policy-fact', 'policy-set', 'policy'),
  'registry-change': journaled('registry-change', 'registry-change-proposed', 'chg_1'),
  'ceremony-step': { ...journaled('ceremony', 'ceremony-step', 'ceremony_ab'), says: "'ceremony-step'" },
  'address-issued': journaled('wallet-issue', 'address-issued', 'wal_1'),
  'vault-step': journaled('vault-issue', 'vault-drafted', 'vlt_1'),
  'client-change': journaled('client', 'client-created', 'cl_1'),
  agreement: journaled('client', 'agreement-recorded', 'cl_1'),
  fee: journaled('fee', 'fee-charged', 'fee_1'),
  reconciliation: journaled('reconciliation', 'reconciled', 'rec_1'),
  'break-step': journaled('break', 'break-resolved', 'brk_1'),
  'chain-step': journaled('cursor', 'chain-resumed', 'eip155:1'),
  'proof-published': { file: 'packages/reserves/sql/0001_epochs.sql', says: "'proof-published' as kind" },
  'auditor-access': journaled('auditor-access', 'auditor-read', 'pack_1'),
  erasure: journaled('erasure', 'erased', 'log'),
};

function journaled(name: string, event: string, about: string): (typeof writers)[string] {
  return { file: `packages/custody/src/${name}.ts`, says: `event: '${event}'`, about, event };
}

test('every kind of fact has a path that writes it, and the database gives it that kind', async () => {
  const root = new URL('../../../', import.meta.url);
  const spec = await readFile(new URL('spec/log.md', root), 'utf8');
  const table = spec.slice(spec.indexOf('| kind | a fact of this kind |'), spec.indexOf('The kind is coarse'));
  const kinds = table
    .split('\n')
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/gu)].map(([, kind = '']) => kind));
  assert.ok(kinds.length > 20, 'the table was read');
  assert.deepEqual(
    kinds.filter((kind) => writers[kind] === undefined),
    [],
  );
  await using database = await testDatabase({ migrations: migrationSources });
  for (const [kind, { file, says, about, event }] of Object.entries(writers)) {
    assert.ok((await readFile(new URL(file, root), 'utf8')).includes(says), `${file} has ${says}`);
    if (about === undefined || event === undefined) continue;
    const [row] = await database.app.query('select custody.fact_kind($1, $2) as kind', [about, event]);
    assert.equal(row?.['kind'], kind, `${event} about ${about}`);
  }
});

test('an auditor who reads is a fact, once an hour for each question, without what may name a person', async () => {
  await using bench = await openBench();
  const { custody, clock } = bench;
  const read = auditorReadings(custody);
  const [ida, ivo] = ['ida', 'ivo'].map((name) => ({ name, role: 'auditor' }));
  assert.ok(ida !== undefined && ivo !== undefined);
  const asked = { reference: 'Jane Roe', limit: '9' };
  await read({ actor: ida, operation: 'listClients', asked });
  await read({ actor: ida, operation: 'listClients', asked: { ...asked, limit: '10', cursor: 'x' } });
  await read({ actor: ivo, operation: 'listClients', asked });
  await read({ actor: ida, operation: 'getClient', asked: { clientId: 'cl_1' } });
  clock.advance(3_600_000);
  await read({ actor: ida, operation: 'listClients', asked });
  const facts = (await readFacts(bench.database.app, views, all)).filter(({ kind }) => kind === 'auditor-access');
  assert.equal(new Set(facts.map(({ id }) => id)).size, 4, 'nothing public joins them');
  assert.deepEqual(
    facts
      .map(({ content }): unknown => JSON.parse(content ?? ''))
      .map((fact) => JSON.stringify(fact).replaceAll(/pack_[0-9a-f-]+/gu, 'pack')),
    [
      ['ida', 'listClients', '"reference":"given"'],
      ['ivo', 'listClients', '"reference":"given"'],
      ['ida', 'getClient', '"clientId":"cl_1"'],
      ['ida', 'listClients', '"reference":"given"'],
    ].map(
      ([who, what, which]) =>
        `{"data":{"asked":{${which}},"operation":"${what}"},"actor":"${who}","event":"auditor-read","subject":"pack"}`,
    ),
  );
});

test('a policy is a fact when it is another one than before, and a ceremony is one once', async () => {
  await using bench = await openBench();
  const { custody } = bench;
  const { db } = custody;
  const noted = await Promise.all([1, 2, 3].map(() => notePolicy(custody)));
  assert.equal(noted.filter((isNew) => isNew).length, 1, 'three that start at once');
  const stricter = { ...custody, policy: { ...custody.policy, quorum: custody.policy.quorum + 1 } };
  assert.deepEqual(
    [await notePolicy(stricter), await notePolicy(stricter), await notePolicy(custody)],
    [true, false, true],
  );
  const rows = await db.query(
    `select data #>> '{policy,quorum}' as quorum from custody.journal where event = 'policy-set' order by fact`,
  );
  assert.deepEqual(
    rows.map((row) => row['quorum']),
    ['2', '3', '2'],
  );
  const line = { line: 'ab'.repeat(32), type: 'step', step: 'plan', began: 'x', ended: 'y' };
  const order = {
    actor: { name: 'ann', role: 'admin' },
    plan: 'cd'.repeat(32),
    bundle: 'ef'.repeat(32),
    lines: [line, { ...line, type: 'failed' }],
  };
  const imported = await Promise.all([
    importCeremony(db, custody.clock.now(), order),
    importCeremony(db, custody.clock.now(), order),
  ]);
  assert.deepEqual(new Set(imported), new Set([0, 2]), 'two at once');
  const facts = (await readFacts(db, views, all)).filter(({ kind }) => kind === 'ceremony-step');
  assert.deepEqual(
    facts.map(({ id, content }) => [id, /"type": "(?:step|failed)".*"number": [12]/u.test(content ?? '')]),
    [
      [`ceremony_${order.plan}`, true],
      [`ceremony_${order.plan}`, true],
    ],
  );
});

test('a command says which facts it wrote, again for the same key, and none where it was refused', async () => {
  await using bench = await openBench();
  const { custody } = bench;
  const fresh = { reference: 'R', kind: 'legal', segregation: 'omnibus' } as const;
  const first = await createClient(custody, bench.as('ann', 'k'), fresh);
  const [place, ...others] = first.facts;
  assert.ok(place !== undefined && others.length === 0);
  const [fact] = await readFacts(custody.db, views, { after: place - 1n, until: place, limit: 1 });
  assert.match(fact?.content ?? '', /"event": "client-created"/u);
  assert.deepEqual((await createClient(custody, bench.as('ann', 'k'), fresh)).facts, first.facts);
  assert.deepEqual((await createClient(custody, bench.as('ann'), fresh)).facts, [], 'what was undone is no fact');
  const partly = await command(custody, bench.as('ann'), async (tx, now) => {
    const told = (event: string): Promise<void> =>
      record(tx, now, { actor: { name: 'ann', role: 'admin' }, subject: 'cl_x', event });
    await told('first');
    const undone = tx.savepoint(async () => {
      await told('undone');
      throw new Undone();
    });
    await assert.rejects(undone, Undone);
    await told('last');
    return {};
  });
  assert.deepEqual(partly.facts, await factPlaces(custody.db, { id: 'cl_x', after: 0n, limit: 9 }));
  assert.equal(partly.facts.length, 2);
  assert.deepEqual(await factPlaces(custody.db, { id: fact?.id ?? '', after: 0n, limit: 9 }), [place]);
});
