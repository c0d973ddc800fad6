import {
  advanceMove,
  applyRegistryChange,
  checkVault,
  expireWithdrawals,
  finalize,
  findLiquidity,
  flushForWithdrawal,
  keepHeartbeat,
  lookForUnseen,
  machine,
  observe,
  pullSignerRecords,
  reconcile,
  screenDeposit,
  screenWithdrawal,
  sendDelegatedSweep,
  sendDelegation,
  sendDispatch,
  sendVaultDispatch,
  sweepBalances,
  tendRegistryChanges,
  watchDispatch,
} from '@bulkhead/custody';
import type { Custody } from '@bulkhead/custody';
import { invariant } from '@bulkhead/domain';
import type { Random } from '@bulkhead/fakes';
import { bigint, text } from '@bulkhead/postgres';
import { Crash } from './interruption.ts';
import { chainId, count, isExpected, type Process, type World } from './world.ts';

/** What runs by itself: the follower, and the jobs that were enqueued with the states that need them. */
type Work = { readonly name: string; readonly run: (custody: Custody) => Promise<unknown> };

const following: readonly Work[] = [
  { name: 'observe', run: (custody) => observe(custody, chainId) },
  { name: 'finalize', run: (custody) => finalize(custody, chainId) },
  { name: 'sweep-balances', run: (custody) => sweepBalances(custody, chainId) },
  { name: 'expire', run: (custody) => expireWithdrawals(custody) },
  { name: 'pull-signer-records', run: (custody) => pullSignerRecords(custody) },
  { name: 'tend-registry-changes', run: (custody) => tendRegistryChanges(custody) },
];

const tasks: ReadonlyMap<string, (custody: Custody, id: string) => Promise<unknown>> = new Map([
  ['screen-deposit', screenDeposit],
  ['screen-withdrawal', screenWithdrawal],
  ['find-liquidity', findLiquidity],
  ['send-dispatch', sendDispatch],
  ['send-vault-dispatch', sendVaultDispatch],
  ['keep-heartbeat', keepHeartbeat],
  ['send-delegation', sendDelegation],
  ['send-delegated-sweep', sendDelegatedSweep],
  ['flush-forwarders', flushForWithdrawal],
  ['advance-move', advanceMove],
  ['check-vault', checkVault],
  ['watch-dispatch', watchDispatch],
  ['apply-registry-change', applyRegistryChange],
  ['reconcile', reconcileNow],
]);

async function reconcileNow(custody: Custody): Promise<void> {
  await lookForUnseen(custody, chainId);
  await reconcile(custody, { chain: chainId, actor: machine });
}

/** Jobs that one round of one process takes. */
const jobsMax = 40;
/** A process that is to end does so within this many points. */
const lifeMax = 120;

/** One round of a process, which may end anywhere in it. What it left undone is done by a later round. */
export async function runProcess(world: World, process: Process, options: { readonly mortal: boolean }): Promise<void> {
  count(world, 'round');
  // What one process draws does not depend on how far the other one is.
  const random = world.random.fork(`${process.name} ${world.tally.get('round') ?? 0}`);
  if (options.mortal) process.mortality.endAfter(1 + random.below(lifeMax));
  try {
    for (const work of following) await tolerant(world, work.name, () => work.run(process.custody));
    await watchAll(world, process);
    await runJobs(world, process, random);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    count(world, 'crash');
  } finally {
    process.mortality.revive();
  }
}

