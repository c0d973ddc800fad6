import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PersonRole } from '@bulkhead/authority';
import { type Approval, CustodyError, parseIntent } from '@bulkhead/domain';

/**
 * The people of an installation for development. What they approve with lies in the data folder, because there is nobody else to
 * keep it: these keys are theirs and not the server's, which never opens the files. The demonstration and the tests do, as the
 * people they play; anybody else can, with `bulkhead approve`.
 */
export type DevelopmentPerson = {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly PersonRole[];
  /** The first is the one in `<id>.key`, another one is in `<id>-<kind>.key`. */
  readonly kinds: readonly SoftwareKeyKind[];
};

export type SoftwareKeyKind = 'ed25519' | 'eip712';

/** Roles in the order that a registry list has them. */
export const developmentPeople: readonly DevelopmentPerson[] = [
  { id: 'admin', name: 'Admin', roles: ['operational', 'root'], kinds: ['ed25519', 'eip712'] },
  { id: 'operator', name: 'Operator', roles: ['operational', 'requester'], kinds: ['ed25519'] },
  { id: 'approver-1', name: 'Approver 1', roles: ['approver', 'operational', 'root'], kinds: ['ed25519'] },
  { id: 'approver-2', name: 'Approver 2', roles: ['approver', 'operational', 'root'], kinds: ['eip712'] },
];

/** The file of a person's key. */
export function keyPath(directory: string, { id, kinds }: DevelopmentPerson, kind: SoftwareKeyKind): string {
  return join(directory, kind === kinds[0] ? `${id}.key` : `${id}-${kind}.key`);
}

/** The file of the one passphrase that opens all of them: random, and for its owner alone. */
export function passphrasePath(directory: string): string {
  return join(directory, 'passphrase');
}

/**
 * What a person does who approves: reads the canonical text of an intent, and signs it with a key of the own file.
 *
 * @throws CustodyError `intent/malformed` for a text that is no intent, `key/…` for a file that cannot be used
 */
export async function approvalBy(directory: string, personId: string, canonical: string): Promise<Approval> {
  // What computes with secrets of people is loaded when somebody is played, and by no server that only serves.
  const { closeApproverKey, openApproverKey, signApproval } = await import('@bulkhead/approve');
  const intent = parseIntent(new TextEncoder().encode(canonical));
  const person = developmentPeople.find(({ id }) => id === personId);
  const [kind] = person?.kinds ?? [];
  if (person === undefined || kind === undefined) {
    throw new CustodyError('key/missing-file', `${personId} is nobody of this installation for development.`);
  }
  const approver = await openApproverKey(keyPath(directory, person, kind), passphraseIn(directory));
  try {
    return signApproval(approver, intent);
  } finally {
    closeApproverKey(approver);
  }
}

function passphraseIn(directory: string): string {
  const path = passphrasePath(directory);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CustodyError('key/missing-file', `${path} cannot be read. Begin anew with --fresh.`, { cause });
  }
}
