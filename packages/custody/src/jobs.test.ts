import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FakeChain,
  fakeDeployment,
  fakeDerive,
  FakeScreening,
  FakeSigner,
  fakeVerifyAccount,
  fakeVerifyDepositAddress,
  fakeVerifyRecord,
  fakeVerifyWallet,
  ManualClock,
} from '@bulkhead/fakes';
import { parseCompartment } from '@bulkhead/domain';
import { appRole } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/postgres/testing';
import type { TaskList } from 'graphile-worker';
import type { Custody } from './custody.ts';
import { enqueue } from './job.ts';
import { type JobLog, resumeAfterMs, type RunningJobs, runJobs, taskList } from './jobs.ts';
import { migrationSources } from './migrations.ts';
import { jobQueue, viewOf } from './testing/bench.ts';
import { funded, openWithdrawing, recipient, withdrawal } from './testing/withdrawing.ts';
import { requestWithdrawal } from './withdrawal.ts';

function queueDatabase(): Promise<TestDatabase> {
  return testDatabase({ migrations: migrationSources, addition: jobQueue });
}

function custodyOf(db: TestDatabase): Custody {
  const clock = new ManualClock();
  const chain = new FakeChain();
  return {
    deployment: fakeDeployment,
    db: db.app,
    chains: new Map([[chain.id, chain]]),
    signer: new FakeSigner(clock),
    deriveAddress: fakeDerive,
    verifyAccount: fakeVerifyAccount,
    verifyWallet: fakeVerifyWallet,
    verifyDepositAddress: fakeVerifyDepositAddress,
    verifyRecord: fakeVerifyRecord,
    screening: new FakeScreening(),
    clock,
    policy: {
      quorum: 2,
      withdrawalTtlMs: 3_600_000,
      releaseUnscreenedDeposits: true,
      releaseUnscreenedWithdrawals: true,
      omnibusCompartment: parseCompartment(10_000),
      feeCaps: new Map(),
      agreement: new Map([[chain.id, { sources: ['one', 'two'], required: 2 }]]),
      bumpAfterMs: 60_000,
      gasGrantTransactions: 4n,
      balanceSweepBlocks: 100n,
      breakOwner: 'desk',
      breakDeadlineMs: 86_400_000,
    },
  };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 10) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`${what} did not happen within ten seconds`);
}

async function queued(db: TestDatabase): Promise<readonly string[]> {
  const rows = await db.owner.query('select key from graphile_worker._private_jobs order by key');
  return rows.map((row) => String(row['key']));
}

/** Runs jobs as the application, recording the ids a task was given. */
async function recording(
  db: TestDatabase,
  task: (id: string) => Promise<void> | void,
): Promise<RunningJobs & { readonly seen: string[] }> {
  const seen: string[] = [];
  const tasks: TaskList = {
    'send-dispatch': async (payload) => {
      assert.ok(typeof payload === 'object' && payload !== null && 'id' in payload && typeof payload.id === 'string');
      seen.push(payload.id);
      await task(payload.id);
    },
  };
  const running = await runJobs(custodyOf(db), { connectionString: db.urls.app, pollMs: 50, tasks });
  return { ...running, seen };
}

test('jobs run as the application, and a job commits with its state or not at all', async () => {
  await using db = await queueDatabase();
  await using jobs = await recording(db, () => undefined);
  await assert.rejects(
    db.app.transaction(async (tx) => {
      await enqueue(tx, { task: 'send-dispatch', id: 'undone' });
      throw new Error('the state was refused');
    }),
    /the state was refused/u,
  );
  await db.app.transaction(async (tx) => enqueue(tx, { task: 'send-dispatch', id: 'done' }));
  await until('the job', () => jobs.seen.length > 0);
  await until('an empty queue', async () => (await queued(db)).length === 0);
  assert.deepEqual(jobs.seen, ['done']);
});

test('an owner who steps down to the role of the application runs jobs too', async () => {
  await using db = await queueDatabase();
  let role: unknown;
  const tasks: TaskList = {
    'send-dispatch': async (_payload, helpers) => {
      const { rows } = await helpers.query<{ role: string }>('select current_user::text as role');
      role = rows[0]?.role;
    },
  };
  await using _jobs = await runJobs(custodyOf(db), {
    connectionString: db.urls.owner,
    role: appRole,
    pollMs: 50,
    tasks,
  });
  await enqueue(db.app, { task: 'send-dispatch', id: 'one' });
  await until('the job', () => role !== undefined);
  assert.equal(role, appRole);
});

test('the same job asked for twice runs once', async () => {
  await using db = await queueDatabase();
  await db.app.transaction(async (tx) => {
    await enqueue(tx, { task: 'send-dispatch', id: 'same' });
    await enqueue(tx, { task: 'send-dispatch', id: 'same' });
  });
  await Promise.all(Array.from({ length: 20 }, () => enqueue(db.app, { task: 'send-dispatch', id: 'same' })));
  assert.deepEqual(await queued(db), ['send-dispatch:same']);
  await using jobs = await recording(db, () => undefined);
  await until('an empty queue', async () => (await queued(db)).length === 0);
  assert.deepEqual(jobs.seen, ['same']);
});

test('a job that is asked for while it runs runs once more: what it saw may be old', async () => {
  await using db = await queueDatabase();
  const gate = Promise.withResolvers<void>();
  await using jobs = await recording(db, async () => gate.promise);
  await enqueue(db.app, { task: 'send-dispatch', id: 'again' });
  await until('the first run', () => jobs.seen.length === 1);
  await enqueue(db.app, { task: 'send-dispatch', id: 'again' });
  // The second run does not wait for the first: bodies are made to run beside themselves.
  await until('the second run', () => jobs.seen.length === 2);
  gate.resolve();
  await until('an empty queue', async () => (await queued(db)).length === 0);
  assert.deepEqual(jobs.seen, ['again', 'again']);
});

