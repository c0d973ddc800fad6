import {
  type AssetId,
  type BlockRef,
  type ChainId,
  chainStateOf,
  checksumAddress,
  codeHashOfNothing,
  type Compartment,
  contractOf,
  type DispatchState,
  type Hash,
  invariant,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  refuse,
  type Refused,
  type TransferRequest,
  transferKey,
} from '@bulkhead/domain';
import {
  bigint,
  bigintOrNull,
  date,
  type Queries,
  type Row,
  text,
  textOrNull,
  type Transaction,
} from '@bulkhead/postgres';
import { callData, delegateSweep, nativeToken, standardDeployment, standardFactory } from '@bulkhead/vaults';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import { chainPort } from './cursor.ts';
import { type Actor, type Custody, machine } from './custody.ts';
import {
  delegateFor,
  delegationRelaysMax,
  ensureDelegation,
  fruitless,
  newestDelegation,
  retryDelegation,
} from './delegation.ts';
import { frozenBy, frozenReason } from './freeze.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import type { StoredMovement } from './movement.ts';
import type { MovementFilter, MovementState, MovementView } from './movement-view.ts';
import { stopReason } from './signing.ts';
import { readState } from './state.ts';
import { codeBreak, lookAtCodes } from './token-code.ts';
import { type Cargo, orderRelay, relayCap, type RelayCall, relayObjection } from './vault-relay.ts';
import { findWallet, proven, type Wallet } from './wallet.ts';

/** A sweep by the delegate of its source (EIP-7702): the house calls and pays, and the source needs no coin for gas. */
type DelegatedSweep = {
  readonly id: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly wallet: string;
  readonly toWallet: string;
  readonly asset: AssetId;
  readonly isOver: boolean;
};

export type DelegatedSweepOrder = {
  readonly source: Wallet;
  readonly target: Wallet;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly actor: Actor;
  readonly now: Date;
};

/** Whether a token is swept from an address by its delegate: where the chain uses one, and the address did not take it back. */
export async function isSweptByDelegate(
  custody: Custody,
  db: Queries,
  { source, target, asset }: Pick<DelegatedSweepOrder, 'source' | 'target' | 'asset'>,
): Promise<boolean> {
  if (contractOf(asset) === undefined || source.kind !== 'key' || source.purpose !== 'deposit') return false;
  if (delegateFor(custody, target) === undefined) return false;
  const newest = await newestDelegation(db, source.id);
  return newest?.delegate !== nativeToken && newest?.outcome !== 'superseded';
}

/** Stores a sweep and the job that carries it out. The caller has the source locked. */
export async function orderDelegatedSweep(
  custody: Custody,
  tx: Transaction,
  order: DelegatedSweepOrder,
): Promise<string> {
  const { source, target, asset, amount, now } = order;
  const id = newId('swp', now);
  await tx.query(
    `insert into custody.delegated_sweep (id, chain, compartment, wallet, to_wallet, asset, amount, client, fee_max, requested_by, step,
       created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $11)`,
    [
      id,
      source.chain,
      source.compartment,
      source.id,
      target.id,
      asset,
      amount,
      source.client ?? null,
      relayCap(custody, source.chain),
      order.actor.name,
      now,
    ],
  );
  const data = { wallet: source.id, toWallet: target.id, asset, amount };
  await record(tx, now, { actor: order.actor, subject: id, event: 'sweep-requested', data });
  await enqueue(tx, { task: 'send-delegated-sweep', id });
  return id;
}

const columns = `id, chain, compartment, wallet, to_wallet, asset, amount, client, fee_max, requested_by, step, outcome, waiting_reason,
  block_number, block_hash, transaction_hash, created_at, updated_at`;

function sweepOf(row: Row): DelegatedSweep {
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    wallet: text(row, 'wallet'),
    toWallet: text(row, 'to_wallet'),
    asset: parseAssetId(text(row, 'asset')),
    isOver: text(row, 'step') === 'done',
  };
}

/**
 * The job `send-delegated-sweep`: brings a sweep one or more steps forward. Safe to run twice, at once, or after a crash at any line: each
 * step looks at what the chain has at a final block, and orders what is missing unless it is under way.
 *
 * 1. The delegate of the receiving wallet is made, once for all addresses of the compartment.
 * 2. The address signs for it, once (`delegation.ts`).
 * 3. The house calls it. What then moved is booked from the movement in a final block, whoever called.
 *
 * It has no nonce of the address and no signature, so that giving it up releases nothing that could still happen unseen.
 */
