import type { Actor, Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';

/** What an auditor was shown: an operation of the API, with what path and query named. */
export type AuditorReading = {
  readonly actor: Actor;
  readonly operation: string;
  readonly asked: Readonly<Record<string, string>>;
};

/** Names of fields that may name a person: that they were given is written down, and not what they said. */
const naming: ReadonlySet<string> = new Set(['reference']);
/** How a list is paged through says nothing of what was read. */
const paging: ReadonlySet<string> = new Set(['cursor', 'limit']);

/**
 * Writes down that an auditor read something: each question of each auditor once an hour, so that a page which asks every second does not
 * fill the log. Resolved means that the fact is committed; whoever answers waits for that. The fact has an id of its own, so that the public
 * log does not say which readings are of one auditor.
 */
export function auditorReadings({
  db,
  clock,
}: Pick<Custody, 'db' | 'clock'>): (reading: AuditorReading) => Promise<void> {
  let hour = 0;
  const known = new Set<string>();
  return async ({ actor, operation, asked }) => {
    const now = clock.now();
    const at = Math.floor(now.getTime() / 3_600_000);
    // A clock that is put back begins another hour as well: written down twice is no harm.
    if (at !== hour || known.size >= questionsMax) known.clear();
    hour = at;
    const told = Object.entries(asked)
      .filter(([name]) => !paging.has(name))
      .map(([name, value]) => [name, naming.has(name) ? 'given' : value] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const question = JSON.stringify([actor.name, operation, told]);
    if (known.has(question)) return;
    const data = { operation, asked: Object.fromEntries(told) };
    const subject = newId('pack', now);
    await db.transaction((tx) => record(tx, now, { actor, subject, event: 'auditor-read', data }));
    // Only what is committed is known.
    known.add(question);
  };
}

/** Questions that are remembered; beyond them some are written down again. */
const questionsMax = 10_000;
