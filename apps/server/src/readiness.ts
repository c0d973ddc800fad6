import type { Readiness } from '@bulkhead/api';
import { type Custody, heartbeatClock, proofClocks } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import type { AuditLog } from './audit-log.ts';
import { type ChainBoard, lagBlocksReadyMax } from './chain-board.ts';
import type { ReachedSigners } from './reached-signer.ts';
import { standingsOf, waitingReasons } from './signer-standing.ts';
import { reachedNow } from './vaults.ts';

/** Parts that a process cannot do its work without, and whether they work now. */
export type Vitals = {
  readonly custody: Custody;
  readonly board: ChainBoard;
  readonly jobsRunning: () => boolean;
  readonly reached: ReachedSigners;
  readonly auditLog: Pick<AuditLog, 'publicLog' | 'troubles'>;
};

/** Says whether the process can do its work, and every reason why not, in sentences for people. */
export async function readinessOf({ custody, board, jobsRunning, reached, auditLog }: Vitals): Promise<Readiness> {
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
  const waiting = await signersWaitedFor(custody, reached);
  // The log lags behind or is contradicted: a matter for people, who find it here, and no reason to stop serving.
  const told = [
    ...waiting,
    ...(await missedHeartbeats(custody, reached)),
    ...(await staleProofs(custody)),
    ...auditLog.troubles(),
  ];
  return { ready, reasons: [...reasons, ...told] };
}

async function signersWaitedFor(custody: Custody, reached: ReachedSigners): Promise<readonly string[]> {
  const standings = await standingsOf(reached);
  try {
    return waitingReasons(await reachedNow(custody, reached), standings);
  } catch (error) {
    // A database that is away is told above.
    if (!(error instanceof CustodyError)) throw error;
    return waitingReasons(reached, standings);
  }
}

/** Only time is lost until the vaults open, and nothing that this process answers depends on it. */
async function missedHeartbeats(custody: Custody, { vaultSystems }: ReachedSigners): Promise<readonly string[]> {
  try {
    const clocks = await Promise.all([...vaultSystems.keys()].map((chain) => heartbeatClock(custody, chain)));
    return clocks.flatMap((clock) =>
      clock?.missed === true
        ? [
            `The signers of ${clock.chain} last showed ${clock.age} s ago that they are there, and the next heartbeat is overdue: ${clock.reason ?? 'none is under way.'}`,
          ]
        : [],
    );
  } catch (error) {
    // A database that is away is told above.
    if (!(error instanceof CustodyError)) throw error;
    return [];
  }
}

/** Readers of the registry see it as well; nothing that this process answers depends on it. */
async function staleProofs(custody: Custody): Promise<readonly string[]> {
  try {
    return (await proofClocks(custody)).flatMap(({ asset, epoch, age, due, fresh, trouble }) => {
      if (trouble !== null) return [`The proofs of ${asset} do not go on: ${trouble}`];
      // Where nobody schedules them nobody is late before the first.
      if (fresh || (due === undefined && epoch === 0n)) return [];
      const since = epoch === 0n ? 'none is in the registry' : `epoch ${epoch} is ${age} s old`;
      return [`The proofs of ${asset} are not fresh: ${since}, or a window waits for its proof.`];
    });
  } catch (error) {
    // A database that is away is told above.
    if (!(error instanceof CustodyError)) throw error;
    return [];
  }
}
