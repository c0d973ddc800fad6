import {
  approvalsNeededOf,
  chainStateOf,
  checksumAddress,
  type FeePayer,
  invariant,
  type VaultAuthorisation,
  type VaultDispatchState,
  type VaultOutcome,
  type WithdrawalState,
  type WithdrawalTerms,
} from '@bulkhead/domain';
import { bigintOrNull, date, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import type { TypedData } from '@bulkhead/vaults';
import { approvalRows } from './approval.ts';
import { dispatchColumns, dispatchOf } from './dispatch.ts';
import { oneOffData } from './one-off-data.ts';
import { type VaultDispatch, vaultDispatchColumns, vaultDispatchOf } from './vault-dispatch.ts';
import { type WithdrawalRow, withdrawalColumns, withdrawalOf } from './withdrawal-step.ts';

/** How a vault pays it. */
export type VaultPaymentView = {
  readonly vaultId: string;
  readonly nonce: string;
  /** Unix seconds, as the chain counts them: the vault takes nothing later. */
  readonly deadline: string;
  readonly authorisation: VaultAuthorisation;
  readonly state: VaultDispatchState['step'] | null;
  readonly outcome: Exclude<VaultOutcome, 'applied'> | null;
  /** What the client key has still to sign, of a one-off payment. */
  readonly clientMustSign: { readonly digest: string; readonly typedData: TypedData } | null;
};

export type ApprovalView = { readonly by: string; readonly at: string };

export type WithdrawalView = {
  readonly id: string;
  readonly kind: 'withdrawal' | 'deposit-return';
  readonly clientId: string;
  readonly compartment: number;
  readonly walletId: string;
  readonly asset: string;
  readonly amount: string;
  readonly destination: string;
  readonly feePayer: FeePayer;
  readonly feeMax: string;
  readonly feePaid: string | null;
  readonly state: WithdrawalRow['state']['step'];
  readonly chainState: ReturnType<typeof chainStateOf>;
  readonly verdict: NonNullable<WithdrawalRow['state']['verdict']> | null;
  readonly releasedBy: string | null;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly approvals: readonly ApprovalView[];
  readonly quorum: number;
  readonly intentDigest: string;
  readonly cancelAskedBy: string | null;
  readonly expiresAt: string;
  /** Null where a wallet with a key pays. */
  readonly vault: VaultPaymentView | null;
  readonly transactionHash: string | null;
  readonly block: { readonly number: string; readonly hash: string } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export async function withdrawalView(tx: Queries, id: string): Promise<WithdrawalView> {
  const [view] = await withdrawalViews(tx, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A withdrawal that was just stored is not there.', { id });
  return view;
}

export type WithdrawalFilter = {
  readonly id?: string;
  readonly clientId?: string;
  readonly compartment?: number;
  readonly state?: string;
  readonly chain?: string;
  readonly asset?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function withdrawalViews(tx: Queries, filter: WithdrawalFilter): Promise<readonly WithdrawalView[]> {
  const rows = await tx.query(
    `select ${withdrawalColumns} from custody.withdrawal
     where ($1::text is null or id = $1) and ($2::text is null or client = $2) and ($3::bigint is null or compartment = $3)
       and ($4::text is null or step = $4) and ($5::text is null or chain = $5) and ($6::text is null or asset = $6)
       and ($7::text is null or id > $7)
     order by id limit $8`,
    [
      filter.id ?? null,
      filter.clientId ?? null,
      filter.compartment ?? null,
      filter.state ?? null,
      filter.chain ?? null,
      filter.asset ?? null,
      filter.after,
      filter.limit,
    ],
  );
  const ids = rows.map((row) => text(row, 'id'));
  const approvals = await approvalRows(tx, ids);
  const dispatches = await tx.query(
    `select distinct on (subject) ${dispatchColumns} from custody.dispatch where subject = any($1::text[]) order by subject, id desc`,
    [ids],
  );
  const payments = await tx.query(
    `select ${vaultDispatchColumns},
       (select e.transaction_hash from custody.vault_event e where e.explained = vault_dispatch.id and e.removed_at is null) as transaction_hash
     from custody.vault_dispatch where subject = any($1::text[])`,
    [ids],
  );
  return rows.map((row) => {
    const id = text(row, 'id');
    return viewOf(row, {
      payment: payments.find((one) => one['subject'] === id),
      approvals: approvals.filter((one) => one['subject'] === id),
      dispatch: dispatches.find((one) => one['subject'] === id),
    });
  });
}

/** Said while nothing else is missing: otherwise nobody would know whom it waits for. */
function waitsForRequester(terms: WithdrawalTerms, state: WithdrawalState): string | undefined {
  const needed = approvalsNeededOf(terms, state);
  const isComplete = state.approvedBy.length >= needed && needed > 0;
  if (state.step !== 'awaiting-approval' || state.requestSigned || !isComplete) return undefined;
  return `The signature of ${terms.requestedBy}, who asked for it, is missing.`;
}

function paymentView(withdrawal: WithdrawalRow, payment: VaultDispatch | undefined): VaultPaymentView | null {
  const { terms, vault, clientSignature } = withdrawal;
  if (vault === undefined || terms.vault === undefined) return null;
  const { nonce, authorisation } = terms.vault;
  const mustSign = authorisation === 'one-off' && clientSignature === undefined;
  return {
    vaultId: vault,
    nonce: nonce.toString(),
    deadline: String(Math.floor(terms.expiresAt.getTime() / 1000)),
    authorisation,
    state: payment?.state.step ?? null,
    outcome: outcomeOf(payment),
    clientMustSign: mustSign ? oneOffData(terms) : null,
  };
}

function outcomeOf(payment: VaultDispatch | undefined): VaultPaymentView['outcome'] {
  if (payment?.state.step !== 'done') return null;
  const { outcome } = payment.state;
  invariant(outcome !== 'applied', 'A payment ended as what moves nothing.', { id: payment.id });
  return outcome;
}

/** The transaction in which the vault said that it paid, or took the nonce: whoever sent it. */
function vaultTransaction(payment: Row | undefined): string | null {
  return payment === undefined ? null : textOrNull(payment, 'transaction_hash');
}

type Beside = {
  readonly approvals: readonly Row[];
  readonly dispatch: Row | undefined;
  readonly payment: Row | undefined;
};

function viewOf(row: Row, beside: Beside): WithdrawalView {
  const withdrawal = withdrawalOf(row);
  const { terms, state } = withdrawal;
  const payment = beside.payment === undefined ? undefined : vaultDispatchOf(beside.payment);
  const dispatched = beside.dispatch === undefined ? undefined : dispatchOf(beside.dispatch);
  const dispatch = dispatched?.state;
  const waiting = dispatched?.waitingReason ?? payment?.waitingReason ?? waitsForRequester(terms, state);
  const attempts = dispatch === undefined || dispatch.step === 'queued' ? [] : dispatch.attempts;
  const shown =
    attempts.find((attempt) => ['final', 'in-block', 'reverted'].includes(attempt.chainState)) ?? attempts.at(-1);
  const ended = dispatch?.step === 'done' ? dispatch : payment?.state.step === 'done' ? payment.state : undefined;
  const block = ended?.block;
  return {
    id: terms.id,
    kind: terms.kind,
    clientId: terms.client,
    compartment: terms.compartment,
    walletId: state.wallet,
    asset: terms.asset,
    amount: terms.amount.toString(),
    destination: checksumAddress(terms.destination),
    feePayer: terms.feePayer,
    feeMax: terms.feeMax.toString(),
    feePaid: bigintOrNull(row, 'fee_paid')?.toString() ?? null,
    state: state.step,
    chainState: dispatch === undefined ? (outcomeOf(payment) === 'paid' ? 'final' : 'none') : chainStateOf(dispatch),
    verdict: state.verdict ?? null,
    releasedBy: state.releasedBy ?? null,
    reason: state.reason ?? waiting ?? null,
    requestedBy: terms.requestedBy,
    approvals: beside.approvals.map((one) => ({ by: text(one, 'person'), at: date(one, 'at').toISOString() })),
    quorum: approvalsNeededOf(terms, state),
    intentDigest: textOrNull(row, 'intent_digest') ?? '',
    cancelAskedBy: state.cancelAskedBy ?? null,
    expiresAt: terms.expiresAt.toISOString(),
    vault: paymentView(withdrawal, payment),
    transactionHash: shown?.hash ?? vaultTransaction(beside.payment),
    block: block === undefined ? null : { number: block.number.toString(), hash: block.hash },
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}
