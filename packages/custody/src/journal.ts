import { bigint, type Transaction } from '@bulkhead/postgres';
import type { Actor } from './custody.ts';
import { writeState } from './state.ts';

export type JournalEntry = {
  readonly actor: Actor;
  readonly subject: string;
  readonly event: string;
  readonly data?: object;
};

/** Places of what each transaction wrote down. */
const written = new WeakMap<Transaction, bigint[]>();

/** Writes down who did what to which workflow, in the transaction that did it. */
export async function record(tx: Transaction, now: Date, entry: JournalEntry): Promise<void> {
  const rows = await tx.query(
    'insert into custody.journal (at, actor, subject, event, data) values ($1, $2, $3, $4, $5) returning fact',
    [now, entry.actor.name, entry.subject, entry.event, writeState(entry.data ?? {})],
  );
  const places = written.get(tx) ?? [];
  written.set(tx, places);
  places.push(...rows.map((row) => bigint(row, 'fact')));
}

/** Places among all facts of what {@link record} wrote in this transaction; those that were undone since to a savepoint are among them. */
export function recordedIn(tx: Transaction): readonly bigint[] {
  return written.get(tx) ?? [];
}
