import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ledgerMigrations } from '@bulkhead/ledger';
import { logMigrations } from '@bulkhead/log';
import { migrate, type Queries, sqlState, text } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/postgres/testing';
import {
  type AgreementTerms,
  type ClientView,
  createClient,
  findClient,
  listAgreements,
  listClients,
  recordAgreement,
} from './client.ts';
import { namingFacts, recordErasure } from './erasure.ts';
import { chargeFee } from './fee.ts';
import { custodyMigrations, migrationSources } from './migrations.ts';
import { erasePersonal, personalFindings } from './personal.ts';
import { type Bench, openBench, refusalOf, viewOf } from './testing/bench.ts';
import { ether, funded, openWithdrawing } from './testing/withdrawing.ts';
import { issueClientWallet } from './wallet-issue.ts';

const agreement: AgreementTerms = {
  parties: 'Custodian and Jane Roe',
  service: 'b',
  custodyPolicy: 'c',
  communication: 'jane@example.com',
  security: 'e',
  fees: 'f',
  applicableLaw: 'g',
  signedAt: '2029-12-31T23:00:00.000Z',
};
const now = new Date('2026-01-02T03:04:05.678Z');

async function taken(bench: Bench, reference: string, key = 'key'): Promise<ClientView> {
  const fresh = { reference, kind: 'natural', segregation: 'individual', agreement } as const;
  return viewOf(await createClient(bench.custody, bench.as('ann', key), fresh));
}

async function openLogged(): Promise<Bench> {
  const bench = await openBench();
  await migrate(bench.database.owner, [...migrationSources, logMigrations]);
  return bench;
}

/** All of a client happened so long ago that retention is over. */
async function age({ database }: Bench): Promise<void> {
  await database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    for (const [table, column] of [
      ['client', 'created_at'],
      ['agreement', 'created_at'],
    ]) {
      await tx.query(`update custody.${table} set ${column} = '2001-01-01'`);
    }
  });
}

async function erased({ database, custody }: Bench, client: string): Promise<readonly string[]> {
  return database.owner.transaction(async (tx) => {
    const personal = await erasePersonal(tx, client, now);
    await recordErasure(tx, custody.clock.now(), {
      actor: { name: 'olga', role: 'admin' },
      leaves: [],
      personal,
      reason: 'retention is over',
    });
    return personal;
  });
}

/** Every text of the database in which a word stands, by table. */
async function whereabouts(db: Queries, word: string): Promise<readonly string[]> {
  const tables = await db.query(`select tablename from pg_tables where schemaname = 'custody' order by tablename`);
  const found: string[] = [];
  for (const row of tables) {
    const table = text(row, 'tablename');
    const rows = await db.query(`select from custody."${table}" t where to_jsonb(t)::text like '%' || $1 || '%'`, [
      word,
    ]);
    if (rows.length > 0) found.push(table);
  }
  return found;
}

test('what names a person is in one table, and gone from everywhere once it is erased', async () => {
  await using bench = await openLogged();
  const { custody, database } = bench;
  const client = await taken(bench, 'R-77');
  const { id } = client;
  assert.equal(
    refusalOf(await createClient(custody, bench.as('bob'), { ...client, reference: 'R-77' })),
    'client/duplicate-reference',
  );
  for (const word of ['R-77', 'Jane Roe', 'jane@example.com']) {
    assert.deepEqual(await whereabouts(database.owner, word), ['personal'], word);
  }
  assert.deepEqual(await personalFindings(database.app), []);
  await assert.rejects(erased(bench, id), { code: 'log/retained', message: /under legal retention/u });
  await age(bench);
  const refusedToApp = database.app.transaction(async (tx) => erasePersonal(tx, id, now));
  await assert.rejects(refusedToApp, (error) => sqlState(error) === '42501');
  assert.deepEqual(await erased(bench, id), [client.agreementId, id]);
  assert.deepEqual(await erased(bench, id), [], 'nothing is left');
  const digests = await database.owner.query(
    `select distinct fingerprint from custody.command where answer ->> 'code' is not null or answer #>> '{view,id}' ~ '^(cl|agr)_'`,
  );
  assert.deepEqual(
    digests.map((row) => row['fingerprint']),
    [''],
    'nor can it be tried out',
  );
  for (const word of ['R-77', 'Jane Roe', 'jane@example.com']) {
    assert.deepEqual(await whereabouts(database.owner, word), [], word);
  }
  assert.deepEqual(await personalFindings(database.app), [], 'a fact accounts for it');
  const seen = await findClient(custody.db, id);
  assert.deepEqual([seen?.reference, seen?.agreementId, seen?.erasedAt], [null, null, now.toISOString()]);
  const [terms] = await listAgreements(custody.db, id);
  assert.deepEqual([terms?.parties, terms?.fees, terms?.erasedAt], [null, null, now.toISOString()]);
  assert.deepEqual(await taken(bench, 'R-77'), { ...client, reference: null, erasedAt: now.toISOString() });
  const address = await issueClientWallet(custody, bench.as('ann'), { clientId: id, chain: bench.id });
  assert.equal(refusalOf(address), 'agreement/missing');
  const again = await recordAgreement(custody, bench.as('ann'), { clientId: id, terms: agreement });
  assert.equal(refusalOf(again), 'client/erased');
  const other = await taken(bench, 'R-77', 'another key');
  assert.deepEqual(
    (await listClients(custody.db, { reference: 'R-77', after: null, limit: 9 })).map((found) => found.id),
    [other.id],
    'the reference is free',
  );
});

