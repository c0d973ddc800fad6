import {
  type ChainId,
  type DepositEvent,
  type DepositState,
  type DepositTerms,
  type Refused,
  decideDeposit,
  parseAssetId,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, type Transaction } from '@bulkhead/postgres';
import type { TransferGroups } from './books.ts';
import type { Actor } from './custody.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { readState, writeState } from './state.ts';

/** A deposit as stored: what arrived where, and where it stands. */
export type DepositRow = {
  readonly terms: DepositTerms;
  readonly state: DepositState;
  readonly chain: ChainId;
  readonly movement: string;
};

export const depositColumns = `d.id, d.movement, d.chain, d.compartment, d.wallet, d.asset, d.amount, d.state::text as state`;

export function depositOf(row: Row): DepositRow {
  return {
    terms: {
      id: text(row, 'id'),
      compartment: parseCompartment(Number(bigint(row, 'compartment'))),
      asset: parseAssetId(text(row, 'asset')),
      wallet: text(row, 'wallet'),
      amount: bigint(row, 'amount'),
    },
    state: readState<DepositState>(text(row, 'state')),
    chain: parseChainId(text(row, 'chain')),
    movement: text(row, 'movement'),
  };
}

/** Locks one deposit. Lock order: cursor, dispatch, withdrawal, deposit, wallet, ledger. */
export async function lockDeposit(tx: Transaction, id: string): Promise<DepositRow | undefined> {
  const [row] = await tx.query(`select ${depositColumns} from custody.deposit d where d.id = $1 for update`, [id]);
  return row === undefined ? undefined : depositOf(row);
}

export async function findDeposit(tx: Queries, id: string): Promise<DepositRow | undefined> {
  const [row] = await tx.query(`select ${depositColumns} from custody.deposit d where d.id = $1`, [id]);
  return row === undefined ? undefined : depositOf(row);
}

export type DepositStepOrder = {
  readonly deposit: DepositRow;
  readonly event: DepositEvent;
  readonly actor: Actor;
  readonly now: Date;
  /** The rule that credits, stored with the event that makes it final. */
  readonly finality?: object;
};

export type DepositStepped = {
  readonly status: 'stepped';
  readonly deposit: DepositRow;
  readonly transfers: TransferGroups;
};

/**
 * Decides on an event for a locked deposit, stores the state, the journal and the jobs, and hands back what the books must say:
 * the caller posts it last, in the same transaction.
 */
export async function stepDeposit(tx: Transaction, order: DepositStepOrder): Promise<DepositStepped | Refused> {
  const { deposit, event, now } = order;
  const decision = decideDeposit(deposit.terms, deposit.state, event);
  if (decision.status === 'refused') return decision;
  const { state, effects } = decision;
  await tx.query(
    `update custody.deposit set step = $2, state = $3, updated_at = $4, finality = coalesce($5, finality),
       client = case when $2 in ('detected', 'removed') then client else $6 end
     where id = $1`,
    [
      deposit.terms.id,
      state.step,
      writeState(state),
      now,
      order.finality === undefined ? null : JSON.stringify(order.finality),
      state.client ?? null,
    ],
  );
  await record(tx, now, {
    actor: order.actor,
    subject: deposit.terms.id,
    event: `deposit-${event.type}`,
    data: { ...event, step: state.step },
  });
  if (state.step === 'released') {
    const moves = await tx.query(`select id from custody.segregation_move where to_wallet = $1 and step = 'moving'`, [
      deposit.terms.wallet,
    ]);
    for (const row of moves) await enqueue(tx, { task: 'advance-move', id: text(row, 'id') });
  }
  for (const effect of effects) {
    if (effect.type === 'screen') await enqueue(tx, { task: 'screen-deposit', id: deposit.terms.id });
  }
  return { status: 'stepped', deposit: { ...deposit, state }, transfers: decision.transfers };
}
