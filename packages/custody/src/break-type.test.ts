import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compartmentFirst, houseFees, houseGas, type Movement, parseCompartment, transferKey } from '@bulkhead/domain';
import { addressOfPath, namedAddress } from '@bulkhead/fakes';
import { audit, lastMarker, openBook } from '@bulkhead/ledger';
import { sweepBalances } from './balance-sweep.ts';
import { postAll } from './books.ts';
import { resolveBreak } from './break.ts';
import { detectDeposits } from './deposit-detection.ts';
import { frozenBy } from './freeze.ts';
import { storeFoundMovement } from './movement.ts';
import { reconciliationViews } from './reconciliation-view.ts';
import { openBench, refusalOf, viewOf } from './testing/bench.ts';
import {
  breaks,
  changesUnseen,
  individual,
  lostIn,
  onlyBreak,
  pays,
  proves,
  reconciled,
  resolves,
  steals,
} from './testing/desk.ts';
import { requestWithdrawal } from './withdrawal.ts';

const ether = 10n ** 18n;

test('a theft of native coin is a missing movement that freezes that compartment alone', async () => {
  await using bench = await openBench();
  const clients = [await bench.client('individual'), await bench.client('individual')] as const;
  const [victim, other] = [await bench.wallet(clients[0]), await bench.wallet(clients[1])];
  await pays(bench, victim, ether);
  await pays(bench, other, ether);
  await steals(bench, victim, ether / 4n);
  const view = await reconciled(bench);
  assert.equal(view.breaksCount, 1);
  const found = await onlyBreak(bench);
  const lost = ether - bench.chain.ground.balance(bench.native, victim.address);
  assert.ok(lost > ether / 4n, 'the fee is gone too');
  assert.deepEqual(
    [
      found.type,
      found.walletId,
      found.compartment,
      found.books,
      found.onChain,
      found.difference,
      found.freezes,
      found.owner,
      found.state,
    ],
    [
      'missing-movement',
      victim.id,
      victim.compartment,
      ether.toString(),
      (ether - lost).toString(),
      `-${lost}`,
      true,
      'reconciliation-desk',
      'open',
    ],
  );
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), [found.id]);
  assert.deepEqual(await frozenBy(bench.custody.db, other.compartment), []);
  assert.deepEqual(await frozenBy(bench.custody.db, houseGas), []);
  const ask = { asset: bench.native, amount: 1n, destination: namedAddress('recipient'), feePayer: 'client' } as const;
  assert.equal(
    refusalOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[0] })),
    'compartment/frozen',
  );
  assert.equal(
    viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[1] })).state,
    'requested',
  );
  await resolves(bench, found.id, 'book-loss');
  assert.equal(
    viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[0] })).state,
    'requested',
  );
});

test('the same difference found again is the same break, with its age, and its values brought up to date', async () => {
  await using bench = await openBench();
  const victim = await individual(bench);
  await pays(bench, victim, ether);
  await steals(bench, victim, 5n);
  const first = await reconciled(bench);
  const opened = await onlyBreak(bench);
  bench.clock.advance(3_600_000);
  await reconciled(bench);
  const again = await onlyBreak(bench);
  assert.equal(again.id, opened.id);
  assert.equal(again.openedAt, opened.openedAt);
  assert.equal(again.deadline, opened.deadline);
  assert.equal(again.ageSeconds, 3_600);
  await steals(bench, victim, 7n);
  const third = await reconciled(bench);
  const grown = await onlyBreak(bench);
  assert.equal(grown.id, opened.id);
  assert.ok(lostIn(grown) >= lostIn(opened) + 7n);
  assert.deepEqual([grown.reconciliationId, grown.lastReconciliationId], [first.id, third.id]);
  assert.equal((await reconciliationViews(bench.custody.db, { chain: bench.id, after: null, limit: 10 })).length, 3);
});

test('a loss is booked by two people: the chain is followed, the claim stays whole, the house owes, the freeze lifts', async () => {
  await using bench = await openBench();
  const client = await bench.client('individual');
  const victim = await bench.wallet(client);
  await pays(bench, victim, ether);
  await steals(bench, victim, 5n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  const lost = lostIn(found);
  const ask = { breakId: found.id, action: 'book-loss', note: 'theft' } as const;

  const proposed = viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  assert.equal(proposed.state, 'open');
  assert.deepEqual(proposed.proposal, { by: 'ann', action: 'book-loss', note: 'theft' });
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('ann'), ask)), 'four-eyes/second-person-needed');
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'loss', holder: '' }), 0n);
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), [found.id]);

  const ended = viewOf(await resolveBreak(bench.custody, bench.as('bea'), ask));
  assert.equal(ended.state, 'resolved');
  assert.deepEqual(
    [ended.resolution?.action, ended.resolution?.by, ended.proposal?.by],
    ['book-loss', ['ann', 'bea'], 'ann'],
  );
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), []);
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'loss', holder: '' }), lost);
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'available', holder: client }), ether);
  assert.equal(
    await bench.posted(victim.compartment, bench.native, { kind: 'wallet', holder: victim.id }),
    ether - lost,
  );
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'obligation', holder: '' }), lost);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'equity', holder: '' }), -lost);
  await proves(bench);
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('cora'), ask)), 'break/already-resolved');

  // The transfers say which blocks took the coins, so the position at every block since is that of the chain.
  const [steal] = await bench.database.owner.query(
    `select distinct block_number from custody.movement where out_explained = $1`,
    [found.id],
  );
  const booked = await bench.database.owner.query(
    `select distinct block_number from ledger.transfers where reference = $1 and block_number is not null`,
    [found.id],
  );
  assert.deepEqual(booked, [steal]);
  assert.equal(
    (await reconciled(bench)).breaksCount,
    0,
    'at the same block, which is before the correction in the ledger',
  );
  await pays(bench, victim, 1n);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  await proves(bench);
});

