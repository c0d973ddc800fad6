import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetId, type BreakAction, CustodyError, houseFees, houseGas, type Movement, transferKey } from '@bulkhead/domain';
import { FakeChain, namedAddress } from '@bulkhead/fakes';
import { audit, lastMarker, mark, openBook } from '@bulkhead/ledger';
import { postAll } from './books.ts';
import { type BreakView, breakViews, resolveBreak } from './break.ts';
import { isRefused } from './command.ts';
import { machine } from './custody.ts';
import { detectDeposits } from './deposit-detection.ts';
import { finalize } from './finality.ts';
import { frozenBy } from './freeze.ts';
import { observe } from './follower.ts';
import { storeFoundMovement } from './movement.ts';
import { reconcile, requestReconciliation } from './reconciliation.ts';
import { type LineFilter, type ReconciliationView, reconciliationLines, reconciliationViews } from './reconciliation-view.ts';
import { type Bench, type BenchWallet, openBench, refusalOf, viewOf } from './testing/bench.ts';
import { requestWithdrawal } from './withdrawal.ts';

const ether = 10n ** 18n;
const thief = namedAddress('thief');

async function reconciled(bench: Bench): Promise<ReconciliationView> {
  const view = await reconcile(bench.custody, { chain: bench.id, actor: machine });
  assert.ok(!isRefused(view), 'it was refused');
  return view;
}

async function breaks(bench: Bench, state: 'open' | 'resolved' = 'open'): Promise<readonly BreakView[]> {
  return breakViews(bench.custody.db, { state, after: null, limit: 100 }, bench.clock.now());
}

async function onlyBreak(bench: Bench): Promise<BreakView> {
  const [found, ...more] = await breaks(bench);
  assert.ok(found !== undefined && more.length === 0, `one open break was expected, there are ${found === undefined ? 0 : more.length + 1}`);
  return found;
}

/** How much less there is than the books say. */
function lostIn(found: BreakView): bigint {
  assert.ok(found.difference !== null);
  return -BigInt(found.difference);
}

async function pays(bench: Bench, to: BenchWallet, amount: bigint, asset: AssetId = bench.native): Promise<void> {
  bench.chain.outside.send({ to: to.address, amount, asset });
  bench.chain.mine();
  await bench.settle();
}

async function steals(bench: Bench, from: BenchWallet, amount: bigint, asset: AssetId = bench.native): Promise<void> {
  bench.chain.outside.steal({ from: from.address, to: thief, amount, asset });
  bench.chain.mine();
  await bench.settle();
}

/** Coins that leave or come while no block shows how. */
async function changesUnseen(bench: Bench, at: BenchWallet, change: bigint): Promise<void> {
  bench.chain.mine();
  bench.chain.ground.history.add({ asset: bench.native, address: at.address, height: bench.chain.ground.height, change });
  await bench.settle();
}

async function resolves(bench: Bench, id: string, action: BreakAction): Promise<BreakView> {
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), { breakId: id, action, note: 'looked into' }));
  return viewOf(await resolveBreak(bench.custody, bench.as('bea'), { breakId: id, action, note: 'agreed' }));
}

async function lines(bench: Bench, id: string, filter: Partial<LineFilter> = {}): ReturnType<typeof reconciliationLines> {
  return reconciliationLines(bench.custody.db, { reconciliationId: id, after: 0, limit: 100, ...filter });
}

async function individual(bench: Bench): Promise<BenchWallet> {
  return bench.wallet(await bench.client('individual'));
}

/** The audit of the ledger finds nothing, among it that each loss stands beside an obligation; and the run of blocks is whole. */
async function proves(bench: Bench): Promise<void> {
  assert.deepEqual(await audit(bench.database.owner), []);
  await bench.prove();
}

