import { CustodyError } from '@bulkhead/domain';
import { cka, ckk, ckm, ulongBytes } from './cryptoki.ts';
import { type Attribute, reserveAttributes, writeMechanism, writeTemplate } from './frame.ts';
import type { Desk } from './slot.ts';

/** Attributes of a key as the token states them. */
export type KeyAttributes = {
  readonly sensitive: boolean;
  readonly alwaysSensitive: boolean;
  readonly extractable: boolean;
  readonly neverExtractable: boolean;
  /** Made in the token, not brought into it. */
  readonly local: boolean;
  readonly wraps: boolean;
  readonly unwraps: boolean;
};

/** What a key pair is made from. */
export type KeyPairKind = { readonly mechanism: number; readonly keyType: number; readonly curve: Uint8Array };

type Handles = { readonly publicKey: bigint; readonly privateKey: bigint };

/** Makes a pair whose private half cannot leave the token. */
export async function makeKeyPair({ session }: Desk, label: string, kind: KeyPairKind): Promise<Handles> {
  const { frame } = session;
  const name = Buffer.from(label);
  const both: readonly Attribute[] = [
    [cka.TOKEN, true],
    // The public half as well: without the PIN nobody may put another one in its place.
    [cka.PRIVATE, true],
    [cka.KEY_TYPE, kind.keyType],
    [cka.LABEL, name],
    [cka.ID, name],
  ];
  const publicTemplate = writeTemplate(frame, [...both, [cka.VERIFY, true], [cka.EC_PARAMS, kind.curve]]);
  const privateTemplate = writeTemplate(frame, [
    ...both,
    [cka.SENSITIVE, true],
    [cka.EXTRACTABLE, false],
    [cka.SIGN, true],
    // Said, because a module may take what is not said for a yes.
    [cka.DECRYPT, false],
    [cka.UNWRAP, false],
    [cka.DERIVE, false],
  ]);
  const out = frame.reserve(2 * ulongBytes);
  await session.call('C_GenerateKeyPair', [
    writeMechanism(frame, kind.mechanism),
    publicTemplate.address,
    publicTemplate.count,
    privateTemplate.address,
    privateTemplate.count,
    out.address,
    out.address + BigInt(ulongBytes),
  ]);
  return { publicKey: out.bytes.readBigUInt64LE(), privateKey: out.bytes.readBigUInt64LE(ulongBytes) };
}

/** Makes an AES-256 key that encrypts and decrypts, and neither leaves the token nor takes a key out of it. */
export async function makeSealingKey({ session }: Desk, label: string): Promise<bigint> {
  const { frame } = session;
  const template = writeTemplate(frame, [
    [cka.TOKEN, true],
    [cka.PRIVATE, true],
    [cka.KEY_TYPE, ckk.AES],
    [cka.VALUE_LEN, 32],
    [cka.LABEL, Buffer.from(label)],
    [cka.ID, Buffer.from(label)],
    [cka.SENSITIVE, true],
    [cka.EXTRACTABLE, false],
    [cka.ENCRYPT, true],
    [cka.DECRYPT, true],
    [cka.WRAP, false],
    [cka.UNWRAP, false],
    [cka.SIGN, false],
    [cka.VERIFY, false],
    [cka.DERIVE, false],
  ]);
  const out = frame.reserve(ulongBytes);
  const mechanism = writeMechanism(frame, ckm.AES_KEY_GEN);
  await session.call('C_GenerateKey', [mechanism, template.address, template.count, out.address]);
  return out.bytes.readBigUInt64LE();
}

const flags = [
  cka.SENSITIVE,
  cka.ALWAYS_SENSITIVE,
  cka.EXTRACTABLE,
  cka.NEVER_EXTRACTABLE,
  cka.LOCAL,
  cka.WRAP,
  cka.UNWRAP,
] as const;

/** What the token states about a private or secret key. What it does not state is taken for the worse. */
export async function readAttributes({ session }: Desk, handle: bigint): Promise<KeyAttributes> {
  const read = new Map<number, boolean | undefined>();
  for (const type of flags) {
    const value = reserveAttributes(session.frame, [[type, 1]]);
    // Some classes of keys lack some attributes; asked for together, one that is missing would spoil the answer.
    const result = await session.ask('C_GetAttributeValue', [handle, value.address, value.count]);
    read.set(type, result === 0 ? value.read(0)?.[0] === 1 : undefined);
  }
  return {
    sensitive: read.get(cka.SENSITIVE) ?? false,
    alwaysSensitive: read.get(cka.ALWAYS_SENSITIVE) ?? false,
    extractable: read.get(cka.EXTRACTABLE) ?? true,
    neverExtractable: read.get(cka.NEVER_EXTRACTABLE) ?? false,
    local: read.get(cka.LOCAL) ?? false,
    wraps: read.get(cka.WRAP) ?? false,
    unwraps: read.get(cka.UNWRAP) ?? false,
  };
}

/**
 * Whether a key was made in the token and can never leave it: what residency `hsm` claims.
 *
 * @throws CustodyError `hsm/refused`
 */
export function assertResident(attributes: KeyAttributes, label: string): void {
  const wrong = [
    attributes.sensitive ? '' : 'not SENSITIVE',
    attributes.alwaysSensitive ? '' : 'not ALWAYS_SENSITIVE',
    attributes.extractable ? 'EXTRACTABLE' : '',
    attributes.neverExtractable ? '' : 'not NEVER_EXTRACTABLE',
    attributes.local ? '' : 'not LOCAL',
    attributes.wraps ? 'WRAP' : '',
    attributes.unwraps ? 'UNWRAP' : '',
  ].filter((text) => text !== '');
  if (wrong.length === 0) return;
  throw new CustodyError(
    'hsm/refused',
    `The key "${label}" is ${wrong.join(', ')} by its attributes: it was not made in the token, or it can leave it, and must not be called resident. Make a new key, and look at the policy of the module.`,
    { details: { label } },
  );
}