test('a theft of tokens is a missing movement of the token and a fee of the coin; the freeze lifts with the last of them', async () => {
  await using bench = await openBench();
  const token = await bench.token('GOLD');
  const victim = await individual(bench);
  await pays(bench, victim, ether);
  await pays(bench, victim, 900n, token);
  await steals(bench, victim, 400n, token);
  await reconciled(bench);
  const found = await breaks(bench);
  assert.deepEqual(found.map(({ type, asset }) => `${type} ${asset}`).toSorted(), [
    `fee ${bench.native}`,
    `missing-movement ${token}`,
  ]);
  assert.equal(found.find(({ asset }) => asset === token)?.difference, '-400');
  const [first, second] = found;
  assert.ok(first !== undefined && second !== undefined);
  await resolves(bench, first.id, 'book-loss');
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), [second.id]);
  await resolves(bench, second.id, 'book-loss');
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), []);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  await proves(bench);
});

test('a loss of the house lowers its equity and makes no obligation', async () => {
  await using bench = await openBench();
  const gas = await bench.ownWallet('gas');
  await pays(bench, gas, ether);
  await steals(bench, gas, 5n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  assert.deepEqual(await frozenBy(bench.custody.db, houseGas), [found.id]);
  await resolves(bench, found.id, 'book-loss');
  assert.equal(await bench.posted(houseGas, bench.native, { kind: 'equity', holder: '' }), ether - lostIn(found));
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'obligation', holder: '' }), 0n);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  await proves(bench);
});

test('coins that nothing shows are an excess, then an unknown deposit, then pending, then gone: one age through all of it', async () => {
  await using bench = await openBench({ chain: { traces: false } });
  const lucky = await individual(bench);
  await pays(bench, lucky, ether);
  await changesUnseen(bench, lucky, 7n);
  await reconciled(bench);
  const excess = await onlyBreak(bench);
  assert.deepEqual([excess.type, excess.difference], ['excess', '7']);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), [excess.id]);

  bench.clock.advance(60_000);
  const marker = await lastMarker(bench.custody.db, bench.id);
  assert.ok(marker !== undefined);
  const movement: Movement = {
    kind: 'balance-difference',
    reference: lucky.address,
    asset: bench.native,
    to: lucky.address,
    amount: 7n,
  };
  const { db } = bench.custody;
  const place = { chain: bench.id, block: marker.block, now: bench.clock.now() };
  await db.transaction(async (tx) => storeFoundMovement(tx, movement, place));
  await reconciled(bench);
  const unknown = await onlyBreak(bench);
  assert.deepEqual(
    [unknown.type, unknown.openedAt, unknown.deadline, unknown.ageSeconds],
    ['unknown-deposit', excess.openedAt, excess.deadline, 60],
  );
  assert.notEqual(unknown.id, excess.id);
  const [reclassified] = await breaks(bench, 'resolved');
  assert.deepEqual(
    [reclassified?.id, reclassified?.resolution?.action, reclassified?.resolution?.by],
    [excess.id, 'reclassified', ['bulkhead']],
  );
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), [unknown.id]);

  await db.transaction(async (tx) =>
    detectDeposits(tx, { chain: bench.id, block: marker.block.hash, now: bench.clock.now() }),
  );
  await reconciled(bench);
  const pending = await onlyBreak(bench);
  assert.deepEqual([pending.type, pending.freezes, pending.openedAt], ['pending', false, excess.openedAt]);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), []);
  assert.equal(
    refusalOf(
      await resolveBreak(bench.custody, bench.as('ann'), { breakId: pending.id, action: 'book-suspense', note: '' }),
    ),
    'break/wrong-type',
  );

  bench.chain.mine();
  await bench.settle();
  assert.equal((await reconciled(bench)).breaksCount, 0);
  assert.deepEqual(await breaks(bench), []);
  const vanished = (await breaks(bench, 'resolved')).find(({ id }) => id === pending.id);
  assert.deepEqual([vanished?.resolution?.action, vanished?.resolution?.by], ['vanished', ['bulkhead']]);
  await proves(bench);
});

