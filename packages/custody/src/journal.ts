import type { Queries } from '@bulkhead/postgres';
import type { Actor } from './custody.ts';
import { writeState } from './state.ts';

export type JournalEntry = {
  readonly actor: Actor;
  readonly subject: string;
  readonly event: string;
  readonly data?: object;
};

/** Writes down who did what to which workflow, in the transaction that did it. */
export async function record(tx: Queries, now: Date, entry: JournalEntry): Promise<void> {
  await tx.query('insert into custody.journal (at, actor, subject, event, data) values ($1, $2, $3, $4, $5)', [
    now,
    entry.actor.name,
    entry.subject,
    entry.event,
    writeState(entry.data ?? {}),
  ]);
}
