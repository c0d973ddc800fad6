import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestDatabase } from '@bulkhead/postgres/testing';
import { audit, type ViolationKind, violationKinds } from './audit.ts';
import { mark } from './coverage.ts';
import {
  answers,
  blockAt,
  compartment,
  ether,
  hold,
  house,
  key,
  openBooks,
  post,
  postHold,
  voidHold,
  wallet,
} from './testing/books.ts';
import { parseChainId } from '@bulkhead/domain';

const chain = parseChainId('eip155:31337');
const loss = { kind: 'loss', holder: '' } as const;
const equity = { kind: 'equity', holder: '' } as const;
const obligation = { kind: 'obligation', holder: '' } as const;

/** Books with something of everything in them, in order. */
async function busyBooks(): Promise<TestDatabase> {
  const db = await openBooks({ funds: 1_000n });
  const results = await answers(db.app, [
    post({ key: key('p'), amount: 100n }),
    hold({ key: key('open'), amount: 50n, credit: wallet }),
    hold({ key: key('posted'), amount: 40n, credit: wallet }),
    postHold(key('posted'), 30n, { key: key('settled'), block: blockAt(2n) }),
    hold({ key: key('voided'), amount: 5n }),
    voidHold(key('voided'), { key: key('void') }),
    post({ compartment: house, debit: wallet, credit: equity, amount: 500n, block: blockAt(2n) }),
    post({ key: key('loss'), debit: loss, credit: wallet, amount: 20n, block: blockAt(2n), link: 'lnk_1' }),
    post({ compartment: house, debit: equity, credit: obligation, amount: 20n, link: 'lnk_1' }),
    post({ key: key('poor'), amount: 10_000n }),
  ]);
  assert.deepEqual(results, [...Array.from({ length: 9 }, () => 'created'), 'insufficient-funds']);
  for (const height of [1n, 2n, 3n]) await mark(db.app, { chain, block: blockAt(height) });
  assert.deepEqual(await audit(db.app), []);
  return db;
}

const transferBy = (name: string): string => `(select position from ledger.transfer where key = '${key(name)}')`;
const account = (kind: string, holder: string): string =>
  `(select a.number from ledger.account a join ledger.book b on b.id = a.book
    where b.compartment = ${compartment} and b.asset = '${ether}' and a.kind = '${kind}' and a.holder = '${holder}')`;

