import assert from 'node:assert/strict';
import { test } from 'node:test';
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