test('books and chain agree: a row with every line that is not zero, who agreed, and no break', async () => {
  await using bench = await openBench();
  const token = await bench.token('GOLD');
  const [one, two] = [await individual(bench), await individual(bench)];
  await pays(bench, one, ether);
  await pays(bench, two, 500n, token);
  const view = await reconciled(bench);
  const marker = await lastMarker(bench.custody.db, bench.id);
  assert.deepEqual(view.block, { number: marker?.block.number.toString(), hash: marker?.block.hash });
  assert.equal(view.ledgerPosition, marker?.position.toString());
  assert.deepEqual([view.sources, view.sourcesRequired], [['fake'], 1]);
  assert.deepEqual([view.walletsCount, view.linesCount, view.breaksCount, view.requestedBy], [2, 2, 0, 'bulkhead']);
  const shown = await lines(bench, view.id);
  assert.deepEqual(
    shown.map(({ line }) => [line.walletId, line.asset, line.books, line.onChain, line.difference, line.breakType, line.breakId]),
    [
      [one.id, bench.native, ether.toString(), ether.toString(), '0', null, null],
      [two.id, token, '500', '500', '0', null, null],
    ],
  );
  assert.deepEqual(await lines(bench, view.id, { breaks: true }), []);
  assert.equal((await lines(bench, view.id, { asset: token })).length, 1);
  assert.equal((await lines(bench, view.id, { compartment: one.compartment })).length, 1);
  assert.equal((await lines(bench, view.id, { after: shown[0]?.place ?? 0 })).length, 1);
  assert.deepEqual(await breaks(bench), []);
});

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
    [found.type, found.walletId, found.compartment, found.books, found.onChain, found.difference, found.freezes, found.owner, found.state],
    ['missing-movement', victim.id, victim.compartment, ether.toString(), (ether - lost).toString(), `-${lost}`, true, 'reconciliation-desk', 'open'],
  );
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), [found.id]);
  assert.deepEqual(await frozenBy(bench.custody.db, other.compartment), []);
  assert.deepEqual(await frozenBy(bench.custody.db, houseGas), []);
  const ask = { asset: bench.native, amount: 1n, destination: namedAddress('recipient'), feePayer: 'client' } as const;
  assert.equal(refusalOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[0] })), 'compartment/frozen');
  assert.equal(viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[1] })).state, 'requested');
  await resolves(bench, found.id, 'book-loss');
  assert.equal(viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), { ...ask, clientId: clients[0] })).state, 'requested');
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
  assert.deepEqual([ended.resolution?.action, ended.resolution?.by, ended.proposal?.by], ['book-loss', ['ann', 'bea'], 'ann']);
  assert.deepEqual(await frozenBy(bench.custody.db, victim.compartment), []);
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'loss', holder: '' }), lost);
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'available', holder: client }), ether);
  assert.equal(await bench.posted(victim.compartment, bench.native, { kind: 'wallet', holder: victim.id }), ether - lost);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'obligation', holder: '' }), lost);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'equity', holder: '' }), -lost);
  await proves(bench);
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('cora'), ask)), 'break/already-resolved');

  // The transfers say which blocks took the coins, so the position at every block since is that of the chain.
  const [steal] = await bench.database.owner.query(`select distinct block_number from custody.movement where out_explained = $1`, [found.id]);
  const booked = await bench.database.owner.query(`select distinct block_number from ledger.transfers where reference = $1 and block_number is not null`, [found.id]);
  assert.deepEqual(booked, [steal]);
  assert.equal((await reconciled(bench)).breaksCount, 0, 'at the same block, which is before the correction in the ledger');
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
  assert.deepEqual(
    found.map(({ type, asset }) => `${type} ${asset}`).toSorted(),
    [`fee ${bench.native}`, `missing-movement ${token}`],
  );
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
  const movement: Movement = { kind: 'balance-difference', reference: lucky.address, asset: bench.native, to: lucky.address, amount: 7n };
  const { db } = bench.custody;
  const place = { chain: bench.id, block: marker.block, now: bench.clock.now() };
  await db.transaction(async (tx) => storeFoundMovement(tx, movement, place));
  await reconciled(bench);
  const unknown = await onlyBreak(bench);
  assert.deepEqual([unknown.type, unknown.openedAt, unknown.deadline, unknown.ageSeconds], ['unknown-deposit', excess.openedAt, excess.deadline, 60]);
  assert.notEqual(unknown.id, excess.id);
  const [reclassified] = await breaks(bench, 'resolved');
  assert.deepEqual([reclassified?.id, reclassified?.resolution?.action, reclassified?.resolution?.by], [excess.id, 'reclassified', ['bulkhead']]);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), [unknown.id]);

  await db.transaction(async (tx) => detectDeposits(tx, { chain: bench.id, block: marker.block.hash, now: bench.clock.now() }));
  await reconciled(bench);
  const pending = await onlyBreak(bench);
  assert.deepEqual([pending.type, pending.freezes, pending.openedAt], ['pending', false, excess.openedAt]);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), []);
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('ann'), { breakId: pending.id, action: 'book-suspense', note: '' })), 'break/wrong-type');

  bench.chain.mine();
  await bench.settle();
  assert.equal((await reconciled(bench)).breaksCount, 0);
  assert.deepEqual(await breaks(bench), []);
  const vanished = (await breaks(bench, 'resolved')).find(({ id }) => id === pending.id);
  assert.deepEqual([vanished?.resolution?.action, vanished?.resolution?.by], ['vanished', ['bulkhead']]);
  await proves(bench);
});

