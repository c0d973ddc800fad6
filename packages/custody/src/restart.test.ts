import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { seededRandom } from '@bulkhead/fakes';
import { bigint, only } from '@bulkhead/postgres';
import { finalize } from './finality.ts';
import { observe } from './follower.ts';
import { type Bench, openBench } from './testing/bench.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';

/** A round of what a follower does, until it is through or something ends it. */
async function round(bench: Bench): Promise<'through' | 'ended'> {
  try {
    await bench.follow();
    return 'through';
  } catch (error) {
    assert.ok(error instanceof CustodyError, String(error));
    assert.notEqual(error.code, 'invariant/broken', error.message);
    assert.notEqual(error.code, 'chain/stopped', error.message);
    return 'ended';
  }
}

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step of observing and booking, everything is credited exactly once`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openBench({ database: (db) => interruptible(db, interrupter) });
    const { chain, native } = bench;
    const client = await bench.client();
    const wallet = await bench.wallet(client);
    const token = await bench.token('USDX');
    let paid = 0n;
    let ends = 0;
    // Each turn has a deposit, a token, a reorg and a final block; each is killed one step later than the one before.
    for (let step = 0; ; step += 1) {
      paid += BigInt(step + 1);
      chain.outside.send({ to: wallet.address, amount: BigInt(step + 1) });
      chain.outside.send({ to: wallet.address, amount: BigInt(step + 1), asset: token });
      chain.ground.mineMany(2);
      await bench.follow();
      chain.reorg(1, { length: 2 });
      chain.mine();
      interrupter.arm(step, kind);
      const first = await round(bench);
      interrupter.disarm();
      if (first === 'ended') ends += 1;
      assert.equal(await round(bench), 'through', 'a restart goes on');
      if (first === 'through') break;
    }
    assert.ok(ends > 40, `${ends} steps were killed`);
    await bench.settle();
    for (const asset of [native, token]) {
      assert.equal(await bench.posted(wallet.compartment, asset, { kind: 'wallet', holder: wallet.id }), paid);
      assert.equal(await bench.posted(wallet.compartment, asset, { kind: 'available', holder: client }), paid);
    }
    await bench.prove();
  });
}

test('sources that lag, fall silent, disagree or answer nonsense cost time and nothing else', async () => {
  for (const seed of ['a', 'b', 'c']) {
    await using bench = await openBench({ chain: { finalLag: 5n } });
    const { chain, native, custody } = bench;
    const client = await bench.client('omnibus');
    const wallets = [await bench.wallet(client), await bench.wallet(client)];
    const token = await bench.token('USDX');
    const random = seededRandom(`faults ${seed}`);
    chain.ground.mineMany(8);
    await bench.follow();
    chain.faults.unleash({
      random,
      percent: 30,
      faults: ['unavailable', 'nonsense', 'disagreement', 'slow', 'behind', 'stale-final'],
      broadcasts: [],
    });
    let paid = 0n;
    for (let turn = 1; turn <= 40; turn += 1) {
      const wallet = wallets[turn % 2];
      assert.ok(wallet !== undefined);
      paid += BigInt(turn);
      chain.outside.send({ to: wallet.address, amount: BigInt(turn) });
      chain.outside.send({ to: wallet.address, amount: BigInt(turn), asset: token });
      chain.mine();
      if (random.percent(25)) chain.reorg(random.pick([1, 2, 3]));
      await Promise.allSettled([observe(custody, chain.id), finalize(custody, chain.id)]);
      const { final } = chain.ground;
      const row = only(await custody.db.query('select coalesce(max(block_number), 0) as block from ledger.transfers'));
      assert.ok(bigint(row, 'block') <= final.number, 'nothing is booked that is not final');
    }
    chain.faults.calm();
    await bench.settle();
    for (const asset of [native, token]) {
      const held = await Promise.all(
        wallets.map(({ id, compartment }) => bench.posted(compartment, asset, { kind: 'wallet', holder: id })),
      );
      assert.equal(
        held.reduce((sum, amount) => sum + amount, 0n),
        paid,
      );
      assert.equal(
        await bench.posted(wallets[0]?.compartment ?? assert.fail(), asset, { kind: 'available', holder: client }),
        paid,
      );
    }
    await bench.prove();
  }
});
