import {
  type Address,
  type AssetId,
  type ChainId,
  type Compartment,
  chainOf,
  CustodyError,
  decideVaultDispatch,
  type Intent,
  intentBytes,
  intentDigest,
  invariant,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  parseIntent,
  type VaultDispatchEffect,
  type VaultDispatchEvent,
  type VaultDispatchState,
  type VaultIntent,
} from '@bulkhead/domain';
import { bigint, bigintOrNull, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import type { Hex } from '@bulkhead/vaults';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { readState, writeState } from './state.ts';

/** What the quorum is asked for here: payments of a vault, what makes it do less, and other keys for the client. */
export type DispatchedKind =
  | 'vault-withdrawal'
  | 'vault-fee'
  | 'vault-pause'
  | 'vault-limit-lowering'
  | 'vault-destination-removal'
  | 'vault-key-recovery';

export type DispatchedIntent = Extract<VaultIntent, { readonly kind: DispatchedKind }>;

const kinds: readonly DispatchedKind[] = [
  'vault-withdrawal',
  'vault-fee',
  'vault-pause',
  'vault-limit-lowering',
  'vault-destination-removal',
  'vault-key-recovery',
];

/** What leaves the vault, or did nothing but start the clock of a fee where the amount is zero. */
export type VaultPayment = { readonly asset: AssetId; readonly to: Address; readonly amount: bigint };

/** Something that the quorum signs for a vault: one intent, one nonce of the vault, one effect at most, whoever relays it. */
export type VaultDispatch = {
  readonly id: string;
  /** The withdrawal that it carries out, or the public id of the fee payment, restriction or recovery that it is. */
  readonly subject: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly vault: string;
  readonly wallet: string;
  readonly nonce: bigint;
  /** Unix seconds, as the chain counts them. */
  readonly deadline: bigint;
  readonly intent: DispatchedIntent;
  /** Undefined for what moves nothing. */
  readonly payment: VaultPayment | undefined;
  /** Of a fee: the wallet of the house that receives it. */
  readonly toWallet: string | undefined;
  readonly requestedBy: string;
  readonly state: VaultDispatchState;
  readonly waitingReason: string | undefined;
  /** Of as many signers as the vault wants, as it takes them. */
  readonly signatures: Hex | undefined;
  readonly invalidation: Hex | undefined;
};

export const vaultDispatchColumns = `id, subject, chain, compartment, vault, wallet, nonce, asset, to_address, amount, deadline, intent,
  kind, client, to_wallet, requested_by, step, outcome, state::text as state, waiting_reason, signatures, invalidation, created_at, updated_at`;

export function vaultDispatchOf(row: Row): VaultDispatch {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  if (!isDispatched(intent)) {
    throw new CustodyError('invariant/broken', `Intent ${intent.id} is for no quorum of a vault and has its dispatch.`);
  }
  return {
    id: text(row, 'id'),
    subject: text(row, 'subject'),
    chain: parseChainId(text(row, 'chain')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    vault: text(row, 'vault'),
    wallet: text(row, 'wallet'),
    nonce: bigint(row, 'nonce'),
    deadline: bigint(row, 'deadline'),
    intent,
    payment: paymentOf(row),
    toWallet: textOrNull(row, 'to_wallet') ?? undefined,
    requestedBy: text(row, 'requested_by'),
    state: readState<VaultDispatchState>(text(row, 'state')),
    waitingReason: textOrNull(row, 'waiting_reason') ?? undefined,
    signatures: hexOrNone(row, 'signatures'),
    invalidation: hexOrNone(row, 'invalidation'),
  };
}

function isDispatched(intent: Intent): intent is DispatchedIntent {
  return kinds.some((kind) => kind === intent.kind);
}

/** As the columns have it: they are what the sums of reservations are made of. */
function paymentOf(row: Row): VaultPayment | undefined {
  const amount = bigintOrNull(row, 'amount');
  if (amount === null) return undefined;
  return { asset: parseAssetId(text(row, 'asset')), to: parseAddress(text(row, 'to_address')), amount };
}

function hexOrNone(row: Row, name: string): Hex | undefined {
  const value = textOrNull(row, name);
  return value === null ? undefined : `0x${value.slice(2)}`;
}

export async function findVaultDispatch(db: Queries, id: string): Promise<VaultDispatch | undefined> {
  const [row] = await db.query(`select ${vaultDispatchColumns} from custody.vault_dispatch where id = $1`, [id]);
  return row === undefined ? undefined : vaultDispatchOf(row);
}

/** Locks one. Lock order: dispatches, vault dispatches, withdrawals, deposits, wallets, ledger. */
export async function lockVaultDispatch(tx: Transaction, id: string): Promise<VaultDispatch | undefined> {
  const [row] = await tx.query(`select ${vaultDispatchColumns} from custody.vault_dispatch where id = $1 for update`, [
    id,
  ]);
  return row === undefined ? undefined : vaultDispatchOf(row);
}

/** That of a withdrawal, locked, while it is not over. */
export async function lockLiveVaultDispatch(tx: Transaction, subject: string): Promise<VaultDispatch | undefined> {
  const [row] = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where subject = $1 and step <> 'done' for update`,
    [subject],
  );
  return row === undefined ? undefined : vaultDispatchOf(row);
}

export type NewVaultDispatch = {
  readonly subject: string;
  readonly vault: string;
  readonly wallet: string;
  readonly intent: DispatchedIntent;
  readonly toWallet?: string;
  readonly requestedBy: string;
  readonly now: Date;
};

/** Stores what the quorum is to sign and the job that will carry it out, in the transaction that decided on it. */
export async function createVaultDispatch(tx: Transaction, order: NewVaultDispatch): Promise<string> {
  const { intent, now } = order;
  const id = newId('vdp', now);
  const state: VaultDispatchState = { step: 'queued' };
  await tx.query(
    `insert into custody.vault_dispatch (id, subject, chain, compartment, vault, wallet, nonce, asset, to_address, amount, deadline, intent,
       intent_digest, kind, client, to_wallet, requested_by, step, state, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'queued', $18, $19, $19)`,
    [
      id,
      order.subject,
      chainOfDispatched(intent),
      intent.compartment,
      order.vault,
      order.wallet,
      intent.vaultNonce,
      'asset' in intent ? intent.asset : null,
      'to' in intent ? intent.to : null,
      'amount' in intent ? intent.amount : null,
      intent.deadline,
      Buffer.from(intentBytes(intent)).toString('utf8'),
      intentDigest(intent),
      intent.kind,
      intent.kind === 'vault-fee' ? intent.client : null,
      order.toWallet ?? null,
      order.requestedBy,
      writeState(state),
      now,
    ],
  );
  await enqueue(tx, { task: 'send-vault-dispatch', id });
  return id;
}

function chainOfDispatched(intent: DispatchedIntent): ChainId {
  return 'chain' in intent ? intent.chain : chainOf(intent.asset);
}

/** Unix seconds after which nobody is asked to sign. */
export function signUntil(intent: DispatchedIntent): bigint {
  return 'expiresAt' in intent ? intent.expiresAt : intent.deadline;
}

/** Decides on an event and stores the state. The caller has the row locked and acts on the effects. */
export async function stepVaultDispatch(
  tx: Transaction,
  dispatch: VaultDispatch,
  step: { readonly event: VaultDispatchEvent; readonly now: Date },
): Promise<{ readonly dispatch: VaultDispatch; readonly effects: readonly VaultDispatchEffect[] }> {
  const { state, effects } = decideVaultDispatch(dispatch.state, step.event);
  const outcome = state.step === 'done' ? state.outcome : null;
  await tx.query(
    `update custody.vault_dispatch set step = $2, outcome = $3, state = $4, waiting_reason = null, updated_at = $5 where id = $1`,
    [dispatch.id, state.step, outcome, writeState(state), step.now],
  );
  return { dispatch: { ...dispatch, state, waitingReason: undefined }, effects };
}

/** Says why a payment does not move; it is tried again when something changed, and every minute. */
export async function vaultDispatchWaits(db: Queries, id: string, wait: { reason: string; now: Date }): Promise<void> {
  await db.query(
    `update custody.vault_dispatch set waiting_reason = $2, updated_at = $3
     where id = $1 and step <> 'done' and waiting_reason is distinct from $2`,
    [id, wait.reason, wait.now],
  );
}

/** Coins of a vault that living payments will still take. */
export async function reservedAtVault(db: Queries, wallet: string, asset: AssetId): Promise<bigint> {
  const [row] = await db.query(
    `select coalesce(sum(amount), 0) as reserved from custody.vault_dispatch where wallet = $1 and asset = $2 and step <> 'done'`,
    [wallet, asset],
  );
  invariant(row !== undefined, 'A sum has one row.');
  return bigint(row, 'reserved');
}
