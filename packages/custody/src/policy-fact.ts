import { boolean, only, type Transaction } from '@bulkhead/postgres';
import { type Actor, type Custody, machine } from './custody.ts';
import { record } from './journal.ts';

/** A value as a fact says it: amounts as digits, maps as objects. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(entries.map(([name, entry]) => [String(name), plain(entry)]));
}

/**
 * Writes the policy of this process down where it is another one than was written down last: what the configuration allows is decided
 * outside of the database, and each change of it is a fact. Several servers that start at once write it once.
 *
 * @returns whether it had changed
 */
export async function notePolicy({ db, clock, policy }: Pick<Custody, 'db' | 'clock' | 'policy'>): Promise<boolean> {
  const data = { policy: plain(policy) };
  return db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('policy', 7403))`);
    const known = await tx.query(
      `select data = $1::jsonb as same from custody.journal where subject = 'policy' and event = 'policy-set' and erased_at is null
       order by position desc limit 1`,
      [JSON.stringify(data)],
    );
    if (known.length > 0 && boolean(only(known), 'same')) return false;
    await record(tx, clock.now(), { actor: machine, subject: 'policy', event: 'policy-set', data });
    return true;
  });
}

/** Writes down, in the transaction that did it, that openings of the audit log are kept for longer. */
export async function noteRetention(
  tx: Transaction,
  now: Date,
  decided: { readonly actor: Actor; readonly period: string; readonly reason: string },
): Promise<void> {
  const { actor, period, reason } = decided;
  await record(tx, now, { actor, subject: 'policy', event: 'retention-lengthened', data: { period, reason } });
}
