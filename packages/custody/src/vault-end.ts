import {
  type BlockRef,
  endingTransfers,
  invariant,
  type OwnMovement,
  type TransferRequest,
  type VaultDispatchEvent,
  type VaultOutcome,
  type WithdrawalOutcome,
} from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import { type Custody, machine } from './custody.ts';
import { record } from './journal.ts';
import { stepVaultDispatch, type VaultDispatch } from './vault-dispatch.ts';
import { findWallet } from './wallet.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

/** What the end of a payment means to the withdrawal that it carries out. */
const outcomes: Readonly<Record<Exclude<VaultOutcome, 'applied'>, WithdrawalOutcome>> = {
  paid: 'succeeded',
  invalidated: 'cancelled',
  superseded: 'superseded',
  lapsed: 'lapsed',
  abandoned: 'abandoned',
  exited: 'exited',
};

export type VaultEnding = { readonly dispatch: VaultDispatch; readonly event: VaultDispatchEvent; readonly now: Date };

/**
 * Takes an event for a locked dispatch, and where that ends it, ends the withdrawal or fee payment behind it too. Hands back what the
 * books must say, for the caller to post when all its rows are locked.
 */
export async function endVaultDispatch(
  custody: Custody,
  tx: Transaction,
  { dispatch, event, now }: VaultEnding,
): Promise<readonly (readonly TransferRequest[])[]> {
  const stepped = await stepVaultDispatch(tx, dispatch, { event, now });
  const { state } = stepped.dispatch;
  if (dispatch.state.step === 'done' || state.step !== 'done') return [];
  const { outcome } = state;
  const block: { block?: BlockRef } = state.block === undefined ? {} : { block: state.block };
  await record(tx, now, {
    actor: machine,
    subject: dispatch.id,
    event: 'vault-dispatch-finished',
    data: { outcome, ...block },
  });
  if (dispatch.intent.kind === 'vault-fee') {
    const movement = await feeMovement(tx, dispatch);
    // What carried it was the house's transaction, or a stranger's: the vault and its client pay no network fee.
    const ended = { outcome: outcome === 'paid' ? 'succeeded' : 'cancelled', fee: 0n, hadNonce: false } as const;
    return movement.amount === 0n ? [] : [endingTransfers(movement, { ...ended, ...block })];
  }
  if (dispatch.intent.kind !== 'vault-withdrawal') return [];
  invariant(outcome !== 'applied', 'A payment ended as what moves nothing.', { id: dispatch.id });
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A payment of a vault names a withdrawal that does not exist.', {
    id: dispatch.subject,
  });
  const ended = { type: 'dispatch-finished', outcome: outcomes[outcome], fee: 0n, ...block } as const;
  const result = await stepWithdrawal(custody, tx, { withdrawal, event: ended, actor: machine, now });
  invariant(result.status === 'stepped', 'The end of a payment cannot be refused.', { id: dispatch.subject });
  return result.transfers;
}

/** What the books need to know about a fee that leaves a vault; as one paid by a key, but for the network fee. */
export async function feeMovement(db: Queries, dispatch: VaultDispatch): Promise<OwnMovement> {
  const { id, intent, payment, compartment, wallet, toWallet } = dispatch;
  const receiver = toWallet === undefined ? undefined : await findWallet(db, toWallet);
  invariant(
    intent.kind === 'vault-fee' && payment !== undefined && receiver !== undefined,
    'A fee of a vault names no wallet that receives it.',
    { id },
  );
  return {
    id,
    kind: 'fee-payment',
    compartment,
    wallet,
    asset: payment.asset,
    amount: payment.amount,
    feeMax: intent.feeMax,
    toCompartment: receiver.compartment,
    toWallet: receiver.id,
    client: intent.client,
  };
}