test('an excess is booked to suspense at the pinned block, and the movement found for it later is not booked again', async () => {
  await using bench = await openBench({ chain: { traces: false } });
  const lucky = await individual(bench);
  await pays(bench, lucky, ether);
  await changesUnseen(bench, lucky, 7n);
  await reconciled(bench);
  const found = await onlyBreak(bench);
  await resolves(bench, found.id, 'book-suspense');
  assert.equal(await bench.posted(lucky.compartment, bench.native, { kind: 'suspense', holder: '' }), 7n);
  assert.deepEqual(await frozenBy(bench.custody.db, lucky.compartment), []);
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
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('ann'), { breakId: found.id, action: 'acknowledge', note: '' })), 'break/wrong-type');
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
  const journal = await bench.database.owner.query('select event from custody.journal where subject in ($1, $2) order by position', [
    found.id,
    `compartment ${wallet.compartment}`,
  ]);
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

test('sources that disagree, lie or lag: a clear fault and nothing stored', async () => {
  await using bench = await openBench();
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  await steals(bench, wallet, 5n);
  const { faults } = bench.chain;
  for (const [method, fault, code] of [
    ['hashAt', 'disagreement', 'chain/disagreement'],
    ['balances', 'disagreement', 'chain/disagreement'],
    ['balances', 'unavailable', 'chain/unavailable'],
    ['balances', 'nonsense', 'chain/nonsense'],
  ] as const) {
    faults.script(method, fault);
    await assert.rejects(reconcile(bench.custody, { chain: bench.id, actor: machine }), (error) => error instanceof CustodyError && error.code === code);
    faults.calm();
  }
  assert.deepEqual(await reconciliationViews(bench.custody.db, { after: null, limit: 10 }), []);
  assert.deepEqual(await breaks(bench), []);
  assert.deepEqual(await frozenBy(bench.custody.db, wallet.compartment), []);
});

test('a chain that has not come as far as the books is behind, and nothing is taken for lost', async () => {
  await using bench = await openBench({ chain: { finalLag: 0n } });
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  bench.chain.faults.script('hashAt', 'behind');
  await assert.rejects(
    reconcile(bench.custody, { chain: bench.id, actor: machine }),
    (error) => error instanceof CustodyError && error.code === 'chain/behind-books',
  );
  assert.deepEqual(await reconciliationViews(bench.custody.db, { after: null, limit: 10 }), []);
});

