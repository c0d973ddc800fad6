import { type Intent, type IntentKind, intentText } from '@bulkhead/domain';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
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

const ofVault: readonly TypedField[] = [
  { name: 'client', type: 'string' },
  { name: 'vault', type: 'address' },
  { name: 'vaultNonce', type: 'uint256' },
  { name: 'deadline', type: 'uint64' },
];

const vaultMatter: readonly TypedField[] = [
  ...asked,
  { name: 'compartment', type: 'uint32' },
  { name: 'chain', type: 'string' },
  ...ofVault,
];

const expiring: TypedField = { name: 'expiresAt', type: 'uint64' };

const listed: readonly TypedField[] = [
  ...asked,
  { name: 'before', type: 'uint64' },
  { name: 'items', type: 'uint64' },
  { name: 'digest', type: 'bytes32' },
  { name: 'expiresAt', type: 'uint64' },
];

const pinned: readonly TypedField[] = [
  ...asked,
  { name: 'chain', type: 'string' },
  { name: 'registry', type: 'address' },
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
  relay: {
    name: 'Relay',
    fields: [
      ...effect,
      { name: 'relays', type: 'string' },
      { name: 'beneficiary', type: 'uint32' },
      { name: 'callDigest', type: 'bytes32' },
    ],
  },
  delegation: {
    name: 'Delegation',
    fields: [...effect, { name: 'wallet', type: 'address' }, { name: 'nonce', type: 'uint64' }],
  },
  'vault-withdrawal': {
    name: 'VaultWithdrawal',
    fields: [...effect, ...ofVault, { name: 'authorisation', type: 'string' }, expiring],
  },
  'vault-fee': { name: 'VaultFee', fields: [...effect, ...ofVault] },
  'vault-invalidation': { name: 'VaultInvalidation', fields: [...vaultMatter, { name: 'cancels', type: 'string' }] },
  'vault-pause': { name: 'VaultPause', fields: [...vaultMatter, expiring] },
  'vault-limit-lowering': {
    name: 'VaultLimitLowering',
    fields: [
      ...vaultMatter,
      { name: 'asset', type: 'string' },
      { name: 'cap', type: 'uint256' },
      { name: 'window', type: 'string' },
      expiring,
    ],
  },
  'vault-destination-removal': {
    name: 'VaultDestinationRemoval',
    fields: [...vaultMatter, { name: 'to', type: 'address' }, expiring],
  },
  'vault-key-recovery': {
    name: 'VaultKeyRecovery',
    fields: [...vaultMatter, { name: 'role', type: 'string' }, { name: 'newKey', type: 'bytes32' }, expiring],
  },
  'signer-set-change': {
    name: 'SignerSetChange',
    fields: [
      ...asked,
      { name: 'signerSet', type: 'address' },
      { name: 'number', type: 'uint64' },
      { name: 'members', type: 'string' },
      { name: 'threshold', type: 'uint64' },
      expiring,
    ],
  },
  'signer-set-heartbeat': {
    name: 'SignerSetHeartbeat',
    fields: [
      ...asked,
      { name: 'chain', type: 'string' },
      { name: 'signerSet', type: 'address' },
      { name: 'blockNumber', type: 'uint64' },
      { name: 'blockHash', type: 'bytes32' },
      { name: 'statement', type: 'bytes32' },
    ],
  },
  'reserve-commitment': {
    name: 'ReserveCommitment',
    fields: [
      ...pinned,
      { name: 'header', type: 'string' },
      { name: 'record', type: 'bytes32' },
      { name: 'reserves', type: 'uint256' },
    ],
  },
  'reserve-proof': {
    name: 'ReserveProof',
    fields: [...pinned, { name: 'context', type: 'bytes32' }, { name: 'proof', type: 'bytes32' }],
  },
  'balance-statements': {
    name: 'BalanceStatements',
    fields: [
      ...pinned,
      { name: 'context', type: 'bytes32' },
      { name: 'root', type: 'bytes32' },
      { name: 'count', type: 'uint64' },
    ],
  },
  'wallet-control': {
    name: 'WalletControl',
    fields: [
      ...asked,
      { name: 'chain', type: 'string' },
      { name: 'compartment', type: 'uint32' },
      { name: 'wallet', type: 'address' },
      { name: 'custodian', type: 'bytes32' },
      { name: 'context', type: 'bytes32' },
    ],
  },
  'log-checkpoint': {
    name: 'LogCheckpoint',
    fields: [
      ...asked,
      { name: 'origin', type: 'string' },
      { name: 'size', type: 'uint64' },
      { name: 'root', type: 'bytes32' },
    ],
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
  intentText(intent);
  const { name, fields } = forms[intent.kind];
  const values = new Map(Object.entries(intent).map(([key, value]) => [key, String(value)]));
  const message = fields.map((field): readonly [string, string] => {
    const value = values.get(field.name) ?? '';
    return [field.name, field.type === 'bytes32' ? `0x${value}` : value];
  });
  return {
    domain: domainOf(intent),
    types: { [name]: fields },
    primaryType: name,
    message: Object.fromEntries(message),
  };
}

/** What an EIP-712 wallet signs for an intent: Keccak-256 over `0x1901`, the hash of the domain and the hash of the struct. */
export function eip712Digest(hashes: Hashes, intent: Intent): Uint8Array {
  // As in the typed form: only what has canonical bytes is typed.
  intentText(intent);
  const { name, fields } = forms[intent.kind];
  const values: Readonly<Record<string, bigint | number | string>> = { ...intent };
  // In hex, which is put together in one piece and turned into bytes once: that is cheap also where JavaScript has no compiler.
  let words = typeHash(hashes, name, fields);
  for (const field of fields) words += word(hashes, field, values[field.name] ?? '');
  const structHash = bytesToHex(hashes.keccak256(hexToBytes(words)));
  return hashes.keccak256(hexToBytes(eip712Prefix + domainHash(hashes, domainOf(intent)) + structHash));
}

const eip712Prefix = '1901';

function domainOf({ deployment }: Intent): TypedIntent['domain'] {
  return { name: 'Bulkhead', version: '1', salt: `0x${deployment.padEnd(64, '0')}` };
}

/** Hashes that are the same for many intents, by what is hashed: types, domains of deployments, names of assets and of clients. */
const steadyHashes = new WeakMap<Hashes, Map<string, string>>();
const steadyHashesMax = 1_024;
/** Fields whose texts stand in many intents. */
const steadyFields: ReadonlySet<string> = new Set(['asset', 'client', 'feePayer']);

function steadyHash(hashes: Hashes, name: string, make: () => string): string {
  const known = steadyHashes.get(hashes) ?? new Map<string, string>();
  steadyHashes.set(hashes, known);
  const found = known.get(name);
  if (found !== undefined) return found;
  const made = make();
  // Somebody may ask about ever new deployments: the memory is started over, and fills again with what is asked for.
  if (known.size >= steadyHashesMax) known.clear();
  known.set(name, made);
  return made;
}

function typeHash(hashes: Hashes, name: string, fields: readonly TypedField[]): string {
  return steadyHash(hashes, name, () => textHash(hashes, encodeType(name, fields)));
}

function domainHash(hashes: Hashes, { name, version, salt }: TypedIntent['domain']): string {
  return steadyHash(hashes, salt, () => {
    const parts = [
      textHash(hashes, domainType),
      textHash(hashes, name),
      textHash(hashes, version),
      wordOf(BigInt(salt)),
    ];
    return bytesToHex(hashes.keccak256(hexToBytes(parts.join(''))));
  });
}

function textHash({ keccak256 }: Hashes, text: string): string {
  return bytesToHex(keccak256(utf8ToBytes(text)));
}

/** The digest of an intent, hex, by the caller's own SHA-256: the same as `intentDigest` of the domain. */
export function digestOf(hashes: Hashes, intent: Intent): string {
  return hashes.sha256Hex(intentText(intent));
}

const approvalHeader = 'bulkhead-approval-v1\n';

/** What an Ed25519 key signs for an intent: a header line and the digest, 64 lower-case hex digits. */
export function ed25519Message(digest: string): Uint8Array {
  return utf8ToBytes(approvalHeader + digest);
}

function encodeType(name: string, fields: readonly { readonly name: string; readonly type: string }[]): string {
  return `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`;
}

/** The 32 bytes that stand for a value, in hex: integers and addresses on the right, texts by their hash. */
function word(hashes: Hashes, { name, type }: TypedField, value: bigint | number | string): string {
  if (type === 'string') {
    const text = String(value);
    return steadyFields.has(name)
      ? steadyHash(hashes, `"${text}`, () => textHash(hashes, text))
      : textHash(hashes, text);
  }
  return wordOf(BigInt(type === 'bytes32' ? `0x${value}` : value));
}

/** 32 bytes, big-endian, in hex. Its callers have numbers of at most 256 bits. */
function wordOf(value: bigint): string {
  return value.toString(16).padStart(64, '0');
}
