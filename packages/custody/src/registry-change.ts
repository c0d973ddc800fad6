import {
  type AuthorityIntent,
  CustodyError,
  type Evidence,
  type FaultCode,
  intentDigest,
  invariant,
  refuse,
  type Refused,
} from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { canonicalOf, evidenceFor, lodge, type SignedApproval, signerSays, storeApproval } from './approval.ts';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import {
  type Change,
  changeView,
  findChange,
  lockChange,
  type RegistryChangeKind,
  type RegistryChangeState,
  type RegistryChangeView,
} from './registry-change-view.ts';
import { storeRecord } from './signer-record.ts';

/** Time that people have to approve a change. */
export const registryChangeTtlMs = 604_800_000;
/** Changes that one run of the schedule tries or ends. */
const changesAtOnce = 200;

/** A list that the caller has parsed and written in its canonical form. */
export type RegistryChangeRequest = {
  readonly kind: RegistryChangeKind;
  readonly list: string;
  /** SHA-256 of the list's bytes, hex. */
  readonly listDigest: string;
  readonly items: number;
};

/**
 * Proposes a change of the signer's registry: stores the list and the intent that people approve, which names the version that the
 * signer has now.
 *
 * @throws CustodyError `signer/unavailable`: without the signer nobody knows the version
 */
export async function proposeRegistryChange(
  custody: Custody,
  call: WriteCall,
  request: RegistryChangeRequest,
): Promise<Answer<RegistryChangeView>> {
  return commandAfterAsking<{ before: bigint }, RegistryChangeView>(custody, call, {
    ask: async () => ({ before: (await custody.signer.status()).registryVersion }),
    work: async (tx, now, { before }) => {
      const expires = new Date(now.getTime() + registryChangeTtlMs);
      const intent: AuthorityIntent = {
        deployment: custody.deployment,
        kind: request.kind,
        id: newId('chg', now),
        before,
        items: BigInt(request.items),
        digest: request.listDigest,
        expiresAt: BigInt(Math.floor(expires.getTime() / 1000)),
      };
      const { canonical, digest } = canonicalOf(intent);
      await tx.query(
        `insert into custody.registry_change (id, kind, before_version, list, list_digest, items, intent, intent_digest, state,
           requested_by, expires_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11, $11)`,
        [
          intent.id,
          request.kind,
          before,
          request.list,
          request.listDigest,
          request.items,
          canonical,
          digest,
          call.actor.name,
          expires,
          now,
        ],
      );
      await record(tx, now, { actor: call.actor, subject: intent.id, event: 'registry-change-proposed', data: intent });
      return changeView(tx, intent.id);
    },
  });
}

/** Takes a person's signature over a change. A job tries the change after each: the signer knows how many are enough. */
export async function approveRegistryChange(
  custody: Custody,
  call: WriteCall,
  { id, approval }: SignedApproval,
): Promise<Answer<RegistryChangeView>> {
  const person = call.actor.name;
  return commandAfterAsking<{ digest: string }, RegistryChangeView>(custody, call, {
    ask: async () => {
      const change = await findChange(custody.db, id);
      if (change === undefined) return notFound('registry change', id);
      const refused =
        (await objection(custody.db, change, { person, now: custody.clock.now() })) ??
        (await lodge(custody, call.actor, { intent: change.intent, approval }));
      return refused ?? { digest: intentDigest(change.intent) };
    },
    work: async (tx, now, { digest }) => {
      const change = await lockChange(tx, id);
      invariant(change !== undefined, 'A registry change that somebody signs has vanished.', { id });
      invariant(intentDigest(change.intent) === digest, 'What was signed is not what is stored.', { id });
      const refused = await objection(tx, change, { person, now });
      if (refused !== undefined) return refused;
      await storeApproval(tx, { subject: id, role: 'approval', approval, digest, now });
      await record(tx, now, { actor: call.actor, subject: id, event: 'approved', data: { digest } });
      await enqueue(tx, { task: 'apply-registry-change', id });
      // Commit point: the approval and the job that tries the change. Without the job the schedule would try it later.
      return changeView(tx, id);
    },
  });
}

async function objection(
  db: Queries,
  change: Change,
  { person, now }: { person: string; now: Date },
): Promise<Refused | undefined> {
  if (change.state !== 'open' || now >= change.expiresAt) {
    const state = change.state === 'open' ? 'expired' : change.state;
    return refuse('registry-change/wrong-state', `Change ${change.id} is ${state}; only an open one is approved.`, {
      id: change.id,
      state,
    });
  }
  const [known] = await db.query('select from custody.approval where subject = $1 and person = $2', [
    change.id,
    person,
  ]);
  if (known === undefined) return undefined;
  return refuse(
    'registry-change/already-approved',
    `${person} has approved ${change.id} already; another person must.`,
    { id: change.id },
  );
}

