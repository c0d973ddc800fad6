import { type BlockRef, type ChainId, type Compartment, compartmentFirst, parseCompartment } from '@bulkhead/domain';
import { bigint, only, type Queries, text, type Transaction } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { machine } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { writeState } from './state.ts';
import { wakeWaiting } from './waking.ts';

/** The open breaks that stop withdrawals of a compartment, the oldest first; none when it may pay. */
export async function frozenBy(tx: Queries, compartment: Compartment): Promise<readonly string[]> {
  const rows = await tx.query(
    'select cause from custody.freeze where compartment = $1 and lifted_at is null order by frozen_at, cause',
    [compartment],
  );
  return rows.map((row) => text(row, 'cause'));
}

/** What is shown of work that waits for the end of a freeze. */
export function frozenReason(compartment: Compartment, cause: string): string {
  return `Compartment ${compartment} is frozen by ${cause}.`;
}

/**
 * Stops withdrawals of one compartment on account of a break. Nothing else is touched: the holds of withdrawals that are under
 * way stand, what is signed may still settle, and other compartments go on.
 */
export async function freeze(tx: Transaction, now: Date, { compartment, cause }: Freeze): Promise<void> {
  const frozen = await tx.query(
    'insert into custody.freeze (compartment, cause, frozen_at) values ($1, $2, $3) on conflict (compartment, cause) do nothing returning cause',
    [compartment, cause, now],
  );
  if (frozen.length === 0) return;
  await record(tx, now, {
    actor: machine,
    subject: `compartment ${compartment}`,
    event: 'compartment-frozen',
    data: { cause },
  });
}

export type Freeze = { readonly compartment: Compartment; readonly cause: string };

/** Lifts what one break froze. A compartment that another open break froze too stays frozen by that one. */
export async function liftFreeze(tx: Transaction, now: Date, cause: string): Promise<void> {
  const lifted = await tx.query(
    'update custody.freeze set lifted_at = $2 where cause = $1 and lifted_at is null returning compartment',
    [cause, now],
  );
  for (const row of lifted) {
    const compartment = bigint(row, 'compartment');
    await record(tx, now, {
      actor: machine,
      subject: `compartment ${compartment}`,
      event: 'freeze-lifted',
      data: { cause },
    });
    await wakeWaiting(tx, { compartment: parseCompartment(Number(compartment)) });
  }
}

export type FinalityViolation = {
  readonly chain: ChainId;
  /** Final blocks that are no longer on the chain; empty when it is not known which. */
  readonly removed: readonly BlockRef[];
  readonly now: Date;
};

/**
 * Opens the break for final blocks that left the chain, or adds to the one that is open, and freezes every client compartment
 * whose wallets took part in a movement of those blocks; all that have a wallet on the chain when the blocks are not known. A
 * credit may be gone, and a withdrawal that settled may be payable again, so nothing more leaves until people have looked: no
 * machine ever ends this break. House compartments are not frozen: their coins pay the fees of everybody else.
 *
 * @returns the id of the break
 */
export async function openReorgBreak(custody: Custody, tx: Transaction, violation: FinalityViolation): Promise<string> {
  const { chain, removed, now } = violation;
  const id = await reorgBreak(custody, tx, violation);
  const compartments = await tx.query(
    `select distinct w.compartment from custody.wallet w
     where w.chain = $1 and w.compartment >= $2 and (cardinality($3::text[]) = 0 or exists (
       select from custody.movement m
       where m.chain = w.chain and m.block_hash = any ($3) and (m.to_address = w.address or m.from_address = w.address)))
     order by w.compartment`,
    [chain, compartmentFirst.omnibus, removed.map((block) => block.hash)],
  );
  for (const row of compartments) {
    await freeze(tx, now, { compartment: parseCompartment(Number(bigint(row, 'compartment'))), cause: id });
  }
  return id;
}

async function reorgBreak(
  custody: Custody,
  tx: Transaction,
  { chain, removed, now }: FinalityViolation,
): Promise<string> {
  const [open] = await tx.query(
    `select id, evidence::text from custody.break where chain = $1 and type = 'reorg' and resolved_at is null for update`,
    [chain],
  );
  const evidence = writeState({ removed });
  if (open !== undefined) {
    const id = text(open, 'id');
    // Blocks that were removed first stay in evidence; the same block is named once.
    await tx.query(
      `update custody.break set evidence = jsonb_build_object('removed', (
         select coalesce(jsonb_agg(distinct block), '[]') from jsonb_array_elements((evidence -> 'removed') || ($2::jsonb -> 'removed')) as block))
       where id = $1`,
      [id, evidence],
    );
    return id;
  }
  const { breakOwner, breakDeadlineMs } = custody.policy;
  const row = only(
    await tx.query(
      `insert into custody.break (id, type, chain, evidence, owner, deadline, opened_at) values ($1, 'reorg', $2, $3, $4, $5, $6) returning id`,
      [newId('brk', now), chain, evidence, breakOwner, new Date(now.getTime() + breakDeadlineMs), now],
    ),
  );
  const id = text(row, 'id');
  await record(tx, now, {
    actor: machine,
    subject: id,
    event: 'break-opened',
    data: { type: 'reorg', chain, removed },
  });
  return id;
}
