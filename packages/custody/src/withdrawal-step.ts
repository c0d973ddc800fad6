import {
  type AssetId,
  type Refused,
  type TransferRequest,
  type WithdrawalEffect,
  type WithdrawalEvent,
  type WithdrawalState,
  type WithdrawalTerms,
  decideWithdrawal,
  invariant,
  isMovement,
  parseAddress,
  parseAssetId,
  parseCompartment,
  withdrawalIntent,
} from '@bulkhead/domain';
import { type Queries, type Row, type Transaction, bigint, date, integer, text, textOrNull } from '@bulkhead/postgres';
import type { TransferGroups } from './books.ts';
import { type Actor, type Custody, machine } from './custody.ts';
import { type Dispatch, createDispatch, lockLiveDispatch, stepDispatch } from './dispatch.ts';

import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { endReturn } from './return-end.ts';
import { readState, writeState } from './state.ts';
import { createVaultDispatch, lockLiveVaultDispatch, stepVaultDispatch, type VaultDispatch } from './vault-dispatch.ts';
import { findWallet } from './wallet.ts';

/** A withdrawal as stored: what was asked, and where it stands. */
export type WithdrawalRow = {
  readonly terms: WithdrawalTerms;
  readonly state: WithdrawalState;
  readonly chain: string;
  readonly deposit: string | undefined;
  /** The vault that pays, and the client key's signature over a one-off payment. */
  readonly vault: string | undefined;
  readonly clientSignature: string | undefined;
};

export const withdrawalColumns = `id, deployment, kind, client, chain, compartment, asset, amount, destination, fee_payer, fee_max, fee_paid,
  requested_by, quorum, expires_at, intent_digest, deposit, step, wallet, reserved, vault, vault_nonce,
  authorisation, client_signature, (select v.address from custody.vault v where v.id = withdrawal.vault) as vault_address,
  state::text as state, created_at, updated_at`;

export function withdrawalOf(row: Row): WithdrawalRow {
  const kind = text(row, 'kind');
  const feePayer = text(row, 'fee_payer');
  invariant(kind === 'withdrawal' || kind === 'deposit-return', `"${kind}" is no kind of withdrawal.`);
  invariant(feePayer === 'client' || feePayer === 'house', `"${feePayer}" pays no fee.`);
  const asset: AssetId = parseAssetId(text(row, 'asset'));
  const terms: WithdrawalTerms = {
    deployment: text(row, 'deployment'),
    id: text(row, 'id'),
    kind,
    client: text(row, 'client'),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    asset,
    amount: bigint(row, 'amount'),
    destination: parseAddress(text(row, 'destination')),
    feePayer,
    feeMax: bigint(row, 'fee_max'),
    requestedBy: text(row, 'requested_by'),
    quorum: integer(row, 'quorum'),
    expiresAt: date(row, 'expires_at'),
    ...vaultTerms(row),
  };
  return {
    terms,
    state: readState<WithdrawalState>(text(row, 'state')),
    chain: text(row, 'chain'),
    deposit: textOrNull(row, 'deposit') ?? undefined,
    vault: textOrNull(row, 'vault') ?? undefined,
    clientSignature: textOrNull(row, 'client_signature') ?? undefined,
  };
}

function vaultTerms(row: Row): Pick<WithdrawalTerms, 'vault'> {
  const authorisation = textOrNull(row, 'authorisation');
  if (authorisation === null) return {};
  invariant(
    authorisation === 'listed' || authorisation === 'unlisted' || authorisation === 'one-off',
    `"${authorisation}" lets nothing out of a vault.`,
  );
  const address = parseAddress(text(row, 'vault_address'));
  return { vault: { address, nonce: bigint(row, 'vault_nonce'), authorisation } };
}

export async function lockWithdrawal(tx: Transaction, id: string): Promise<WithdrawalRow | undefined> {
  const [row] = await tx.query(`select ${withdrawalColumns} from custody.withdrawal where id = $1 for update`, [id]);
  return row === undefined ? undefined : withdrawalOf(row);
}

