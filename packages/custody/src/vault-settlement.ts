import {
  type Address,
  type BlockRef,
  type BookClaim,
  type Compartment,
  type ChainId,
  type AccountName,
  type AssetId,
  exitOrder,
  type FeeArrival,
  invariant,
  administratorTransfers,
  kindOf,
  lateFeeTransfers,
  nativeAsset,
  outflowTransfers,
  parseCompartment,
  tokenAsset,
  tollTransfers,
  type TransferRequest,
  transferKey,
  type VaultOutflow,
} from '@bulkhead/domain';
import { bigint, only, type Queries, type Row, text, type Transaction } from '@bulkhead/postgres';
import { nativeToken } from '@bulkhead/vaults';
import { posted } from './books.ts';
import { type Custody, machine } from './custody.ts';
import { settleDelegated } from './delegated-sweep.ts';
import { record } from './journal.ts';
import { beginRecovery, wakeRecoveries } from './key-recovery.ts';
import type { StoredMovement } from './movement.ts';
import { isAppliedBy } from './vault-applied.ts';
import {
  lockVaultDispatch,
  vaultDispatchColumns,
  type VaultDispatch,
  vaultDispatchOf,
  type VaultPayment,
} from './vault-dispatch.ts';
import { endVaultDispatch, feeMovement } from './vault-end.ts';
import { blockEvents, readEvent, type StoredEvent } from './vault-event.ts';
import { type Vault, vaultColumns, vaultOf, vaultOfWallet } from './vault-row.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

export type VaultBlock = {
  readonly chain: ChainId;
  readonly block: BlockRef;
  readonly movements: readonly StoredMovement[];
  /** What token movements really brought, by movement id. */
  readonly credits: ReadonlyMap<string, bigint>;
  /** What people decided about vaults and whose nonces the block has used, as the vaults themselves say. */
  readonly decided: ReadonlySet<string>;
  readonly now: Date;
};

export type VaultsSettled = {
  /** For the caller to post with the rest of the block. */
  readonly groups: readonly (readonly TransferRequest[])[];
  /** What nobody here asked for: posted after the groups, when the claims are what the rest of the block made of them. */
  readonly outflows: readonly Outflow[];
  /** What booked each side of a movement, by its id. */
  readonly out: ReadonlyMap<string, string>;
  readonly in: ReadonlyMap<string, string>;
};

export type Outflow = {
  readonly outflow: VaultOutflow;
  readonly vault: Vault;
  readonly arrival?: FeeArrival;
  /** Who bears the toll of a flush. */
  readonly client?: string;
};

type Settling = {
  readonly custody: Custody;
  readonly tx: Transaction;
  readonly order: VaultBlock;
  readonly groups: (readonly TransferRequest[])[];
  readonly outflows: Outflow[];
  readonly out: Map<string, string>;
  /** Fees that reached the wallet of the house, which are income and no deposits. */
  readonly arrived: Map<string, string>;
  /** Movements out of vaults that no event has claimed yet. */
  readonly unclaimed: StoredMovement[];
};

/**
 * What the events of a final block say about vaults: payments that are made, cancelled or impossible, and exits. It is the vault's
 * nonce and its event that decide, never our own relay: anybody may have carried what was signed.
 */
export async function settleVaults(custody: Custody, tx: Transaction, order: VaultBlock): Promise<VaultsSettled> {
  const settling: Settling = {
    custody,
    tx,
    order,
    groups: [],
    outflows: [],
    out: new Map(),
    arrived: new Map(),
    unclaimed: [...order.movements],
  };
  const events = await blockEvents(tx, order.chain, order.block.hash);
  const vaults = await vaultsAt(
    tx,
    order.chain,
    events.map(({ address }) => address),
  );
  for (const event of events) {
    const vault = vaults.get(event.address);
    if (vault !== undefined) await settleEvent(settling, { event, vault });
  }
  await settleDecided(settling, events);
  await settleLapsed(settling);
  const flushed = await flushes(settling);
  const swept = await settleDelegated(tx, { ...order, movements: settling.unclaimed });
  return {
    groups: [...settling.groups, ...flushed.groups, ...swept.groups],
    outflows: settling.outflows,
    out: new Map([...settling.out, ...flushed.out, ...swept.by]),
    in: new Map([...settling.arrived, ...flushed.out, ...swept.by]),
  };
}

