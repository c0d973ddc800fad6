import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountName, parseChainId, parseCompartment, type TransferRequest } from '@bulkhead/domain';
import type { TestDatabase } from '@bulkhead/postgres/testing';
import fc from 'fast-check';
import { audit } from './audit.ts';
import { mark } from './coverage.ts';
import { batchWayMin } from './posting.ts';
import { positions, transfers } from './reading.ts';
import {
  answers,
  available,
  blockAt,
  compartment,
  ether,
  groupAnswers,
  hold,
  key,
  neighbour,
  openBooks,
  other,
  post,
  postHold,
  wallet,
} from './testing/books.ts';

const chain = parseChainId('eip155:31337');
const client = (name: string | number): AccountName => ({ kind: 'available', holder: `cli_${name}` });
const funds = 1_000n;

/** Transfers of 1 that make a batch long enough for the way of batches. */
function company(from: AccountName = available, to: AccountName = other): TransferRequest[] {
  return Array.from({ length: batchWayMin }, () => post({ debit: from, credit: to, amount: 1n }));
}

/** The long way gone: what still works has not needed it. */
async function withoutTheLongWay(db: TestDatabase): Promise<void> {
  const [row] = await db.owner.query(`select p.oid::regprocedure::text as name from pg_proc p
    where p.pronamespace = 'ledger'::regnamespace and p.proname = 'post'`);
  await db.owner.query(`alter function ${String(row?.['name'])} rename to post_taken_away`);
}

