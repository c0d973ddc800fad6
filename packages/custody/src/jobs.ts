import { type ChainId, CustodyError, parseChainId } from '@bulkhead/domain';
import { expireHolds } from '@bulkhead/ledger';
import { text } from '@bulkhead/postgres';
import {
  Logger,
  parseCrontab,
  type ParsedCronItem,
  run,
  type Runner,
  type RunnerOptions,
  type TaskList,
} from 'graphile-worker';
import { Pool } from 'pg';
import { lookForUnseen } from './balance-sweep.ts';
import { type Custody, machine } from './custody.ts';
import { liveDelegatedSweeps, sendDelegatedSweep } from './delegated-sweep.ts';
import { liveDelegations, sendDelegation } from './delegation.ts';
import { screenDeposit } from './deposit.ts';
import { flushForWithdrawal } from './flush.ts';
import { enqueue, type Job } from './job.ts';
import { heartbeatChains, keepHeartbeat } from './heartbeat.ts';
import { followKeyRecovery, queuedRecoveries } from './key-recovery.ts';
import { findLiquidity } from './liquidity.ts';
import { keepProof, provenAssets } from './proof-keeping.ts';
import { reconcile } from './reconciliation.ts';
import { applyRegistryChange, tendRegistryChanges } from './registry-change.ts';
import { sendDispatch, watchDispatch } from './send.ts';
import { advanceMove, openMoves } from './segregation-move.ts';
import { chainsBehind, keepSignerSet } from './signer-set-carrying.ts';
import { liveSetChanges, sendSetChange } from './signer-set-change.ts';
import { signerWaits } from './signing.ts';
import { pullSignerRecords } from './signer-record.ts';
import { checkTokenCodes } from './token-code.ts';
import { wakeWaiting } from './waking.ts';
import { askForVaultChecks, checkVault } from './vault-code.ts';
import { liveVaultDispatches, sendVaultDispatch } from './vault-sending.ts';
import { expireWithdrawals, screenWithdrawal } from './withdrawal.ts';

/** Jobs that one process runs at once, when nobody says. Each takes a connection while it runs. */
export const jobsAtOnceDefault = 4;
/** How long a job waits that no notification told of, such as one whose time has just come. */
export const jobPollMsDefault = 1_000;
/** Workflows of each kind that one run of `resume-work` wakes. */
export const resumeMax = 1_000;
/** A workflow that has waited this long for its job lost it, or used up its attempts. */
export const resumeAfterMs = 600_000;

/** What is done for the one workflow that a job names. Each may run twice and at once: it looks at what is stored first. */
const bodies: Readonly<Record<Job['task'], (custody: Custody, id: string) => Promise<unknown>>> = {
  'screen-deposit': screenDeposit,
  'screen-withdrawal': screenWithdrawal,
  'find-liquidity': findLiquidity,
  'send-dispatch': sendDispatch,
  'send-vault-dispatch': sendVaultDispatch,
  'send-delegation': sendDelegation,
  'send-delegated-sweep': sendDelegatedSweep,
  'flush-forwarders': flushForWithdrawal,
  'watch-dispatch': watchDispatch,
  'advance-move': advanceMove,
  'apply-registry-change': applyRegistryChange,
  'check-token-codes': checkTokenCodes,
  'check-vault': checkVault,
  'keep-heartbeat': keepHeartbeat,
  'keep-proof': keepProof,
  'send-signer-set-change': sendSetChange,
  'follow-key-recovery': followKeyRecovery,
  'keep-signer-set': keepSignerSet,
  // A chain of which nothing is booked yet has nothing to reconcile: a refusal, and not a reason to try again.
  reconcile: async (custody, id) => {
    const chain = parseChainId(id);
    await lookForUnseen(custody, chain);
    return reconcile(custody, { chain, actor: machine });
  },
};

/** What the clock asks for. Times are UTC; a run that was missed while nothing ran is made up for where `fill` says so. */
const scheduled: Readonly<
  Record<
    string,
    { readonly cron: string; readonly options: string; readonly run: (custody: Custody) => Promise<unknown> }
  >
> = {
  'expire-withdrawals': { cron: '* * * * *', options: '', run: expireWithdrawals },
  'expire-holds': { cron: '* * * * *', options: '', run: expireDueHolds },
  'watch-dispatches': { cron: '* * * * *', options: '', run: watchDispatches },
  'pull-signer-records': { cron: '* * * * *', options: '', run: pullSignerRecords },
  'tend-registry-changes': { cron: '* * * * *', options: '', run: tendRegistryChanges },
  'keep-heartbeats': { cron: '*/10 * * * *', options: '', run: keepHeartbeats },
  'keep-proofs': { cron: '* * * * *', options: '', run: keepProofs },
  'resume-work': { cron: '*/10 * * * *', options: '', run: resumeWork },
  'reconcile-chains': { cron: '0 2 * * *', options: 'fill=1d', run: reconcileChains },
};

