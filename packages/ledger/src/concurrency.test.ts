import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { CustodyError, type TransferRequest } from '@bulkhead/domain';
import { audit } from './audit.ts';
import { LedgerQueue } from './queue.ts';
import { positions, transfers } from './reading.ts';
import { postTransfers } from './posting.ts';
import {
  answer,
  answers,
  available,
  blockAt,
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

const connections = 100;

test('a hundred sessions on one hot account: no error surfaces, nothing is lost or done twice', async () => {
  await using db = await openBooks({ funds: 100_000n, connections });
  const results = await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const done: string[] = [];
      for (let round = 0; round < 5; round += 1) {
        const client = { kind: 'available', holder: `cli_${randomInt(2, 12)}` } as const;
        const there = post({ key: key(`there ${index} ${round}`), credit: client, amount: 3n });
        const back = post({ key: key(`back ${index} ${round}`), debit: client, credit: available, amount: 2n });
        done.push(...(await answers(db.app, round % 2 === 0 ? [there, back] : [there, back, there])));
      }
      return done;
    }),
  );
  const counts = Object.groupBy(results.flat(), (each) => each);
  assert.deepEqual([counts['created']?.length, counts['exists']?.length], [1_000, 200]);
  assert.deepEqual(await audit(db.app), []);
});

test('a hundred sessions that lock accounts in opposite orders over several calls: deadlocks repeat, none surfaces', async () => {
  await using db = await openBooks({ funds: 100_000n, connections });
  await answers(db.app, [post({ amount: 50_000n })]);
  await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      db.app.transaction(async (transaction) => {
        const there = post({
          key: key(`there ${index}`),
          debit: available,
          credit: { kind: 'available', holder: `x_${index % 3}` },
          amount: 1n,
        });
        const back = post({
          key: key(`back ${index}`),
          debit: other,
          credit: { kind: 'available', holder: `y_${index % 3}` },
          amount: 1n,
        });
        for (const request of index % 2 === 0 ? [there, back] : [back, there]) {
          assert.deepEqual(await answers(transaction, [request]), ['created']);
        }
      }),
    ),
  );
  assert.equal((await transfers(db.app, {}, { limit: 1_000 })).length, 2 * connections + 3);
  assert.deepEqual(await audit(db.app), []);
});

test('the same transfer from a hundred sessions at once is one transfer', async () => {
  await using db = await openBooks({ funds: 100n, connections });
  const request = post({ key: key('once'), amount: 60n });
  const results = await Promise.all(Array.from({ length: connections }, () => answers(db.app, [request])));
  assert.deepEqual(results.flat().toSorted(), ['created', ...Array.from({ length: connections - 1 }, () => 'exists')]);
  assert.equal((await positions(db.app, { kind: 'available', holder: 'cli_2' }))[0]?.posted, 60n);
});

test('one key for different accounts at once is one transfer and refusals', async () => {
  await using db = await openBooks({ funds: 100n, connections });
  const results = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      answers(db.app, [
        post({
          key: key('once'),
          debit: { kind: 'wallet', holder: `wal_${index}` },
          credit: { kind: 'suspense', holder: '' },
          amount: 1n,
          block: blockAt(1n),
        }),
      ]),
    ),
  );
  assert.deepEqual(results.flat().toSorted(), [
    'created',
    ...Array.from({ length: 59 }, () => 'key-used-with-other-content'),
  ]);
});

test('of two requests for the last coin one gets it', async () => {
  await using db = await openBooks({ funds: 100n, connections });
  const results = await Promise.all(
    Array.from({ length: 40 }, () => answers(db.app, [hold({ credit: wallet, amount: 100n })])),
  );
  assert.equal(results.flat().filter((each) => each === 'created').length, 1);
});

test('a hold that is posted, voided and expired at once ends once', async () => {
  await using db = await openBooks({ funds: 100n, connections });
  for (let round = 0; round < 5; round += 1) {
    const name = key(`hold ${round}`);
    await answers(db.app, [hold({ key: name, credit: wallet, amount: 10n })]);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        answers(db.app, [index % 2 === 0 ? voidHold(name) : postHold(name, 10n, { block: blockAt(1n) })]),
      ),
    );
    assert.equal(results.flat().filter((each) => each === 'created').length, 1);
  }
  assert.deepEqual(await audit(db.app), []);
});

test('the queue gathers callers into batches and answers each with its own outcome', async () => {
  await using db = await openBooks({ funds: 1_000n });
  await using queue = new LedgerQueue(db.app);
  const groups = Array.from({ length: 1_200 }, (_, index): TransferRequest[] => [
    post({ key: key(`q ${index % 1_100}`), amount: 1n }),
  ]);
  const outcomes = await Promise.all(groups.map((group) => queue.post(group, { now })));
  const counts = Object.groupBy(outcomes.flat().map(answer), (each) => each);
  assert.deepEqual(
    [counts['created']?.length, counts['exists']?.length, counts['insufficient-funds']?.length],
    [1_000, 100, 100],
  );
  assert.deepEqual(await audit(db.app), []);
});

test('the queue turns callers away beyond its limit, and a malformed request at the door', async () => {
  await using db = await openBooks({ funds: 1_000n });
  await using queue = new LedgerQueue(db.app, { waitingMax: 3 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => queue.post([post()], { now })));
  assert.deepEqual(
    results.map((result) =>
      result.status === 'fulfilled' ? 'created' : result.reason instanceof CustodyError ? result.reason.code : 'other',
    ),
    ['created', 'created', 'created', 'ledger/queue-full', 'ledger/queue-full'],
  );
  await assert.rejects(queue.post([post({ amount: 0n })], { now }), { code: 'ledger/malformed-transfer' });
});

test('what was posted is rolled back with the transaction of the caller', async () => {
  await using db = await openBooks({ funds: 1_000n });
  const request = post({ key: key('undone') });
  const undo = new Error('undo');
  await assert.rejects(
    db.app.transaction(async (transaction) => {
      await postTransfers(transaction, [[request]], { now });
      throw undo;
    }),
    undo,
  );
  assert.deepEqual(await answers(db.app, [request]), ['created']);
});
