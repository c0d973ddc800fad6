import {
  type Address,
  type AssetId,
  type Attempt,
  type ChainId,
  type Compartment,
  type DispatchEffect,
  type DispatchEvent,
  type DispatchOutcome,
  type DispatchState,
  type Hash,
  type Hex,
  type MovementIntent,
  type SignedAuthorization,
  type TransactionSight,
  CustodyError,
  chainOf,
  chainStateOf,
  checksumAddress,
  decideDispatch,
  intentBytes,
  intentDigest,
  isMovement,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  parseIntent,
} from '@bulkhead/domain';
import { type Queries, type Row, type Transaction, bigint, date, text, textOrNull } from '@bulkhead/postgres';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { readState, writeState } from './state.ts';
import type { Wallet } from './wallet.ts';

export type DispatchKind = 'withdrawal' | 'deposit-return' | 'sweep' | 'gas-grant' | 'fee-payment' | 'relay';

/** What a relay carries: which workflow it is for, which part of it, and the call as it goes to the chain. */
export type RelayCargo = {
  readonly relays: string;
  /**
   * A signed payment of a vault or what cancels it, and what puts a queued change in force; coins of forwarders to their vault; the making
   * of a delegate, what an address signed for it, and the call of it that sweeps the address; that the signers are there, and who they are; what a proof
   * registry is told.
   */
  readonly cargo: (typeof cargos)[number];
  readonly callData: Hex;
  readonly authorizations?: readonly SignedAuthorization[];
};

const cargos = [
  'payment',
  'invalidation',
  'execution',
  'sweep',
  'delegate',
  'delegation',
  'delegated-sweep',
  'heartbeat',
  'reserve-commitment',
  'reserve-lapse',
  'reserve-draw',
  'reserve-proof',
  'set-change',
] as const;

/** An outgoing transaction: one intent, one nonce of one wallet, one effect at most. */
export type Dispatch = {
  readonly id: string;
  readonly kind: DispatchKind;
  /** The withdrawal it carries out, or its own public id where it is the whole workflow. */
  readonly subject: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly wallet: string;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  readonly feeMax: bigint;
  readonly intent: MovementIntent;
  readonly requestedBy: string;
  readonly toWallet: string | undefined;
  readonly client: string | undefined;
  readonly relay: RelayCargo | undefined;
  readonly state: DispatchState;
  readonly waitingReason: string | undefined;
};

const kinds: readonly DispatchKind[] = ['withdrawal', 'deposit-return', 'sweep', 'gas-grant', 'fee-payment', 'relay'];

function kindOf(value: string): DispatchKind {
  const kind = kinds.find((known) => known === value);
  if (kind === undefined) throw new CustodyError('invariant/broken', `"${value}" is no kind of dispatch.`);
  return kind;
}

function movementIntent(canonical: string): MovementIntent {
  const intent = parseIntent(Buffer.from(canonical, 'utf8'));
  if (isMovement(intent)) return intent;
  throw new CustodyError('invariant/broken', `Intent ${intent.id} moves no coins and has a dispatch.`);
}

