import type { Database } from '@bulkhead/postgres';
import type { Actor } from './custody.ts';
import { record } from './journal.ts';

/** A line of the record of a ceremony, as a fact says it: who was there stands in the bundle, and here is the digest of the line. */
export type CeremonyFact = {
  /** SHA-256 of the line, hex. */
  readonly line: string;
  readonly type: string;
  readonly step: string;
  readonly began: string;
  readonly ended: string;
};

/**
 * Brings a ceremony into the journal, once: one fact for each line of its record. Whoever calls this has verified the bundle.
 *
 * @param order `plan` is the SHA-256 of the plan: a ceremony has one, and the facts are about it
 * @returns how many facts were written; 0 where it is there already
 */
export async function importCeremony(
  db: Database,
  now: Date,
  order: {
    readonly actor: Actor;
    readonly plan: string;
    readonly bundle: string;
    readonly lines: readonly CeremonyFact[];
  },
): Promise<number> {
  const { actor, plan, bundle, lines } = order;
  const subject = `ceremony_${plan}`;
  return db.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7404))', [subject]);
    if ((await tx.query('select from custody.journal where subject = $1 limit 1', [subject])).length > 0) return 0;
    for (const [at, line] of lines.entries()) {
      const event = line.type === 'step' ? 'ceremony-step' : `ceremony-${line.type}`;
      await record(tx, now, { actor, subject, event, data: { ...line, number: at + 1, of: lines.length, bundle } });
    }
    // Commit point: a crash before it leaves nothing, and the next import does all.
    return lines.length;
  });
}