async function vaultsAt(
  db: Queries,
  chain: ChainId,
  addresses: readonly Address[],
): Promise<ReadonlyMap<Address, Vault>> {
  if (addresses.length === 0) return new Map();
  const rows = await db.query(
    `select ${vaultColumns} from custody.vault where chain = $1 and address = any ($2) and wallet is not null`,
    [chain, [...new Set(addresses)]],
  );
  return new Map(rows.map(vaultOf).map((vault) => [vault.address, vault]));
}

type Told = { readonly event: StoredEvent; readonly vault: Vault };

async function settleEvent(settling: Settling, { event, vault }: Told): Promise<void> {
  const read = readEvent(event);
  if (read?.event === 'Withdrawn') {
    const payment = { asset: assetOf(vault.chain, read.token), to: read.to, amount: read.amount };
    await settlePayment(settling, { event, vault, payment, nonce: read.nonce });
  } else if (read?.event === 'FeeCollected') {
    const payment = {
      asset: assetOf(vault.chain, read.token),
      to: vault.terms.config.feeReceiver,
      amount: read.amount,
    };
    await settlePayment(settling, { event, vault, payment, nonce: read.nonce });
  } else if (read?.event === 'NonceInvalidated') {
    await settleInvalidation(settling, { event, vault, nonce: read.nonce });
  } else if (read?.event === 'Exited' && read.amount > 0n) {
    const payment = { asset: assetOf(vault.chain, read.token), to: read.to, amount: read.amount };
    await settleExit(settling, { event, vault, payment });
  } else if (read?.event === 'Vetoed' || read?.event === 'KeyRotated') {
    await wakeRecoveries(settling.tx, vault.id);
  }
}

function assetOf(chain: ChainId, token: Address): AssetId {
  return token === nativeToken ? nativeAsset(chain) : tokenAsset(chain, token);
}

type Paid = Told & { readonly payment: VaultPayment };