export async function sendDelegatedSweep(custody: Custody, id: string): Promise<void> {
  const [row] = await custody.db.query(`select ${columns} from custody.delegated_sweep where id = $1`, [id]);
  const sweep = row === undefined ? undefined : sweepOf(row);
  if (sweep === undefined || sweep.isOver) return;
  try {
    const next = await step(custody, sweep);
    if (next === undefined) return;
    if (next.failed) await fail(custody, sweep, next.reason);
    else await waits(custody, id, next.reason);
  } catch (error) {
    const reason = stopReason(error);
    if (reason === undefined) throw error;
    await waits(custody, id, reason);
  }
}

type Stop = { readonly failed: boolean; readonly reason: string };

/** Undefined where it went on, or needs nothing. */
async function step(custody: Custody, sweep: DelegatedSweep): Promise<Stop | undefined> {
  const { db } = custody;
  const source = await findWallet(db, sweep.wallet);
  const found = await findWallet(db, sweep.toWallet);
  invariant(source !== undefined && found !== undefined, 'A sweep names a wallet that does not exist.', {
    id: sweep.id,
  });
  const standing = await standsStill(custody, sweep);
  if (standing !== undefined) return { failed: false, reason: standing };
  await proven(custody, db, source);
  const target = await proven(custody, db, found);
  const delegate = delegateFor(custody, target);
  if (delegate === undefined) {
    return { failed: true, reason: `Nothing is swept by delegates on ${sweep.chain} any more.` };
  }
  const port = chainPort(custody, sweep.chain);
  const { final } = await port.heads();
  const beneficiary = sweep.compartment;
  if ((await port.codeHash(delegate.address, final)) === codeHashOfNothing) {
    const call = { to: standardFactory, data: standardDeployment(delegate.creationCode) };
    const relay = { relays: target.id, cargo: 'delegate', beneficiary, call } as const;
    return order(custody, sweep, { ...relay, meanwhile: 'The delegate of the receiving wallet is being made.' });
  }
  const requestedBy = machine.name;
  const asked = { wallet: source, target, delegate: delegate.address, requestedBy, now: custody.clock.now() };
  const delegated = await ensureDelegation(custody, asked);
  if (delegated.state !== 'in-force') return { failed: delegated.state === 'refused', reason: delegated.reason };
  const token = contractOf(sweep.asset);
  invariant(token !== undefined, 'A delegate sweeps tokens alone.', { id: sweep.id });
  const call = { to: source.address, data: callData(hashes, delegateSweep, { token }) };
  return order(custody, sweep, { relays: sweep.id, cargo: 'delegated-sweep', beneficiary, call });
}

async function standsStill(
  custody: Custody,
  { chain, compartment, asset }: DelegatedSweep,
): Promise<string | undefined> {
  const [cause] = await frozenBy(custody.db, compartment);
  if (cause !== undefined) return frozenReason(compartment, cause);
  await lookAtCodes(custody, chain, asset);
  return (await codeBreak(custody.db, asset))?.reason;
}

type Ordered = {
  readonly relays: string;
  readonly cargo: Cargo;
  readonly beneficiary: Compartment;
  readonly call: RelayCall;
  readonly meanwhile?: string;
};

async function order(custody: Custody, sweep: DelegatedSweep, ordered: Ordered): Promise<Stop | undefined> {
  const { meanwhile, ...relay } = ordered;
  const { chain } = sweep;
  const ended = await fruitless(custody.db, relay.relays);
  if (relay.cargo === 'delegated-sweep' && ended >= delegationRelaysMax) {
    return { failed: true, reason: `${ended} transactions that called the delegate moved nothing.` };
  }
  const [live] = await custody.db.query(
    `select id from custody.dispatch where relays = $1 and cargo = $2 and step <> 'done' limit 1`,
    [relay.relays, relay.cargo],
  );
  if (live === undefined) {
    const objection = await relayObjection(custody, { chain, call: relay.call });
    if (objection !== undefined) return { failed: false, reason: objection };
    const missing = await custody.db.transaction(async (tx) =>
      // Commit point: the relay and its job. A crash before orders it on the next run, one after finds it under way.
      orderRelay(custody, tx, { ...relay, carries: sweep.id, chain, now: custody.clock.now() }),
    );
    if (missing !== undefined) return { failed: false, reason: missing };
  }
  return meanwhile === undefined ? undefined : { failed: false, reason: meanwhile };
}

async function waits(custody: Custody, id: string, reason: string): Promise<void> {
  await custody.db.query(
    `update custody.delegated_sweep set waiting_reason = $2, updated_at = $3
     where id = $1 and step <> 'done' and waiting_reason is distinct from $2`,
    [id, reason, custody.clock.now()],
  );
}

async function fail(custody: Custody, { id }: DelegatedSweep, reason: string): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const now = custody.clock.now();
    const ended = await tx.query(
      `update custody.delegated_sweep set step = 'done', outcome = 'failed', waiting_reason = $2, updated_at = $3
       where id = $1 and step <> 'done' returning id`,
      [id, reason, now],
    );
    if (ended.length > 0) {
      await record(tx, now, { actor: machine, subject: id, event: 'sweep-failed', data: { reason } });
    }
  });
}