/** Every task by its name, for the runner. */
export function taskList(custody: Custody): TaskList {
  const list: TaskList = {};
  for (const [task, body] of Object.entries(bodies)) {
    list[task] = async (payload) => {
      await body(custody, idOf(task, payload));
    };
  }
  for (const [task, { run: body }] of Object.entries(scheduled)) {
    list[task] = async () => {
      await body(custody);
    };
  }
  return list;
}

function idOf(task: string, payload: unknown): string {
  if (typeof payload === 'object' && payload !== null && 'id' in payload && typeof payload.id === 'string') {
    return payload.id;
  }
  throw new CustodyError(
    'invariant/broken',
    `A job ${task} names no workflow: its payload is not what enqueue writes.`,
  );
}

/** A crontab line for each scheduled task. A run that is still waiting is not queued a second time: its key is its name. */
function cronItems(): ParsedCronItem[] {
  const lines = Object.entries(scheduled).map(([task, { cron, options }]) => {
    const asked = [`id=${task}`, `jobKey=${task}`, ...(options === '' ? [] : [options])].join('&');
    return `${cron} ${task} ?${asked}`;
  });
  return parseCrontab(lines.join('\n'));
}

/** Releases holds whose time has passed, until none is left. */
async function expireDueHolds(custody: Custody): Promise<void> {
  while ((await expireHolds(custody.db, { now: custody.clock.now() })) > 0);
}

/**
 * Asks for a look at every transaction that was signed and is not final, and at what waits for the signer: each look is a job, so
 * that one cannot stop the others.
 */
async function watchDispatches(custody: Custody): Promise<void> {
  const rows = await custody.db.query(
    `select id from custody.dispatch where step in ('signing', 'broadcast') or (step = 'queued' and waiting_reason like $1) order by id`,
    [`${signerWaits}%`],
  );
  for (const row of rows) await enqueue(custody.db, { task: 'watch-dispatch', id: text(row, 'id') });
  for (const id of await liveVaultDispatches(custody)) await enqueue(custody.db, { task: 'send-vault-dispatch', id });
  for (const id of await liveDelegations(custody)) await enqueue(custody.db, { task: 'send-delegation', id });
  for (const id of await liveDelegatedSweeps(custody.db)) {
    await enqueue(custody.db, { task: 'send-delegated-sweep', id });
  }
  for (const id of await queuedRecoveries(custody)) await enqueue(custody.db, { task: 'follow-key-recovery', id });
  for (const id of await liveSetChanges(custody)) await enqueue(custody.db, { task: 'send-signer-set-change', id });
  for (const id of await chainsBehind(custody)) await enqueue(custody.db, { task: 'keep-signer-set', id });
}

/**
 * Looks when each set of signers was last shown to be there, and who is in it; whether it is time for the next heartbeat, and whether a
 * change must be carried, is decided there.
 */
async function keepHeartbeats(custody: Custody): Promise<void> {
  for (const chain of heartbeatChains(custody)) {
    await enqueue(custody.db, { task: 'keep-heartbeat', id: chain });
    await enqueue(custody.db, { task: 'keep-signer-set', id: chain });
  }
}

/** Looks at the proofs of each asset; whether it is time for something is decided there. */
async function keepProofs(custody: Custody): Promise<void> {
  for (const asset of await provenAssets(custody)) await enqueue(custody.db, { task: 'keep-proof', id: asset });
}

async function reconcileChains(custody: Custody): Promise<void> {
  for (const chain of custody.chains.keys()) await enqueue(custody.db, { task: 'reconcile', id: chain });
}

/**
 * Gives workflows that should have a job another one, whatever became of the first: it used up its attempts, or somebody
 * emptied the queue. What still has its job keeps one, because the job's key is that of the workflow.
 */
async function resumeWork(custody: Custody): Promise<void> {
  const before = new Date(custody.clock.now().getTime() - resumeAfterMs);
  const deposits = await custody.db.query(
    `select id from custody.deposit
     where step = 'final' and updated_at < $1 and state ->> 'disposition' = 'client' and state ->> 'verdict' is null
     order by created_at limit $2`,
    [before, resumeMax],
  );
  for (const row of deposits) await enqueue(custody.db, { task: 'screen-deposit', id: text(row, 'id') });
  const withdrawals = await custody.db.query(
    `select id from custody.withdrawal where step = 'requested' and updated_at < $1 order by created_at limit $2`,
    [before, resumeMax],
  );
  for (const row of withdrawals) await enqueue(custody.db, { task: 'screen-withdrawal', id: text(row, 'id') });
  for (const chain of custody.chains.keys()) await wake(custody, chain);
  for (const id of await openMoves(custody.db)) await enqueue(custody.db, { task: 'advance-move', id });
  await askForCodes(custody);
}