async function byNonce(tx: Transaction, vault: Vault, nonce: bigint): Promise<VaultDispatch | undefined> {
  const [row] = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where vault = $1 and nonce = $2 for update`,
    [vault.id, nonce],
  );
  return row === undefined ? undefined : vaultDispatchOf(row);
}

/** What an event says that the vault paid: a withdrawal, or a fee; the first fee of an asset is one of nothing. */
async function settlePayment(settling: Settling, paid: Paid & { readonly nonce: bigint }): Promise<void> {
  const { custody, tx, order, groups } = settling;
  const { vault, payment, event } = paid;
  const dispatch = await byNonce(tx, vault, paid.nonce);
  // Whoever had it signed has keys of the quorum, and it was not asked for here: reconciliation reports what left. Given up here before
  // anybody was asked, or over otherwise: the same.
  const isOver = dispatch?.state.step === 'done' && dispatch.state.outcome !== 'exited';
  if (dispatch === undefined || isOver) return unasked(settling, paid);
  const asked = dispatch.payment;
  const isKind = (dispatch.intent.kind === 'vault-fee') === (readEvent(event)?.event === 'FeeCollected');
  const ours = isKind && asked?.asset === payment.asset && asked.to === payment.to && asked.amount === payment.amount;
  const final = { type: 'nonce-final', by: ours ? 'ours' : 'other', block: order.block } as const;
  groups.push(...(await endVaultDispatch(custody, tx, { dispatch, event: final, now: order.now })));
  if (!ours) return unasked(settling, paid);
  // Given up when the client's exit took the assets, and paid all the same after the exit was cancelled: an outflow as an exit is.
  if (dispatch.state.step === 'done' && payment.amount > 0n) await paidLate(settling, paid, dispatch);
  claim(settling, paid, { by: dispatch.id, arrives: dispatch.intent.kind === 'vault-fee' });
  await explainEvent(tx, event, dispatch.id);
}

async function paidLate(settling: Settling, paid: Paid, dispatch: VaultDispatch): Promise<void> {
  const { atVault, elsewhere } = await coinsBefore(settling.tx, paid);
  await giveUpUncovered(settling, paid, atVault + elsewhere - paid.payment.amount);
  if (dispatch.intent.kind !== 'vault-fee') {
    settling.outflows.push(outflowOf(settling, paid, 'vault-late-payment'));
    return;
  }
  const { toCompartment, toWallet, client } = await feeMovement(settling.tx, dispatch);
  const arrival = { client, toCompartment, toWallet };
  settling.outflows.push({ ...outflowOf(settling, paid, 'vault-late-fee'), arrival });
}

/** It moves coins, and is found by them; or it moves none, and is at least written down. */
async function unasked({ tx, order }: Settling, { event, vault, payment }: Paid): Promise<void> {
  const data = { ...payment, transaction: event.transaction, block: order.block };
  await record(tx, order.now, { actor: machine, subject: vault.id, event: 'vault-paid-unasked', data });
}

async function settleInvalidation(settling: Settling, told: Told & { readonly nonce: bigint }): Promise<void> {
  const { custody, tx, order, groups } = settling;
  const dispatch = await byNonce(tx, told.vault, told.nonce);
  if (dispatch === undefined) return;
  const event = { type: 'nonce-final', by: 'invalidation', block: order.block } as const;
  groups.push(...(await endVaultDispatch(custody, tx, { dispatch, event, now: order.now })));
  await explainEvent(tx, told.event, dispatch.id);
}

/** The client took everything of an asset: what was held of it is void, and the claims become less by what left. */
async function settleExit(settling: Settling, paid: Paid): Promise<void> {
  const { custody, tx, order, groups } = settling;
  const { vault, payment, event } = paid;
  const live = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch
     where vault = $1 and asset = $2 and kind in ('vault-withdrawal', 'vault-fee') and step <> 'done' order by id for update`,
    [vault.id, payment.asset],
  );
  for (const row of live) {
    const exited = { type: 'exited', block: order.block } as const;
    groups.push(
      ...(await endVaultDispatch(custody, tx, { dispatch: vaultDispatchOf(row), event: exited, now: order.now })),
    );
  }
  const waiting = await tx.query(
    `select id from custody.withdrawal where vault = $1 and asset = $2
       and step in ('requested', 'screened', 'awaiting-approval', 'approved', 'awaiting-liquidity') order by id`,
    [vault.id, payment.asset],
  );
  for (const row of waiting) await giveUp(settling, text(row, 'id'));
  // Withdrawals for addresses with keys keep what they hold as far as coins lie there.
  await giveUpUncovered(settling, paid, (await coinsBefore(tx, paid)).elsewhere);
  settling.outflows.push(outflowOf(settling, paid, 'vault-exit'));
  claim(settling, paid, { by: event.id, arrives: false });
  await explainEvent(tx, event, event.id);
}

async function giveUp({ custody, tx, order, groups }: Settling, id: string): Promise<void> {
  const withdrawal = await lockWithdrawal(tx, id);
  invariant(withdrawal !== undefined, 'A withdrawal vanished.', { id });
  const event = { type: 'vault-exited' } as const;
  const stepped = await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now: order.now });
  invariant(stepped.status === 'stepped', 'An exit cannot be refused.', { id });
  groups.push(...stepped.transfers);
}

type Coins = { readonly atVault: bigint; readonly elsewhere: bigint };

/** Coins of an asset in the compartment of a vault, as the books have them before the block. */
async function coinsBefore(tx: Transaction, { vault, payment }: Paid): Promise<Coins> {
  const row = only(
    await tx.query(
      `select coalesce(sum(a.posted) filter (where w.id = $4), 0) as at_vault, coalesce(sum(a.posted) filter (where w.id <> $4), 0) as elsewhere
       from ledger.accounts a join custody.wallet w on w.id = a.holder
       where a.kind = 'wallet' and a.compartment = $1 and a.asset = $2 and w.chain = $3`,
      [vault.compartment, payment.asset, vault.chain, vault.wallet ?? ''],
    ),
  );
  return { atVault: bigint(row, 'at_vault'), elsewhere: bigint(row, 'elsewhere') };
}

/**
 * What open withdrawals hold must be covered by the coins that are left. Where it is not, those that nobody was asked to sign yet are
 * given up, the newest first, until it is: what they waited for has left.
 */
