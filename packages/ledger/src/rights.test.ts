import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integer, only, text } from '@bulkhead/postgres';
import {
  answers,
  available,
  blockAt,
  compartment,
  ether,
  neighbour,
  now,
  openBooks,
  post,
  token,
  wallet,
} from './testing/books.ts';
import { positions } from './reading.ts';

const tables = ['book', 'account', 'account_kind', 'transfer', 'open_hold', 'refusal', 'marker'];

test('the application can touch no table and change nothing through a view', async () => {
  await using db = await openBooks({ funds: 100n });
  for (const table of tables) {
    const denied = /permission denied/u;
    await assert.rejects(db.app.query(`select * from ledger.${table}`), denied);
    await assert.rejects(db.app.query(`insert into ledger.${table} default values`), denied);
    await assert.rejects(db.app.query(`delete from ledger.${table}`), denied);
    await assert.rejects(db.app.query(`truncate ledger.${table}`), denied);
  }
  await assert.rejects(db.app.query('update ledger.account set posted = posted + 1'), /permission denied/u);
  await assert.rejects(db.app.query(`update ledger.transfers set amount = 1`), /permission denied|cannot update/u);
  await assert.rejects(db.app.query(`update ledger.books set compartment = 1`), /permission denied/u);
  await assert.rejects(db.app.query(`delete from ledger.refusals`), /permission denied/u);
  await assert.rejects(db.app.query(`select nextval('ledger.transfer_position')`), /permission denied/u);
  await assert.rejects(db.app.query(`select ledger.open_accounts('{1}', '{available}', '{x}')`), /permission denied/u);
  await assert.rejects(db.app.query('alter table ledger.transfer disable trigger all'), /must be owner/u);
  await assert.rejects(
    db.app.query('create function ledger.f() returns int language sql as $$ select 1 $$'),
    /permission denied/u,
  );
});

test('an auditor reads the views and can post nothing', async () => {
  await using db = await openBooks({ funds: 100n });
  await db.admin.transaction(async (transaction) => {
    await transaction.query('set local role bulkhead_auditor');
    assert.ok((await transaction.query('select * from ledger.transfers')).length > 0);
    for (const statement of [
      `select ledger.mark('eip155:1', 1, '\\x')`,
      `select ledger.open_book(1, 'x')`,
      'select * from ledger.transfer',
    ]) {
      await assert.rejects(
        transaction.savepoint(() => transaction.query(statement)),
        /permission denied/u,
      );
    }
  });
});

test('not even the owner changes or deletes an entry', async () => {
  await using db = await openBooks({ funds: 100n });
  await answers(db.app, [post({ amount: 101n })]);
  for (const statement of [
    'update ledger.transfer set amount = amount + 1',
    'update ledger.transfer set debit_after = 0 where false',
    'delete from ledger.transfer',
    'truncate ledger.transfer',
    'delete from ledger.refusal',
    'update ledger.refusal set reason = $$none$$',
    'update ledger.book set compartment = 7',
    'truncate ledger.book cascade',
    'delete from ledger.account',
    'update ledger.account set book = 2',
    `update ledger.account set kind = 'suspense'`,
    'update ledger.account set never_negative = false',
    'update ledger.account_kind set never_negative = false',
    'delete from ledger.marker',
  ]) {
    await assert.rejects(db.owner.query(statement), /append-only/u, statement);
  }
});

test('a claim cannot be made negative, nor a hold exceed it, by any statement', async () => {
  await using db = await openBooks({ funds: 100n });
  await assert.rejects(
    db.owner.query(`update ledger.account set posted = -1 where kind = 'available'`),
    /account_never_negative/u,
  );
  await assert.rejects(
    db.owner.query(`update ledger.account set pending_out = 101 where kind = 'available'`),
    /account_never_negative/u,
  );
  await assert.rejects(
    db.owner.query(`update ledger.account set posted = 2::numeric ^ 256 where kind = 'wallet'`),
    /account_amounts/u,
  );
});

const insert = `insert into ledger.transfer (position, key, type, book, debit, credit, amount, debit_after, credit_after, code, reference, digest)
  values (nextval('ledger.transfer_position'), gen_random_uuid(), 'post', $1, $2, $3, 1, 1, 1, 'x', 'x', '\\x00')`;

test('a transfer between books cannot be written, by the owner either', async () => {
  await using db = await openBooks({ funds: 100n });
  await answers(db.app, [
    post({ compartment: neighbour, debit: wallet, credit: available, amount: 5n, block: blockAt(1n) }),
  ]);
  const mine = await positions(db.app, { compartment, asset: ether });
  const foreign = [
    ...(await positions(db.app, { compartment: neighbour })),
    ...(await positions(db.app, { compartment, asset: token })),
  ];
  const [own] = mine;
  assert.ok(own);
  assert.ok(foreign.length >= 4);
  for (const account of foreign) {
    await assert.rejects(db.owner.query(insert, [own.book, own.number, account.number]), /its book does not have/u);
    await assert.rejects(db.owner.query(insert, [own.book, account.number, own.number]), /its book does not have/u);
  }
  await assert.rejects(db.owner.query(insert, [own.book, own.number, own.number]), /transfer_accounts_differ/u);
  await db.owner.query(insert, [own.book, mine[0]?.number ?? 0, mine[1]?.number ?? 0]);
});

test('the posting function refuses legs in two books before it looks at anything else', async () => {
  await using db = await openBooks({ funds: 100n });
  const call = (compartments: string, assets: string): Promise<unknown> =>
    db.app.query(
      `select * from ledger.post($1, $2::int[], $3::text[], '{1,2}', '{available,available}', '{cli_1,cli_2}', '{0}', '{post}',
        array[gen_random_uuid()], '{1}', '{2}', '{1}', '{x}', '{r}', null, null, null, null, null, null)`,
      [now, compartments, assets],
    );
  await assert.rejects(call(`{${compartment},${neighbour}}`, `{${ether},${ether}}`), { code: 'BH001' });
  await assert.rejects(call(`{${compartment},${compartment}}`, `{${ether},${token}}`), { code: 'BH001' });
});

test('raw calls of the posting function with a bad amount store nothing and consume no key', async () => {
  await using db = await openBooks({ funds: 100n });
  for (const amount of ['0', '-1', '1.5', 'NaN', 'NULL', `${2n ** 256n}`]) {
    await assert.rejects(
      db.app.query(
        `select * from ledger.post($1, $2::int[], $3::text[], '{1,1}', '{available,available}', '{cli_1,cli_2}', '{0}', '{post}',
          array[gen_random_uuid()], '{1}', '{2}', $4::numeric[], '{x}', '{r}', null, null, null, null, null, null)`,
        [now, `{${compartment}}`, `{${ether}}`, `{${amount}}`],
      ),
      { code: 'BH001' },
      amount,
    );
  }
  assert.equal(integer(only(await db.owner.query('select count(*)::int as n from ledger.refusal')), 'n'), 0);
});

test('functions that run with the rights of the owner pin their search path', async () => {
  await using db = await openBooks();
  const rows = await db.owner.query(
    `select p.proname::text as name, coalesce(array_to_string(p.proconfig, ','), '') as settings from pg_proc p
     join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'ledger' and p.prosecdef`,
  );
  assert.ok(rows.length >= 6);
  for (const row of rows) assert.match(text(row, 'settings'), /search_path=pg_catalog, pg_temp/u, text(row, 'name'));
});