/** Whether tokens still have the code that was reviewed, at every chain, and vaults what was certified where that was not found yet. */
async function askForCodes(custody: Custody): Promise<void> {
  for (const chain of custody.chains.keys()) {
    await enqueue(custody.db, { task: 'check-token-codes', id: chain });
    await askForVaultChecks(custody.db, { chain });
  }
}

async function wake(custody: Custody, chain: ChainId): Promise<void> {
  await custody.db.transaction(async (tx) => wakeWaiting(tx, { chain }));
}

export type JobsOptions = {
  /** Where the queue is; the session needs the rights of the application and no more. */
  readonly connectionString: string;
  /** Role the sessions take at once, for a login that is more than the application needs. */
  readonly role?: string;
  readonly jobsAtOnce?: number;
  readonly pollMs?: number;
  /** Instead of {@link taskList}. Nothing is scheduled then. */
  readonly tasks?: TaskList;
  readonly log?: (entry: JobLog) => void;
};

export type JobLog = {
  readonly level: 'error' | 'warning' | 'info' | 'debug';
  readonly message: string;
  readonly task?: string;
  readonly error?: unknown;
};

export type RunningJobs = AsyncDisposable & {
  /** Takes no more jobs, lets those that run finish, and closes the connections. */
  stop(): Promise<void>;
  /** Ends when the runner does; rejects when it had to. */
  readonly ended: Promise<void>;
};

/**
 * Runs the jobs of the queue and the schedule until it is stopped.
 *
 * A process that was killed leaves its jobs locked for hours. Whoever starts takes those locks away: a job that another
 * process is just running is then run twice at once, which every body allows. So a crash costs the time of a restart.
 */
export async function runJobs(custody: Custody, options: JobsOptions): Promise<RunningJobs> {
  await custody.db.query(
    `select graphile_worker.force_unlock_workers(array(
       select distinct locked_by from graphile_worker._private_jobs where locked_by is not null))`,
  );
  if (options.tasks === undefined) {
    await askForCodes(custody);
    await keepHeartbeats(custody);
    await keepProofs(custody);
  }
  const concurrency = options.jobsAtOnce ?? jobsAtOnceDefault;
  const pool = openPool(options, concurrency);
  const runner = await started(pool, {
    pgPool: pool,
    concurrency,
    pollInterval: options.pollMs ?? jobPollMsDefault,
    // With a batch, however short, stopping waits until the queue knows what has finished; without one it does not.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    // The process decides what a signal means.
    noHandleSignals: true,
    logger: loggerOf(options.log),
    taskList: options.tasks ?? taskList(custody),
    parsedCronItems: options.tasks === undefined ? cronItems() : [],
  });
  const ended = endOf(runner, pool);
  // Whoever waits for the end hears of a failure; nobody else needs to.
  ended.catch(() => undefined);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping ??= Promise.resolve(runner.stop()).then(async () => ended);
    await stopping;
  };
  return { stop, ended, [Symbol.asyncDispose]: stop };
}

/** A pool of our own: the library would leave its connections behind when it stops, and their errors to nobody. */
function openPool(options: JobsOptions, concurrency: number): Pool {
  const pool = new Pool({
    connectionString: options.connectionString,
    application_name: 'bulkhead-jobs',
    // One more listens, and one schedules.
    max: concurrency + 2,
    ...(options.role === undefined ? {} : { options: `-c role=${options.role}` }),
  });
  // A connection that the server closes is replaced at the next use; without listeners it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  return pool;
}

async function endOf(runner: Runner, pool: Pool): Promise<void> {
  try {
    await runner.promise;
  } finally {
    await pool.end();
  }
}

async function started(pool: Pool, options: RunnerOptions): Promise<Runner> {
  try {
    return await run(options);
  } catch (error) {
    await pool.end();
    throw error;
  }
}

function loggerOf(log: JobsOptions['log']): Logger {
  return new Logger((scope) => (level, message, meta) => {
    const error: unknown = meta?.['error'];
    log?.({
      level,
      message,
      ...(scope.taskIdentifier === undefined ? {} : { task: scope.taskIdentifier }),
      ...(error === undefined ? {} : { error }),
    });
  });
}