type Waiting = { readonly sweep: DelegatedSweep } | { readonly refused: Refused };

/** One that waits, locked; or why there is nothing to give up or to try. */
async function lockWaiting(tx: Transaction, id: string): Promise<Waiting> {
  const [row] = await tx.query(`select ${columns} from custody.delegated_sweep where id = $1 for update`, [id]);
  if (row !== undefined && !sweepOf(row).isOver) return { sweep: sweepOf(row) };
  const [byKey] = await tx.query(`select from custody.dispatch where subject = $1 and kind = 'sweep'`, [id]);
  if (row === undefined && byKey === undefined) return { refused: notFound('sweep', id) };
  const fact =
    row === undefined
      ? 'is carried out by the key of its address, which has its own retries'
      : `is over (${textOrNull(row, 'outcome') ?? ''})`;
  return {
    refused: refuse(
      'sweep/wrong-state',
      `Sweep ${id} ${fact}: only a sweep by a delegate that waits is given up or tried again. Ask for a new sweep where coins still lie there.`,
      { sweep: id },
    ),
  };
}

/**
 * Gives a sweep by a delegate up. It has no signature and no nonce; a transaction that calls the delegate and is on its way already may
 * still move the coins, which are then booked as the sweep that they are.
 */
export async function cancelSweep(custody: Custody, call: WriteCall, id: string): Promise<Answer<MovementView>> {
  return command(custody, call, async (tx, now) => {
    const found = await lockWaiting(tx, id);
    if ('refused' in found) return found.refused;
    await tx.query(
      `update custody.delegated_sweep set step = 'done', outcome = 'cancelled', updated_at = $2 where id = $1`,
      [id, now],
    );
    await record(tx, now, { actor: call.actor, subject: id, event: 'sweep-cancelled', data: {} });
    return sweepView(tx, id);
  });
}

/** Has a sweep by a delegate tried now, as often as a new one would be, and what its address signed with it. */
export async function retrySweep(custody: Custody, call: WriteCall, id: string): Promise<Answer<MovementView>> {
  return command(custody, call, async (tx, now) => {
    const found = await lockWaiting(tx, id);
    if ('refused' in found) return found.refused;
    await tx.query(
      `update custody.delegated_sweep set retried_at = $2, waiting_reason = null, updated_at = $2 where id = $1`,
      [id, now],
    );
    await retryDelegation(tx, found.sweep.wallet, now);
    await record(tx, now, { actor: call.actor, subject: id, event: 'sweep-retried', data: {} });
    await enqueue(tx, { task: 'send-delegated-sweep', id });
    return sweepView(tx, id);
  });
}

async function sweepView(tx: Queries, id: string): Promise<MovementView> {
  const [view] = await delegatedSweepViews(tx, { ids: [id], after: null, limit: 1 });
  invariant(view !== undefined, 'A sweep that was just stored is not there.', { id });
  return view;
}

export type DelegateMovements = {
  readonly chain: ChainId;
  readonly block: BlockRef;
  readonly movements: readonly StoredMovement[];
  readonly now: Date;
};

/**
 * Tokens that went from an address to the wallet that its delegate pays, in transactions of others: whoever called it, they stayed in their
 * compartment. Says what the books must say, and what booked each movement by its id.
 */
export async function settleDelegated(
  tx: Transaction,
  { chain, block, movements, now }: DelegateMovements,
): Promise<{ readonly groups: readonly (readonly TransferRequest[])[]; readonly by: ReadonlyMap<string, string> }> {
  const rows = await tx.query(
    `select distinct f.address as source, f.id as from_wallet, t.address as target, t.id as to_wallet, d.compartment
     from custody.delegation d join custody.wallet f on f.id = d.wallet join custody.wallet t on t.id = d.to_wallet
     where d.chain = $1 and d.signature is not null and d.delegate <> $2 and f.address = any ($3)`,
    [chain, nativeToken, [...new Set(movements.flatMap(({ from }) => from ?? []))]],
  );
  const groups: (readonly TransferRequest[])[] = [];
  const by = new Map<string, string>();
  for (const movement of movements) {
    const pair = rows.find((row) => row['source'] === movement.from && row['target'] === movement.to);
    const { transaction } = movement;
    if (pair === undefined || transaction === undefined || movement.amount === 0n) continue;
    if (contractOf(movement.asset) === undefined) continue;
    if (await sentByItself(tx, { chain, block, hash: transaction, source: text(pair, 'source') })) continue;
    const [live] = await tx.query(
      `update custody.delegated_sweep set step = 'done', outcome = 'settled', waiting_reason = null, block_number = $3, block_hash = $4,
         transaction_hash = $5, updated_at = $6
       where wallet = $1 and asset = $2 and to_wallet = $7 and step <> 'done' returning id`,
      [text(pair, 'from_wallet'), movement.asset, block.number, block.hash, transaction, now, text(pair, 'to_wallet')],
    );
    const reference = live === undefined ? movement.id : text(live, 'id');
    if (live !== undefined) {
      const data = { amount: movement.amount, block, transaction };
      await record(tx, now, { actor: machine, subject: reference, event: 'sweep-settled', data });
    }
    groups.push([
      {
        type: 'post',
        key: transferKey('delegated-sweep', movement.id),
        compartment: parseCompartment(Number(bigint(pair, 'compartment'))),
        asset: movement.asset,
        debit: { kind: 'wallet', holder: text(pair, 'to_wallet') },
        credit: { kind: 'wallet', holder: text(pair, 'from_wallet') },
        amount: movement.amount,
        code: 'sweep',
        reference,
        block,
      },
    ]);
    by.set(movement.id, reference);
  }
  return { groups, by };
}

