import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queries } from './database.ts';
import { only, text } from './row.ts';
import { testDatabase } from './testing.ts';

test('each test has a database of its own, with an application login that owns nothing', async () => {
  await using first = await testDatabase();
  await using second = await testDatabase();
  await first.owner.query('create table coin (id integer)');
  assert.equal(text(only(await first.app.query('select current_user::text as login')), 'login'), 'bulkhead_server');
  await assert.rejects(first.app.query('select * from coin'), /permission denied/u);
  await assert.rejects(first.app.query('create table note (id integer)'), /permission denied/u);
  await assert.rejects(second.owner.query('select * from coin'), /does not exist/u);
});

test('what is added to a template is put in once, as the owner, and each test has a copy of it', async () => {
  let made = 0;
  const addition = {
    name: `coins ${process.pid}`,
    into: async (owner: Queries) => {
      made += 1;
      await owner.query('create table coin (id integer)');
    },
  };
  await using first = await testDatabase({ addition });
  await first.owner.query('insert into coin values (1)');
  await using second = await testDatabase({ addition });
  assert.deepEqual(await second.owner.query('select * from coin'), []);
  await using other = await testDatabase();
  await assert.rejects(other.owner.query('select * from coin'), /does not exist/u);
  assert.equal(made, 1);
});
