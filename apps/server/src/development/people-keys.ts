import { randomBytes } from 'node:crypto';
import { createApproverKey } from '@bulkhead/approve';
import type { RegistryItem } from '@bulkhead/authority';
import type { Pinned } from '@bulkhead/signer-client';
import { privateText } from '../private-file.ts';
import { type DevelopmentPerson, developmentPeople, keyPath, passphrasePath, type SoftwareKeyKind } from './people.ts';

/** The passphrase has 256 random bits: nobody guesses it, however cheap a guess is. */
const randomPassphraseCost = { log2N: 10, r: 8, p: 1 };

const keyIds: Readonly<Record<SoftwareKeyKind, string>> = { ed25519: 'robot', eip712: 'wallet' };

/** Makes approver keys for the people, each in a file that is pinned to the installation, and says how the registry lists them. */
export async function makePeople(directory: string, pins: Pinned): Promise<readonly RegistryItem[]> {
  const passphrase = privateText(passphrasePath(directory), () => randomBytes(32).toString('base64url'));
  const make = async (person: DevelopmentPerson): Promise<RegistryItem> => ({
    item: 'person',
    id: person.id,
    name: person.name,
    roles: person.roles,
    keys: await Promise.all(
      person.kinds.map((kind) =>
        createApproverKey({
          path: keyPath(directory, person, kind),
          passphrase,
          kind,
          person: person.id,
          key: keyIds[kind],
          pins,
          cost: randomPassphraseCost,
        }),
      ),
    ),
  });
  return Promise.all(developmentPeople.map(make));
}
