import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BlockRef, CustodyError, houseGas, type ObservedBlock, type WatchSet } from '@bulkhead/domain';
import { FakeChain, namedAddress } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { findCursor } from './cursor.ts';
import { finalize } from './finality.ts';
import { observe, startChain } from './follower.ts';
import { type Bench, openBench, viewOf } from './testing/bench.ts';
import { withPort } from './testing/port.ts';
import { issueClientWallet } from './wallet-issue.ts';
import { AddressWatch } from './watch.ts';

const byAmount = (a: { amount: string }, b: { amount: string }): number => Number(BigInt(a.amount) - BigInt(b.amount));

async function states(bench: Bench): Promise<readonly string[]> {
  return (await bench.deposits()).toSorted(byAmount).map(({ state, amount }) => `${amount} ${state}`);
}

function fault(code: string): (error: unknown) => boolean {
  return (error) => error instanceof CustodyError && error.code === code;
}

test('two deposits in one transaction are two deposits, credited once each and not before they are final', async () => {
  await using bench = await openBench();
  const { chain, native } = bench;
  const [first, second] = [await bench.client(), await bench.client('omnibus')];
  const [one, two] = [await bench.wallet(first), await bench.wallet(second)];
  chain.outside.payByContract([
    { to: one.address, amount: 700n },
    { to: two.address, amount: 900n },
    { to: one.address, amount: 11n },
  ]);
  chain.mine();
  await bench.follow();
  assert.deepEqual(await states(bench), ['11 detected', '700 detected', '900 detected']);
  assert.equal(await bench.posted(one.compartment, native, { kind: 'wallet', holder: one.id }), 0n);
  await bench.settle();
  assert.deepEqual(await states(bench), ['11 released', '700 released', '900 released']);
  assert.equal(await bench.posted(one.compartment, native, { kind: 'wallet', holder: one.id }), 711n);
  assert.equal(await bench.posted(one.compartment, native, { kind: 'available', holder: first }), 711n);
  assert.equal(await bench.posted(two.compartment, native, { kind: 'available', holder: second }), 900n);
  await bench.prove();
});

test('the same transaction in two blocks after a reorg is one credit and one removed deposit', async () => {
  await using bench = await openBench({ chain: { finalLag: 8n } });
  const { chain, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  const hash = chain.outside.send({ to: wallet.address, amount: 5_000n });
  chain.mine();
  await bench.follow();
  const before = (await bench.deposits())[0];
  chain.reorg(1, { emptyBlocks: 1, length: 3 });
  bench.clock.advance(1_000);
  await bench.follow();
  const [removed, detected] = await bench.deposits();
  assert.deepEqual([removed?.id, removed?.state, removed?.transactionHash], [before?.id, 'removed', hash]);
  assert.deepEqual([detected?.state, detected?.transactionHash], ['detected', hash]);
  assert.notEqual(removed?.block.hash, detected?.block.hash);
  await bench.settle();
  assert.deepEqual(
    (await bench.deposits()).map(({ state }) => state),
    ['removed', 'released'],
  );
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 5_000n);
  await bench.prove();
});

test('a reorg at every depth from 1 to 64 before finality credits each deposit once', async () => {
  await using bench = await openBench({ chain: { finalLag: 'manual' } });
  const { chain, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  chain.ground.mineMany(70);
  await bench.follow();
  const start = await findCursor(bench.custody.db, chain.id);
  let paid = 0n;
  for (let depth = 1; depth <= 64; depth++) {
    paid += BigInt(depth);
    chain.outside.send({ to: wallet.address, amount: BigInt(depth) });
    chain.mine();
    await bench.follow();
    chain.reorg(depth, { emptyBlocks: depth % 3, reorder: depth % 2 === 0, length: depth + 2 });
    await bench.follow();
    const cursor = await findCursor(bench.custody.db, chain.id);
    assert.equal(cursor?.tip.hash, chain.ground.head.hash, `depth ${depth}`);
    assert.equal(cursor?.final.hash, start?.final.hash, 'nothing became final');
  }
  await bench.prove();
  const live = (await bench.deposits()).filter(({ state }) => state === 'detected');
  assert.deepEqual(
    live.map(({ amount }) => Number(amount)).toSorted((a, b) => a - b),
    Array.from({ length: 64 }, (_, i) => i + 1),
  );
  chain.ground.finalize(chain.ground.height);
  await bench.follow();
  await bench.work();
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), paid);
  assert.equal(chain.ground.balance(native, wallet.address), paid);
  await bench.prove();
});

