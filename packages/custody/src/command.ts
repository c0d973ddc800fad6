import type { Refused } from '@bulkhead/domain';
import { type Transaction, text } from '@bulkhead/postgres';
import type { Actor, Custody } from './custody.ts';
import { readState } from './state.ts';

/** A write as it comes from outside: who, and under which idempotency key. The fingerprint covers operation and body. */
export type WriteCall = {
  readonly actor: Actor;
  readonly idempotency: { readonly key: string; readonly fingerprint: string };
};

export type Done<View> = { readonly status: 'done'; readonly view: View };
export type KeyReused = { readonly status: 'key-reused' };
export type Answer<View> = { readonly hit: boolean; readonly outcome: Done<View> | Refused | KeyReused };

/**
 * Runs a write once per idempotency key. The answer is stored in the transaction of the work: after a crash either both are
 * there, and a retry gets the stored answer, or neither is, and a retry does the work. A business refusal undoes the work to
 * the savepoint and is stored as the answer; a fault (malformed input, database gone) stores nothing.
 *
 * `View` must be plain JSON: it comes back from storage on a hit.
 */
export async function command<View>(
  custody: Custody,
  call: WriteCall,
  work: (tx: Transaction, now: Date) => Promise<View | Refused>,
): Promise<Answer<View>> {
  return custody.db.transaction(async (tx) => {
    const { actor, idempotency } = call;
    // The lock makes a second request with the same key wait for the first one's answer instead of working beside it.
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7401))', [`${actor.name}\n${idempotency.key}`]);
    const [stored] = await tx.query('select fingerprint, answer::text from custody.command where actor = $1 and key = $2', [
      actor.name,
      idempotency.key,
    ]);
    if (stored !== undefined) {
      if (text(stored, 'fingerprint') !== idempotency.fingerprint) return { hit: false, outcome: { status: 'key-reused' } };
      return { hit: true, outcome: readState<Done<View> | Refused>(text(stored, 'answer')) };
    }
    const now = custody.clock.now();
    const outcome = await attempt(tx, () => work(tx, now));
    await tx.query('insert into custody.command (actor, key, fingerprint, answer, created_at) values ($1, $2, $3, $4, $5)', [
      actor.name,
      idempotency.key,
      idempotency.fingerprint,
      JSON.stringify(outcome),
      now,
    ]);
    return { hit: false, outcome };
  });
}

class Undo extends Error {
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(refused.code);
    this.refused = refused;
  }
}

/** Ends a command from deep inside its work with a refusal; everything the work did is undone. */
export function refuseCommand(refused: Refused): never {
  throw new Undo(refused);
}

async function attempt<View>(tx: Transaction, work: () => Promise<View | Refused>): Promise<Done<View> | Refused> {
  try {
    return await tx.savepoint(async () => {
      const result = await work();
      if (isRefused(result)) throw new Undo(result);
      return { status: 'done', view: result };
    });
  } catch (error) {
    if (error instanceof Undo) return error.refused;
    throw error;
  }
}

export function isRefused(value: unknown): value is Refused {
  return typeof value === 'object' && value !== null && 'status' in value && value.status === 'refused';
}

/** Turns a missing row into the refusal that every resource shares. */
export function notFound(what: string, id: string): Refused {
  return { status: 'refused', code: 'resource/not-found', message: `There is no ${what} ${id.slice(0, 80)}.`, details: {} };
}