type SentFact = { readonly chain: ChainId; readonly block: BlockRef; readonly hash: Hash; readonly source: string };

/** A transaction of the address itself is no delegate's: a dispatch of ours explains it, or nothing does. */
async function sentByItself(tx: Queries, { chain, block, hash, source }: SentFact): Promise<boolean> {
  const rows = await tx.query(
    'select from custody.sent where chain = $1 and block_hash = $2 and transaction_hash = $3 and from_address = $4',
    [chain, block.hash, hash, source],
  );
  return rows.length > 0;
}

const stateSql = `case
  when s.outcome is not null then s.outcome
  when relay.step = 'broadcast' then 'broadcast'
  when relay.step is not null then 'signing'
  else 'queued' end`;

const states: readonly MovementState[] = ['queued', 'signing', 'broadcast', 'settled', 'failed', 'cancelled'];

/** Sweeps by delegates, as those of keys are shown. */
export async function delegatedSweepViews(
  db: Queries,
  filter: Omit<MovementFilter, 'kind'>,
): Promise<readonly MovementView[]> {
  const rows = await db.query(
    `select s.*, t.address as to_address, ${stateSql} as movement_state, relay.id as relay, relay.state::text as relay_state
     from custody.delegated_sweep s join custody.wallet t on t.id = s.to_wallet
     left join lateral (select r.id, r.state, r.step from custody.dispatch r where r.relays = s.id and r.step <> 'done' limit 1) relay on true
     where ($1::text[] is null or s.id = any($1)) and ($2::bigint is null or s.compartment = $2) and ($3::text is null or s.chain = $3)
       and ($4::text is null or s.client = $4) and ($5::text is null or ${stateSql} = $5) and ($6::text is null or s.id > $6)
     order by s.id limit $7`,
    [
      filter.ids ?? null,
      filter.compartment ?? null,
      filter.chain ?? null,
      filter.clientId ?? null,
      filter.state ?? null,
      filter.after,
      filter.limit,
    ],
  );
  return rows.map(viewOf);
}

function viewOf(row: Row): MovementView {
  const { id, chain, compartment, wallet, toWallet, asset, isOver } = sweepOf(row);
  const named = text(row, 'movement_state');
  const relayed = textOrNull(row, 'relay_state');
  const height = bigintOrNull(row, 'block_number');
  return {
    id,
    compartment,
    chain,
    asset,
    amount: bigint(row, 'amount').toString(),
    walletId: wallet,
    toWalletId: toWallet,
    toAddress: checksumAddress(parseAddress(text(row, 'to_address'))),
    state: states.find((known) => known === named) ?? 'failed',
    chainState:
      named === 'settled' ? 'final' : relayed === null ? 'none' : chainStateOf(readState<DispatchState>(relayed)),
    reason: textOrNull(row, 'waiting_reason'),
    dispatchId: textOrNull(row, 'relay'),
    feeMax: bigint(row, 'fee_max').toString(),
    // The house calls the delegate, and books what that burns as its own cost.
    feePaid: isOver ? '0' : null,
    transactionHash: textOrNull(row, 'transaction_hash'),
    block: height === null ? null : { number: height.toString(), hash: text(row, 'block_hash') },
    requestedBy: text(row, 'requested_by'),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

/** Sweeps by delegates that are not over. */
export async function liveDelegatedSweeps(db: Queries, chain?: ChainId): Promise<readonly string[]> {
  const rows = await db.query(
    `select id from custody.delegated_sweep where step <> 'done' and ($1::text is null or chain = $1) order by id`,
    [chain ?? null],
  );
  return rows.map((row) => text(row, 'id'));
}
