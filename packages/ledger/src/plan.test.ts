import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainOf } from '@bulkhead/domain';
import { bigint, type Row, text } from '@bulkhead/postgres';
import { claimsAt, mark } from './coverage.ts';
import { expireHolds } from './posting.ts';
import {
  answers,
  available,
  blockAt,
  ether,
  hold,
  key,
  now,
  openBooks,
  other,
  post,
  postHold,
  voidHold,
  wallet,
} from './testing/books.ts';

const chain = chainOf(ether);
const clients = 3_000;
const few = 10;
/** Rows read by index for each account or transfer that a batch names: looked up, locked, asked for once more. */
const readsMax = 3n;

const counters = `select relname as table, seq_tup_read::text as seq, coalesce(idx_tup_fetch, 0)::text as idx
  from pg_stat_xact_user_tables where schemaname = 'ledger' and relname in ('account', 'transfer', 'refusal', 'open_hold')`;

function reads(rows: readonly Row[]): Readonly<Record<string, { readonly seq: bigint; readonly idx: bigint }>> {
  return Object.fromEntries(
    rows.map((row) => [text(row, 'table'), { seq: bigint(row, 'seq'), idx: bigint(row, 'idx') }]),
  );
}

// A session keeps its plans. Those it made while the tables were empty, when reading a whole table costs as little as looking
// one row up, must still look rows up when the tables have grown. Rows read are counted, so that no clock decides.
test('what a post reads does not grow with the books, with plans made while they were empty', async () => {
  await using db = await openBooks({ connections: 1 });
  const funded = (index: number) => ({ kind: 'available', holder: `cli_${index}` }) as const;
  const expiresAt = new Date(now.getTime() + 1_000);
  const everyKind = (round: string): Promise<readonly string[]> =>
    answers(db.app, [
      ...Array.from({ length: few }, () => post({ amount: 1n })),
      post({ amount: 10n ** 30n }),
      hold({ key: key(`posted ${round}`), amount: 2n }),
      hold({ key: key(`voided ${round}`), amount: 2n }),
      hold({ key: key(`expired ${round}`), amount: 2n, expiresAt }),
      postHold(key(`posted ${round}`), 1n),
    ]);
  await answers(db.app, [post({ debit: wallet, credit: available, amount: 1_000n, block: blockAt(1n) })]);
  await everyKind('empty');
  await answers(db.app, [voidHold(key('voided empty'))]);
  await expireHolds(db.app, { now: expiresAt });

  await answers(
    db.app,
    Array.from({ length: clients }, (_, index) =>
      post({ debit: wallet, credit: funded(index), amount: 5n, block: blockAt(2n) }),
    ),
  );
  await answers(
    db.app,
    Array.from({ length: clients }, (_, index) => post({ debit: funded(index), credit: other, amount: 100n })),
  );

  // The counters also hold what the session has not reported of its earlier work, and report nothing before the transaction ends.
  const [before, after] = await db.app.transaction(async (transaction) => {
    const begun = reads(await transaction.query(counters));
    const first = post({ amount: 1n });
    await answers(transaction, [first]);
    await answers(transaction, [first]);
    await answers(
      transaction,
      Array.from({ length: few }, (_, index) =>
        post({ debit: funded(index), credit: funded(index + few), amount: 1n }),
      ),
    );
    return [begun, reads(await transaction.query(counters))] as const;
  });
  const named = BigInt(2 * few + 2 * 2);
  for (const [table, read] of Object.entries(after)) {
    const { seq, idx } = before[table] ?? { seq: 0n, idx: 0n };
    assert.equal(read.seq - seq, 0n, `rows of ${table} read one after the other`);
    assert.ok(read.idx - idx <= readsMax * named, `rows of ${table} read by index: ${read.idx - idx}`);
  }
  assert.ok((after['account']?.idx ?? 0n) - (before['account']?.idx ?? 0n) >= named, 'the counters count');
});

// By rows that were read and not by a clock. The session made its plan of the function before the books were there.
test('claims behind a position are read in one pass over accounts and what came after, whatever was known of the tables', async () => {
  await using db = await openBooks({ connections: 1 });
  await claimsAt(db.app, { chain, position: 0n });
  const holders = Array.from(
    { length: clients },
    (_, index) => ({ kind: 'available', holder: `cli_${index}` }) as const,
  );
  await answers(
    db.app,
    holders.map((credit) => post({ debit: wallet, credit, amount: 5n, block: blockAt(1n) })),
  );
  const middle = await mark(db.app, { chain, block: blockAt(1n) });
  await answers(
    db.app,
    holders.slice(0, few).map((debit) => post({ debit, credit: other, amount: 1n })),
  );
  for (const [position, later] of [
    [0n, clients + few],
    [middle, few],
  ] as const) {
    const [before, after, claims] = await db.app.transaction(async (transaction) => {
      const begun = reads(await transaction.query(counters));
      const found = await claimsAt(transaction, { chain, position });
      return [begun, reads(await transaction.query(counters)), found] as const;
    });
    assert.equal(claims.length, clients);
    const total = claims.reduce((sum, { balance }) => sum + balance, 0n);
    assert.equal(total, position === 0n ? 0n : 5n * BigInt(clients));
    const read = (table: string): bigint => {
      const [was, is] = [before[table], after[table]];
      return (is?.seq ?? 0n) - (was?.seq ?? 0n) + (is?.idx ?? 0n) - (was?.idx ?? 0n);
    };
    assert.ok(read('account') <= BigInt(clients + few), `accounts read: ${read('account')}`);
    // Each side of what came after, once.
    assert.ok(read('transfer') <= BigInt(2 * later), `transfers read: ${read('transfer')}`);
  }
});