test('an excess is booked to suspense when the sweep of balances has looked and has not found how it came', async () => {
  await using bench = await openBench();
  // The first address of the first individual compartment, paid before anybody watched it.
  const address = addressOfPath({ compartment: parseCompartment(compartmentFirst.individual), index: 0 });
  bench.chain.outside.send({ to: address, amount: 7n });
  bench.chain.mine();
  await bench.settle();
  const lucky = await individual(bench);
  assert.equal(lucky.address, address);
  await pays(bench, lucky, ether);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  assert.deepEqual([found.type, found.difference], ['excess', '7']);
  const ask = { breakId: found.id, action: 'book-suspense', note: 'paid before it was issued' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('bea'), ask)), 'break/outdated');
  // As a sweep leaves it that found nothing in the blocks it has to search.
  await bench.database.owner.query('update custody.chain_cursor set swept_number = final_number');
  assert.equal(viewOf(await resolveBreak(bench.custody, bench.as('bea'), ask)).state, 'resolved');
  assert.equal(await bench.posted(lucky.compartment, bench.native, { kind: 'suspense', holder: '' }), 7n);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), []);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  bench.chain.mine();
  await bench.settle();
  assert.equal((await sweepBalances(bench.custody, bench.id)).found, 0, 'what people booked is not found again');
  await bench.settle();
  assert.equal((await reconciled(bench)).breaksCount, 0);
  assert.deepEqual(await audit(bench.database.owner), []);
});

test('coins that the sweep found since the break was seen are not booked by people too', async () => {
  await using bench = await openBench({ chain: { traces: false } });
  const lucky = await individual(bench);
  await pays(bench, lucky, ether);
  await changesUnseen(bench, lucky, 7n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  const ask = { breakId: found.id, action: 'book-suspense', note: '' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  assert.equal((await sweepBalances(bench.custody, bench.id)).found, 1);
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('bea'), ask)), 'break/outdated');
  bench.chain.mine();
  await bench.settle();
  assert.equal(await bench.posted(lucky.compartment, bench.native, { kind: 'suspense', holder: '' }), 7n);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  await proves(bench);
});

test('coins that are gone and nothing shows how are a shortfall, booked at the pinned block', async () => {
  await using bench = await openBench();
  const victim = await individual(bench);
  await pays(bench, victim, ether);
  await changesUnseen(bench, victim, -7n);
  const view = await reconciled(bench);
  const found = await onlyBreak(bench);
  assert.deepEqual([found.type, found.difference, found.block], ['shortfall', '-7', view.block]);
  assert.equal(
    refusalOf(
      await resolveBreak(bench.custody, bench.as('ann'), { breakId: found.id, action: 'acknowledge', note: '' }),
    ),
    'break/wrong-type',
  );
  await resolves(bench, found.id, 'book-loss');
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'loss', holder: '' }), 7n);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  await proves(bench);
});

test('a difference that vanishes ends its break and its freeze without anybody', async () => {
  await using bench = await openBench();
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  await changesUnseen(bench, wallet, -7n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  await changesUnseen(bench, wallet, 7n);
  assert.equal((await reconciled(bench)).breaksCount, 0);
  assert.deepEqual(await frozenBy(bench.custody.db, wallet.compartment), []);
  const [ended] = await breaks(bench, 'resolved');
  assert.deepEqual([ended?.id, ended?.resolution?.action, ended?.resolution?.by], [found.id, 'vanished', ['bulkhead']]);
  const journal = await bench.database.owner.query(
    'select event from custody.journal where subject in ($1, $2) order by position',
    [found.id, `compartment ${wallet.compartment}`],
  );
  assert.deepEqual(
    journal.map((row) => row['event']),
    ['break-opened', 'compartment-frozen', 'freeze-lifted', 'break-vanished'],
  );
});

test('a break whose books changed since it was seen is not booked on old numbers', async () => {
  await using bench = await openBench({ chain: { traces: false } });
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  await changesUnseen(bench, wallet, 7n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  const ask = { breakId: found.id, action: 'book-suspense', note: '' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  const marker = await lastMarker(bench.custody.db, bench.id);
  assert.ok(marker !== undefined);
  const { db, clock } = bench.custody;
  await openBook(db, { compartment: wallet.compartment, asset: bench.native });
  await db.transaction(async (tx) =>
    postAll(
      tx,
      [
        [
          {
            type: 'post',
            key: transferKey('test', 'found'),
            compartment: wallet.compartment,
            asset: bench.native,
            debit: { kind: 'wallet', holder: wallet.id },
            credit: { kind: 'suspense', holder: '' },
            amount: 7n,
            code: 'found',
            reference: 'test',
            block: marker.block,
          },
        ],
      ],
      clock.now(),
    ),
  );
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('bea'), ask)), 'break/outdated');
  assert.equal(await bench.posted(wallet.compartment, bench.native, { kind: 'suspense', holder: '' }), 7n, 'once');
  assert.equal((await reconciled(bench)).breaksCount, 0);
});
