import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from '@bulkhead/ledger';
import { namedAddress } from '@bulkhead/fakes';
import { breakViews, type BreakView, resolveBreak } from './break.ts';
import { isRefused } from './command.ts';
import { machine } from './custody.ts';
import { frozenBy } from './freeze.ts';
import { reconcile } from './reconciliation.ts';
import { type Bench, type BenchOptions, type BenchWallet, openBench, refusalOf, viewOf } from './testing/bench.ts';
import { interruptible, Interrupter, type Interruption } from './testing/faulty-database.ts';

const ether = 10n ** 18n;

type Robbed = { readonly bench: Bench; readonly victim: BenchWallet; readonly found: BreakView };

async function robbed(options: BenchOptions = {}): Promise<Robbed> {
  const bench = await openBench(options);
  const victim = await bench.wallet(await bench.client('individual'));
  bench.chain.outside.send({ to: victim.address, amount: ether });
  bench.chain.mine();
  await bench.settle();
  bench.chain.outside.steal({ from: victim.address, to: namedAddress('thief'), amount: 5n });
  bench.chain.mine();
  await bench.settle();
  const answer = await reconcile(bench.custody, { chain: bench.id, actor: machine });
  assert.ok(!isRefused(answer));
  const [found] = await breakViews(bench.custody.db, { after: null, limit: 10 }, bench.clock.now());
  assert.ok(found !== undefined);
  return { bench, victim, found };
}

async function losses({ bench, victim }: Robbed): Promise<bigint> {
  return bench.posted(victim.compartment, bench.native, { kind: 'loss', holder: '' });
}

test('many second persons at once book a loss once', async () => {
  const world = await robbed();
  await using bench = world.bench;
  const ask = { breakId: world.found.id, action: 'book-loss', note: 'theft' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => resolveBreak(bench.custody, bench.as(`person-${n}`), ask)),
  );
  const outcomes = answers.map(refusalOf).toSorted();
  assert.deepEqual(outcomes, [...Array.from({ length: 19 }, () => 'break/already-resolved'), 'done']);
  assert.equal(await losses(world), -BigInt(world.found.difference ?? '0'));
  assert.deepEqual(await audit(bench.database.owner), []);
});

test('the same request again gets the same answer and is not a second person', async () => {
  const world = await robbed();
  await using bench = world.bench;
  const ask = { breakId: world.found.id, action: 'book-loss', note: 'theft' } as const;
  const first = await resolveBreak(bench.custody, bench.as('ann', 'key-1'), ask);
  const again = await resolveBreak(bench.custody, bench.as('ann', 'key-1'), ask);
  assert.deepEqual([first.hit, again.hit], [false, true]);
  assert.deepEqual(again.outcome, first.outcome);
  assert.equal(await losses(world), 0n);
});

test('a resolution that is interrupted at any step is whole or has not happened, and asking again finishes it', async () => {
  const interrupter = new Interrupter();
  const world = await robbed({ database: (db) => interruptible(db, interrupter) });
  await using bench = world.bench;
  const ask = { breakId: world.found.id, action: 'book-loss', note: 'theft' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  const lost = -BigInt(world.found.difference ?? '0');
  let stepsTried = 0;
  let interrupted = true;
  for (; interrupted; stepsTried += 1) {
    for (const kind of ['before', 'after'] satisfies Interruption[]) {
      interrupter.arm(stepsTried, kind);
      interrupted = await resolveBreak(bench.custody, bench.as('bea', 'key-of-bea'), ask).then(
        () => false,
        () => true,
      );
      interrupter.disarm();
      const booked = await losses(world);
      const frozen = await frozenBy(bench.database.app, world.victim.compartment);
      const whole = [booked, frozen.length];
      assert.ok(
        (booked === 0n && frozen.length === 1) || (booked === lost && frozen.length === 0),
        `step ${stepsTried} ${kind}: loss ${whole[0]}, freezes ${whole[1]}`,
      );
    }
  }
  assert.ok(stepsTried > 10, `${stepsTried} steps were interrupted`);
  assert.equal(viewOf(await resolveBreak(bench.custody, bench.as('bea', 'key-of-bea'), ask)).state, 'resolved');
  assert.equal(await losses(world), lost);
  assert.deepEqual(await audit(bench.database.owner), []);
});
