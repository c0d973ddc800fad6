import assert from 'node:assert/strict';
import { reconcile, startChain } from '@bulkhead/custody';
import { integer, text } from '@bulkhead/postgres';
import { calmSigner, steal, step } from './events.ts';
import { hasJobs, runBoth, runProcess } from './machine.ts';
import { foundWorld } from './people.ts';
import { checkWorld, stolenFrom } from './truth.ts';
import { tallyVaults } from './vault-truth.ts';
import {
  chainId,
  count,
  ether,
  finalLag,
  gwei,
  keepTime,
  makeWorld,
  sweepEveryBlocks,
  withdrawalHours,
  type World,
} from './world.ts';

export type Run = { readonly seed: number; readonly steps: number; readonly checkEvery?: number };

/** Steps between two checks, when nobody says. */
export const checkEveryDefault = 40;
const settleRoundsMax = 40;
/** Coins are stolen in every third world. */
const thievesEvery = 3;

/** The command that repeats a run. */
export function reproduction({ seed, steps, checkEvery }: Run): string {
  return `npm run sim -- --seed ${seed} --steps ${steps} --check-every ${checkEvery ?? checkEveryDefault}`;
}

/** Plays a world from its seed and checks it again and again. Answers how often what happened. */
export async function runWorld(run: Run): Promise<ReadonlyMap<string, number>> {
  const world = await makeWorld(run.seed);
  await using database = world.database;
  assert.ok(database === world.database);
  const trace: string[] = [];
  try {
    await begin(world);
    const thieving = run.seed % thievesEvery === 1;
    for (let n = 1; n <= run.steps; n++) {
      if (thieving && world.random.percent(3) && steal(world)) trace.push('theft');
      trace.push(await step(world));
      if (n % (run.checkEvery ?? checkEveryDefault) === 0) await settleAndCheck(world);
    }
    await settleAndCheck(world);
    await passDeadlines(world);
    await tallyEnds(world);
    await tallyVaults(world);
  } catch (error) {
    throw new Error(
      `The world of seed ${run.seed} is wrong after ${trace.length} steps (${trace.slice(-6).join(', ')}). Repeat it: ${reproduction(run)}`,
      {
        cause: error,
      },
    );
  }
  return world.tally;
}

/** How workflows ended, so that a reader sees which ends a run reached. */
async function tallyEnds(world: World): Promise<void> {
  const rows = await world.database.admin.query(
    `select 'withdrawal ' || step as what, count(*)::integer as times from custody.withdrawal group by 1
     union all select kind || ' ' || coalesce(outcome, step), count(*)::integer from custody.dispatch group by 1
     union all select 'registry change ' || state, count(*)::integer from custody.registry_change group by 1
     union all select 'deposit ' || step || coalesce(' ' || (state ->> 'disposition'), ''), count(*)::integer from custody.deposit group by 1
     union all select 'attempts ' || ordinal || ' ' || role, count(*)::integer from custody.attempt group by 1
     union all select 'dispatch waits: ' || left(waiting_reason, 60), count(*)::integer from custody.dispatch where step <> 'done' and waiting_reason is not null group by 1
     order by 1`,
  );
  for (const row of rows) world.tally.set(text(row, 'what'), integer(row, 'times'));
}

async function begin(world: World): Promise<void> {
  await startChain(world.processes[0].custody, chainId);
  await foundWorld(world);
  const { outside } = world.chain;
  for (const { address } of world.wallets.filter(({ kind }) => kind !== 'key')) {
    outside.send({ to: address, amount: 4n * ether });
    outside.send({ to: address, amount: 9n * 10n ** 9n, asset: world.assets.dollar });
  }
  for (const { address, purpose } of world.wallets) {
    if (purpose === 'gas') outside.send({ to: address, amount: 1_000n * ether });
    if (purpose === 'deposit' || purpose === 'pool') outside.send({ to: address, amount: ether });
  }
  await settle(world);
  await checkWorld(world);
}

async function settleAndCheck(world: World): Promise<void> {
  await settle(world);
  await checkWorld(world);
  await checkReconciliation(world);
  world.signer.rules.quorum = 2;
  count(world, 'check');
}

/** The time of everything that was asked for is over: what is not done by then is given up, and nothing is held for it. */
async function passDeadlines(world: World): Promise<void> {
  if (world.vaulting === undefined) return;
  world.clock.advance((withdrawalHours + 1) * 3_600_000);
  await settle(world);
  await checkWorld(world);
}

