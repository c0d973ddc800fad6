import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { lookForUnseen } from './balance-sweep.ts';
import { findCursor, resumeChain, stopChain } from './cursor.ts';
import { machine } from './custody.ts';
import { followChain, type FollowOptions } from './follow-chain.ts';
import { frozenBy } from './freeze.ts';
import { reconcile } from './reconciliation.ts';
import { openBench, refusalOf, viewOf } from './testing/bench.ts';

const waitMsMax = 10_000;

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += 5) {
    if (await holds()) return;
    await pause(5);
  }
  assert.fail('it did not come about in time');
}

test('the follower starts, takes what comes, outlives faults, sweeps when due and stops when told', async () => {
  await using bench = await openBench({ unstarted: true });
  const { chain, custody, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  chain.faults.script('heads', 'unavailable', 'disagreement');
  const control = new AbortController();
  const faults: string[] = [];
  const pauses: number[] = [];
  let swept = 0;
  const options: FollowOptions = {
    signal: control.signal,
    pollMs: 2,
    onFault: (error, pauseMs) => {
      faults.push(error instanceof CustodyError ? error.code : String(error));
      pauses.push(pauseMs);
    },
    onSwept: ({ found }) => {
      swept += found;
    },
  };
  const running = followChain(custody, chain.id, options);
  await until(async () => (await findCursor(custody.db, chain.id)) !== undefined);
  assert.deepEqual(faults, ['chain/unavailable', 'chain/disagreement']);
  assert.deepEqual(pauses, [2, 4], 'the pause grows');
  chain.outside.send({ to: wallet.address, amount: 70n });
  chain.mine();
  chain.ground.force(wallet.address, 30n);
  chain.ground.mineMany(12);
  chain.faults.script('block', 'nonsense');
  await until(async () => swept === 1);
  chain.ground.mineMany(3);
  await until(
    async () => (await bench.posted(wallet.compartment, native, { kind: 'wallet', holder: wallet.id })) === 100n,
  );
  control.abort();
  await running;
  const cursor = await findCursor(custody.db, chain.id);
  chain.ground.mineMany(3);
  await pause(20);
  assert.deepEqual(await findCursor(custody.db, chain.id), cursor, 'it is over');
  await bench.prove();
});

test('a chain that was stopped is left alone', async () => {
  await using bench = await openBench();
  const { chain, custody } = bench;
  await stopChain(custody.db, chain.id, { reason: 'People are looking.', now: bench.clock.now() });
  const before = await findCursor(custody.db, chain.id);
  chain.ground.mineMany(5);
  const control = new AbortController();
  const faults = new Set<string>();
  const onFault = (error: unknown): void => {
    faults.add(error instanceof CustodyError ? error.code : String(error));
  };
  const running = followChain(custody, chain.id, { signal: control.signal, pollMs: 2, onFault });
  await pause(60);
  control.abort();
  await running;
  assert.deepEqual([...faults], ['chain/stopped']);
  assert.deepEqual(await findCursor(custody.db, chain.id), before);
});

test('a contradiction between books and world stops the chain with its reason', async () => {
  await using bench = await openBench();
  const { chain, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.outside.send({ to: wallet.address, amount: 5n });
  chain.mine();
  chain.settle();
  // Without a rule of agreement no credit can be recorded: the step is impossible, today and tomorrow.
  const broken = { ...custody, policy: { ...custody.policy, agreement: new Map() } };
  const control = new AbortController();
  const running = followChain(broken, chain.id, { signal: control.signal, pollMs: 2 });
  await until(async () => (await findCursor(custody.db, chain.id))?.stoppedReason !== undefined);
  control.abort();
  await running;
  const cursor = await findCursor(custody.db, chain.id);
  assert.match(cursor?.stoppedReason ?? '', /which sources of a chain must agree/u);
});

test('a chain that stood still goes on when somebody resumes it, from the block at hand', async () => {
  await using bench = await openBench();
  const { chain, custody, id } = bench;
  const wallet = await bench.wallet(await bench.client());
  assert.equal(refusalOf(await resumeChain(custody, bench.as('admin'), { chain: id })), 'chain/not-stopped');
  await stopChain(custody.db, id, { reason: 'A bug.', now: bench.clock.now() });
  chain.outside.send({ to: wallet.address, amount: 700n });
  chain.mine();
  await assert.rejects(bench.settle(), { code: 'chain/stopped' });
  const resumed = viewOf(await resumeChain(custody, bench.as('admin'), { chain: id }));
  assert.equal(resumed.stoppedReason, 'A bug.');
  await bench.settle();
  assert.deepEqual(
    (await bench.deposits()).map(({ credited }) => credited),
    ['700'],
  );
  await bench.prove();
});

test('coin that a stranger forces on an address is looked for before a reconciliation and freezes nobody', async () => {
  await using bench = await openBench();
  const { chain, custody, id } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.ground.force(wallet.address, 7n);
  chain.mine();
  await bench.settle();
  await lookForUnseen(custody, id);
  const first = await reconcile(custody, { chain: id, actor: machine });
  assert.ok('id' in first);
  assert.deepEqual(await frozenBy(custody.db, wallet.compartment), []);
  chain.mine();
  await bench.settle();
  const second = await reconcile(custody, { chain: id, actor: machine });
  assert.ok('breaksCount' in second && second.breaksCount === 0);
  await bench.prove();
});
