import { setTimeout as pause } from 'node:timers/promises';
import {
  type Approval,
  CustodyError,
  type Evidence,
  type Intent,
  intentBytes,
  intentDigest,
  type Outlook,
  refuse,
  type Refused,
  type SignedStatement,
} from '@bulkhead/domain';
import { type Queries, type Row, text, type Transaction } from '@bulkhead/postgres';
import type { Actor, Custody } from './custody.ts';
import { readState, writeState } from './state.ts';

/** A person's signature for a workflow, as it is handed in. */
export type SignedApproval = { readonly id: string; readonly approval: Approval };

export type ApprovalRole = 'request' | 'approval';

/**
 * Gives a signature to the signer, which verifies it and says whose it is. Everybody answers for their own signature: one of
 * another person is refused, even if it is right.
 *
 * Done before anything is stored. A crash in between loses nothing: the signer takes the same signature again.
 *
 * @throws CustodyError `signer/…`, `signer/unavailable` among them
 */
export async function lodge(
  custody: Custody,
  actor: Actor,
  { intent, approval }: { readonly intent: Intent; readonly approval: Approval },
): Promise<Refused | undefined> {
  const { person } = await custody.signer.lodge(intent, approval);
  if (person === actor.name && approval.person === person) return undefined;
  return refuse(
    'approval/of-another-person',
    `This is the signature of ${person}, and ${actor.name} hands it in: ${person} must do that.`,
    { person },
  );
}

export type StoredApproval = {
  readonly subject: string;
  readonly role: ApprovalRole;
  readonly approval: Approval;
  readonly digest: string;
  readonly now: Date;
};

/** Stores a signature that the signer has taken, in the transaction of the step that it allows. */
export async function storeApproval(tx: Transaction, stored: StoredApproval): Promise<void> {
  const { approval } = stored;
  await tx.query(
    `insert into custody.approval (subject, role, person, key, kind, signature, intent_digest, at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      stored.subject,
      stored.role,
      approval.person,
      approval.key,
      approval.kind,
      writeState(approval),
      stored.digest,
      stored.now,
    ],
  );
}

const columns = 'subject, role, person, signature::text as signature, intent_digest, at';

/**
 * Every signature that was stored for exactly this intent. They are handed to the signer as they are: what is missing or was
 * changed here makes it refuse, and nothing else.
 */
export async function evidenceFor(db: Queries, subject: string, intent: Intent): Promise<Evidence> {
  const rows = await db.query(
    `select ${columns} from custody.approval where subject = $1 and intent_digest = $2 order by at, person`,
    [subject, intentDigest(intent)],
  );
  const [request] = rows.filter((row) => text(row, 'role') === 'request').map(approvalOf);
  const approvals = rows.filter((row) => text(row, 'role') === 'approval').map(approvalOf);
  return request === undefined ? { approvals } : { request, approvals };
}

function approvalOf(row: Row): Approval {
  return readState<Approval>(text(row, 'signature'));
}

/** The approvals of some workflows, in the order in which they came. */
export async function approvalRows(db: Queries, subjects: readonly string[]): Promise<readonly Row[]> {
  return db.query(
    `select ${columns} from custody.approval where subject = any($1::text[]) and role = 'approval' order by at, person`,
    [subjects],
  );
}

/**
 * Milliseconds that a request of a person waits for what the signer would say. A signer that is stopped keeps its socket open and
 * says nothing, and the limit of its client is as long as that of a whole request.
 */
export const outlookMsMax = 2_000;

/** What the signer would say, or undefined where nobody says it in time. What comes later is thrown away: it decides nothing. */
async function outlookSoon(custody: Custody, intent: Intent, evidence: Evidence): Promise<Outlook | undefined> {
  const waited = new AbortController();
  const late = pause(outlookMsMax, undefined, { signal: waited.signal }).catch(() => undefined);
  try {
    return await Promise.race([custody.signer.outlook(intent, evidence), late]);
  } catch (error) {
    if (error instanceof CustodyError && signerSays(error)) return undefined;
    throw error;
  } finally {
    waited.abort();
  }
}

/**
 * How many people the signer wants for an intent beside its requester, when those of the evidence that it does not count are
 * counted too; undefined where it does not say within {@link outlookMsMax}, or no rule of its policy matches.
 */
export async function peopleNeeded(custody: Custody, intent: Intent, evidence: Evidence): Promise<number | undefined> {
  const outlook = await outlookSoon(custody, intent, evidence);
  if (outlook === undefined || outlook.refusal !== undefined) return undefined;
  const missing = Math.max(outlook.approvalsNeeded - outlook.approvedBy.length, 0);
  return evidence.approvals.length + missing;
}

/** Whether a fault came from the signer, or from the lack of one: the work waits and is tried again. */
export function signerSays(error: CustodyError): boolean {
  return error.code.startsWith('signer/') || error.code.startsWith('hsm/');
}

/** The text of an intent as people sign it, and its digest. */
export function canonicalOf(intent: Intent): { readonly canonical: string; readonly digest: string } {
  return { canonical: Buffer.from(intentBytes(intent)).toString('utf8'), digest: intentDigest(intent) };
}

/** What the signer says about an intent now, signed, for the approval page; null while it does not answer. */
export async function briefOf(custody: Custody, subject: string, intent: Intent): Promise<SignedStatement | null> {
  const outlook = await outlookSoon(custody, intent, await evidenceFor(custody.db, subject, intent));
  return outlook?.brief ?? null;
}