test('a chain of which nothing is booked has nothing to reconcile, and one that is not configured is a fault', async () => {
  await using bench = await openBench();
  const answer = await reconcile(bench.custody, { chain: bench.id, actor: machine });
  assert.ok(isRefused(answer) && answer.code === 'reconciliation/nothing-booked');
  assert.equal(refusalOf(await requestReconciliation(bench.custody, bench.as('ann'), { chain: bench.id })), 'reconciliation/nothing-booked');
  const custody = { ...bench.custody, chains: new Map() };
  await assert.rejects(reconcile(custody, { chain: bench.id, actor: machine }), (error) => error instanceof CustodyError && error.code === 'chain/unknown');
});

test('a request with a key is answered once', async () => {
  await using bench = await openBench();
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  const first = await requestReconciliation(bench.custody, bench.as('ann', 'key-1'), { chain: bench.id });
  const again = await requestReconciliation(bench.custody, bench.as('ann', 'key-1'), { chain: bench.id });
  assert.deepEqual([first.hit, again.hit], [false, true]);
  assert.deepEqual(again.outcome, first.outcome);
  assert.equal(viewOf(first).requestedBy, 'ann');
  assert.equal((await reconciliationViews(bench.custody.db, { after: null, limit: 10 })).length, 1);
});

test('final blocks that left the chain are a break of the whole chain: clients whose movements were there are frozen', async () => {
  await using bench = await openBench();
  const [early, late, gas] = [await individual(bench), await individual(bench), await bench.ownWallet('gas')];
  await pays(bench, early, ether);
  const before = await lastMarker(bench.custody.db, bench.id);
  bench.chain.outside.send({ to: gas.address, amount: 3n });
  await pays(bench, late, ether);
  const newest = await lastMarker(bench.custody.db, bench.id);
  assert.ok(before !== undefined && newest !== undefined && newest.block.number > before.block.number);
  bench.chain.reorg(Number(bench.chain.ground.height - before.block.number), { breaksFinality: true, drop: 'all' });
  const view = await reconciled(bench);
  assert.equal(view.block.hash, before.block.hash, 'the newest marked block that is still there');
  assert.equal(view.breaksCount, 1);
  const found = await onlyBreak(bench);
  assert.deepEqual([found.type, found.walletId, found.difference, found.freezes], ['reorg', null, null, true]);
  assert.deepEqual(await frozenBy(bench.custody.db, late.compartment), [found.id]);
  assert.deepEqual(await frozenBy(bench.custody.db, early.compartment), []);
  assert.deepEqual(await frozenBy(bench.custody.db, houseGas), []);
  await reconciled(bench);
  assert.equal((await onlyBreak(bench)).id, found.id);
  await resolves(bench, found.id, 'acknowledge');
  assert.deepEqual(await frozenBy(bench.custody.db, late.compartment), []);
});