test('a block that comes back after two reorgs is the same block, with the same deposit', async () => {
  // Two chains with the same beginning, one of which the port shows.
  const mirror = new FakeChain({ finalLag: 20n });
  let shown: FakeChain = mirror;
  await using bench = await openBench({
    chain: { finalLag: 20n },
    port: (chain) => {
      shown = chain;
      return withPort(chain, {
        heads: () => shown.heads(),
        block: (height, watch) => shown.block(height, watch),
        hashAt: (height) => shown.hashAt(height),
        balances: (queries, at) => shown.balances(queries, at),
      });
    },
  });
  const { chain, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  for (const both of [chain, mirror]) both.ground.mineMany(3);
  await bench.follow();
  chain.outside.send({ to: wallet.address, amount: 40n });
  chain.ground.mineMany(2);
  await bench.follow();
  const [first] = await bench.deposits();
  mirror.ground.mineMany(3);
  shown = mirror;
  await bench.follow();
  assert.deepEqual(
    (await bench.deposits()).map(({ id, state }) => [id, state]),
    [[first?.id, 'removed']],
  );
  chain.ground.mineMany(2);
  shown = chain;
  await bench.follow();
  assert.deepEqual(
    (await bench.deposits()).map(({ id, state }) => [id, state]),
    [[first?.id, 'detected']],
  );
  await bench.settle();
  assert.deepEqual(
    (await bench.deposits()).map(({ id, state }) => [id, state]),
    [[first?.id, 'released']],
  );
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 40n);
  await bench.prove();
});

test('a reorg below the final block stops the chain, freezes what it touched and credits nothing more', async () => {
  await using bench = await openBench();
  const { chain, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  chain.ground.mineMany(4);
  chain.outside.send({ to: wallet.address, amount: 9n });
  chain.mine();
  await bench.settle();
  chain.outside.send({ to: wallet.address, amount: 10n });
  chain.mine();
  await bench.follow();
  chain.reorg(5, { breaksFinality: true, drop: 'all', length: 7 });
  await assert.rejects(() => observe(bench.custody, chain.id), fault('chain/finality-violated'));
  await assert.rejects(() => observe(bench.custody, chain.id), fault('chain/stopped'));
  await assert.rejects(() => finalize(bench.custody, chain.id), fault('chain/stopped'));
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 9n);
  const [row] = await bench.custody.db.query(`select type, evidence ->> 'removed' as removed from custody.break`);
  assert.equal(row === undefined ? '' : text(row, 'type'), 'reorg');
  const frozen = await bench.custody.db.query(
    'select compartment::text as compartment from custody.freeze where lifted_at is null',
  );
  assert.deepEqual(
    frozen.map((one) => text(one, 'compartment')),
    [String(wallet.compartment)],
  );
});

test('a start on a chain that lost its blocks, or on another chain, says so and moves nothing', async () => {
  await using bench = await openBench();
  const { chain } = bench;
  chain.ground.mineMany(12);
  await bench.follow();
  const before = await findCursor(bench.custody.db, chain.id);
  const emptied = new FakeChain();
  const behind = { ...bench.custody, chains: new Map([[chain.id, emptied]]) };
  await assert.rejects(
    () => startChain(behind, chain.id),
    (error) =>
      fault('chain/behind-books')(error) &&
      /ends at block 0, and our books are made up to block 10/u.test(String(error)),
  );
  const other = new FakeChain();
  other.outside.send({ to: namedAddress('somebody'), amount: 1n });
  other.ground.mineMany(12);
  await assert.rejects(
    () => startChain({ ...bench.custody, chains: new Map([[chain.id, other]]) }, chain.id),
    (error) => fault('chain/behind-books')(error) && /this is another chain/u.test(String(error)),
  );
  await startChain(bench.custody, chain.id);
  assert.deepEqual(await findCursor(bench.custody.db, chain.id), before);
});

