import type { Refused } from '@bulkhead/domain';
import { only, type Queries, type Transaction, text, texts } from '@bulkhead/postgres';
import type { Actor, Custody } from './custody.ts';
import { recordedIn } from './journal.ts';
import { readState } from './state.ts';

/** A write as it comes from outside: who, and under which idempotency key. The fingerprint covers operation and body. */
export type WriteCall = {
  readonly actor: Actor;
  readonly idempotency: { readonly key: string; readonly fingerprint: string };
};

export type Done<View> = { readonly status: 'done'; readonly view: View };
export type KeyReused = { readonly status: 'key-reused' };
export type Answer<View> = {
  readonly hit: boolean;
  readonly outcome: Done<View> | Refused | KeyReused;
  /** Places among all facts of what the command wrote down: with them its caller asks for receipts of the audit log. */
  readonly facts: readonly bigint[];
};

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
  const name = `${call.actor.name}\n${call.idempotency.key}`;
  return inTurn(custody, name, async (waited) => {
    // Answers are never changed: one that is committed may be read without the lock.
    const known = waited ? await storedAnswer<View>(custody.db, call) : undefined;
    return known ?? custody.db.transaction(async (tx) => answerOnce(custody, tx, { call, name, work }));
  });
}

export type Asking<Told, View> = {
  /**
   * Runs first and outside of any transaction: questions to the signer, which may take their time, and what they need. It may
   * run again for the same key, after a crash. A refusal becomes the answer.
   */
  readonly ask: () => Promise<Told | Refused>;
  readonly work: (tx: Transaction, now: Date, told: Told) => Promise<View | Refused>;
};

/** A {@link command} that has to ask somebody before it works. What is answered already is not asked again. */
export async function commandAfterAsking<Told, View>(
  custody: Custody,
  call: WriteCall,
  { ask, work }: Asking<Told, View>,
): Promise<Answer<View>> {
  const name = `${call.actor.name}\n${call.idempotency.key}`;
  return inTurn(custody, name, async () => {
    const known = await storedAnswer<View>(custody.db, call);
    if (known !== undefined) return known;
    const told = await ask();
    return custody.db.transaction(async (tx) =>
      answerOnce<View>(custody, tx, {
        call,
        name,
        work: async (inner, now) => (isRefused(told) ? told : work(inner, now, told)),
      }),
    );
  });
}

type Once<View> = {
  readonly call: WriteCall;
  readonly name: string;
  readonly work: (tx: Transaction, now: Date) => Promise<View | Refused>;
};

async function answerOnce<View>(
  custody: Custody,
  tx: Transaction,
  { call, name, work }: Once<View>,
): Promise<Answer<View>> {
  const { actor, idempotency } = call;
  // The lock makes a second request with the same key wait for the first one's answer instead of working beside it.
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7401))', [name]);
  const stored = await storedAnswer<View>(tx, call);
  if (stored !== undefined) return stored;
  const now = custody.clock.now();
  const outcome = await attempt(tx, () => work(tx, now));
  // Stored with the work, as the answer is. What a savepoint undid is not in the journal.
  const row = only(
    await tx.query(
      `insert into custody.command (actor, key, fingerprint, answer, facts, created_at)
       values ($1, $2, $3, $4, array(select fact from custody.journal where fact = any ($5::bigint[]) order by fact), $6) returning facts::text[]`,
      [actor.name, idempotency.key, idempotency.fingerprint, JSON.stringify(outcome), recordedIn(tx), now],
    ),
  );
  return { hit: false, outcome, facts: texts(row, 'facts').map(BigInt) };
}

async function storedAnswer<View>(db: Queries, { actor, idempotency }: WriteCall): Promise<Answer<View> | undefined> {
  const [stored] = await db.query(
    'select fingerprint, answer::text, facts::text[] as facts from custody.command where actor = $1 and key = $2',
    [actor.name, idempotency.key],
  );
  if (stored === undefined) return undefined;
  const asked = text(stored, 'fingerprint');
  // It is empty where what was asked for named a client who was erased since.
  if (asked !== '' && asked !== idempotency.fingerprint) {
    return { hit: false, outcome: { status: 'key-reused' }, facts: [] };
  }
  const facts = texts(stored, 'facts').map(BigInt);
  return { hit: true, outcome: readState<Done<View> | Refused>(text(stored, 'answer')), facts };
}

/** The last in line for each key, per context. */
const lines = new WeakMap<Custody, Map<string, Promise<unknown>>>();

/**
 * Lets requests of this process with the same key come one after the other. The lock in the database decides between processes;
 * in line here a thousand of them wait without a connection each, which everybody else needs.
 */
async function inTurn<Result>(
  custody: Custody,
  name: string,
  work: (waited: boolean) => Promise<Result>,
): Promise<Result> {
  const line = lines.get(custody) ?? new Map<string, Promise<unknown>>();
  lines.set(custody, line);
  const before = line.get(name);
  const mine = before === undefined ? work(false) : before.then(() => work(true));
  // Whoever comes next waits for the end of this one, however it ends.
  const end = mine.then(
    () => undefined,
    () => undefined,
  );
  line.set(name, end);
  try {
    return await mine;
  } finally {
    if (line.get(name) === end) line.delete(name);
  }
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
  return {
    status: 'refused',
    code: 'resource/not-found',
    message: `There is no ${what} ${id.slice(0, 80)}.`,
    details: {},
  };
}
