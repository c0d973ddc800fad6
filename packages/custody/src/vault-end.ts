import {
  type BlockRef,
  invariant,
  type TransferRequest,
  type VaultDispatchEvent,
  type VaultOutcome,
  type WithdrawalOutcome,
} from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { type Custody, machine } from './custody.ts';
import { record } from './journal.ts';
import { stepVaultDispatch, type VaultDispatch } from './vault-dispatch.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

/** What the end of a payment means to the withdrawal that it carries out. */
const outcomes: Readonly<Record<VaultOutcome, WithdrawalOutcome>> = {
  paid: 'succeeded',
  invalidated: 'cancelled',
  superseded: 'superseded',
  lapsed: 'lapsed',
  abandoned: 'abandoned',
  exited: 'exited',
};

export type VaultEnding = { readonly dispatch: VaultDispatch; readonly event: VaultDispatchEvent; readonly now: Date };

/**
 * Takes an event for a locked payment, and where that ends it, ends its withdrawal too. Hands back what the books must say, for the
 * caller to post when all its rows are locked.
 */
export async function endVaultDispatch(
  custody: Custody,
  tx: Transaction,
  { dispatch, event, now }: VaultEnding,
): Promise<TransferRequest[][]> {
  const stepped = await stepVaultDispatch(tx, dispatch, { event, now });
  const { state } = stepped.dispatch;
  if (dispatch.state.step === 'done' || state.step !== 'done') return [];
  const block: { block?: BlockRef } = state.block === undefined ? {} : { block: state.block };
  await record(tx, now, {
    actor: machine,
    subject: dispatch.id,
    event: 'vault-dispatch-finished',
    data: { outcome: state.outcome, ...block },
  });
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A payment of a vault names a withdrawal that does not exist.', {
    id: dispatch.subject,
  });
  // What carried it was the house's transaction, or a stranger's: the client pays no network fee.
  const ended = { type: 'dispatch-finished', outcome: outcomes[state.outcome], fee: 0n, ...block } as const;
  const result = await stepWithdrawal(custody, tx, { withdrawal, event: ended, actor: machine, now });
  invariant(result.status === 'stepped', 'The end of a payment cannot be refused.', { id: dispatch.subject });
  return result.transfers;
}
