import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CustodyError } from '@bulkhead/domain';
import type { ProofTask } from '@bulkhead/proofs';
import type { ProofFile } from './proof-file.ts';
import type { Steps } from './progress.ts';

/** Threads that prove where nothing else is said: one for each core. */
export const threadsDefault: number = availableParallelism();

/** A proof to be made, and where it is kept. */
export type Proving = { readonly task: ProofTask; readonly file: ProofFile };

/**
 * Makes the proofs that are not kept yet, on all threads, and keeps each as it is done: whatever ends this, only what was under way is made
 * again. Tasks are taken one by one as threads become free, so that a million leaves need no memory twice.
 *
 * @throws CustodyError `proof/malformed` for a task that cannot be proven, and what a broken thread says
 */
export async function proveAll(
  all: Iterable<Proving>,
  { threads, steps }: { readonly threads: number; readonly steps: Steps },
): Promise<void> {
  const waiting = unproven(all, steps);
  const first = waiting.next();
  if (first.done === true) return;
  await using pool = new AsyncDisposableStack();
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL('proving-worker.ts', import.meta.url));
    pool.defer(async () => {
      await worker.terminate();
    });
    return worker;
  });
  let given: Proving | undefined = first.value;
  const next = (): Proving | undefined => {
    const proving = given ?? waiting.next().value;
    given = undefined;
    return proving;
  };
  // One that fails ends all: the pool is closed, and the others' promises with it.
  await Promise.all(workers.map((worker) => serve(worker, next, steps)));
}

function* unproven(all: Iterable<Proving>, steps: Steps): Generator<Proving, undefined> {
  for (const proving of all) {
    if (proving.file.find(proving.task) === undefined) yield proving;
    else steps.before();
  }
}

async function serve(worker: Worker, next: () => Proving | undefined, steps: Steps): Promise<void> {
  for (let proving = next(); proving !== undefined; proving = next()) {
    const { task, file } = proving;
    file.keep(task, await proofBy(worker, task));
    steps.one();
  }
}

function proofBy(worker: Worker, task: ProofTask): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      const known = cause instanceof Error && cause.message.startsWith('The proof cannot be made');
      const said = cause instanceof Error ? cause.message : String(cause);
      reject(new CustodyError(known ? 'proof/malformed' : 'reserves/damaged-work', said, { cause }));
    };
    const ended = (code: number): void => failed(new Error(`A thread that proves ended with ${code}. Start it again.`));
    worker.once('error', failed);
    worker.once('exit', ended);
    worker.once('message', (proof: Uint8Array) => {
      worker.off('error', failed);
      worker.off('exit', ended);
      resolve(proof);
    });
    worker.postMessage(task);
  });
}