/** Refusals after which the same list can never be applied under this intent. */
const finalRefusals: readonly FaultCode[] = [
  'signer/intent-expired',
  'signer/intent-spent',
  'signer/registry-list',
  'signer/registry-version',
  'signer/wrong-deployment',
];

function isFinalRefusal(code: string): boolean {
  return finalRefusals.some((known) => known === code);
}

async function stays(custody: Custody, id: string, said: { code: string; message: string }): Promise<void> {
  const reason = refusalReason(said);
  const now = custody.clock.now();
  await custody.db.transaction((tx) => endChange(tx, id, { state: 'open', reason, now }));
}

function refusalReason({ code, message }: { code: string; message: string }): string {
  return `The signer says no (${code}): ${message}`;
}

/**
 * The job `apply-registry-change`: gives the signer the change with all signatures, once there are as many as it wants.
 *
 * A crash between the signer's change and its storing costs nothing: the signer answers a repetition with what it recorded, and a
 * record of this change that was fetched before says the same.
 */
export async function applyRegistryChange(custody: Custody, id: string): Promise<void> {
  const change = await findChange(custody.db, id);
  if (change === undefined || change.state !== 'open') return;
  const evidence = await evidenceFor(custody.db, id, change.intent);
  try {
    const { approvalsNeeded, approvedBy, refusal } = await custody.signer.outlook(change.intent, evidence);
    // A refusal that people can mend is not asked for again and again: each would be a record for ever. One that is final is,
    // because the signer may have made this very change before.
    const isFinal = refusal !== undefined && isFinalRefusal(refusal.code);
    if (refusal !== undefined && !isFinal) await stays(custody, id, refusal);
    else if (isFinal || approvedBy.length >= approvalsNeeded) await apply(custody, change, evidence);
    else if (custody.clock.now() >= change.expiresAt) await expire(custody, id);
  } catch (error) {
    if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
    const known = await recordOfChange(custody.db, change);
    await custody.db.transaction((tx) =>
      endChange(tx, id, {
        now: custody.clock.now(),
        ...(known === undefined ? refusedBy(error) : { state: 'applied', version: known }),
      }),
    );
  }
}

async function apply(custody: Custody, change: Change, evidence: Evidence): Promise<void> {
  const done = await custody.signer.change({ intent: change.intent, evidence, list: change.list });
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    await storeRecord(custody, tx, done.record);
    await endChange(tx, change.id, { state: 'applied', version: done.version, now });
  });
}

type ChangeEnd = {
  readonly state: RegistryChangeState;
  readonly reason?: string;
  readonly version?: bigint;
  readonly now: Date;
};

function refusedBy(error: CustodyError): { state: RegistryChangeState; reason: string } {
  const reason = refusalReason(error);
  if (error.code === 'signer/intent-expired') return { state: 'expired', reason };
  return { state: isFinalRefusal(error.code) ? 'refused' : 'open', reason };
}

async function endChange(tx: Transaction, id: string, end: ChangeEnd): Promise<void> {
  const change = await lockChange(tx, id);
  if (change === undefined || change.state !== 'open') return;
  await tx.query(
    'update custody.registry_change set state = $2, reason = $3, version = $4, updated_at = $5 where id = $1',
    [id, end.state, end.reason ?? null, end.version ?? null, end.now],
  );
  if (end.state === 'open') return;
  const data = { reason: end.reason, version: end.version };
  await record(tx, end.now, { actor: machine, subject: id, event: `registry-change-${end.state}`, data });
}

/** The version that this very change led to, where a record of the signer says so. */
async function recordOfChange(db: Queries, change: Change): Promise<bigint | undefined> {
  const rows = await db.query(
    `select line from custody.signer_record
     where stored_at >= $1 and line like '%"type":"changed"%' and position($2 in line) > 0 order by sequence limit 1`,
    [change.createdAt, intentDigest(change.intent)],
  );
  // A list makes one version of the one before it.
  return rows.length === 0 ? undefined : change.before + 1n;
}

async function expire(custody: Custody, id: string): Promise<void> {
  const reason = 'Too few people approved it in time.';
  const now = custody.clock.now();
  await custody.db.transaction((tx) => endChange(tx, id, { state: 'expired', reason, now }));
}

/** Ends changes whose time is over, and tries those again that have approvals and wait for the signer. */
export async function tendRegistryChanges(custody: Custody): Promise<void> {
  const now = custody.clock.now();
  const rows = await custody.db.query(
    `select id, signed from (select c.id, c.expires_at, exists (select from custody.approval a where a.subject = c.id) as signed
       from custody.registry_change c where c.state = 'open') as open
     where signed or expires_at <= $1 order by id limit $2`,
    [now, changesAtOnce],
  );
  for (const row of rows) {
    const id = text(row, 'id');
    // Even where its time is over the signer may have made it already: the job finds out.
    if (row['signed'] === true) await enqueue(custody.db, { task: 'apply-registry-change', id });
    else await expire(custody, id);
  }
}
