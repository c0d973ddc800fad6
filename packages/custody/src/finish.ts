import {
  type BlockRef,
  type DispatchOutcome,
  type TransferRequest,
  endingTransfers,
  invariant,
} from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { type Custody, machine } from './custody.ts';
import type { Dispatch } from './dispatch.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { ownMovement } from './own-movement.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

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
    // Whether what it carried has happened is read from the events of the vault; where it has not, it may be carried again.
    if (dispatch.relay?.cargo === 'heartbeat') await enqueue(tx, { task: 'keep-heartbeat', id: dispatch.chain });
    else if (dispatch.relay !== undefined && dispatch.relay.cargo !== 'sweep') {
      await enqueue(tx, { task: 'send-vault-dispatch', id: dispatch.relay.relays });
    }
    return [endingTransfers(movement, { outcome, fee, hadNonce: end.hadNonce, ...block })];
  }
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A dispatch names a withdrawal that does not exist.', { id: dispatch.subject });
  const event = { type: 'dispatch-finished', outcome, fee, ...block } as const;
  const stepped = await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now });
  invariant(stepped.status === 'stepped', 'The end of a dispatch cannot be refused.', { id: dispatch.subject });
  return stepped.transfers;
}