test('a job waits for its time', async () => {
  await using db = await queueDatabase();
  await enqueue(db.app, { task: 'send-dispatch', id: 'later' }, new Date(Date.now() + 400));
  const asked = Date.now();
  await using jobs = await recording(db, () => undefined);
  await until('the job', () => jobs.seen.length > 0);
  assert.ok(Date.now() - asked >= 300);
});

test('jobs that a killed process left locked run at the next start, not hours later', async () => {
  await using db = await queueDatabase();
  await enqueue(db.app, { task: 'send-dispatch', id: 'orphan' });
  await db.owner.query(
    `update graphile_worker._private_jobs set locked_by = 'killed', locked_at = now(), attempts = 1`,
  );
  await using jobs = await recording(db, () => undefined);
  await until('the job', () => jobs.seen.length > 0);
  assert.deepEqual(jobs.seen, ['orphan']);
});

test('a job that fails is tried again later and says why in the log', async () => {
  await using db = await queueDatabase();
  const log: JobLog[] = [];
  const tasks: TaskList = {
    'send-dispatch': () => {
      throw new Error('the node is down');
    },
  };
  await using _jobs = await runJobs(custodyOf(db), {
    connectionString: db.urls.app,
    pollMs: 50,
    tasks,
    log: (entry) => log.push(entry),
  });
  await enqueue(db.app, { task: 'send-dispatch', id: 'failing' });
  await until('the failure', () =>
    log.some((entry) => entry.level === 'error' && entry.message.includes('the node is down')),
  );
  await until(
    'the note',
    async () =>
      (await db.owner.query(`select from graphile_worker._private_jobs where last_error = 'the node is down'`))
        .length === 1,
  );
  assert.deepEqual(await queued(db), ['send-dispatch:failing']);
});

test('stopping waits for the job that runs', async () => {
  await using db = await queueDatabase();
  let finished = false;
  const jobs = await recording(db, async () => {
    await sleep(300);
    finished = true;
  });
  await enqueue(db.app, { task: 'send-dispatch', id: 'slow' });
  await until('the start', () => jobs.seen.length === 1);
  await jobs.stop();
  assert.ok(finished);
  assert.deepEqual(await queued(db), []);
});

test('every task of the schedule runs as the application and is known to the queue', async () => {
  await using db = await queueDatabase();
  const custody = custodyOf(db);
  const failed: JobLog[] = [];
  await using _jobs = await runJobs(custody, {
    connectionString: db.urls.app,
    pollMs: 50,
    log: (entry) => {
      if (entry.level === 'error') failed.push(entry);
    },
  });
  const names = Object.keys(taskList(custody));
  const timed = [
    'expire-holds',
    'expire-withdrawals',
    'keep-heartbeats',
    'keep-proofs',
    'pull-signer-records',
    'reconcile-chains',
    'resume-work',
    'tend-registry-changes',
    'watch-dispatches',
  ];
  assert.deepEqual(names.toSorted(), [
    'advance-move',
    'apply-registry-change',
    'check-token-codes',
    'check-vault',
    'expire-holds',
    'expire-withdrawals',
    'find-liquidity',
    'flush-forwarders',
    'follow-key-recovery',
    'keep-heartbeat',
    'keep-heartbeats',
    'keep-proof',
    'keep-proofs',
    'keep-signer-set',
    'pull-signer-records',
    'reconcile',
    'reconcile-chains',
    'resume-work',
    'screen-deposit',
    'screen-withdrawal',
    'send-delegated-sweep',
    'send-delegation',
    'send-dispatch',
    'send-signer-set-change',
    'send-vault-dispatch',
    'tend-registry-changes',
    'watch-dispatch',
    'watch-dispatches',
  ]);
  await until(
    'the schedule',
    async () => (await db.owner.query('select from graphile_worker._private_known_crontabs')).length === timed.length,
  );
  for (const task of timed) await db.app.query('select graphile_worker.add_job($1)', [task]);
  for (const task of [
    'screen-deposit',
    'screen-withdrawal',
    'find-liquidity',
    'send-dispatch',
    'send-vault-dispatch',
    'watch-dispatch',
    'apply-registry-change',
  ] as const) {
    await enqueue(db.app, { task, id: 'nobody' });
  }
  await until('an empty queue', async () => (await queued(db)).length === 0);
  assert.deepEqual(failed, []);
});

test('a job with a payload that nobody wrote fails instead of guessing', async () => {
  await using db = await queueDatabase();
  const failed: JobLog[] = [];
  await using _jobs = await runJobs(custodyOf(db), {
    connectionString: db.urls.app,
    pollMs: 50,
    log: (entry) => {
      if (entry.level === 'error') failed.push(entry);
    },
  });
  await db.app.query(`select graphile_worker.add_job('send-dispatch', '{"name": "x"}')`);
  await until('the failure', () => failed.some((entry) => entry.message.includes('names no workflow')));
});

test('work that lost its job gets another one', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 10n ** 18n);
  const { database: db, clock } = bench;
  const terms = {
    clientId: client,
    asset: bench.native,
    amount: 5n,
    destination: recipient,
    feePayer: 'client',
  } as const;
  const { id } = viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), terms));
  await db.admin.query('delete from graphile_worker._private_jobs');
  clock.advance(resumeAfterMs + 1);
  await using _jobs = await runJobs(bench.custody, { connectionString: db.urls.app, pollMs: 50 });
  await db.app.query(`select graphile_worker.add_job('resume-work')`);
  await until('the screening', async () => (await withdrawal(bench, id)).state === 'screened');
});
