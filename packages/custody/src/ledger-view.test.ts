import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas, parseCompartment } from '@bulkhead/domain';
import { accountViews, balanceViews, type BookView, compartmentViews, transferViews } from './ledger-view.ts';
import { type Bench, pool, viewOf } from './testing/bench.ts';
import { openWithdrawing } from './testing/withdrawing.ts';
import { releaseDeposit } from './deposit.ts';
import { requestWithdrawal } from './withdrawal.ts';
import { namedAddress } from '@bulkhead/fakes';

const page = { after: null, limit: 100 };
const ether = 10n ** 18n;

type World = {
  readonly bench: Bench;
  readonly client: string;
  readonly compartment: number;
  readonly token: string;
  readonly withdrawal: string;
};

/** A client with released coin, of which a withdrawal holds a part, and a token that stays in quarantine. */
async function world(): Promise<World> {
  const bench = await openWithdrawing();
  const token = await bench.token('GOLD');
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  bench.chain.outside.send({ to: wallet.address, amount: ether });
  bench.chain.mine();
  await bench.settle();
  for (const deposit of await bench.deposits()) {
    for (const person of ['ruth', 'sam']) viewOf(await releaseDeposit(bench.custody, bench.as(person), deposit.id));
  }
  bench.chain.outside.send({ to: wallet.address, amount: 70n, asset: token });
  bench.chain.mine();
  await bench.settle();
  const ask = {
    clientId: client,
    asset: bench.native,
    amount: 100n,
    destination: namedAddress('recipient'),
    feePayer: 'client',
  } as const;
  const { id } = viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), ask));
  return { bench, client, compartment: wallet.compartment, token, withdrawal: id };
}

function sidesOf(book: BookView): readonly [bigint, bigint] {
  const debit = BigInt(book.wallet) + BigInt(book.loss) + BigInt(book.networkFee);
  const { available, held, quarantine, gas, feePayable, suspense, equity, feeIncome, obligation } = book;
  const credits = [available, held, quarantine, gas, feePayable, suspense, equity, feeIncome, obligation];
  return [debit, credits.reduce((sum, one) => sum + BigInt(one), 0n)];
}

test('balances of a client: what is held is taken off what is available, book by book', async () => {
  const { bench, client, token } = await world();
  await using _open = bench;
  const feeMax = 100_000_000_000n * 21_000n;
  const found = await balanceViews(bench.custody.db, { clientId: client, ...page });
  const zero = { quarantine: '0', gas: '0', feePayable: '0' };
  assert.deepEqual(
    found.map(({ balance }) => balance),
    [
      {
        asset: bench.native,
        compartment: pool,
        available: String(ether - 100n - feeMax),
        held: String(100n + feeMax),
        ...zero,
      },
      { asset: token, compartment: pool, available: '0', held: '0', ...zero, quarantine: '70' },
    ],
  );
  const [first] = found;
  assert.ok(first !== undefined);
  assert.deepEqual(
    await balanceViews(bench.custody.db, { clientId: client, after: first.book, limit: 10 }),
    found.slice(1),
  );
  assert.deepEqual(
    await balanceViews(bench.custody.db, { clientId: client, asset: bench.native, ...page }),
    found.slice(0, 1),
  );
  assert.deepEqual(await balanceViews(bench.custody.db, { clientId: 'cl_nobody', ...page }), []);
});

