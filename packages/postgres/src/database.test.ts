import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { openDatabase, transactionAttemptsMax } from './database.ts';
import { constraintOf, sqlState } from './failure.ts';
import { bigint, bigintOrNull, boolean, bytes, date, dateOrNull, integer, only, text, textOrNull } from './row.ts';
import { testDatabase } from './testing.ts';

test('values go there and come back without passing through a float', async () => {
  await using db = await testDatabase();
  const large = 2n ** 256n - 1n;
  const at = new Date('2026-03-04T05:06:07.089Z');
  const row = only(
    await db.app.query(
      'select $1::numeric(78,0) as n, $2::bigint as b, $3::timestamptz as t, $4::bytea as y, null::text as z, 7 as i, true as f, $5::text[] as a',
      [large, 2n ** 62n + 1n, at, new Uint8Array([0, 255, 7]), ['a "b"', null]],
    ),
  );
  assert.equal(bigint(row, 'n'), large);
  assert.equal(bigint(row, 'b'), 2n ** 62n + 1n);
  assert.equal(bigint(row, 'i'), 7n);
  assert.equal(integer(row, 'i'), 7);
  assert.equal(boolean(row, 'f'), true);
  assert.deepEqual(date(row, 't'), at);
  assert.deepEqual([...bytes(row, 'y')], [0, 255, 7]);
  assert.equal(textOrNull(row, 'z'), null);
  assert.equal(bigintOrNull(row, 'z'), null);
  assert.equal(dateOrNull(row, 'z'), null);
  assert.deepEqual(row['a'], ['a "b"', null]);
});

test('a reader that finds another type than it was told stops the work', async () => {
  await using db = await testDatabase();
  const row = only(
    await db.app.query(`select 1.5::float8 as f, 'x' as t, 2::bigint as b, '1.5'::numeric as n, null::int as z`),
  );
  for (const read of [
    () => bigint(row, 'f'),
    () => bigint(row, 't'),
    () => integer(row, 'b'),
    () => bigint(row, 'n'),
    () => integer(row, 'z'),
    () => text(row, 'missing'),
    () => date(row, 't'),
    () => bytes(row, 't'),
    () => boolean(row, 't'),
    () => only([]),
  ]) {
    assert.throws(read, { code: 'invariant/broken' });
  }
});

test('dates without a zone stay text', async () => {
  await using db = await testDatabase();
  const row = only(await db.app.query(`select date '2026-01-02' as d, timestamp '2026-01-02 03:04:05' as t`));
  assert.deepEqual([text(row, 'd'), text(row, 't')], ['2026-01-02', '2026-01-02 03:04:05']);
});

test('a transaction commits what it did, or nothing', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table coin (id integer primary key)');
  await db.owner.transaction((transaction) => transaction.query('insert into coin values (1)'));
  await assert.rejects(
    db.owner.transaction(async (transaction) => {
      await transaction.query('insert into coin values (2)');
      throw new Error('no');
    }),
    /^Error: no$/u,
  );
  const failed = db.owner.transaction((transaction) => transaction.query('insert into coin values (1)'));
  await assert.rejects(failed, (error) => sqlState(error) === '23505' && constraintOf(error) === 'coin_pkey');
  assert.equal((await db.owner.query('select * from coin')).length, 1);
});

test('a savepoint that fails is undone alone, also inside another', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table coin (id integer primary key)');
  await db.owner.transaction(async (transaction) => {
    await transaction.query('insert into coin values (1)');
    await transaction.savepoint(async () => {
      await transaction.query('insert into coin values (2)');
      await assert.rejects(
        transaction.savepoint(() => transaction.query('insert into coin values (3), (1)')),
        /coin_pkey/u,
      );
      await transaction.query('insert into coin values (4)');
    });
  });
  assert.deepEqual(
    (await db.owner.query('select id from coin order by id')).map((row) => integer(row, 'id')),
    [1, 2, 4],
  );
});

test('an error that the work swallowed cannot pass for a commit', async () => {
  await using db = await testDatabase();
  const swallowed = db.owner.transaction(async (transaction) => {
    await transaction.query('select 1/0').catch(() => undefined);
  });
  await assert.rejects(swallowed, { code: 'invariant/broken' });
});

