import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseChainId, type TransferRequest } from '@bulkhead/domain';
import { audit } from './audit.ts';
import { claimsAt, lastMarker, mark, markerAt, walletPositionsAt } from './coverage.ts';
import { postTransfers } from './posting.ts';
import {
  answers,
  available,
  blockAt,
  compartment,
  hashOf,
  neighbour,
  now,
  openBooks,
  post,
  quarantine,
  wallet,
} from './testing/books.ts';

const chain = parseChainId('eip155:31337');

test('markers follow one another, once, with one hash', async () => {
  await using db = await openBooks();
  assert.equal(await lastMarker(db.app, chain), undefined);
  const first = await mark(db.app, { chain, block: blockAt(7n) });
  assert.equal(first, 0n);
  await answers(db.app, [post({ debit: wallet, credit: available, amount: 5n, block: blockAt(8n) })]);
  const second = await mark(db.app, { chain, block: blockAt(8n) });
  assert.ok(second > first);
  assert.equal(await mark(db.app, { chain, block: blockAt(8n) }), second);
  assert.equal(await mark(db.app, { chain, block: blockAt(7n) }), first);
  for (const block of [blockAt(10n), blockAt(6n), { number: 8n, hash: hashOf(99n) }]) {
    await assert.rejects(mark(db.app, { chain, block }), { code: 'ledger/marker-conflict' });
  }
  assert.deepEqual(await lastMarker(db.app, chain), { chain, block: blockAt(8n), position: second });
  assert.equal(await markerAt(db.app, chain, 9n), undefined);
});

test('wallets at a block and claims at its marker are what they were then', async () => {
  await using db = await openBooks();
  const deposit = (height: bigint, amount: bigint): TransferRequest =>
    post({ debit: wallet, credit: quarantine, amount, block: blockAt(height) });
  const markers: bigint[] = [];
  for (const height of [1n, 2n, 3n]) {
    await answers(db.app, [
      deposit(height, height * 10n),
      post({ debit: quarantine, credit: available, amount: height }),
    ]);
    markers.push(await mark(db.app, { chain, block: blockAt(height) }));
  }
  await answers(db.app, [post({ debit: available, credit: wallet, amount: 6n, block: blockAt(4n) })]);
  const wallets = async (height: bigint): Promise<bigint | undefined> =>
    (await walletPositionsAt(db.app, chain, height))[0]?.balance;
  assert.deepEqual(
    [await wallets(0n), await wallets(1n), await wallets(2n), await wallets(3n), await wallets(4n)],
    [0n, 10n, 30n, 60n, 54n],
  );
  for (const [index, expected] of [
    [1n, 9n],
    [3n, 27n],
    [6n, 54n],
  ].entries()) {
    const claims = await claimsAt(db.app, { chain, position: markers[index] ?? 0n });
    assert.deepEqual(
      claims.map((claim) => [claim.kind, claim.balance]),
      [
        ['available', expected[0]],
        ['quarantine', expected[1]],
      ],
    );
  }
  assert.deepEqual(await walletPositionsAt(db.app, parseChainId('eip155:1'), 9n), []);
});

test('a marker waits for posts of its chain that are under way, and lies above all of them', async () => {
  await using db = await openBooks();
  const slow = post({ debit: wallet, credit: available, amount: 5n, block: blockAt(1n) });
  let marked: Promise<bigint> | undefined;
  let isMarked = false;
  const position = await db.app.transaction(async (transaction) => {
    const outcomes = await postTransfers(transaction, [[slow]], { now });
    marked = mark(db.app, { chain, block: blockAt(1n) });
    marked.then(
      () => {
        isMarked = true;
      },
      () => undefined,
    );
    await sleep(150);
    assert.equal(isMarked, false);
    const outcome = outcomes[0]?.[0];
    assert.equal(outcome?.status, 'created');
    return outcome.position;
  });
  assert.equal(await marked, position);
});

test('under concurrent posts and markers, every marker sees both halves of what lies below it and nothing later', async () => {
  await using db = await openBooks({ connections: 12 });
  let isOver = false;
  let height = 1n;
  const posting = Array.from({ length: 6 }, async (_, index) => {
    const holder = { kind: 'available', holder: `cli_${index}` } as const;
    while (!isOver) {
      // Two accounts of one book and one of another, in one group: a marker must see all or nothing of it.
      const fields = { debit: { kind: 'wallet', holder: `wal_${index}` } as const, amount: 1n, block: blockAt(height) };
      await postTransfers(
        db.app,
        [[post({ ...fields, credit: holder }), post({ ...fields, credit: holder, compartment: neighbour })]],
        { now },
      );
    }
  });
  const seen: { position: bigint; claims: string }[] = [];
  const claimsOf = async (position: bigint): Promise<string> => {
    const claims = await claimsAt(db.app, { chain, position });
    const sum = (of: number): bigint =>
      claims.filter((claim) => claim.compartment === of).reduce((total, claim) => total + claim.balance, 0n);
    assert.equal(sum(compartment), sum(neighbour));
    return claims
      .filter((claim) => claim.balance > 0n)
      .map((claim) => `${claim.compartment}${claim.holder}=${claim.balance}`)
      .join(' ');
  };
  for (; height <= 25n; height += 1n) {
    const position = await mark(db.app, { chain, block: blockAt(height) });
    seen.push({ position, claims: await claimsOf(position) });
  }
  isOver = true;
  await Promise.all(posting);
  assert.ok(new Set(seen.map((each) => each.position)).size > 5);
  for (const each of seen) assert.equal(await claimsOf(each.position), each.claims);
  assert.deepEqual(await audit(db.app), []);
});