test('blocks that become final while the chain is asked change neither side, and no transaction waits for the chain', async () => {
  await using bench = await openBench();
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  const pinned = await lastMarker(bench.custody.db, bench.id);
  const release = bench.chain.faults.hold('balances');
  const running = reconcile(bench.custody, { chain: bench.id, actor: machine });
  bench.chain.outside.send({ to: wallet.address, amount: ether });
  bench.chain.mine();
  bench.chain.settle();
  while (!(await observe(bench.custody, bench.id)).atHead);
  while (!(await finalize(bench.custody, bench.id)).atFinal);
  assert.equal(await bench.posted(wallet.compartment, bench.native, { kind: 'wallet', holder: wallet.id }), 2n * ether);
  const waiting = await bench.database.admin.query(
    `select query from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
  );
  assert.deepEqual(waiting, []);
  release();
  const view = await running;
  assert.ok(!isRefused(view));
  assert.deepEqual([view.block.hash, view.breaksCount], [pinned?.block.hash, 0]);
  assert.deepEqual((await lines(bench, view.id)).map(({ line }) => line.books), [ether.toString()]);
});

test('reconciling all the time beside deposits that become final finds nothing', async () => {
  await using bench = await openBench();
  const wallets = [await individual(bench), await individual(bench), await individual(bench)];
  await pays(bench, wallets[0] ?? (await individual(bench)), ether);
  let going = true;
  const follow = async (): Promise<void> => {
    for (let round = 0; round < 12; round += 1) {
      for (const wallet of wallets) bench.chain.outside.send({ to: wallet.address, amount: ether });
      bench.chain.mine();
      bench.chain.settle();
      await bench.follow();
    }
    going = false;
  };
  const desk = async (): Promise<number> => {
    let runs = 0;
    for (; going; runs += 1) assert.equal((await reconciled(bench)).breaksCount, 0);
    return runs;
  };
  const [, one, two] = await Promise.all([follow(), desk(), desk()]);
  assert.ok(one + two > 4, 'they ran beside each other');
  assert.equal((await reconciled(bench)).breaksCount, 0);
  assert.deepEqual(await breaks(bench, 'resolved'), []);
});

test('two reconciliations at once of one theft make one break', async () => {
  await using bench = await openBench();
  const victim = await individual(bench);
  await pays(bench, victim, ether);
  await steals(bench, victim, 5n);
  await Promise.all(Array.from({ length: 6 }, () => reconciled(bench)));
  assert.equal((await breaks(bench)).length, 1);
  assert.deepEqual(await breaks(bench, 'resolved'), []);
});

test('books that post a later block before the marker of an earlier one contradict themselves: a fault, and nothing stored', async () => {
  await using bench = await openBench();
  const wallet = await individual(bench);
  await pays(bench, wallet, ether);
  const marker = await lastMarker(bench.custody.db, bench.id);
  assert.ok(marker !== undefined);
  const ahead = { ...marker.block, number: marker.block.number + 5n };
  await bench.custody.db.transaction(async (tx) =>
    postAll(
      tx,
      [
        [
          {
            type: 'post',
            key: transferKey('test', 'ahead'),
            compartment: wallet.compartment,
            asset: bench.native,
            debit: { kind: 'wallet', holder: wallet.id },
            credit: { kind: 'suspense', holder: '' },
            amount: 1n,
            code: 'ahead',
            reference: 'test',
            block: ahead,
          },
        ],
      ],
      bench.clock.now(),
    ),
  );
  const next = bench.chain.ground.at(marker.block.number + 1n);
  await mark(bench.custody.db, { chain: bench.id, block: { number: next.number, hash: next.hash } });
  await assert.rejects(
    reconcile(bench.custody, { chain: bench.id, actor: machine }),
    (error) => error instanceof CustodyError && error.code === 'invariant/broken' && /contradict themselves/u.test(error.message),
  );
  assert.deepEqual(await reconciliationViews(bench.custody.db, { after: null, limit: 10 }), []);
});

test('ten thousand addresses and two assets are asked of the chain in one call of the port', async () => {
  let calls = 0;
  let asked = 0;
  class Counting extends FakeChain {
    override async balances(...call: Parameters<FakeChain['balances']>): ReturnType<FakeChain['balances']> {
      calls += 1;
      asked += call[0].length;
      return super.balances(...call);
    }
  }
  const chain = new Counting();
  await using bench = await openBench({ port: (truth) => Object.assign(chain, { ground: truth.ground }) });
  await bench.token('GOLD');
  const wallet = await individual(bench);
  await bench.database.owner.query(
    `insert into custody.wallet (id, chain, compartment, key_index, address, purpose, residency, created_at)
     select 'wal_' || n, $1, $2, n, '0x' || lpad(to_hex(n), 40, '0'), 'unassigned', 'software', now() from generate_series(100001, 109999) as n`,
    [bench.id, wallet.compartment],
  );
  await pays(bench, wallet, ether);
  calls = 0;
  asked = 0;
  const view = await reconciled(bench);
  assert.deepEqual([calls, asked], [1, 20_000]);
  assert.deepEqual([view.walletsCount, view.linesCount, view.breaksCount], [10_000, 1, 0]);
});
