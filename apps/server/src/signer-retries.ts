import { type Custody, enqueue } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import { text } from '@bulkhead/postgres';
import type { Log } from './log.ts';

/** Pause between two looks at what waits for the signer, in milliseconds. */
export const signerRetryMs = 2_000;
/** Work that one look takes up again; what is left is taken by the next. */
export const signerRetriesMax = 500;

/**
 * Reasons that pass by themselves within moments. What the signer refuses for good is asked again by the schedule, each minute:
 * each refusal is a line in its log.
 */
const passing: readonly string[] = [
  '(signer/unavailable)',
  '(signer/not-ready)',
  '(signer/other-signer-active)',
  '(signer/destination-cooling)',
];

/** Takes up again what waits for a signer that was away for a moment, or for a destination that has just become usable. */
export function startSignerRetries(custody: Pick<Custody, 'db'>, log: Log): Disposable {
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      await retryWaiting(custody);
    } catch (error) {
      // A database that is away for a moment is told by everything else; the next look finds what this one did not.
      if (!(error instanceof CustodyError)) throw error;
      log.debug({ err: error }, 'what waits for the signer was not looked at');
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), signerRetryMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function retryWaiting({ db }: Pick<Custody, 'db'>): Promise<void> {
  const rows = await db.query(
    `select id from custody.dispatch
     where step <> 'done' and exists (select from unnest($1::text[]) as code where position(code in waiting_reason) > 0)
     order by id limit $2`,
    [passing, signerRetriesMax],
  );
  for (const row of rows) await enqueue(db, { task: 'watch-dispatch', id: text(row, 'id') });
}
