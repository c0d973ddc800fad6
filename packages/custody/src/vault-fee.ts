import {
  type AssetId,
  chainOf,
  chainStateOf,
  checksumAddress,
  type Compartment,
  type DispatchState,
  invariant,
  openingHolds,
  refuse,
  type Refused,
  type VaultIntent,
} from '@bulkhead/domain';
import { date, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { feeMax as feeMaxOf, vaultToken } from '@bulkhead/vaults';
import { postAll, posted } from './books.ts';
import { type Actor, type Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import type { MovementFilter, MovementState, MovementView } from './movement-view.ts';
import { readState } from './state.ts';
import { createVaultDispatch, lockVaultDispatch, reservedAtVault, vaultDispatchOf } from './vault-dispatch.ts';
import { feeMovement } from './vault-end.ts';
import { vaultHistory } from './vault-event.ts';
import { relayCap } from './vault-relay.ts';
import { takeVaultNonce, type Vault, vaultOfWallet } from './vault-row.ts';
import type { VaultState } from './vault-state.ts';
import { findWalletByAddress, lockWallet, proven, vaultWallet, type Wallet } from './wallet.ts';

/** How long a vault takes a fee that the quorum signed; the signers allow a week. What lapses is asked for again. */
export const vaultFeeTtlSeconds: bigint = 86_400n;

export type VaultFeeOrder = {
  readonly clientId: string;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  /** What the client owes and is not being paid already. */
  readonly owed: bigint;
  readonly actor: Actor;
  readonly now: Date;
};

/**
 * Asks for a fee out of the vault of a compartment: what is owed, and at most what the vault lets out by the agreed rate and the time
 * since it last paid one. The first fee of an asset starts that clock and moves nothing. The rest stays owed.
 *
 * It is held in the client's book from here on, signed by the quorum, carried by the house at its own cost, and settled by the event of
 * the vault, whoever carried it. Undefined where the compartment has no vault that is issued.
 */
export async function orderVaultFee(
  custody: Custody,
  tx: Transaction,
  order: VaultFeeOrder,
): Promise<string | Refused | undefined> {
  const { asset, compartment, now } = order;
  const found = await vaultWallet(tx, chainOf(asset), compartment);
  const vault = found === undefined ? undefined : await vaultOfWallet(tx, found.id);
  if (found === undefined || vault?.step !== 'issued') return undefined;
  // From here to the new dispatch nobody else reserves coins of the vault.
  const wallet = await proven(custody, tx, await lockWallet(tx, found.id));
  const refused = await underWay(tx, vault, asset);
  if (refused !== undefined) return refused;
  const history = await vaultHistory(custody, tx, vault);
  if (history.state.exitReadyAt !== undefined) return exiting(vault);
  const receiver = await feeReceiver(custody, tx, vault);
  if (receiver === undefined) return unknownReceiver(vault);
  const free =
    (await posted(tx, { compartment, asset, account: { kind: 'wallet', holder: wallet.id } })) -
    (await reservedAtVault(tx, wallet.id, asset));
  const due = dueOf({ vault, state: history.state, asset, free, atSeconds: history.chainSeconds });
  if (due === 0n) return notDue(vault, asset);
  const amount = due === undefined ? 0n : due < order.owed ? due : order.owed;
  const id = newId('fp', now);
  const intent: Extract<VaultIntent, { readonly kind: 'vault-fee' }> = {
    deployment: custody.deployment,
    kind: 'vault-fee',
    id,
    compartment,
    asset,
    to: receiver.address,
    amount,
    feeMax: relayCap(custody, vault.chain),
    client: order.clientId,
    vault: vault.address,
    vaultNonce: await takeVaultNonce(tx, vault.id),
    deadline: BigInt(Math.floor(now.getTime() / 1000)) + vaultFeeTtlSeconds,
  };
  const { name: requestedBy } = order.actor;
  const asked = { subject: id, vault: vault.id, wallet: wallet.id, toWallet: receiver.id, intent, requestedBy, now };
  const dispatch = await lockVaultDispatch(tx, await createVaultDispatch(tx, asked));
  invariant(dispatch !== undefined, 'A fee of a vault that was just stored is not there.', { id });
  await record(tx, now, { actor: order.actor, subject: id, event: 'fee-payment-requested', data: intent });
  const movement = await feeMovement(tx, dispatch);
  if (amount > 0n) await postAll(tx, [openingHolds(movement)], now);
  return id;
}

async function underWay(tx: Transaction, vault: Vault, asset: AssetId): Promise<Refused | undefined> {
  const [row] = await tx.query(
    `select subject from custody.vault_dispatch where vault = $1 and asset = $2 and kind = 'vault-fee' and step <> 'done'`,
    [vault.id, asset],
  );
  if (row === undefined) return undefined;
  const id = text(row, 'subject');
  return refuse(
    'vault/fee-under-way',
    `Fee payment ${id} of vault ${vault.id} in ${asset} is not over, and the vault counts each second once: ask again when it is.`,
    { vault: vault.id, feePayment: id },
  );
}

function exiting({ id }: Vault): Refused {
  return refuse(
    'vault/exiting',
    `The exit of vault ${id} was asked for or is open: it pays no fee any more. What is owed stays owed.`,
    { vault: id },
  );
}

/** The wallet of the house that the configuration of the vault names for ever. */
async function feeReceiver(custody: Custody, tx: Transaction, vault: Vault): Promise<Wallet | undefined> {
  const wallet = await findWalletByAddress(tx, vault.chain, vault.terms.config.feeReceiver);
  return wallet?.purpose === 'fees' ? proven(custody, tx, wallet) : undefined;
}

function unknownReceiver({ id, terms }: Vault): Refused {
  return refuse(
    'compartment/wrong-kind',
    `Vault ${id} pays its fee to ${checksumAddress(terms.config.feeReceiver)}, which is no fee wallet of the house here: issue or restore that one.`,
    { vault: id },
  );
}

function notDue({ id, terms }: Vault, asset: AssetId): Refused {
  return refuse(
    'vault/fee-not-due',
    `Vault ${id} lets no fee out in ${asset} now: at ${terms.config.feeBpsYear} hundredths of a percent a year of what it holds, the time since the last one comes to nothing. What is owed stays owed; ask again later.`,
    { vault: id, asset },
  );
}

type Due = {
  readonly vault: Vault;
  readonly state: VaultState;
  readonly asset: AssetId;
  /** Coins of the vault that nothing else will take, base units. */
  readonly free: bigint;
  /** Time of the newest block that is stored: the vault counts more by the time it is asked. */
  readonly atSeconds: bigint;
};

/** The most that the vault pays now, or undefined where its clock of the asset must be started first. */
function dueOf({ vault, state, asset, free, atSeconds }: Due): bigint | undefined {
  const { feeBpsYear } = vault.terms.config;
  if (feeBpsYear === 0n) return 0n;
  const since = state.feeClocks.get(vaultToken(asset));
  if (since === undefined) return undefined;
  if (free <= 0n || atSeconds <= since) return 0n;
  return feeMaxOf(free, feeBpsYear, atSeconds - since);
}

const stateSql = `case
  when d.step = 'relaying' then 'broadcast'
  when d.step <> 'done' then d.step
  when d.outcome = 'paid' then 'settled'
  when d.outcome in ('invalidated', 'abandoned') then 'cancelled'
  else 'failed' end`;

const states: readonly MovementState[] = ['queued', 'signing', 'broadcast', 'settled', 'failed', 'cancelled'];

const failures: Readonly<Record<string, string>> = {
  superseded: 'The vault paid something else with its nonce; this fee can no longer be paid.',
  lapsed: 'Its deadline is over, and the vault did not pay it; what is owed stays owed.',
  exited: 'The exit of the vault took the assets.',
};

/** Fee payments out of vaults, as those of keys are shown. */
export async function vaultFeeViews(
  db: Queries,
  filter: Omit<MovementFilter, 'kind'>,
): Promise<readonly (MovementView & { readonly clientId: string })[]> {
  const rows = await db.query(
    `select d.*, d.state::text as state, ${stateSql} as movement_state,
       relay.id as relay, relay.state::text as relay_state, e.transaction_hash
     from custody.vault_dispatch d
     left join lateral (select r.id, r.state from custody.dispatch r where r.relays = d.id order by r.id desc limit 1) relay on true
     left join custody.vault_event e on e.explained = d.id and e.removed_at is null
     where d.kind = 'vault-fee' and ($1::text[] is null or d.subject = any($1)) and ($2::text is null or d.client = $2)
       and ($3::text is null or ${stateSql} = $3) and ($4::text is null or d.subject > $4)
     order by d.subject limit $5`,
    [filter.ids ?? null, filter.clientId ?? null, filter.state ?? null, filter.after, filter.limit],
  );
  return rows.map(viewOf);
}

function viewOf(row: Row): MovementView & { readonly clientId: string } {
  const { state, payment, intent, ...dispatch } = vaultDispatchOf(row);
  invariant(payment !== undefined && intent.kind === 'vault-fee', 'A fee of a vault moves what a fee moves.', {
    id: dispatch.id,
  });
  const named = text(row, 'movement_state');
  const relayed = textOrNull(row, 'relay_state');
  const final = state.step === 'done' ? state.block : undefined;
  return {
    id: dispatch.subject,
    clientId: intent.client,
    compartment: dispatch.compartment,
    chain: dispatch.chain,
    asset: payment.asset,
    amount: payment.amount.toString(),
    walletId: dispatch.wallet,
    toWalletId: dispatch.toWallet ?? '',
    toAddress: checksumAddress(payment.to),
    state: states.find((known) => known === named) ?? 'failed',
    chainState:
      named === 'settled' ? 'final' : relayed === null ? 'none' : chainStateOf(readState<DispatchState>(relayed)),
    reason: state.step === 'done' ? (failures[state.outcome] ?? null) : (dispatch.waitingReason ?? null),
    dispatchId: textOrNull(row, 'relay'),
    feeMax: intent.feeMax.toString(),
    // The house carries it, and books what that burns as its own cost.
    feePaid: state.step === 'done' ? '0' : null,
    transactionHash: textOrNull(row, 'transaction_hash'),
    block: final === undefined ? null : { number: final.number.toString(), hash: final.hash },
    requestedBy: dispatch.requestedBy,
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}