async function giveUpUncovered(settling: Settling, { vault, payment }: Paid, left: bigint): Promise<void> {
  const rows = await settling.tx.query(
    `select h.reference, sum(h.amount) as amount, max(w.created_at) as asked_at,
       bool_or(w.step in ('requested', 'screened', 'awaiting-approval', 'approved', 'awaiting-liquidity')) as waits
     from ledger.open_holds h left join custody.withdrawal w on w.id = h.reference
     where h.compartment = $1 and h.asset = $2 and coalesce(w.step, '') not in ('failed', 'rejected', 'cancelled', 'expired', 'settled')
       and not exists (select from custody.vault_dispatch d where d.subject = h.reference and d.step = 'done')
     group by h.reference order by asked_at desc nulls last, h.reference desc`,
    [vault.compartment, payment.asset],
  );
  let uncovered = rows.reduce((sum, row) => sum + bigint(row, 'amount'), 0n) - left;
  for (const row of rows.filter(({ waits }) => waits === true)) {
    if (uncovered <= 0n) return;
    await giveUp(settling, text(row, 'reference'));
    uncovered -= bigint(row, 'amount');
  }
}

function outflowOf({ order }: Settling, { event, vault, payment }: Paid, code: VaultOutflow['code']): Outflow {
  invariant(vault.wallet !== undefined, 'A vault that is watched has a wallet.', { vault: vault.id });
  const { asset, amount } = payment;
  const { compartment, wallet } = vault;
  return { vault, outflow: { id: event.id, code, compartment, asset, wallet, amount, block: order.block } };
}

/** The movement that an event of an outflow tells of is explained by it, once. */
function claim(
  { unclaimed, out, arrived }: Settling,
  { event, vault, payment }: Paid,
  { by, arrives }: { readonly by: string; readonly arrives: boolean },
): void {
  const place = unclaimed.findIndex(
    (one) =>
      one.transaction === event.transaction &&
      one.from === vault.address &&
      one.to === payment.to &&
      one.asset === payment.asset &&
      one.amount === payment.amount,
  );
  const [found] = place === -1 ? [] : unclaimed.splice(place, 1);
  if (found === undefined) return;
  out.set(found.id, by);
  if (arrives) arrived.set(found.id, by);
}

async function explainEvent(tx: Transaction, { id }: StoredEvent, by: string): Promise<void> {
  await tx.query('update custody.vault_event set explained = $2 where id = $1', [id, by]);
}

/** A nonce that is used and an event that says what was asked for: it is done, whoever carried it. Another use of the nonce is not ours. */
async function settleDecided(settling: Settling, events: readonly StoredEvent[]): Promise<void> {
  const { custody, tx, order, groups } = settling;
  for (const id of order.decided) {
    const dispatch = await lockVaultDispatch(tx, id);
    // An invalidation of the same block has ended it already.
    if (dispatch === undefined || dispatch.state.step === 'done') continue;
    const { intent } = dispatch;
    const told = events.find((event) => {
      const read = event.address === intent.vault ? readEvent(event) : undefined;
      return read !== undefined && isAppliedBy(intent, read);
    });
    const event = {
      type: 'nonce-final',
      by: told === undefined ? 'other' : 'restriction',
      block: order.block,
    } as const;
    groups.push(...(await endVaultDispatch(custody, tx, { dispatch, event, now: order.now })));
    if (told === undefined) continue;
    await explainEvent(tx, told, dispatch.id);
    await beginRecovery(tx, { dispatch, event: told, now: order.now });
  }
}

/** Payments whose deadline a final block is later than: the vault takes them no more, and up to that block it did not. */
async function settleLapsed({ custody, tx, order, groups }: Settling): Promise<void> {
  const rows = await tx.query(
    `select d.id from custody.vault_dispatch d join custody.block b on b.chain = $1 and b.hash = $2
     where d.chain = $1 and d.step <> 'done' and d.deadline < extract(epoch from b.mined_at) order by d.id`,
    [order.chain, order.block.hash],
  );
  for (const row of rows) {
    const dispatch = await lockVaultDispatch(tx, text(row, 'id'));
    invariant(dispatch !== undefined, 'A payment of a vault vanished.', { id: text(row, 'id') });
    const event = { type: 'deadline-final', block: order.block } as const;
    groups.push(...(await endVaultDispatch(custody, tx, { dispatch, event, now: order.now })));
  }
}