test('serialization failures repeat the work from the start until it passes', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table counter (n integer not null); insert into counter values (0)');
  let runs = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      db.owner.transaction(
        async (transaction) => {
          runs += 1;
          const n = integer(only(await transaction.query('select n from counter')), 'n');
          await transaction.query('update counter set n = $1', [n + 1]);
        },
        { isolation: 'serializable' },
      ),
    ),
  );
  assert.equal(integer(only(await db.owner.query('select n from counter')), 'n'), 10);
  assert.ok(runs > 10);
});

test('what never passes ends as busy after the last attempt, a single statement too', async () => {
  await using db = await testDatabase();
  const failing = `do $$ begin raise exception 'again' using errcode = 'serialization_failure'; end $$`;
  let runs = 0;
  const work = db.owner.transaction((transaction) => {
    runs += 1;
    return transaction.query(failing);
  });
  await Promise.all([
    assert.rejects(work, { code: 'database/busy', details: { attempts: transactionAttemptsMax } }),
    assert.rejects(db.owner.query(failing), { code: 'database/busy' }),
  ]);
  assert.equal(runs, transactionAttemptsMax);
});

test('a deadlock repeats the victim and surfaces nowhere', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table coin (id integer primary key, n integer); insert into coin values (1, 0), (2, 0)');
  await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      db.owner.transaction(async (transaction) => {
        for (const id of index % 2 === 0 ? [1, 2] : [2, 1]) {
          await transaction.query('update coin set n = n + 1 where id = $1', [id]);
          await transaction.query('select pg_sleep(0.02)');
        }
      }),
    ),
  );
  assert.deepEqual(
    (await db.owner.query('select n from coin')).map((row) => integer(row, 'n')),
    [6, 6],
  );
});

test('a lost connection is reported and never repeated: the commit may have happened', async () => {
  await using db = await testDatabase();
  let runs = 0;
  const work = db.owner.transaction(async (transaction) => {
    runs += 1;
    const pid = integer(only(await transaction.query('select pg_backend_pid() as pid')), 'pid');
    await db.admin.query('select pg_terminate_backend($1)', [pid]);
    await transaction.query('select 1');
  });
  await assert.rejects(work, { code: 'database/unavailable' });
  assert.equal(runs, 1);
  assert.equal((await db.owner.query('select 1')).length, 1);
});

test('every wait has a limit', async () => {
  await using db = await testDatabase();
  await using hasty = openDatabase({
    url: db.urls.owner,
    connections: 1,
    statementTimeoutMs: 100,
    idleInTransactionTimeoutMs: 200,
    connectTimeoutMs: 300,
  });
  await assert.rejects(hasty.query('select pg_sleep(5)'), { code: 'database/busy' });
  await hasty
    .transaction(async (transaction) => {
      await transaction.query('select 1');
      await assert.rejects(hasty.query('select 1'), { code: 'database/busy' });
    })
    .catch((error: unknown) => assert.ok(error instanceof CustodyError && error.code === 'database/unavailable'));
  await assert.rejects(openDatabase({ url: 'postgres://u:p@127.0.0.1:1/none' }).query('select 1'), {
    code: 'database/unavailable',
  });
});

test('a database whose disk is full, or whose memory, says so and that nothing was stored, and its session goes on', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table coin (id integer)');
  for (const [state, words] of [
    ['53100', 'No space left on device'],
    ['53200', 'out of memory'],
  ]) {
    const work = db.owner.transaction(async (transaction) => {
      await transaction.query('insert into coin values (1)');
      await transaction.query(`do $$ begin raise exception '${words}' using errcode = '${state}'; end $$`);
    });
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof CustodyError && error.code === 'database/unavailable');
      assert.match(error.message, new RegExp(`no room for it \\(${words}\\)\\. Nothing was stored`, 'u'));
      return true;
    });
  }
  assert.deepEqual(await db.owner.query('select id from coin'), []);
});

test('a session can step down to a role', async () => {
  await using db = await testDatabase();
  await db.owner.query('create table coin (id integer)');
  await using app = openDatabase({ url: db.urls.owner, role: 'bulkhead_app', connections: 1 });
  await assert.rejects(app.query('select * from coin'), /permission denied/u);
});
