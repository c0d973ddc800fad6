import { chainStateOf, checksumAddress } from '@bulkhead/domain';
import { type Queries, type Row, date, text } from '@bulkhead/postgres';
import { dispatchColumns, dispatchOf } from './dispatch.ts';
import { signerWaits } from './signing.ts';

/** States of a movement between our own wallets that needs no approval. */
export type MovementState = 'awaiting-gas' | 'queued' | 'signing' | 'broadcast' | 'settled' | 'failed' | 'cancelled';

/** What sweeps and fee payments show of themselves. */
export type MovementView = {
  readonly id: string;
  readonly compartment: number;
  readonly chain: string;
  readonly asset: string;
  readonly amount: string;
  readonly walletId: string;
  readonly toWalletId: string;
  readonly toAddress: string;
  readonly state: MovementState;
  readonly chainState: ReturnType<typeof chainStateOf>;
  readonly reason: string | null;
  /** The transaction of ours, or the newest one that carries what a vault does; null before there is one. */
  readonly dispatchId: string | null;
  readonly feeMax: string;
  readonly feePaid: string | null;
  readonly transactionHash: string | null;
  readonly block: { readonly number: string; readonly hash: string } | null;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/** The state in SQL and in words; one definition, so that a filter finds what is shown. */
const stateSql = `case
  when step = 'queued' and waiting_reason is not null and waiting_reason not like '${signerWaits}%' then 'awaiting-gas'
  when step <> 'done' then step
  when outcome = 'succeeded' then 'settled'
  when outcome in ('cancelled', 'abandoned') then 'cancelled'
  else 'failed' end`;

const states: readonly MovementState[] = [
  'awaiting-gas',
  'queued',
  'signing',
  'broadcast',
  'settled',
  'failed',
  'cancelled',
];

const failures: Readonly<Record<string, string>> = {
  reverted: 'The transaction reverted on chain; only its network fee is gone.',
  superseded: 'A transaction that is not ours took the nonce; this one can no longer happen.',
  impossible: 'The chain says that the transaction would fail; nothing was signed.',
};

export type MovementFilter = {
  readonly kind: 'sweep' | 'fee-payment';
  readonly ids?: readonly string[];
  readonly compartment?: number;
  readonly chain?: string;
  readonly clientId?: string;
  readonly state?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function movementRows(tx: Queries, filter: MovementFilter): Promise<readonly Row[]> {
  return tx.query(
    `select ${dispatchColumns}, ${stateSql} as movement_state from custody.dispatch
     where kind = $1 and ($2::text[] is null or subject = any($2)) and ($3::bigint is null or compartment = $3)
       and ($4::text is null or chain = $4) and ($5::text is null or client = $5) and ($6::text is null or ${stateSql} = $6)
       and ($7::text is null or subject > $7)
     order by subject limit $8`,
    [
      filter.kind,
      filter.ids ?? null,
      filter.compartment ?? null,
      filter.chain ?? null,
      filter.clientId ?? null,
      filter.state ?? null,
      filter.after,
      filter.limit,
    ],
  );
}

export async function movementViews(tx: Queries, filter: MovementFilter): Promise<readonly MovementView[]> {
  return (await movementRows(tx, filter)).map(movementView);
}

export function movementView(row: Row): MovementView {
  const dispatch = dispatchOf(row);
  const { state } = dispatch;
  const attempts = state.step === 'queued' ? [] : state.attempts;
  const shown =
    attempts.find((attempt) => ['final', 'in-block', 'reverted'].includes(attempt.chainState)) ?? attempts.at(-1);
  const named = text(row, 'movement_state');
  return {
    id: dispatch.subject,
    compartment: dispatch.compartment,
    chain: dispatch.chain,
    asset: dispatch.asset,
    amount: dispatch.amount.toString(),
    walletId: dispatch.wallet,
    toWalletId: dispatch.toWallet ?? '',
    toAddress: checksumAddress(dispatch.to),
    state: states.find((known) => known === named) ?? 'failed',
    chainState: chainStateOf(state),
    reason: state.step === 'done' ? (failures[state.outcome] ?? null) : (dispatch.waitingReason ?? null),
    dispatchId: dispatch.id,
    feeMax: dispatch.feeMax.toString(),
    feePaid: state.step === 'done' ? state.fee.toString() : null,
    transactionHash: shown?.hash ?? null,
    block:
      state.step === 'done' && state.block !== undefined
        ? { number: state.block.number.toString(), hash: state.block.hash }
        : null,
    requestedBy: dispatch.requestedBy,
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}