async function waiting(db: TestDatabase, event: string): Promise<void> {
  const query = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = $1`;
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await db.admin.query(query, [event])).length > 0) return;
    await sleep(10);
  }
  assert.fail(`nobody came to wait for ${event}`);
}

async function postedOf(db: TestDatabase, name: AccountName): Promise<bigint> {
  return (
    (await positions(db.app, { compartment, asset: ether, kind: name.kind, holder: name.holder }))[0]?.posted ?? 0n
  );
}

test('a batch of plain transfers does not need the long way, every other batch does', async () => {
  await using db = await openBooks({ funds });
  await answers(db.app, [post({ amount: 500n }), hold({ key: key('held'), amount: 7n })]);
  const known = post({ key: key('known'), amount: 1n });
  const refused = post({ key: key('refused'), amount: 10_000n });
  assert.deepEqual(await answers(db.app, [known, refused]), ['created', 'insufficient-funds']);
  await withoutTheLongWay(db);

  const plain = company();
  const made = (count: number): string[] => Array.from({ length: count }, () => 'created');
  assert.deepEqual(await answers(db.app, plain), made(batchWayMin));
  assert.deepEqual(await groupAnswers(db.app, [company(), [post({ debit: other, credit: available, link: 'l' })]]), [
    made(batchWayMin),
    ['created'],
  ]);
  const twin = post({ key: key('twin') });
  const batches: Readonly<Record<string, readonly TransferRequest[]>> = {
    'a hold': [hold()],
    'a settlement': [postHold(key('held'), 7n)],
    'a wallet with a block': [post({ debit: wallet, credit: available, block: blockAt(1n) })],
    'a wallet without a block': [post({ debit: wallet, credit: available })],
    'a claim with a block': [post({ block: blockAt(1n) })],
    'an account nobody opened': [post({ credit: client('new') })],
    'one account on both sides': [post({ credit: available })],
    'a book nobody opened': [post({ compartment: parseCompartment(777_777) })],
    'more than there is': [post({ amount: 10_000n })],
    'more than is free of holds': [post({ amount: (await postedOf(db, available)) - BigInt(batchWayMin) - 6n })],
    'a known key': [known],
    'a refused key': [refused],
    'a key used twice': [twin, twin],
  };
  for (const [what, requests] of Object.entries(batches)) {
    await assert.rejects(
      answers(db.app, [...company(), ...requests]),
      /function ledger\.post\(.* does not exist/u,
      what,
    );
  }
  assert.deepEqual(await audit(db.owner), []);
});

const accounts = [available, other, client(3), client(4), { kind: 'fee-payable', holder: 'cli_1' } as const];
const someAccount = fc.constantFrom<AccountName>(...accounts);
const keyNames = Array.from({ length: 400 }, (_, index) => `differential ${index}`);
const someRequest = fc
  .record({
    name: fc.constantFrom(...keyNames),
    debit: someAccount,
    credit: someAccount,
    amount: fc.oneof({ weight: 30, arbitrary: fc.bigInt(1n, 9n) }, { weight: 1, arbitrary: fc.bigInt(90n, 400n) }),
    isHold: fc.integer({ min: 0, max: 60 }).map((roll) => roll === 0),
  })
  .map(({ name, isHold, ...fields }) => (isHold ? hold : post)({ key: key(name), ...fields }));
const someBatch = fc.oneof(
  fc.array(someRequest, { minLength: batchWayMin, maxLength: batchWayMin + 16 }),
  // Different keys and accounts: mostly plain.
  fc
    .uniqueArray(someRequest, { minLength: batchWayMin, maxLength: batchWayMin + 16, selector: (each) => each.key })
    .map((batch) => batch.filter((each) => each.type === 'post' && each.debit !== each.credit))
    .filter((batch) => batch.length >= batchWayMin),
);

test('random batches leave what the same transfers leave that are posted one by one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(someBatch, { minLength: 1, maxLength: 4 }), async (batches) => {
      await using together = await openBooks({ funds });
      await using alone = await openBooks({ funds });
      const opened = accounts
        .slice(1)
        .map((account) => post({ key: key(`open ${account.kind}${account.holder}`), credit: account, amount: 200n }));
      for (const db of [together, alone]) await answers(db.app, opened);
      for (const batch of batches) {
        const one: string[] = [];
        for (const request of batch) one.push(...(await answers(alone.app, [request])));
        assert.deepEqual(await answers(together.app, batch), one);
      }
      const [first, second] = await Promise.all(
        [together, alone].map(async (db) => ({
          positions: await positions(db.app, { compartment }),
          // Positions may have gaps where a batch began anew, and each database was funded under keys of its own.
          transfers: (await transfers(db.app, {}, { limit: 1_000 }))
            .filter((each) => each.block === undefined)
            .toSorted((x, y) => Number(x.position - y.position))
            .map((each) => [each.key, each.type, each.amount, each.debitAfter, each.creditAfter]),
        })),
      );
      assert.deepEqual(first, second);
      assert.deepEqual(await audit(together.app), []);
    }),
    { numRuns: 6 },
  );
});

test('a balance that changes after a batch has read it is read again', async () => {
  await using db = await openBooks({ funds });
  await answers(db.app, [
    post({ amount: 10n }),
    post({ amount: funds - 10n - BigInt(batchWayMin), credit: client(3) }),
  ]);
  let batch: Promise<readonly string[]> | undefined;
  await db.app.transaction(async (transaction) => {
    await answers(transaction, [post({ credit: client(3), amount: 1n })]);
    batch = answers(db.app, company());
    await waiting(db, 'transactionid');
  });
  assert.deepEqual(
    Object.entries(Object.groupBy((await batch) ?? [], String)).map(([each, list]) => [each, list?.length]),
    [
      ['created', batchWayMin - 1],
      ['insufficient-funds', 1],
    ],
  );
  assert.equal(await postedOf(db, available), 0n);
  assert.deepEqual(await audit(db.app), []);
});

test('a transfer that is refused after a batch has looked for its key stays refused', async () => {
  await using db = await openBooks({ funds });
  await answers(db.app, [post({ amount: 10n })]);
  const request = post({ key: key('refused'), amount: 1n });
  let batch: Promise<readonly string[]> | undefined;
  await db.app.transaction(async (transaction) => {
    assert.deepEqual(
      await groupAnswers(transaction, [[request, post({ debit: other, credit: available, amount: 12n })]]),
      [['linked-transfer-refused', 'insufficient-funds']],
    );
    batch = answers(db.app, [...company(), request]);
    await waiting(db, 'transactionid');
  });
  assert.deepEqual((await batch)?.at(-1), 'linked-transfer-refused');
  assert.deepEqual(await audit(db.app), []);
});

test('a key that another session takes for other accounts meanwhile is refused in the batch, and its neighbours are not', async () => {
  await using db = await openBooks({ funds });
  await answers(db.app, [
    post({ amount: 10n }),
    post({ credit: client(3), amount: 100n }),
    post({ credit: client(4), amount: 1n }),
  ]);
  let batch: Promise<readonly string[]> | undefined;
  await db.app.transaction(async (transaction) => {
    await answers(transaction, [post({ key: key('taken'), debit: client(3), credit: client(4) })]);
    batch = answers(db.app, [...company(), post({ key: key('taken') })]);
    await waiting(db, 'transactionid');
  });
  assert.deepEqual(await batch, [...company().map(() => 'created'), 'key-used-with-other-content']);
  assert.deepEqual(await audit(db.app), []);
});

test('batches of one book wait for each other before they read, but not those of a transaction that has written', async () => {
  await using db = await openBooks({ funds });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map(client);
  await answers(
    db.app,
    names.map((name) => post({ credit: name, amount: 100n })),
  );
  const [a, b, c, d, e, f] = names as [AccountName, AccountName, AccountName, AccountName, AccountName, AccountName];
  let second: Promise<readonly string[]> | undefined;
  let isSecondDone = false;
  await db.app.transaction(async (first) => {
    await answers(first, company(a, b));
    second = answers(db.app, company(c, d));
    second.then(
      () => {
        isSecondDone = true;
      },
      () => undefined,
    );
    await waiting(db, 'advisory');
    await db.app.transaction(async (third) => {
      await third.query(`set local lock_timeout = '5s'`);
      await answers(third, [post({ debit: e, credit: f })]);
      assert.equal((await answers(third, company(e, f))).length, batchWayMin);
    });
    assert.equal(isSecondDone, false);
  });
  assert.equal((await second)?.length, batchWayMin);
  assert.deepEqual(await audit(db.app), []);
});

test('a coverage marker waits for a batch of its chain that is under way', async () => {
  await using db = await openBooks({ funds });
  await answers(db.app, [post({ amount: 1n })]);
  let marked: Promise<bigint> | undefined;
  await db.app.transaction(async (transaction) => {
    await answers(transaction, company());
    marked = mark(db.app, { chain, block: blockAt(1n) });
    await waiting(db, 'advisory');
  });
  const newest = (await transfers(db.app, {}, { limit: 1_000 }))
    .map((each) => each.position)
    .toSorted((x, y) => Number(x - y))
    .at(-1);
  assert.equal(await marked, newest);
});

test('batches of many sessions over common accounts and two books: nothing is lost, no error surfaces', async () => {
  await using db = await openBooks({ funds, connections: 12 });
  await answers(db.app, [
    post({ amount: 400n }),
    post({ compartment: neighbour, debit: wallet, credit: available, amount: funds, block: blockAt(1n) }),
    post({ compartment: neighbour, amount: 400n }),
  ]);
  const results = await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      const [from, to] = index % 2 === 0 ? [available, other] : [other, available];
      if (index % 6 === 5) return answers(db.app, [post({ debit: from, credit: to })]);
      const there = company(from, to);
      return answers(db.app, [
        ...there.slice(index),
        post({ compartment: neighbour, debit: from, credit: to }),
        ...there.slice(0, index),
      ]);
    }),
  );
  assert.deepEqual(new Set(results.flat()), new Set(['created']));
  assert.equal((await postedOf(db, available)) + (await postedOf(db, other)), funds);
  assert.deepEqual(await audit(db.app), []);
});
