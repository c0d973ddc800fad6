import { type Custody, enqueue } from '@bulkhead/custody';
import type { Log } from './log.ts';

const minuteMs = 60_000;

/** Asks for a reconciliation of every chain each so many minutes, beside the nightly one; 0 asks for none. */
export function startReconciling(custody: Custody, everyMinutes: number, log: Log): Disposable {
  if (everyMinutes === 0) return { [Symbol.dispose]: () => undefined };
  const ask = async (): Promise<void> => {
    try {
      // The key of the job is its chain: two servers that ask at once make one job.
      for (const chain of custody.chains.keys()) await enqueue(custody.db, { task: 'reconcile', id: chain });
    } catch (error) {
      log.warn({ err: error }, 'reconciliation not asked for');
    }
  };
  const timer = setInterval(() => void ask(), everyMinutes * minuteMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
