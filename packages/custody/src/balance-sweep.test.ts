import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepBalances, sweepDue, sweepSearchesMax } from './balance-sweep.ts';
import { newId } from './id.ts';
import { type Bench, openBench } from './testing/bench.ts';
import { Interrupter, interruptible } from './testing/faulty-database.ts';
import { withPort } from './testing/port.ts';

const suspense = { kind: 'suspense', holder: '' } as const;

async function found(bench: Bench): Promise<readonly string[]> {
  const deposits = await bench.deposits();
  return deposits
    .filter(({ movementKind }) => movementKind === 'balance-difference')
    .map(({ amount, block, state, disposition }) => `${amount} in ${block.number} ${state} ${disposition}`)
    .toSorted();
}

test('forced coins are found in their block and booked to suspense with the next one, once', async () => {
  await using bench = await openBench();
  const { chain, native, custody } = bench;
  const client = await bench.client();
  const [wallet, quiet] = [await bench.wallet(client), await bench.wallet(client)];
  chain.outside.send({ to: wallet.address, amount: 1_000n });
  chain.ground.mineMany(3);
  chain.ground.force(wallet.address, 55n);
  chain.mine();
  chain.outside.send({ to: quiet.address, amount: 9n });
  chain.ground.mineMany(4);
  chain.ground.force(wallet.address, 66n);
  chain.mine();
  chain.ground.mineMany(6);
  await bench.follow();
  assert.equal(await sweepDue(custody, chain.id), true);
  const final = chain.ground.final.number;
  assert.deepEqual(await sweepBalances(custody, chain.id), { height: final, wallets: 2, found: 2 });
  assert.deepEqual(await found(bench), ['55 in 4 detected null', '66 in 9 detected null']);
  assert.deepEqual(await sweepBalances(custody, chain.id), { height: final, wallets: 0, found: 0 });
  await bench.settle();
  assert.deepEqual(await found(bench), ['55 in 4 final unexplained', '66 in 9 final unexplained']);
  assert.equal(await bench.posted(wallet.compartment, native, suspense), 121n);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'wallet', holder: wallet.id }), 1_121n);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 1_009n);
  assert.deepEqual((await sweepBalances(custody, chain.id)).found, 0);
  await bench.prove();
});

test('without traces the sweep finds what inner calls brought; with traces there is nothing left to find', async () => {
  for (const traces of [false, true]) {
    await using bench = await openBench({ chain: { traces } });
    const { chain, native, custody } = bench;
    const client = await bench.client();
    const wallet = await bench.wallet(client);
    chain.outside.payByContract([{ to: wallet.address, amount: 400n }]);
    chain.ground.mineMany(8);
    await bench.follow();
    assert.equal((await sweepBalances(custody, chain.id)).found, traces ? 0 : 1);
    await bench.settle();
    const account = traces ? ({ kind: 'available', holder: client } as const) : suspense;
    assert.equal(await bench.posted(wallet.compartment, native, account), 400n);
    await bench.prove();
  }
});

test('what left without a dispatch, and its fee, are known and hide nothing that came', async () => {
  await using bench = await openBench();
  const { chain, native, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.outside.send({ to: wallet.address, amount: 10n ** 18n });
  chain.ground.mineMany(2);
  chain.outside.steal({
    from: wallet.address,
    to: chain.ground.contracts.keys().next().value ?? wallet.address,
    amount: 0n,
  });
  chain.ground.force(wallet.address, 3n);
  chain.ground.mineMany(7);
  await bench.follow();
  assert.equal((await sweepBalances(custody, chain.id)).found, 1);
  await bench.settle();
  assert.equal(await bench.posted(wallet.compartment, native, suspense), 3n);
  assert.equal((await sweepBalances(custody, chain.id)).found, 0, 'a fee that nobody booked is no arrival');
  await bench.prove();
});

test('sweeps at once, and sweeps that are killed anywhere, book each arrival once', async () => {
  const interrupter = new Interrupter();
  await using bench = await openBench({ database: (db) => interruptible(db, interrupter) });
  const { chain, native, custody } = bench;
  const client = await bench.client();
  const wallets = [await bench.wallet(client), await bench.wallet(client), await bench.wallet(client)];
  let forced = 0n;
  for (let step = 0; ; step += 1) {
    for (const wallet of wallets) {
      forced += 5n;
      chain.ground.force(wallet.address, 5n);
      chain.ground.mineMany(2);
    }
    chain.ground.mineMany(2);
    await bench.follow();
    interrupter.arm(step, step % 2 === 0 ? 'after' : 'before');
    const [first] = await Promise.allSettled([sweepBalances(custody, chain.id), sweepBalances(custody, chain.id)]);
    const whole = interrupter.steps > 0 && first.status === 'fulfilled' && step > 60;
    interrupter.disarm();
    await Promise.all([sweepBalances(custody, chain.id), sweepBalances(custody, chain.id)]);
    if (whole) break;
  }
  await bench.settle();
  const [wallet] = wallets;
  assert.ok(wallet !== undefined);
  assert.equal(await bench.posted(wallet.compartment, native, suspense), forced);
  await bench.prove();
});

test('a sweep that could not find everything leaves its range to the next one', async () => {
  await using bench = await openBench();
  const { chain, native, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  const arrivals = sweepSearchesMax + 3;
  for (let i = 0; i < arrivals; i += 1) {
    chain.ground.force(wallet.address, 2n);
    chain.mine();
  }
  chain.ground.mineMany(3);
  await bench.follow();
  assert.equal((await sweepBalances(custody, chain.id)).found, sweepSearchesMax);
  assert.equal((await sweepBalances(custody, chain.id)).found, 3);
  await bench.settle();
  assert.equal(await bench.posted(wallet.compartment, native, suspense), BigInt(2 * arrivals));
  await bench.prove();
});

test('what somebody else explained during the search is not explained again', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  await using bench = await openBench({
    port: (chain) =>
      withPort(chain, {
        hashAt: async (height) => {
          const others = meanwhile;
          meanwhile = undefined;
          await others?.();
          return chain.hashAt(height);
        },
      }),
  });
  const { chain, native, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.ground.mineMany(2);
  chain.ground.force(wallet.address, 8n);
  const { number, hash } = chain.mine();
  chain.ground.mineMany(5);
  await bench.follow();
  meanwhile = async () => {
    await custody.db.query(
      `insert into custody.movement (id, chain, block_number, block_hash, kind, reference, asset, to_address, amount, observed_at)
       values ($1, $2, $3, $4, 'internal', 'by hand', $5, $6, 8, now())`,
      [newId('mov', bench.clock.now()), chain.id, number, hash, native, wallet.address],
    );
  };
  assert.equal((await sweepBalances(custody, chain.id)).found, 0);
  assert.deepEqual(await found(bench), []);
});
