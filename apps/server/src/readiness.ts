import type { Readiness } from '@bulkhead/api';
import type { Custody } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import { type ChainBoard, lagBlocksReadyMax } from './chain-board.ts';
import type { ReachedSigners } from './reached-signer.ts';
import { standingsOf, waitingReasons } from './signer-standing.ts';

/** Parts that a process cannot do its work without, and whether they work now. */
export type Vitals = {
  readonly custody: Pick<Custody, 'db'>;
  readonly board: ChainBoard;
  readonly jobsRunning: () => boolean;
  readonly reached: ReachedSigners;
};

/** Says whether the process can do its work, and every reason why not, in sentences for people. */
export async function readinessOf({ custody, board, jobsRunning, reached }: Vitals): Promise<Readiness> {
  const reasons: string[] = [];
  if (!jobsRunning()) {
    reasons.push(
      'The worker of the job queue is not running: nothing is screened, sent or expired. Look into the log and start again.',
    );
  }
  try {
    await custody.db.query('select 1 as answers');
    for (const chain of board.ids) {
      const view = await board.view(chain);
      if (view.state === 'stalled') reasons.push(`${chain} stands still: ${view.reason ?? 'see the log.'}`);
      else if (view.tip === null) reasons.push(`${chain} does not answer.`);
      else if (BigInt(view.lagBlocks ?? '0') > lagBlocksReadyMax) {
        reasons.push(`${chain} is ${view.lagBlocks} blocks behind and catching up.`);
      }
    }
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    reasons.push(error.message);
  }
  // Without signers withdrawals wait and everything else goes on: no reason to take requests away from this process.
  const ready = reasons.length === 0;
  return { ready, reasons: [...reasons, ...waitingReasons(reached, await standingsOf(reached))] };
}