test('a superuser who changes, erases or deletes what names a person is found', async () => {
  await using bench = await openLogged();
  const { id } = await taken(bench, 'R');
  const found = async (statement: string): Promise<readonly string[]> => {
    let sentences: readonly string[] = [];
    const undone = bench.database.admin.transaction(async (tx) => {
      await tx.query('set local session_replication_role = replica');
      await tx.query(statement);
      sentences = await personalFindings(tx);
      throw new Error('undone');
    });
    await assert.rejects(undone, { message: 'undone' });
    return sentences;
  };
  const row = `where id = '${id}'`;
  const other = `'{"reference": "S"}'::jsonb`;
  const edited = `update custody.personal set content = ${other} ${row}`;
  const refused = bench.database.admin.query(`set session_replication_role = replica; ${edited}`);
  await assert.rejects(refused, (error) => sqlState(error) === '23514', 'the table itself refuses');
  const unbound = 'alter table custody.personal drop constraint personal_committed';
  assert.match((await found(`${unbound}; ${edited}`))[0] ?? '', /is not what was committed to/u);
  const fitting = `content = ${other}, commitment = custody.personal_commitment(salt, ${other})`;
  assert.match(
    (await found(`update custody.personal set ${fitting} ${row}`))[0] ?? '',
    /is another one than the journal says/u,
  );
  const gone = 'salt = null, content = null, erased_at = now()';
  assert.match(
    (await found(`update custody.personal set ${gone} ${row}`))[0] ?? '',
    /was erased, and no fact says so/u,
  );
  assert.match((await found(`delete from custody.personal ${row}`))[0] ?? '', new RegExp(`in ${id} is gone`, 'u'));
});

test('rows of an older database move, with the answers that were stored, and the journal vouches for them', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'bulkhead-older-'));
  t.after(() => rm(directory, { recursive: true }));
  for (const file of await readdir(custodyMigrations.directory)) {
    if (file.endsWith('.sql') && file < (await moving())) {
      await cp(join(custodyMigrations.directory, file), join(directory, file));
    }
  }
  await using db = await testDatabase({ migrations: [ledgerMigrations, { name: 'custody', directory }] });
  const answer = (view: object): string => JSON.stringify({ status: 'done', view });
  await db.owner.query(`
    insert into custody.client values ('cl_1', 'R-77', 'natural', 'individual', 'ann', now());
    insert into custody.agreement values ('agr_1', 'cl_1', 'Jane', 's', 'p', 'c', 'x', 'f', 'l', now(), 'ann', now());
    insert into custody.compartment (number, owner, created_at) values (100000, 'cl_1', now());
    insert into custody.fee values ('fee_1', 'cl_1', 100000, 'asset', 5, 'for Jane', 'ann', now());
    insert into custody.journal (at, actor, subject, event, data) values (now(), 'ann', 'fee_1', 'fee-charged', '{"description": "for Jane"}');
    insert into custody.command values
      ('ann', 'k1', 'f', '${answer({ id: 'cl_1', reference: 'R-77', kind: 'natural' })}', now()),
      ('ann', 'k2', 'f', '${answer({ id: 'wd_1', reference: 'kept' })}', now()),
      ('ann', 'k3', 'f', '{"status": "refused", "code": "client/duplicate-reference", "message": "R-77 is taken", "details": {"reference": "R-77"}}', now());`);
  await migrate(db.owner, [ledgerMigrations, custodyMigrations, logMigrations]);
  assert.deepEqual(await whereabouts(db.owner, 'R-77'), ['personal']);
  assert.deepEqual(
    await whereabouts(db.owner, 'for Jane'),
    ['journal', 'personal'],
    'what is in a leaf stays until it is erased',
  );
  assert.equal((await namingFacts(db.app, 'cl_1')).length, 1);
  assert.deepEqual(await personalFindings(db.app), []);
  assert.equal((await findClient(db.app, 'cl_1'))?.reference, 'R-77');
  const [terms] = await listAgreements(db.app, 'cl_1');
  assert.deepEqual([terms?.parties, terms?.applicableLaw], ['Jane', 'l']);
  const answers = await db.app.query('select answer::text as answer from custody.command order by key');
  assert.deepEqual(
    answers.map((row): unknown => JSON.parse(text(row, 'answer'))),
    [
      { status: 'done', view: { id: 'cl_1', kind: 'natural' } },
      { status: 'done', view: { id: 'wd_1', reference: 'kept' } },
      {
        status: 'refused',
        code: 'client/duplicate-reference',
        message: 'A client with this reference exists already.',
      },
    ],
  );
});

/** The file that moves them: what comes before it is the older database. */
async function moving(): Promise<string> {
  const file = (await readdir(custodyMigrations.directory)).find((name) => name.endsWith('_personal-data.sql'));
  assert.ok(file !== undefined);
  return file;
}

test('a fee says what it was for; a client with claims is not erased, however old they are', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, ether);
  const charge = { clientId: client, asset: bench.native, amount: 5n, description: 'custody of a month' };
  const first = await chargeFee(bench.custody, bench.as('ann', 'k'), charge);
  assert.equal(viewOf(first).description, 'custody of a month');
  assert.deepEqual(await chargeFee(bench.custody, bench.as('ann', 'k'), charge), { ...first, hit: true });
  assert.deepEqual(await whereabouts(bench.database.owner, 'of a month'), ['personal']);
  const order = bench.database.owner.transaction(async (tx) => erasePersonal(tx, client, now));
  await assert.rejects(order, { code: 'log/retained', message: /has claims/u });
});
