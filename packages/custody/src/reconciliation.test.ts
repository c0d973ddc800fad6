import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, houseGas, transferKey } from '@bulkhead/domain';
import { FakeChain } from '@bulkhead/fakes';
import { lastMarker, mark } from '@bulkhead/ledger';
import { postAll } from './books.ts';
import { isRefused } from './command.ts';
import { machine } from './custody.ts';
import { finalize } from './finality.ts';
import { frozenBy } from './freeze.ts';
import { observe } from './follower.ts';
import { reconcile, requestReconciliation } from './reconciliation.ts';
import { reconciliationViews } from './reconciliation-view.ts';
import { openBench, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, individual, lines, onlyBreak, pays, reconciled, resolves, steals } from './testing/desk.ts';

const ether = 10n ** 18n;

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
    shown.map(({ line }) => [
      line.walletId,
      line.asset,
      line.books,
      line.onChain,
      line.difference,
      line.breakType,
      line.breakId,
    ]),
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
    await assert.rejects(
      reconcile(bench.custody, { chain: bench.id, actor: machine }),
      (error) => error instanceof CustodyError && error.code === code,
    );
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
  assert.equal(
    refusalOf(await requestReconciliation(bench.custody, bench.as('ann'), { chain: bench.id })),
    'reconciliation/nothing-booked',
  );
  const custody = { ...bench.custody, chains: new Map() };
  await assert.rejects(
    reconcile(custody, { chain: bench.id, actor: machine }),
    (error) => error instanceof CustodyError && error.code === 'chain/unknown',
  );
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
  assert.deepEqual(
    (await lines(bench, view.id)).map(({ line }) => line.books),
    [ether.toString()],
  );
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
    (error) =>
      error instanceof CustodyError &&
      error.code === 'invariant/broken' &&
      /contradict themselves/u.test(error.message),
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
    `insert into custody.wallet (id, chain, compartment, key_index, address, client, purpose, residency, created_at)
     select 'wal_' || n, $1, number, n, '0x' || lpad(to_hex(n), 40, '0'), owner, 'deposit', 'software', now()
     from generate_series(100001, 109999) as n, custody.compartment where number = $2`,
    [bench.id, wallet.compartment],
  );
  await pays(bench, wallet, ether);
  calls = 0;
  asked = 0;
  const view = await reconciled(bench);
  assert.deepEqual([calls, asked], [1, 20_000]);
  assert.deepEqual([view.walletsCount, view.linesCount, view.breaksCount], [10_000, 1, 0]);
});