export async function findWithdrawal(tx: Queries, id: string): Promise<WithdrawalRow | undefined> {
  const [row] = await tx.query(`select ${withdrawalColumns} from custody.withdrawal where id = $1`, [id]);
  return row === undefined ? undefined : withdrawalOf(row);
}

export type WithdrawalStepOrder = {
  readonly withdrawal: WithdrawalRow;
  readonly event: WithdrawalEvent;
  readonly actor: Actor;
  readonly now: Date;
  /** The living dispatch, locked before the withdrawal, where there is one. */
  readonly dispatch?: Dispatch | undefined;
  /** The same of a payment of a vault. */
  readonly payment?: VaultDispatch | undefined;
};

export type WithdrawalStepped = {
  readonly status: 'stepped';
  readonly withdrawal: WithdrawalRow;
  /** To be posted by the caller, after every row it needs is locked. */
  readonly transfers: TransferRequest[][];
};

/** Decides on an event for a locked withdrawal, stores the state and what follows from it, and hands back the transfers. */
export async function stepWithdrawal(
  custody: Custody,
  tx: Transaction,
  order: WithdrawalStepOrder,
): Promise<WithdrawalStepped | Refused> {
  const { withdrawal, event, now } = order;
  const decision = decideWithdrawal(withdrawal, event, now);
  if (decision.status === 'refused') return decision;
  const { state, effects } = decision;
  const fee = event.type === 'dispatch-finished' ? event.fee : null;
  await tx.query(
    `update custody.withdrawal set step = $2, wallet = $3, reserved = $4, state = $5, fee_paid = coalesce($6, fee_paid), updated_at = $7 where id = $1`,
    [withdrawal.terms.id, state.step, state.wallet, state.reserved, writeState(state), fee, now],
  );
  if (state !== withdrawal.state) {
    await record(tx, now, {
      actor: order.actor,
      subject: withdrawal.terms.id,
      event: event.type,
      data: { step: state.step, ...event },
    });
  }
  const after: WithdrawalRow = { ...withdrawal, state };
  const followed = await followUp(custody, tx, { ...order, withdrawal: after, effects });
  return {
    status: 'stepped',
    withdrawal: followed.withdrawal,
    transfers: [...copy(decision.transfers), ...followed.transfers],
  };
}

function copy(groups: TransferGroups): TransferRequest[][] {
  return groups.map((group) => [...group]);
}

type FollowUp = WithdrawalStepOrder & { readonly effects: readonly WithdrawalEffect[] };

async function followUp(
  custody: Custody,
  tx: Transaction,
  order: FollowUp,
): Promise<{ withdrawal: WithdrawalRow; transfers: TransferRequest[][] }> {
  const { id } = order.withdrawal.terms;
  let { withdrawal } = order;
  const transfers: TransferRequest[][] = [];
  for (const effect of order.effects) {
    switch (effect.type) {
      case 'screen':
        await enqueue(tx, { task: 'screen-withdrawal', id });
        break;
      case 'find-liquidity':
        await enqueue(tx, { task: 'find-liquidity', id });
        break;
      case 'dispatch':
        await openDispatch(tx, order);
        break;
      case 'retry-dispatch':
        if (order.dispatch !== undefined) await enqueue(tx, { task: 'send-dispatch', id: order.dispatch.id });
        if (order.payment !== undefined) await enqueue(tx, { task: 'send-vault-dispatch', id: order.payment.id });
        break;
      case 'cancel-dispatch': {
        const isVault = withdrawal.terms.vault !== undefined;
        const cancelled = isVault ? await cancelPayment(custody, tx, order) : await cancelDispatch(custody, tx, order);
        if (cancelled === undefined) break;
        withdrawal = cancelled.withdrawal;
        transfers.push(...cancelled.transfers);
        break;
      }
      case 'finished':
        if (withdrawal.deposit !== undefined) {
          await endReturn(tx, {
            deposit: withdrawal.deposit,
            withdrawal: id,
            settled: withdrawal.state.step === 'settled',
            now: order.now,
          });
        }
        break;
    }
  }
  return { withdrawal, transfers };
}

