import { bigint, type Queries, type Transaction } from '@bulkhead/postgres';
import type { Actor } from './custody.ts';
import { record } from './journal.ts';

/**
 * Destroys actor and data of journal entries, by their places among all facts. For the owner of the tables; whoever calls this has
 * looked at retention, and destroys what their leaves commit with in the same transaction.
 */
export async function eraseJournal(tx: Transaction, positions: readonly bigint[], now: Date): Promise<void> {
  await tx.query('select custody.erase_facts($1::bigint[], $2)', [positions, now]);
}

export type Erasure = {
  readonly actor: Actor;
  /** Leaves whose openings are destroyed. */
  readonly leaves: readonly number[];
  /** Rows of personal data that are destroyed. */
  readonly personal?: readonly string[];
  readonly reason: string;
};

/** Writes down what was destroyed, as spec/log.md has it. */
export async function recordErasure(tx: Transaction, now: Date, erasure: Erasure): Promise<void> {
  const { actor, leaves, personal = [], reason } = erasure;
  await record(tx, now, { actor, subject: 'log', event: 'erased', data: { leaves, personal, reason } });
}

/** Places of facts whose own content may name a client: fees, as they were recorded while their texts stood in the journal. */
export async function namingFacts(db: Queries, client: string): Promise<readonly bigint[]> {
  const rows = await db.query(
    `select j.fact as position from custody.journal j join custody.fee f on f.id = j.subject
     where f.client = $1 and j.data ? 'description' order by j.fact`,
    [client],
  );
  return rows.map((row) => bigint(row, 'position'));
}
