import { type Intent, intentDigest, invariant, refuse, type Refused } from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import { lodge, type SignedApproval, storeApproval } from './approval.ts';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { record } from './journal.ts';

/** Something that people of a role approve, one after the other: how it is found and locked, and what follows from one more. */
export type Approvable<Found extends { readonly intent: Intent }, View> = {
  /** Within a sentence. */
  readonly noun: string;
  readonly find: (db: Queries) => Promise<Found | undefined>;
  readonly lock: (tx: Transaction) => Promise<Found | undefined>;
  /** Why it waits for nobody. */
  readonly closed: (found: Found, now: Date) => string | undefined;
  /** The job that tries it, and what the caller is shown. */
  readonly stored: (tx: Transaction, found: Found) => Promise<View>;
};

type Person = { readonly id: string; readonly person: string; readonly now: Date };

/** Takes a person's signature over an intent that a quorum of people decides. How many are enough, the signers know. */
export async function approveIntent<Found extends { readonly intent: Intent }, View>(
  custody: Custody,
  call: WriteCall,
  { id, approval, of }: SignedApproval & { readonly of: Approvable<Found, View> },
): Promise<Answer<View>> {
  const person = call.actor.name;
  return commandAfterAsking<{ digest: string }, View>(custody, call, {
    ask: async () => {
      const found = await of.find(custody.db);
      if (found === undefined) return notFound(of.noun, id);
      const refused =
        (await objection(custody.db, { found, of }, { id, person, now: custody.clock.now() })) ??
        (await lodge(custody, call.actor, { intent: found.intent, approval }));
      return refused ?? { digest: intentDigest(found.intent) };
    },
    work: async (tx, now, { digest }) => {
      const locked = await of.lock(tx);
      invariant(locked !== undefined, 'What somebody signs has vanished.', { id });
      invariant(intentDigest(locked.intent) === digest, 'What was signed is not what is stored.', { id });
      // The signers have it by now, and may have counted it already: it is kept whatever came of the intent meanwhile.
      const refused = await repetition(tx, { id, person });
      if (refused !== undefined) return refused;
      await storeApproval(tx, { subject: id, role: 'approval', approval, digest, now });
      await record(tx, now, { actor: call.actor, subject: id, event: 'approved', data: { digest } });
      // Commit point: the approval and the job that tries what it is for. Without the job the schedule would try it later.
      return of.stored(tx, locked);
    },
  });
}

async function objection<Found extends { readonly intent: Intent }, View>(
  db: Queries,
  { found, of }: { readonly found: Found; readonly of: Approvable<Found, View> },
  { id, person, now }: Person,
): Promise<Refused | undefined> {
  const state = of.closed(found, now);
  if (state !== undefined) {
    return refuse(
      'vault/wrong-state',
      `The ${of.noun} ${id} is ${state}: only one that waits for people is approved.`,
      { id },
    );
  }
  return repetition(db, { id, person });
}

async function repetition(db: Queries, { id, person }: Omit<Person, 'now'>): Promise<Refused | undefined> {
  const [known] = await db.query('select from custody.approval where subject = $1 and person = $2', [id, person]);
  if (known === undefined) return undefined;
  return refuse('withdrawal/already-approved', `${person} has approved ${id} already; another person must.`, { id });
}