test('compartments: books whose two sides are equal, and what freezes them', async () => {
  const { bench, compartment, token } = await world();
  await using _open = bench;
  const gas = await bench.ownWallet('gas');
  bench.chain.outside.send({ to: gas.address, amount: ether });
  bench.chain.mine();
  await bench.settle();
  const { db } = bench.custody;
  const all = await compartmentViews(db, page);
  assert.deepEqual(
    all.map((view) => [view.number, view.kind, view.clientId, view.frozen, view.frozenBy]),
    [
      [houseGas, 'house', null, false, []],
      [compartment, 'omnibus', null, false, []],
    ],
  );
  for (const book of all.flatMap((view) => view.books)) {
    const [debit, credit] = sidesOf(book);
    assert.equal(debit, credit, book.asset);
    assert.ok(debit > 0n);
  }
  assert.deepEqual(all[1]?.books.map((book) => book.asset).toSorted(), [bench.native, token].toSorted());
  assert.deepEqual(
    (await compartmentViews(db, { kind: 'omnibus', ...page })).map((view) => view.number),
    [compartment],
  );
  assert.deepEqual(await compartmentViews(db, { kind: 'individual', ...page }), []);
  assert.deepEqual(
    (await compartmentViews(db, { number: houseGas, ...page })).map((view) => view.number),
    [houseGas],
  );
  assert.deepEqual(
    (await compartmentViews(db, { after: houseGas, limit: 10 })).map((view) => view.number),
    [compartment],
  );
  assert.deepEqual(await compartmentViews(db, { frozen: true, ...page }), []);

  await bench.database.owner.query(
    `insert into custody.break (id, type, chain, evidence, owner, deadline, opened_at) values ('brk_1', 'reorg', $1, '{}', 'desk', now(), now())`,
    [bench.id],
  );
  await bench.database.owner.query(
    `insert into custody.freeze (compartment, cause, frozen_at) values ($1, 'brk_1', now())`,
    [compartment],
  );
  const [frozen, ...more] = await compartmentViews(db, { frozen: true, ...page });
  assert.deepEqual([frozen?.number, frozen?.frozen, frozen?.frozenBy, more.length], [compartment, true, ['brk_1'], 0]);
});

test('accounts by book, kind and holder, in the order they were opened', async () => {
  const { bench, client, token } = await world();
  await using _open = bench;
  const { db } = bench.custody;
  const all = await accountViews(db, page);
  assert.deepEqual(
    all,
    all.toSorted((a, b) => a.number - b.number),
  );
  const [available] = await accountViews(db, {
    asset: asAsset(bench, bench.native),
    kind: 'available',
    holder: client,
    ...page,
  });
  assert.deepEqual(
    [available?.side, available?.posted, available?.pendingOut, available?.pendingIn, available?.holder],
    ['credit', ether.toString(), String(100n + 100_000_000_000n * 21_000n), '0', client],
  );
  const ofPool = await accountViews(db, { compartment: pool, ...page });
  assert.equal(ofPool.length, all.length);
  assert.deepEqual(await accountViews(db, { compartment: parseCompartment(4_000), ...page }), []);
  const [first, second] = all;
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(await accountViews(db, { after: first.number, limit: 1 }), [second]);
  assert.ok(
    (await accountViews(db, { asset: asAsset(bench, token), ...page })).every((account) => account.asset === token),
  );
});

test('transfers newest first, by reference, by book and by account, with what they did to both sides', async () => {
  const { bench, token, withdrawal } = await world();
  await using _open = bench;
  const { db } = bench.custody;
  const all = await transferViews(db, page);
  assert.deepEqual(
    all,
    all.toSorted((a, b) => Number(BigInt(b.position) - BigInt(a.position))),
  );
  const holds = await transferViews(db, { reference: withdrawal, ...page });
  assert.deepEqual(
    holds.map((transfer) => [transfer.type, transfer.debit.kind, transfer.debit.balanceAfter, transfer.block]),
    [
      ['hold', 'available', null, null],
      ['hold', 'available', null, null],
    ],
  );
  const [deposit] = await transferViews(db, { asset: asAsset(bench, token), ...page });
  assert.ok(deposit !== undefined);
  assert.deepEqual(
    [
      deposit.type,
      deposit.debit.kind,
      deposit.debit.balanceAfter,
      deposit.credit.kind,
      deposit.credit.balanceAfter,
      deposit.amount,
    ],
    ['post', 'wallet', '70', 'quarantine', '70', '70'],
  );
  assert.equal(deposit.block?.hash, bench.chain.ground.at(BigInt(deposit.block?.number ?? 0)).hash);
  const book = { compartment: pool, asset: asAsset(bench, token) };
  assert.deepEqual(await transferViews(db, { ...book, account: deposit.credit.number, ...page }), [deposit]);
  assert.deepEqual(await transferViews(db, { ...book, account: 0, ...page }), []);
  const [first, second] = all;
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(await transferViews(db, { after: BigInt(first.position), limit: 1 }), [second]);
});

/** Assets of the bench travel as text in views and as ids in filters. */
function asAsset(bench: Bench, asset: string): typeof bench.native {
  return asset as typeof bench.native;
}