type Flushed = { readonly groups: readonly (readonly TransferRequest[])[]; readonly out: ReadonlyMap<string, string> };

/**
 * Coins that went from a forwarder to its vault: whoever sent them on, they stayed in their compartment, as far as they arrived. What a
 * token kept on the way left it, and somebody else may have flushed what we never would.
 */
async function flushes({ tx, order, unclaimed, outflows }: Settling): Promise<Flushed> {
  const rows = await tx.query(
    `select f.address as forwarder, f.id as from_wallet, f.client, v.address as vault, v.id as to_wallet, v.compartment
     from custody.wallet f join custody.wallet v on v.id = f.vault
     where f.chain = $1 and f.kind = 'forwarder' and f.address = any ($2)`,
    [order.chain, [...new Set(unclaimed.flatMap(({ from }) => from ?? []))]],
  );
  const groups: (readonly TransferRequest[])[] = [];
  const out = new Map<string, string>();
  for (const movement of unclaimed) {
    const { id, asset, amount } = movement;
    const pair = rows.find((row) => row['forwarder'] === movement.from && row['vault'] === movement.to);
    if (pair === undefined || amount === 0n) continue;
    const compartment = parseCompartment(Number(bigint(pair, 'compartment')));
    const arrived = order.credits.get(id) ?? amount;
    if (arrived > 0n) groups.push([flushOf({ pair, compartment, movement, arrived, block: order.block })]);
    if (arrived < amount) {
      const vault = await vaultOfWallet(tx, text(pair, 'to_wallet'));
      invariant(vault !== undefined, 'A forwarder is bound to a wallet that is no vault.', { forwarder: id });
      const wallet = text(pair, 'from_wallet');
      const facts = { id, compartment, asset, wallet, amount: amount - arrived, block: order.block };
      outflows.push({ vault, outflow: { ...facts, code: 'flush-toll' }, client: text(pair, 'client') });
    }
    out.set(id, id);
  }
  return { groups, out };
}

type FlushOrder = {
  readonly pair: Row;
  readonly compartment: Compartment;
  readonly movement: StoredMovement;
  readonly arrived: bigint;
  readonly block: BlockRef;
};

function flushOf({ pair, compartment, movement, arrived, block }: FlushOrder): TransferRequest {
  return {
    type: 'post',
    key: transferKey('flush', movement.id),
    compartment,
    asset: movement.asset,
    debit: { kind: 'wallet', holder: text(pair, 'to_wallet') },
    credit: { kind: 'wallet', holder: text(pair, 'from_wallet') },
    amount: arrived,
    code: 'flush',
    reference: movement.id,
    block,
  };
}

/** Debits claims by what left a vault without us. The rest of the block is posted already, voided holds among it. */
export async function outflowGroup(tx: Transaction, told: Outflow): Promise<readonly TransferRequest[]> {
  const { vault, arrival } = told;
  const { compartment, asset, wallet } = told.outflow;
  const known = await posted(tx, { compartment, asset, account: { kind: 'wallet', holder: wallet } });
  // A vault lets out whatever it has: tokens that nobody here follows, and coins that no event told of. What the books never had does
  // not leave them.
  const outflow = { ...told.outflow, amount: told.outflow.amount < known ? told.outflow.amount : known };
  const rows = await tx.query(
    `select kind, holder, posted - pending_out as free from ledger.accounts
     where compartment = $1 and asset = $2 and kind = any ($3) order by number`,
    [outflow.compartment, outflow.asset, exitOrder],
  );
  const claims = rows.map((row): BookClaim => ({ account: accountOf(row), free: bigint(row, 'free') }));
  const administrator = `adm_${vault.id}`;
  if (told.client !== undefined) return tollTransfers(outflow, { client: told.client, administrator, claims });
  if (arrival !== undefined) return lateFeeTransfers(told.outflow, { claims, arrival });
  return outflow.code === 'vault-exit' && kindOf(vault.compartment) === 'omnibus'
    ? administratorTransfers(outflow, { administrator, claims })
    : outflowTransfers(outflow, claims);
}

function accountOf(row: Parameters<typeof text>[0]): AccountName {
  const kind = exitOrder.find((known) => known === row['kind']);
  invariant(kind !== undefined, 'An account of another kind was taken for a claim.');
  return { kind, holder: text(row, 'holder') };
}