/** Both processes at once, each with its own fate. A bug in one is a bug. */
export async function runBoth(world: World, options: { readonly mortal: boolean }): Promise<void> {
  const results = await Promise.allSettled(world.processes.map((process) => runProcess(world, process, options)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Runs work that may meet a fault of the chain. A crash goes on to the caller, and so does every bug. */
async function tolerant(world: World, name: string, run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (error instanceof Crash) throw error;
    if (!isExpected(error)) throw new Error(`${name} failed.`, { cause: error });
    count(world, 'fault');
    return false;
  }
}

/** The schedule: every living dispatch is looked at, and those that wait for the signer. */
async function watchAll(world: World, process: Process): Promise<void> {
  const rows = await world.database.admin.query(
    `select d.id from custody.dispatch d join custody.wallet w on w.id = d.wallet
     where d.step in ('signing', 'broadcast') or (d.step = 'queued' and d.waiting_reason like 'The signer %')
     order by w.address, d.nonce, d.to_address, d.amount`,
  );
  for (const row of rows) {
    await tolerant(world, 'watch-dispatch', () => watchDispatch(process.custody, text(row, 'id')));
  }
  if (world.vaulting === undefined) return;
  for (const { name, select, run } of scheduled) {
    for (const row of await world.database.admin.query(select)) {
      await tolerant(world, name, () => run(process.custody, text(row, 'id')));
    }
  }
  await tolerant(world, 'keep-heartbeat', () => keepHeartbeat(process.custody, chainId));
}

type Scheduled = {
  readonly name: string;
  readonly select: string;
  readonly run: (custody: Custody, id: string) => Promise<unknown>;
};

/** What the schedule looks at where there are vaults. */
const scheduled: readonly Scheduled[] = [
  {
    name: 'send-vault-dispatch',
    select: `select id from custody.vault_dispatch where step <> 'done' order by created_at, to_address, amount, nonce`,
    run: sendVaultDispatch,
  },
  {
    name: 'send-delegation',
    select: `select id from custody.delegation where step <> 'done' order by created_at, nonce, wallet`,
    run: sendDelegation,
  },
  {
    name: 'send-delegated-sweep',
    select: `select id from custody.delegated_sweep where step <> 'done' order by created_at, amount`,
    run: sendDelegatedSweep,
  },
  {
    name: 'advance-move',
    select: `select id from custody.segregation_move where step = 'moving' order by created_at`,
    run: advanceMove,
  },
];

/** Takes due jobs as the runner does: locked while they run, deleted when done, left where they are when they fail. */
async function runJobs(world: World, process: Process, random: Random): Promise<void> {
  for (let taken = 0; taken < jobsMax; taken++) {
    const job = await takeJob(world, process);
    if (job === undefined) return;
    let done = false;
    try {
      done = await tolerant(world, job.task, () => job.run(process.custody));
      // A runner that lost its lease may have started the same job once more.
      if (random.percent(10)) await tolerant(world, job.task, () => job.run(process.custody));
    } finally {
      await endJob(world, job.id, done);
    }
    if (!done) return;
  }
}

type Taken = { readonly id: bigint; readonly task: string; readonly run: (custody: Custody) => Promise<unknown> };

async function takeJob(world: World, process: Process): Promise<Taken | undefined> {
  const [row] = await world.database.admin.query(
    `update graphile_worker._private_jobs j set locked_at = now(), locked_by = $2
     from graphile_worker._private_tasks t
     where t.id = j.task_id and j.id = (select id from graphile_worker._private_jobs
       where locked_at is null and run_at <= $1 order by attempts, id limit 1 for update skip locked)
     returning j.id, t.identifier, j.payload ->> 'id' as subject`,
    [world.clock.now(), process.name],
  );
  if (row === undefined) return undefined;
  const name = text(row, 'identifier');
  const task = tasks.get(name);
  invariant(task !== undefined, `The simulated runner does not know the task ${name}.`);
  const subject = text(row, 'subject');
  return { id: bigint(row, 'id'), task: name, run: (custody) => task(custody, subject) };
}

async function endJob(world: World, id: bigint, done: boolean): Promise<void> {
  const sql = done
    ? 'delete from graphile_worker._private_jobs where id = $1'
    : `update graphile_worker._private_jobs set locked_at = null, locked_by = null, attempts = least(attempts + 1, max_attempts)
       where id = $1`;
  await world.database.admin.query(sql, [id]);
}

/** Whether a job is due that nobody has taken. */
export async function hasJobs(world: World): Promise<boolean> {
  const rows = await world.database.admin.query(
    'select id from graphile_worker._private_jobs where locked_at is null and run_at <= $1 limit 1',
    [world.clock.now()],
  );
  return rows.length > 0;
}