test('an address issued while its block is on the way gets its deposit', async () => {
  let paid: (() => Promise<void>) | undefined;
  await using bench = await openBench({
    port: (chain) =>
      withPort(chain, {
        block: async (height: bigint, watch: WatchSet): Promise<ObservedBlock | undefined> => {
          // The watch set is read; now an address is issued, paid and mined, and only then the block is read.
          const issueAndPay = paid;
          paid = undefined;
          await issueAndPay?.();
          return chain.block(height, watch);
        },
      }),
  });
  const { chain, native, custody } = bench;
  const client = await bench.client();
  await bench.follow();
  let compartment = houseGas;
  paid = async () => {
    const wallet = await bench.wallet(client);
    compartment = wallet.compartment;
    chain.outside.send({ to: wallet.address, amount: 77n });
    chain.mine();
  };
  await observe(custody, chain.id);
  assert.deepEqual(await states(bench), ['77 detected']);
  await bench.settle();
  assert.equal(await bench.posted(compartment, native, { kind: 'available', holder: client }), 77n);
});

test('an address whose transaction began before the watch set was read and ended after it is not passed over', async () => {
  await using bench = await openBench();
  const { chain, custody, database } = bench;
  const client = await bench.client();
  await bench.follow();
  const watch = new AddressWatch(chain.id);
  const began = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const slow = database.owner.transaction(async (tx) => {
    await tx.query('select pg_current_xact_id()');
    began.resolve();
    await mayEnd.promise;
    await tx.query(
      `insert into custody.wallet (id, chain, compartment, key_index, address, client, purpose, residency, created_at)
       select 'wal_slow', $1, number, 900, $2, owner, 'deposit', 'software', now() from custody.compartment limit 1`,
      [chain.id, `0x${'ab'.repeat(20)}`],
    );
  });
  await began.promise;
  const young = viewOf(await issueClientWallet(custody, bench.as('operator'), { clientId: client, chain: chain.id }));
  await watch.refresh(custody.db);
  assert.equal(watch.size, 1, young.address);
  mayEnd.resolve();
  await slow;
  assert.equal(await watch.refresh(custody.db), true);
  assert.equal(watch.size, 2);
  assert.equal(await watch.refresh(custody.db), false);
});

test('two indexers at once take every block once and credit every deposit once', async () => {
  await using bench = await openBench();
  const { chain, custody, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  const indexer = async (): Promise<void> => {
    while (!(await observe(custody, chain.id, { blocksMax: 3 })).atHead);
    while (!(await finalize(custody, chain.id, { blocksMax: 3 })).atFinal);
  };
  let paid = 0n;
  for (let round = 1n; round <= 8n; round += 1n) {
    for (let i = 0n; i < 3n; i += 1n) {
      paid += round + i;
      chain.outside.send({ to: wallet.address, amount: round + i });
      chain.mine();
    }
    if (round % 3n === 0n) chain.reorg(2);
    await Promise.all([indexer(), indexer(), indexer()]);
  }
  await bench.settle();
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), paid);
  const credited = (await bench.deposits()).filter(({ state }) => state === 'released');
  assert.equal(credited.length, 24);
  await bench.prove();
});

test('a block that the chain gives at the wrong height is nonsense and is not stored', async () => {
  await using bench = await openBench({
    port: (chain) => withPort(chain, { block: (_height, watch) => chain.block(1n, watch) }),
  });
  bench.chain.ground.mineMany(4);
  await observe(bench.custody, bench.id, { blocksMax: 1 });
  await assert.rejects(() => observe(bench.custody, bench.id), fault('chain/nonsense'));
  const cursor = await findCursor(bench.custody.db, bench.id);
  const tip: BlockRef | undefined = cursor?.tip;
  assert.equal(tip?.number, 1n);
});

test('a block that was on its way while another indexer went on, and the chain turned, is not stored', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  await using bench = await openBench({
    chain: { finalLag: 6n },
    port: (chain) =>
      withPort(chain, {
        block: async (height, watch) => {
          const block = await chain.block(height, watch);
          const others = meanwhile;
          meanwhile = undefined;
          await others?.();
          return block;
        },
      }),
  });
  const { chain, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.outside.send({ to: wallet.address, amount: 6n });
  chain.ground.mineMany(2);
  meanwhile = async () => {
    await bench.follow();
    chain.reorg(2, { emptyBlocks: 1, length: 4 });
    await bench.follow();
  };
  assert.deepEqual(await observe(custody, chain.id), { taken: 0, removed: 0, atHead: true });
  await bench.settle();
  await bench.prove();
});
