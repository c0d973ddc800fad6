import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { databaseAccess } from './access.ts';
import { migrate, type MigrationSource } from './migration.ts';
import { integer } from './row.ts';
import { testDatabase } from './testing.ts';

async function source(context: TestContext, files: Readonly<Record<string, string>>): Promise<MigrationSource> {
  const directory = await mkdtemp(join(tmpdir(), 'bulkhead-migrations-'));
  context.after(() => rm(directory, { recursive: true }));
  for (const [file, sql] of Object.entries(files)) await writeFile(join(directory, file), sql);
  return { name: 'coins', directory };
}

const first = {
  '0001_coins.sql': 'create table coin (id integer); create table note (id integer)',
  'audit.sql': 'no migration',
};
const second = { '0002_more.sql': 'insert into coin values (1)' };

test('missing migrations are applied in order, once', async (context) => {
  await using db = await testDatabase();
  const coins = await source(context, first);
  assert.deepEqual(await migrate(db.owner, [coins]), ['coins/0001_coins.sql']);
  assert.deepEqual(await migrate(db.owner, [coins]), []);
  assert.deepEqual(await migrate(db.owner, [await source(context, { ...first, ...second })]), ['coins/0002_more.sql']);
  assert.deepEqual(
    (await db.owner.query('select id from coin')).map((row) => integer(row, 'id')),
    [1],
  );
});

test('two servers that start together apply each file once', async (context) => {
  await using db = await testDatabase();
  const coins = await source(context, {
    ...first,
    ...second,
    '0003_slow.sql': 'select pg_sleep(0.1); insert into coin values (3)',
  });
  const done = await Promise.all(Array.from({ length: 4 }, () => migrate(db.owner, [coins])));
  assert.deepEqual(done.flat().toSorted(), ['coins/0001_coins.sql', 'coins/0002_more.sql', 'coins/0003_slow.sql']);
  assert.equal((await db.owner.query('select id from coin')).length, 2);
});

test('a migration that fails leaves nothing and stops those behind it', async (context) => {
  await using db = await testDatabase();
  const broken = await source(context, {
    ...first,
    '0002_bad.sql': 'insert into coin values (1); select 1/0',
    '0003_more.sql': 'insert into coin values (3)',
  });
  await assert.rejects(migrate(db.owner, [broken]), /division by zero/u);
  assert.deepEqual(await db.owner.query('select id from coin'), []);
  assert.deepEqual(await migrate(db.owner, [await source(context, { ...first, ...second })]), ['coins/0002_more.sql']);
});

test('a changed file, a newer database and a gap are refused', async (context) => {
  await using db = await testDatabase();
  await migrate(db.owner, [await source(context, { ...first, ...second })]);
  const changed = await source(context, { '0001_coins.sql': 'create table other (id integer)', ...second });
  await assert.rejects(migrate(db.owner, [changed]), { code: 'migration/changed' });
  await assert.rejects(migrate(db.owner, [await source(context, first)]), { code: 'migration/unknown' });
  await assert.rejects(migrate(db.owner, [await source(context, { ...first, '0003_gap.sql': '' })]), {
    code: 'invariant/broken',
  });
});

test('one address for everything steps down to the role of the application and says so', async () => {
  await using db = await testDatabase();
  const one = databaseAccess({ url: db.urls.owner });
  assert.deepEqual([one.separated, one.app.role], [false, 'bulkhead_app']);
  const two = databaseAccess({ url: db.urls.app, ownerUrl: db.urls.owner });
  assert.deepEqual([two.separated, two.app.role, two.owner.url], [true, undefined, db.urls.owner]);
});