export function dispatchOf(row: Row): Dispatch {
  return {
    id: text(row, 'id'),
    kind: kindOf(text(row, 'kind')),
    subject: text(row, 'subject'),
    chain: parseChainId(text(row, 'chain')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    wallet: text(row, 'wallet'),
    asset: parseAssetId(text(row, 'asset')),
    to: parseAddress(text(row, 'to_address')),
    amount: bigint(row, 'amount'),
    feeMax: bigint(row, 'fee_max'),
    intent: movementIntent(text(row, 'intent')),
    requestedBy: text(row, 'requested_by'),
    toWallet: textOrNull(row, 'to_wallet') ?? undefined,
    client: textOrNull(row, 'client') ?? undefined,
    relay: relayOf(row),
    state: readState<DispatchState>(text(row, 'state')),
    waitingReason: textOrNull(row, 'waiting_reason') ?? undefined,
  };
}

function relayOf(row: Row): RelayCargo | undefined {
  const named = textOrNull(row, 'cargo');
  if (named === null) return undefined;
  const cargo = cargos.find((known) => known === named);
  if (cargo === undefined) throw new CustodyError('invariant/broken', `"${named}" is nothing that a relay carries.`);
  const carried = textOrNull(row, 'authorizations');
  const authorizations = carried === null ? {} : { authorizations: readState<readonly SignedAuthorization[]>(carried) };
  return { relays: text(row, 'relays'), cargo, callData: `0x${text(row, 'call_data').slice(2)}`, ...authorizations };
}

export const dispatchColumns = `id, kind, subject, chain, compartment, wallet, asset, to_address, amount, fee_max, intent,
  intent_digest, requested_by, to_wallet, client, relays, cargo, call_data, authorizations::text as authorizations,
  step, outcome, nonce, state::text as state, waiting_reason, created_at, updated_at`;

export async function findDispatch(tx: Queries, id: string): Promise<Dispatch | undefined> {
  const [row] = await tx.query(`select ${dispatchColumns} from custody.dispatch where id = $1`, [id]);
  return row === undefined ? undefined : dispatchOf(row);
}

/** Locks one dispatch. Lock order: dispatch, withdrawal, deposit, wallet, ledger. */
export async function lockDispatch(tx: Transaction, id: string): Promise<Dispatch | undefined> {
  const [row] = await tx.query(`select ${dispatchColumns} from custody.dispatch where id = $1 for update`, [id]);
  return row === undefined ? undefined : dispatchOf(row);
}

/** The dispatch of a workflow that is not over yet, locked. */
export async function lockLiveDispatch(tx: Transaction, subject: string): Promise<Dispatch | undefined> {
  const [row] = await tx.query(
    `select ${dispatchColumns} from custody.dispatch where subject = $1 and step <> 'done' for update`,
    [subject],
  );
  return row === undefined ? undefined : dispatchOf(row);
}

export type NewDispatch = {
  readonly kind: DispatchKind;
  readonly subject?: string;
  readonly wallet: Wallet;
  readonly intent: MovementIntent;
  readonly requestedBy: string;
  readonly toWallet?: string;
  readonly client?: string;
  readonly relay?: RelayCargo;
  readonly now: Date;
};

/** Stores a dispatch and the job that will send it, in the transaction that decided on it. */
export async function createDispatch(tx: Transaction, order: NewDispatch & { readonly id?: string }): Promise<string> {
  const { intent, now, wallet } = order;
  const id = order.id ?? newId('dsp', now);
  const state: DispatchState = { step: 'queued' };
  await tx.query(
    `insert into custody.dispatch (id, kind, subject, chain, compartment, wallet, asset, to_address, amount, fee_max, intent,
       intent_digest, requested_by, to_wallet, client, relays, cargo, call_data, authorizations, step, state, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 'queued', $20, $21, $21)`,
    [
      id,
      order.kind,
      order.subject ?? id,
      chainOf(intent.asset),
      wallet.compartment,
      wallet.id,
      intent.asset,
      intent.to,
      intent.amount,
      intent.feeMax,
      Buffer.from(intentBytes(intent)).toString('utf8'),
      intentDigest(intent),
      order.requestedBy,
      order.toWallet ?? null,
      order.client ?? null,
      order.relay?.relays ?? null,
      order.relay?.cargo ?? null,
      order.relay?.callData ?? null,
      order.relay?.authorizations === undefined ? null : writeState(order.relay.authorizations),
      writeState(state),
      now,
    ],
  );
  await enqueue(tx, { task: 'send-dispatch', id });
  return id;
}

/** Decides on an event and stores the state. The caller has the row locked and acts on the effects. */
export async function stepDispatch(
  tx: Transaction,
  dispatch: Dispatch,
  step: { readonly event: DispatchEvent; readonly now: Date },
): Promise<{ readonly dispatch: Dispatch; readonly effects: readonly DispatchEffect[] }> {
  const { state, effects } = decideDispatch(dispatch.state, step.event);
  const outcome = state.step === 'done' ? state.outcome : null;
  const nonce = state.step === 'queued' ? null : (state.nonce ?? null);
  await tx.query(
    `update custody.dispatch set step = $2, outcome = $3, nonce = $4, state = $5, waiting_reason = null, updated_at = $6 where id = $1`,
    [dispatch.id, state.step, outcome, nonce, writeState(state), step.now],
  );
  return { dispatch: { ...dispatch, state, waitingReason: undefined }, effects };
}

/** Says why a dispatch does not move; it is tried again when something changed. */
export async function dispatchWaits(tx: Queries, id: string, wait: { reason: string; now: Date }): Promise<void> {
  await tx.query(
    `update custody.dispatch set waiting_reason = $2, updated_at = $3
     where id = $1 and step <> 'done' and waiting_reason is distinct from $2`,
    [id, wait.reason, wait.now],
  );
}

/** Records where an attempt was seen; unknown hashes are other people's transactions. */
export async function sightAttempt(
  tx: Transaction,
  hash: Hash,
  seen: { sight: TransactionSight | 'removed'; now: Date },
): Promise<void> {
  const [found] = await tx.query('select dispatch from custody.attempt where hash = $1', [hash]);
  if (found === undefined) return;
  const dispatch = await lockDispatch(tx, text(found, 'dispatch'));
  if (dispatch === undefined || dispatch.state.step === 'done') return;
  const event: DispatchEvent =
    seen.sight === 'removed' ? { type: 'removed', hash } : { type: 'sighted', hash, sight: seen.sight };
  await stepDispatch(tx, dispatch, { event, now: seen.now });
}

/** Coins of a wallet that living dispatches will still take, fees at their highest. */
export async function reservedAt(
  tx: Queries,
  wallet: string,
  asset: { id: AssetId; native: boolean },
): Promise<bigint> {
  const [row] = await tx.query(
    `select coalesce((select sum(case when asset = $2 then amount else 0 end + case when $3 then fee_max else 0 end)
         from custody.dispatch where wallet = $1 and step <> 'done'), 0)
       -- A delegate takes all that there is, with no transaction of the wallet.
       + coalesce((select sum(amount) from custody.delegated_sweep where wallet = $1 and asset = $2 and step <> 'done'), 0) as reserved`,
    [wallet, asset.id, asset.native],
  );
  return row === undefined ? 0n : bigint(row, 'reserved');
}

export type AttemptView = {
  readonly ordinal: number;
  readonly role: 'effect' | 'cancel';
  readonly hash: string | null;
  readonly chainState: Attempt['chainState'];
  readonly gasLimit: string;
  readonly maxFeePerGas: string;
  readonly maxPriorityFeePerGas: string;
};

export type DispatchView = {
  readonly id: string;
  readonly kind: DispatchKind;
  readonly reference: string;
  readonly intentDigest: string;
  readonly chain: string;
  readonly compartment: number;
  readonly walletId: string;
  readonly from: string;
  readonly to: string;
  readonly asset: string;
  readonly amount: string;
  readonly feeMax: string;
  readonly nonce: string | null;
  readonly state: DispatchState['step'];
  readonly outcome: DispatchOutcome | null;
  readonly chainState: Attempt['chainState'];
  readonly cancelAsked: boolean;
  readonly attempts: readonly AttemptView[];
  readonly block: { readonly number: string; readonly hash: string } | null;
  readonly feePaid: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

function attemptView(attempt: Attempt): AttemptView {
  return {
    ordinal: attempt.ordinal,
    role: attempt.role,
    hash: attempt.hash ?? null,
    chainState: attempt.chainState,
    gasLimit: attempt.terms.gasLimit.toString(),
    maxFeePerGas: attempt.terms.maxFeePerGas.toString(),
    maxPriorityFeePerGas: attempt.terms.maxPriorityFeePerGas.toString(),
  };
}

function viewOf(row: Row): DispatchView {
  const dispatch = dispatchOf(row);
  const { state } = dispatch;
  return {
    id: dispatch.id,
    kind: dispatch.kind,
    reference: dispatch.subject,
    intentDigest: text(row, 'intent_digest'),
    chain: dispatch.chain,
    compartment: dispatch.compartment,
    walletId: dispatch.wallet,
    from: checksumAddress(parseAddress(text(row, 'from_address'))),
    to: checksumAddress(dispatch.to),
    asset: dispatch.asset,
    amount: dispatch.amount.toString(),
    feeMax: dispatch.feeMax.toString(),
    nonce: state.step === 'queued' ? null : (state.nonce?.toString() ?? null),
    state: state.step,
    outcome: state.step === 'done' ? state.outcome : null,
    chainState: chainStateOf(state),
    cancelAsked: state.step === 'signing' || state.step === 'broadcast' ? state.cancelAsked : false,
    attempts: state.step === 'queued' ? [] : state.attempts.map(attemptView),
    block:
      state.step === 'done' && state.block !== undefined
        ? { number: state.block.number.toString(), hash: state.block.hash }
        : null,
    feePaid: state.step === 'done' ? state.fee.toString() : null,
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

export type DispatchFilter = {
  readonly chain?: string;
  readonly compartment?: number;
  readonly kind?: string;
  readonly state?: string;
  readonly reference?: string;
  readonly id?: string;
  /** Of relays: what they are for. */
  readonly relays?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function dispatchViews(tx: Queries, filter: DispatchFilter): Promise<readonly DispatchView[]> {
  const rows = await tx.query(
    `select ${dispatchColumns}, (select w.address from custody.wallet w where w.id = d.wallet) as from_address
     from custody.dispatch d
     where ($1::text is null or chain = $1) and ($2::bigint is null or compartment = $2) and ($3::text is null or kind = $3)
       and ($4::text is null or step = $4) and ($5::text is null or subject = $5) and ($6::text is null or id = $6)
       and ($7::text is null or id > $7) and ($9::text is null or relays = $9)
     order by id limit $8`,
    [
      filter.chain ?? null,
      filter.compartment ?? null,
      filter.kind ?? null,
      filter.state ?? null,
      filter.reference ?? null,
      filter.id ?? null,
      filter.after,
      filter.limit,
      filter.relays ?? null,
    ],
  );
  return rows.map(viewOf);
}
