import { type Intent, intentBytes, type IntentKind } from '@bulkhead/domain';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hashes } from './hashes.ts';

export type TypedField = {
  readonly name: string;
  readonly type: 'address' | 'bytes32' | 'string' | 'uint256' | 'uint32' | 'uint64';
};

/** Typed data in the JSON form of `eth_signTypedData_v4`: numbers as decimal strings, byte strings with `0x`. */
export type TypedIntent = {
  readonly domain: { readonly name: 'Bulkhead'; readonly version: '1'; readonly salt: `0x${string}` };
  readonly types: Readonly<Record<string, readonly TypedField[]>>;
  readonly primaryType: string;
  readonly message: Readonly<Record<string, string>>;
};

const asked: readonly TypedField[] = [{ name: 'id', type: 'string' }];

const effect: readonly TypedField[] = [
  ...asked,
  { name: 'compartment', type: 'uint32' },
  { name: 'asset', type: 'string' },
  { name: 'to', type: 'address' },
  { name: 'amount', type: 'uint256' },
  { name: 'feeMax', type: 'uint256' },
];

const forClient: readonly TypedField[] = [
  ...effect,
  { name: 'client', type: 'string' },
  { name: 'feePayer', type: 'string' },
  { name: 'expiresAt', type: 'uint64' },
];

const listed: readonly TypedField[] = [
  ...asked,
  { name: 'before', type: 'uint64' },
  { name: 'items', type: 'uint64' },
  { name: 'digest', type: 'bytes32' },
  { name: 'expiresAt', type: 'uint64' },
];

type Form = { readonly name: string; readonly fields: readonly TypedField[] };

/** One struct for each kind: its name tells kinds with equal fields apart. */
const forms: Readonly<Record<IntentKind, Form>> = {
  withdrawal: { name: 'Withdrawal', fields: forClient },
  'deposit-return': { name: 'DepositReturn', fields: forClient },
  sweep: { name: 'Sweep', fields: effect },
  'gas-grant': { name: 'GasGrant', fields: [...effect, { name: 'beneficiary', type: 'uint32' }] },
  'fee-payment': { name: 'FeePayment', fields: [...effect, { name: 'client', type: 'string' }] },
  cancel: {
    name: 'Cancel',
    fields: [...effect, { name: 'cancels', type: 'string' }, { name: 'nonce', type: 'uint64' }],
  },
  enrolment: { name: 'Enrolment', fields: listed },
  'policy-change': { name: 'PolicyChange', fields: listed },
  'state-recovery': {
    name: 'StateRecovery',
    fields: [
      ...asked,
      { name: 'sequence', type: 'uint64' },
      { name: 'head', type: 'bytes32' },
      { name: 'expiresAt', type: 'uint64' },
    ],
  },
};

const domainFields: readonly { readonly name: string; readonly type: string }[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'salt', type: 'bytes32' },
];
const domainType = encodeType('EIP712Domain', domainFields);

/**
 * The typed form of an intent (EIP-712), for wallets that show each field. There is no chain id in its domain, because changes of
 * authority belong to none: the deployment is the salt, and the chain stands in the asset.
 *
 * @throws CustodyError `intent/malformed` for what is no intent
 */
export function typedIntent(intent: Intent): TypedIntent {
  // What is typed is what has canonical bytes, with the bounds of those.
  intentBytes(intent);
  const { name, fields } = forms[intent.kind];
  const values = new Map(Object.entries(intent).map(([key, value]) => [key, String(value)]));
  const message = fields.map((field): readonly [string, string] => {
    const value = values.get(field.name) ?? '';
    return [field.name, field.type === 'bytes32' ? `0x${value}` : value];
  });
  return {
    domain: { name: 'Bulkhead', version: '1', salt: `0x${intent.deployment.padEnd(64, '0')}` },
    types: { [name]: fields },
    primaryType: name,
    message: Object.fromEntries(message),
  };
}

/** What an EIP-712 wallet signs for an intent: Keccak-256 over `0x1901`, the hash of the domain and the hash of the struct. */
export function eip712Digest(hashes: Hashes, intent: Intent): Uint8Array {
  const { domain, types, primaryType, message } = typedIntent(intent);
  const fields = types[primaryType] ?? [];
  const { keccak256 } = hashes;
  const textHash = (text: string): Uint8Array => keccak256(utf8ToBytes(text));
  const domainHash = keccak256(
    concatBytes(
      textHash(domainType),
      textHash(domain.name),
      textHash(domain.version),
      hexToBytes(domain.salt.slice(2)),
    ),
  );
  const words = fields.map((field) => word(field, message[field.name] ?? '', textHash));
  const structHash = keccak256(concatBytes(textHash(encodeType(primaryType, fields)), ...words));
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), domainHash, structHash));
}

/** The digest of an intent, hex, by the caller's own SHA-256: the same as `intentDigest` of the domain. */
export function digestOf(hashes: Hashes, intent: Intent): string {
  return bytesToHex(hashes.sha256(intentBytes(intent)));
}

const approvalHeader = 'bulkhead-approval-v1\n';

/** What an Ed25519 key signs for an intent: a header line and the digest, 64 lower-case hex digits. */
export function ed25519Message(digest: string): Uint8Array {
  return utf8ToBytes(approvalHeader + digest);
}

function encodeType(name: string, fields: readonly { readonly name: string; readonly type: string }[]): string {
  return `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`;
}

/** The 32 bytes that stand for a value: integers and addresses on the right, texts by their hash. */
function word({ type }: TypedField, value: string, textHash: (text: string) => Uint8Array): Uint8Array {
  switch (type) {
    case 'string':
      return textHash(value);
    case 'bytes32':
      return hexToBytes(value.slice(2));
    case 'address':
      return hexToBytes(value.slice(2).padStart(64, '0'));
    case 'uint32':
    case 'uint64':
    case 'uint256':
      return hexToBytes(BigInt(value).toString(16).padStart(64, '0'));
  }
}
