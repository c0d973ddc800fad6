import {
  type BlockRef,
  type ChainId,
  type DispatchOutcome,
  type TransferRequest,
  endingTransfers,
  invariant,
} from '@bulkhead/domain';
import { text, type Transaction } from '@bulkhead/postgres';
import { type Custody, machine } from './custody.ts';
import type { Dispatch, RelayCargo } from './dispatch.ts';
import { enqueue, type Job } from './job.ts';
import { record } from './journal.ts';
import { ownMovement } from './own-movement.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

/** The job that looks again when a relay is over; a flush and the making of a delegate are looked for by whoever needs them. */
function lookingAgain({ cargo, relays }: RelayCargo, chain: ChainId): Job | undefined {
  switch (cargo) {
    case 'payment':
    case 'invalidation':
      return { task: 'send-vault-dispatch', id: relays };
    case 'execution':
      return { task: 'follow-key-recovery', id: relays };
    case 'delegation':
      return { task: 'send-delegation', id: relays };
    case 'delegated-sweep':
      return { task: 'send-delegated-sweep', id: relays };
    case 'heartbeat':
      return { task: 'keep-heartbeat', id: chain };
    case 'set-change':
      return { task: 'keep-signer-set', id: chain };
    case 'sweep':
    case 'delegate':
    // One for each asset, which the act names.
    case 'reserve-commitment':
    case 'reserve-lapse':
    case 'reserve-draw':
    case 'reserve-proof':
      return undefined;
  }
}

/** A dispatch that came to its end in this transaction, whatever the end. */
export type FinishedDispatch = {
  readonly dispatch: Dispatch;
  readonly outcome: DispatchOutcome;
  readonly fee: bigint;
  readonly block?: BlockRef;
  readonly hadNonce: boolean;
  readonly now: Date;
};

/**
 * Ends the workflow behind a dispatch and hands back what the books must say, as linked groups. The dispatch is locked; the
 * caller posts after all its rows are locked.
 */
export async function finishDispatch(
  custody: Custody,
  tx: Transaction,
  end: FinishedDispatch,
): Promise<TransferRequest[][]> {
  const { dispatch, outcome, fee, now } = end;
  const block = end.block === undefined ? {} : { block: end.block };
  const movement = await ownMovement(tx, dispatch);
  if (movement !== undefined) {
    await record(tx, now, {
      actor: machine,
      subject: dispatch.subject,
      event: 'dispatch-finished',
      data: { outcome, fee, ...block },
    });
    // Whether what it carried has happened is read from the chain itself; where it has not, it may be carried again.
    if (dispatch.relay !== undefined) await lookAgain(tx, dispatch.chain, dispatch.relay);
    return [endingTransfers(movement, { outcome, fee, hadNonce: end.hadNonce, ...block })];
  }
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A dispatch names a withdrawal that does not exist.', { id: dispatch.subject });
  const event = { type: 'dispatch-finished', outcome, fee, ...block } as const;
  const stepped = await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now });
  invariant(stepped.status === 'stepped', 'The end of a dispatch cannot be refused.', { id: dispatch.subject });
  return stepped.transfers;
}

async function lookAgain(tx: Transaction, chain: ChainId, relay: RelayCargo): Promise<void> {
  const job = lookingAgain(relay, chain);
  if (job !== undefined) return enqueue(tx, job);
  const [act] = await tx.query('select asset from custody.proof_act where id = $1', [relay.relays]);
  if (act !== undefined) await enqueue(tx, { task: 'keep-proof', id: text(act, 'asset') });
}
