import type { Queries } from '@bulkhead/postgres';

/** Names and payloads of everything that runs after a commit. */
export type Job =
  | { readonly task: 'screen-deposit'; readonly id: string }
  | { readonly task: 'screen-withdrawal'; readonly id: string }
  | { readonly task: 'find-liquidity'; readonly id: string }
  | { readonly task: 'send-dispatch'; readonly id: string }
  | { readonly task: 'send-vault-dispatch'; readonly id: string }
  | { readonly task: 'send-delegation'; readonly id: string }
  | { readonly task: 'send-delegated-sweep'; readonly id: string }
  /** The id is that of a withdrawal that waits for coins. */
  | { readonly task: 'flush-forwarders'; readonly id: string }
  | { readonly task: 'watch-dispatch'; readonly id: string }
  | { readonly task: 'check-vault'; readonly id: string }
  | { readonly task: 'send-signer-set-change'; readonly id: string }
  | { readonly task: 'follow-key-recovery'; readonly id: string }
  | { readonly task: 'advance-move'; readonly id: string }
  | { readonly task: 'apply-registry-change'; readonly id: string }
  /** The id is that of an asset. */
  | { readonly task: 'keep-proof'; readonly id: string }
  /** The ids are those of chains. */
  | { readonly task: 'check-token-codes'; readonly id: string }
  | { readonly task: 'keep-heartbeat'; readonly id: string }
  | { readonly task: 'keep-signer-set'; readonly id: string }
  | { readonly task: 'reconcile'; readonly id: string };

/** Attempts before a job is left for people to look at; the back-off of the worker is exponential, so this is days. */
export const jobAttemptsMax = 25;

/**
 * Puts a job into the queue in the transaction of the state that needs it: no state without its job, no job for a state that
 * was rolled back. The same job twice is one job while it waits. If it is running already, what it saw may be old, so it runs
 * once more, at once and beside itself: every body looks at what is stored first.
 */
export async function enqueue(tx: Queries, job: Job, runAt?: Date): Promise<void> {
  await tx.query(
    `select graphile_worker.add_job(identifier => $1::text, payload => json_build_object('id', $2::text),
       job_key => $3::text, max_attempts => $4::integer, run_at => coalesce($5::timestamptz, now()))`,
    [job.task, job.id, `${job.task}:${job.id}`, jobAttemptsMax, runAt ?? null],
  );
}
