import { type CanonicalObject, type CanonicalValue, isCanonicalObject } from '@bulkhead/authority';
import { type Approval, CustodyError, type Evidence, type Signature } from '@bulkhead/domain';
import type { RememberedHead } from '@bulkhead/keys';
import type { Counter } from './approvals.ts';

/** The form that values have inside a record, and the way back. What cannot be read was not written by this program. */

export function textOf(fields: CanonicalObject, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw unreadable(name);
  return value;
}

export function numberOf(fields: CanonicalObject, name: string): bigint {
  const text = textOf(fields, name);
  if (!/^[0-9]{1,78}$/u.test(text)) throw unreadable(name);
  return BigInt(text);
}

export function objectsOf(fields: CanonicalObject, name: string): readonly CanonicalObject[] {
  return listOf(fields, name).map((entry) => {
    if (!isCanonicalObject(entry)) throw unreadable(name);
    return entry;
  });
}

export function textsOf(fields: CanonicalObject, name: string): readonly string[] {
  return listOf(fields, name).map((entry) => {
    if (typeof entry !== 'string') throw unreadable(name);
    return entry;
  });
}

function listOf(fields: CanonicalObject, name: string): readonly CanonicalValue[] {
  const value = fields[name];
  if (typeof value === 'string' || value === undefined || isCanonicalObject(value)) throw unreadable(name);
  return value;
}

export function evidenceFields({ request, approvals }: Evidence): CanonicalObject {
  return {
    approvals: approvals.map(approvalFields),
    ...(request === undefined ? {} : { request: approvalFields(request) }),
  };
}

/** Exactly the fields of its kind, in the order that they are written in: what merely came along is not written down. */
export function approvalFields(approval: Approval): CanonicalObject {
  const { person, key, kind, signature } = approval;
  if (kind !== 'webauthn') return { key, kind, person, signature };
  const { authenticatorData, clientDataJson } = approval;
  return { authenticatorData, clientDataJson, key, kind, person, signature };
}

export function approvalOf(fields: CanonicalObject): Approval {
  const own = { person: textOf(fields, 'person'), key: textOf(fields, 'key') };
  const kind = textOf(fields, 'kind');
  const signature = textOf(fields, 'signature');
  if (kind === 'eip712' || kind === 'ed25519') return { ...own, kind, signature };
  if (kind !== 'webauthn') throw unreadable('kind');
  const authenticatorData = textOf(fields, 'authenticatorData');
  return { ...own, kind, signature, authenticatorData, clientDataJson: textOf(fields, 'clientDataJson') };
}

export function signatureFields({ r, s, yParity }: Signature): CanonicalObject {
  return { r: String(r), s: String(s), yParity: String(yParity) };
}

export function signatureOf(fields: CanonicalObject): Signature {
  return { r: numberOf(fields, 'r'), s: numberOf(fields, 's'), yParity: textOf(fields, 'yParity') === '1' ? 1 : 0 };
}

export function counterFields(counters: readonly Counter[]): readonly CanonicalObject[] {
  return counters.map(({ credential, count, fingerprint }) => ({ count: String(count), credential, fingerprint }));
}

export function countersOf(fields: CanonicalObject): readonly Counter[] {
  return objectsOf(fields, 'counters').map((counter) => ({
    credential: textOf(counter, 'credential'),
    count: Number(numberOf(counter, 'count')),
    fingerprint: textOf(counter, 'fingerprint'),
  }));
}

export function headsOf(fields: CanonicalObject, name: string): readonly RememberedHead[] {
  return objectsOf(fields, name).map((head) => ({ sequence: numberOf(head, 'sequence'), hash: textOf(head, 'hash') }));
}

function unreadable(name: string): CustodyError {
  return new CustodyError(
    'signer/state-damaged',
    `A record of the signer's log has no "${name}" that can be read. It was written by another version, or changed.`,
    { details: { name } },
  );
}
