import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sqlState } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/postgres/testing';
import { enqueue } from './job.ts';
import { connectionString, migrateAll, migrateWorker } from './migrations.ts';

test('an empty database is brought to this version in order, by two servers at once and once more', async () => {
  await using db = await testDatabase();
  const owner = { url: db.urls.owner };
  const applied = await Promise.all([migrateAll(owner), migrateAll(owner)]);
  const files = applied.flat();
  assert.equal(new Set(files).size, files.length, 'no file is applied twice');
  const order = await db.owner.query('select source from migration.applied order by applied_at, number');
  assert.deepEqual([...new Set(order.map((row) => row['source']))], ['ledger', 'reserves', 'custody']);
  assert.deepEqual(await migrateAll(owner), []);
  await db.app.transaction(async (tx) => enqueue(tx, { task: 'send-dispatch', id: 'dsp_1' }));
});

test('the application has the rights on the queue that running it needs, and no others', async () => {
  await using db = await testDatabase();
  await migrateAll({ url: db.urls.owner });
  const rights = await db.admin.query(
    `select c.relname, array_agg(p.name order by p.name)::text as rights
     from pg_class c, unnest(array['delete', 'insert', 'references', 'select', 'trigger', 'truncate', 'update']) as p (name)
     where c.relnamespace = 'graphile_worker'::regnamespace and c.relkind in ('r', 'v') and has_table_privilege('bulkhead_app', c.oid, p.name)
     group by c.relname order by c.relname`,
  );
  assert.deepEqual(
    rights.map((row) => [row['relname'], row['rights']]),
    [
      ['_private_job_queues', '{insert,select,update}'],
      ['_private_jobs', '{delete,insert,select,update}'],
      ['_private_known_crontabs', '{insert,select,update}'],
      ['_private_tasks', '{insert,select}'],
      ['migrations', '{select}'],
    ],
  );
  const functions = await db.admin.query(
    `select proname, has_function_privilege('bulkhead_app', oid, 'execute') as app, has_function_privilege('bulkhead_auditor', oid, 'execute') as auditor
     from pg_proc where pronamespace = 'graphile_worker'::regnamespace order by proname`,
  );
  assert.deepEqual(
    functions.filter((row) => row['app'] === true).map((row) => row['proname']),
    ['add_job', 'add_jobs', 'force_unlock_workers'],
  );
  assert.ok(functions.every((row) => row['auditor'] === false));
  for (const forbidden of [
    'truncate graphile_worker._private_jobs',
    'delete from graphile_worker.migrations',
    'drop table graphile_worker._private_jobs',
    `select graphile_worker.remove_job('x')`,
    'create table graphile_worker.mine (id integer)',
  ]) {
    await assert.rejects(db.app.query(forbidden), (error) => sqlState(error) === '42501', forbidden);
  }
});

test('rights that an upgrade of the queue dropped come back with the next migration', async () => {
  await using db = await testDatabase();
  await migrateAll({ url: db.urls.owner });
  await db.owner.query(
    'drop policy bulkhead_app on graphile_worker._private_jobs; revoke all on graphile_worker._private_tasks from bulkhead_app',
  );
  await assert.rejects(enqueue(db.app, { task: 'send-dispatch', id: 'dsp_1' }));
  await migrateWorker(db.owner, { url: db.urls.owner });
  await enqueue(db.app, { task: 'send-dispatch', id: 'dsp_1' });
});

test('a role travels in the connection string', () => {
  const url = 'postgres://owner:secret@127.0.0.1:5432/bulkhead';
  assert.equal(connectionString({ url }), url);
  assert.equal(
    new URL(connectionString({ url, role: 'bulkhead_app' })).searchParams.get('options'),
    '-c role=bulkhead_app',
  );
});