/** The world becomes quiet, and the processes do all they can do. */
async function settle(world: World): Promise<void> {
  const { chain, clock } = world;
  chain.faults.calm();
  calmSigner(world);
  chain.ground.mempool.releaseAll();
  world.baseFee = gwei;
  for (const asset of [world.assets.dollar, world.assets.taxed]) chain.ground.switchToken(asset, false);
  for (let round = 0; round < settleRoundsMax; round++) {
    keepTime(world);
    chain.ground.mineMany(3);
    clock.advance(700_000);
    await runBoth(world, { mortal: false });
    if (round > 3 && !(await hasJobs(world)) && (await livingDispatches(world)).length === 0) break;
  }
  // A vault that was paused, or whose window was full, may pay as time goes on: then there is one more relay to wait for.
  for (let again = 0; again < settleRoundsMax; again++) {
    await bookTheRest(world);
    if ((await livingDispatches(world)).length === 0) break;
  }
  const behind = await world.database.admin.query(
    `select id, waiting_reason from custody.dispatch where waiting_reason like 'The chain counts%'`,
  );
  assert.deepEqual(behind, [], 'A dispatch waits for nonces that are final.');
  const living = await livingDispatches(world);
  assert.deepEqual(living, [], 'A dispatch has its nonce, all is quiet, and it does not end.');
}

async function bookTheRest(world: World): Promise<void> {
  // Twice: what the balance sweep finds is booked with the next final block.
  for (const blocks of [finalLag + sweepEveryBlocks, 1n]) {
    world.chain.ground.mineMany(Number(blocks));
    for (let round = 0; round < 3 || (await hasJobs(world)); round++) {
      await runProcess(world, world.processes[0], { mortal: false });
      if (round > settleRoundsMax) throw new Error('The jobs do not come to an end.');
    }
  }
}

/** Dispatches with a nonce at wallets that nobody robbed: they must end, but for those that a freeze met before their signature. */
async function livingDispatches(world: World): Promise<readonly string[]> {
  const rows = await world.database.admin.query(
    `select d.id, d.kind, d.step, w.address, d.nonce::text as nonce, d.state::text as state from custody.dispatch d join custody.wallet w on w.id = d.wallet
     where d.step in ('signing', 'broadcast')
       and not (d.step = 'signing' and exists (
         select from custody.freeze f where f.compartment = d.compartment and f.lifted_at is null)) order by d.id`,
  );
  const robbed = new Set<string>(world.thefts.map(({ address }) => address));
  return rows
    .filter((row) => !robbed.has(text(row, 'address')))
    .map(
      (row) =>
        `${text(row, 'kind')} ${text(row, 'id')} is ${text(row, 'step')} at nonce ${text(row, 'nonce')} of ${text(row, 'address')}: ${text(row, 'state')}`,
    );
}

/** A reconciliation finds exactly what was stolen, and freezes the compartments it was stolen from and no others. */
async function checkReconciliation(world: World): Promise<void> {
  const [{ custody }] = world.processes;
  const done = await reconcile(custody, { chain: chainId, actor: { name: 'olga', role: 'operator' } });
  assert.ok(!('code' in done), 'The reconciliation was refused.');
  const expected = world.wallets.flatMap((wallet) =>
    Object.values(world.assets).flatMap((asset) => {
      const stolen = stolenFrom(world, wallet, asset);
      return stolen === 0n ? [] : [`${wallet.id} ${asset} ${-stolen}`];
    }),
  );
  const { admin } = world.database;
  const open = await admin.query(
    'select wallet, asset, difference::text as difference, compartment, type from custody.break where resolved_at is null',
  );
  const found = open.map((row) => `${text(row, 'wallet')} ${text(row, 'asset')} ${text(row, 'difference')}`);
  assert.deepEqual(found.toSorted(), expected.toSorted(), 'The breaks are not what was stolen.');
  const types = open.map((row) => text(row, 'type')).filter((type) => type !== 'missing-movement' && type !== 'fee');
  assert.deepEqual(types, [], 'What was stolen is called something else.');
  const frozen = await admin.query(
    'select distinct compartment::integer as compartment from custody.freeze where lifted_at is null',
  );
  const robbed = new Set(open.map((row) => Number(row['compartment'])));
  assert.deepEqual(
    new Set(frozen.map((row) => Number(row['compartment']))),
    robbed,
    'Other compartments are frozen than were robbed.',
  );
}