/** What somebody with all rights and no triggers could do, and what the audit must then say among other things. */
const plants: readonly { readonly kind: ViolationKind; readonly what: string; readonly sql: string }[] = [
  {
    kind: 'book-unbalanced',
    what: 'a claim without coins',
    sql: `update ledger.account set posted = posted + 1 where number = ${account('available', 'cli_2')}`,
  },
  {
    kind: 'balance-not-history',
    what: 'coins and claim, out of nothing',
    sql: `update ledger.account set posted = posted + 1 where number in (${account('available', 'cli_2')}, ${account('wallet', 'wal_1')})`,
  },
  {
    kind: 'entry-chain-broken',
    what: 'a balance in the history',
    sql: `update ledger.transfer set debit_after = debit_after + 1 where position = ${transferBy('p')}`,
  },
  {
    kind: 'entry-chain-broken',
    what: 'a deleted transfer',
    sql: `delete from ledger.transfer where position = ${transferBy('p')}`,
  },
  {
    kind: 'content-changed',
    what: 'another amount',
    sql: `update ledger.transfer set amount = amount + 1 where position = ${transferBy('p')}`,
  },
  {
    kind: 'content-changed',
    what: 'another reference',
    sql: `update ledger.transfer set reference = 'ref_2' where position = ${transferBy('p')}`,
  },
  {
    kind: 'content-changed',
    what: 'another beneficiary',
    sql: `update ledger.transfer set credit = ${account('wallet', 'wal_1')} where position = ${transferBy('p')}`,
  },
  {
    kind: 'content-changed',
    what: 'another block',
    sql: `update ledger.transfer set block_hash = sha256('x') where position = ${transferBy('settled')}`,
  },
  {
    kind: 'content-changed',
    what: 'another link',
    sql: `update ledger.transfer set link = null where position = ${transferBy('loss')}`,
  },
  {
    kind: 'open-holds-not-history',
    what: 'a vanished hold',
    sql: `delete from ledger.open_hold where key = '${key('open')}'`,
  },
  {
    kind: 'open-holds-not-history',
    what: 'an altered hold',
    sql: `update ledger.open_hold set amount = 1 where key = '${key('open')}'`,
  },
  {
    kind: 'open-holds-not-history',
    what: 'a settled hold that is open again',
    sql: `insert into ledger.open_hold select key, position, book, debit, credit, amount, reference, expires_at from ledger.transfer where position = ${transferBy('voided')}`,
  },
  {
    kind: 'pending-not-holds',
    what: 'a released hold',
    sql: `update ledger.account set pending_out = 0 where number = ${account('available', 'cli_1')}`,
  },
  {
    kind: 'account-negative',
    what: 'a claim below zero',
    sql: `alter table ledger.account drop constraint account_never_negative; update ledger.account set posted = -1 where number = ${account('available', 'cli_2')}`,
  },
  {
    kind: 'account-was-negative',
    what: 'a history below zero',
    sql: `update ledger.transfer set credit_after = -5 where position = ${transferBy('p')}`,
  },
  {
    kind: 'loss-without-obligation',
    what: 'an obligation of another amount',
    sql: `update ledger.transfer set amount = 19 where link = 'lnk_1' and position <> ${transferBy('loss')}`,
  },
  {
    kind: 'loss-without-obligation',
    what: 'a loss on its own',
    sql: `update ledger.transfer set link = 'lnk_2' where position = ${transferBy('loss')}`,
  },
  {
    kind: 'transfer-without-entries',
    what: 'an account of another book',
    sql: `update ledger.transfer set credit = (select max(number) from ledger.account where book <> ledger.transfer.book) where position = ${transferBy('p')}`,
  },
  {
    kind: 'transfer-without-entries',
    what: 'a posted transfer without balances',
    sql: `alter table ledger.transfer drop constraint transfer_balances; update ledger.transfer set debit_after = null where position = ${transferBy('p')}`,
  },
  {
    kind: 'settlement-not-of-hold',
    what: 'a settlement above its hold',
    sql: `update ledger.transfer set amount = 41 where position = ${transferBy('settled')}`,
  },
  {
    kind: 'settlement-not-of-hold',
    what: 'a settlement of nothing',
    sql: `update ledger.transfer set hold = gen_random_uuid() where position = ${transferBy('void')}`,
  },
  {
    kind: 'wallet-entry-without-block',
    what: 'a wallet entry without its block',
    sql: `update ledger.transfer set block_number = null, block_hash = null where position = ${transferBy('settled')}`,
  },
  {
    kind: 'key-refused-and-posted',
    what: 'a refusal of a posted key',
    sql: `insert into ledger.refusal (key, digest, reason) values ('${key('p')}', 'x', 'insufficient-funds')`,
  },
  { kind: 'markers-not-contiguous', what: 'a missing marker', sql: `delete from ledger.marker where block_number = 2` },
];

test('every kind of violation is planted below', () => {
  assert.deepEqual(new Set(plants.map((plant) => plant.kind)), new Set(violationKinds));
});

test('the audit finds what was done with all rights and no triggers', async (context) => {
  await using db = await busyBooks();
  for (const plant of plants) {
    await context.test(`${plant.kind}: ${plant.what}`, async () => {
      const undo = new Error('undo');
      let found: readonly ViolationKind[] = [];
      await assert.rejects(
        db.admin.transaction(async (transaction) => {
          await transaction.query('set local session_replication_role = replica');
          await transaction.query(plant.sql);
          found = (await audit(transaction)).map((violation) => violation.kind);
          throw undo;
        }),
        undo,
      );
      assert.ok(found.includes(plant.kind), `found ${found.join(', ') || 'nothing'}`);
    });
  }
  assert.deepEqual(await audit(db.app), []);
});

test('the audit runs with the rights of an auditor', async () => {
  await using db = await busyBooks();
  await db.admin.transaction(async (transaction) => {
    await transaction.query('set local role bulkhead_auditor');
    assert.deepEqual(await audit(transaction), []);
  });
});

test('a violation says where and with which values', async () => {
  await using db = await busyBooks();
  await db.admin.transaction(async (transaction) => {
    await transaction.query('set local session_replication_role = replica');
    await transaction.query(`update ledger.transfer set reference = 'ref_2' where position = ${transferBy('p')}`);
    const [violation] = await audit(transaction);
    assert.equal(violation?.kind, 'content-changed');
    assert.match(violation.detail, new RegExp(key('p'), 'u'));
    assert.equal(typeof violation.position, 'bigint');
  });
});
