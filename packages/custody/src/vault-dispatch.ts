import {
  type Address,
  type AssetId,
  type ChainId,
  type Compartment,
  chainOf,
  CustodyError,
  decideVaultDispatch,
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
  type VaultWithdrawal,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import type { Hex } from '@bulkhead/vaults';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { readState, writeState } from './state.ts';

/** A payment of a vault: one intent, one nonce of the vault, one effect at most, whoever relays it. */
export type VaultDispatch = {
  readonly id: string;
  /** The withdrawal that it carries out. */
  readonly subject: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly vault: string;
  readonly wallet: string;
  readonly nonce: bigint;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  /** Unix seconds, as the chain counts them. */
  readonly deadline: bigint;
  readonly intent: VaultWithdrawal;
  readonly requestedBy: string;
  readonly state: VaultDispatchState;
  readonly waitingReason: string | undefined;
  /** Of as many signers as the vault wants, as it takes them. */
  readonly signatures: Hex | undefined;
  readonly invalidation: Hex | undefined;
};

export const vaultDispatchColumns = `id, subject, chain, compartment, vault, wallet, nonce, asset, to_address, amount, deadline, intent,
  requested_by, step, outcome, state::text as state, waiting_reason, signatures, invalidation, created_at, updated_at`;

export function vaultDispatchOf(row: Row): VaultDispatch {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  if (intent.kind !== 'vault-withdrawal') {
    throw new CustodyError(
      'invariant/broken',
      `Intent ${intent.id} is no payment of a vault and has a vault dispatch.`,
    );
  }
  return {
    id: text(row, 'id'),
    subject: text(row, 'subject'),
    chain: parseChainId(text(row, 'chain')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    vault: text(row, 'vault'),
    wallet: text(row, 'wallet'),
    nonce: bigint(row, 'nonce'),
    asset: parseAssetId(text(row, 'asset')),
    to: parseAddress(text(row, 'to_address')),
    amount: bigint(row, 'amount'),
    deadline: bigint(row, 'deadline'),
    intent,
    requestedBy: text(row, 'requested_by'),
    state: readState<VaultDispatchState>(text(row, 'state')),
    waitingReason: textOrNull(row, 'waiting_reason') ?? undefined,
    signatures: hexOrNone(row, 'signatures'),
    invalidation: hexOrNone(row, 'invalidation'),
  };
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
  readonly intent: VaultWithdrawal;
  readonly requestedBy: string;
  readonly now: Date;
};

/** Stores a payment and the job that will carry it out, in the transaction that decided on it. */
export async function createVaultDispatch(tx: Transaction, order: NewVaultDispatch): Promise<void> {
  const { intent, now } = order;
  const id = newId('vdp', now);
  const state: VaultDispatchState = { step: 'queued' };
  await tx.query(
    `insert into custody.vault_dispatch (id, subject, chain, compartment, vault, wallet, nonce, asset, to_address, amount, deadline, intent,
       intent_digest, requested_by, step, state, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'queued', $15, $16, $16)`,
    [
      id,
      order.subject,
      chainOf(intent.asset),
      intent.compartment,
      order.vault,
      order.wallet,
      intent.vaultNonce,
      intent.asset,
      intent.to,
      intent.amount,
      intent.deadline,
      Buffer.from(intentBytes(intent)).toString('utf8'),
      intentDigest(intent),
      order.requestedBy,
      writeState(state),
      now,
    ],
  );
  await enqueue(tx, { task: 'send-vault-dispatch', id });
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