async function openDispatch(tx: Transaction, { withdrawal, now }: FollowUp): Promise<void> {
  const { terms, state, vault } = withdrawal;
  const intent = withdrawalIntent(terms);
  if (!isMovement(intent)) {
    invariant(vault !== undefined, 'A withdrawal of a vault names none.', { id: terms.id });
    const { id: subject, requestedBy } = terms;
    await createVaultDispatch(tx, { subject, vault, wallet: state.wallet, intent, requestedBy, now });
    return;
  }
  const wallet = await findWallet(tx, state.wallet);
  invariant(wallet !== undefined, 'A withdrawal names a wallet that does not exist.', { id: terms.id });
  await createDispatch(tx, {
    kind: terms.kind,
    subject: terms.id,
    wallet,
    intent,
    requestedBy: terms.requestedBy,
    client: terms.client,
    now,
  });
}

async function cancelDispatch(
  custody: Custody,
  tx: Transaction,
  order: FollowUp,
): Promise<WithdrawalStepped | undefined> {
  const { withdrawal, now } = order;
  const dispatch = order.dispatch ?? (await lockLiveDispatch(tx, withdrawal.terms.id));
  invariant(dispatch !== undefined, 'A withdrawal that is being signed has a dispatch.', { id: withdrawal.terms.id });
  const stepped = await stepDispatch(tx, dispatch, { event: { type: 'cancel-asked' }, now });
  if (stepped.dispatch.state.step !== 'done') {
    await enqueue(tx, { task: 'send-dispatch', id: dispatch.id });
    return undefined;
  }
  // No nonce was given to it yet, so nothing can ever be sent: the withdrawal ends in the same transaction.
  return abandoned(custody, tx, order);
}

/** Before the first signer was asked the payment ends at once; later the quorum takes its nonce, and the hold stands until that is final. */
async function cancelPayment(
  custody: Custody,
  tx: Transaction,
  order: FollowUp,
): Promise<WithdrawalStepped | undefined> {
  const { withdrawal, now } = order;
  const payment = order.payment ?? (await lockLiveVaultDispatch(tx, withdrawal.terms.id));
  invariant(payment !== undefined, 'A withdrawal that is being signed has a payment.', { id: withdrawal.terms.id });
  const stepped = await stepVaultDispatch(tx, payment, { event: { type: 'cancel-asked' }, now });
  if (stepped.dispatch.state.step === 'done') return abandoned(custody, tx, order);
  await enqueue(tx, { task: 'send-vault-dispatch', id: payment.id });
  return undefined;
}

async function abandoned(custody: Custody, tx: Transaction, order: FollowUp): Promise<WithdrawalStepped> {
  const { withdrawal, now } = order;
  const event: WithdrawalEvent = { type: 'dispatch-finished', outcome: 'abandoned', fee: 0n };
  const ended = await stepWithdrawal(custody, tx, { withdrawal, event, actor: order.actor, now });
  invariant(ended.status === 'stepped', 'The end of a dispatch cannot be refused.', { id: withdrawal.terms.id });
  return ended;
}

/** Tells the withdrawal of a dispatch, if it has one, that a signature exists. */
export async function withdrawalSigned(
  custody: Custody,
  tx: Transaction,
  { dispatch, now }: { dispatch: Dispatch; now: Date },
): Promise<void> {
  if (dispatch.kind !== 'withdrawal' && dispatch.kind !== 'deposit-return') return;
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A dispatch names a withdrawal that does not exist.', { id: dispatch.subject });
  await stepWithdrawal(custody, tx, { withdrawal, event: { type: 'signed' }, actor: machine, now });
}
