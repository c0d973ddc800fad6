import { generateKeyPairSync, createPrivateKey, randomBytes, sign as signEdwards } from 'node:crypto';
import { join } from 'node:path';
import { type ApproverKey, ed25519Message, eip712Digest, nobleHashes, type PersonRole } from '@bulkhead/authority';
import { type Approval, CustodyError, intentDigest, parseAddress, parseIntent } from '@bulkhead/domain';
import { bytesToHex } from 'viem';
import { privateKeyToAddress, sign as signSecp } from 'viem/accounts';
import { z } from 'zod';
import { privateText } from '../private-file.ts';

/**
 * The people of an installation for development. What they approve with lies in the data folder, because there is nobody else to
 * keep it: these keys are theirs and not the server's, which never opens the files. The demonstration and the tests do, as the
 * people they play.
 */
export type DevelopmentPerson = {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly PersonRole[];
  readonly kinds: readonly SoftwareKeyKind[];
};

type SoftwareKeyKind = 'ed25519' | 'eip712';

/** Roles in the order that a registry list has them. */
export const developmentPeople: readonly DevelopmentPerson[] = [
  { id: 'admin', name: 'Admin', roles: ['operational', 'root'], kinds: ['ed25519', 'eip712'] },
  { id: 'operator', name: 'Operator', roles: ['operational', 'requester'], kinds: ['ed25519'] },
  { id: 'approver-1', name: 'Approver 1', roles: ['approver', 'operational', 'root'], kinds: ['ed25519'] },
  { id: 'approver-2', name: 'Approver 2', roles: ['approver', 'operational', 'root'], kinds: ['eip712'] },
];

const hex32 = z.string().regex(/^[0-9a-f]{64}$/u);

const keyForm = z.discriminatedUnion('kind', [
  z.strictObject({ id: z.string(), kind: z.literal('ed25519'), publicKey: hex32, secret: hex32 }),
  z.strictObject({
    id: z.string(),
    kind: z.literal('eip712'),
    address: z.string().regex(/^0x[0-9a-f]{40}$/u),
    secret: hex32,
  }),
]);

const personForm = z.strictObject({ person: z.string(), keys: z.array(keyForm).min(1) });

type SoftwareKey = z.output<typeof keyForm>;
type PersonFile = z.output<typeof personForm>;

/** PKCS#8 of an Ed25519 key (RFC 8410) before its 32 bytes. */
const edwardsPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The approver keys of a person, made at the first start; only their owner may read them. */
export function personKeys(directory: string, person: DevelopmentPerson): readonly ApproverKey[] {
  const { keys } = fileOf(directory, person.id, () => ({ person: person.id, keys: person.kinds.map(newKey) }));
  return keys.map((key) =>
    key.kind === 'ed25519'
      ? { id: key.id, kind: key.kind, publicKey: key.publicKey }
      : { id: key.id, kind: key.kind, address: parseAddress(key.address) },
  );
}

/**
 * What a person does who approves: reads the canonical text of an intent, and signs it with a key of the own file.
 *
 * @throws CustodyError `intent/malformed` for a text that is no intent, `key/file-access` where the person has no keys
 */
export async function approvalBy(
  directory: string,
  who: { readonly person: string; readonly kind?: SoftwareKeyKind },
  canonical: string,
): Promise<Approval> {
  const intent = parseIntent(new TextEncoder().encode(canonical));
  const { keys } = fileOf(directory, who.person, () => {
    throw new CustodyError('key/file-access', `${who.person} has no approver key in ${directory}.`);
  });
  const key = keys.find(({ kind }) => who.kind === undefined || kind === who.kind);
  if (key === undefined) throw new CustodyError('key/file-access', `${who.person} has no key of that kind.`);
  const whose = { person: who.person, key: key.id };
  if (key.kind === 'ed25519') {
    const signature = signEdwards(null, ed25519Message(intentDigest(intent)), edwardsKey(key.secret));
    return { ...whose, kind: 'ed25519', signature: signature.toString('hex') };
  }
  const hash = bytesToHex(eip712Digest(nobleHashes, intent));
  const signature = await signSecp({ hash, privateKey: `0x${key.secret}`, to: 'hex' });
  return { ...whose, kind: 'eip712', signature: signature.slice(2) };
}

function edwardsKey(secret: string): ReturnType<typeof createPrivateKey> {
  return createPrivateKey({
    key: Buffer.concat([edwardsPrefix, Buffer.from(secret, 'hex')]),
    format: 'der',
    type: 'pkcs8',
  });
}

function newKey(kind: SoftwareKeyKind): SoftwareKey {
  if (kind === 'eip712') {
    const secret = randomBytes(32).toString('hex');
    return { id: 'wallet', kind, address: privateKeyToAddress(`0x${secret}`).toLowerCase(), secret };
  }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const last = (der: Buffer): string => der.subarray(-32).toString('hex');
  return {
    id: 'robot',
    kind,
    publicKey: last(publicKey.export({ format: 'der', type: 'spki' })),
    secret: last(privateKey.export({ format: 'der', type: 'pkcs8' })),
  };
}

function fileOf(directory: string, person: string, create: () => PersonFile): PersonFile {
  const path = join(directory, `${person}.json`);
  const text = privateText(path, () => `${JSON.stringify(create(), null, 2)}\n`);
  const content = personForm.safeParse(parsedJson(text));
  if (content.success) return content.data;
  throw new CustodyError(
    'config/invalid',
    `${path} does not hold the approver keys of a person. Begin anew with --fresh.`,
  );
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
