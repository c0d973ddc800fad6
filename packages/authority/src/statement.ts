import { CustodyError } from '@bulkhead/domain';
import {
  type CanonicalObject,
  canonicalJson,
  type CanonicalValue,
  isCanonicalObject,
  parseCanonicalJson,
} from './canonical-json.ts';

/**
 * What an identity key of the signer says. `spec/statement.md` has the fields.
 * - `account-certificate`, `wallet-certificate`: this public key or address is of this compartment;
 * - `address-certificate`: this address is where this client pays in;
 * - `vault-certificate`: this address is a vault of this compartment, with all that is needed to deploy it and to leave it;
 * - `forwarder-certificate`: this address is in front of a vault, and where this client pays in;
 * - `log-key-certificate`: this key signs checkpoints of the audit log of this name;
 * - `head`: the log stood here; `brief`: what an approver should know about an intent.
 */
export type StatementKind =
  | 'account-certificate'
  | 'wallet-certificate'
  | 'address-certificate'
  | 'vault-certificate'
  | 'forwarder-certificate'
  | 'log-key-certificate'
  | 'head'
  | 'brief';

export type Statement = { readonly kind: StatementKind; readonly fields: CanonicalObject };

/** The longest is the certificate of a vault with a long initial policy. */
export const statementCharactersMax: number = 32_768;

const header = 'bulkhead-statement-v1\n';

type Form = { readonly needed: readonly string[]; readonly allowed: readonly string[] };

const forms: Readonly<Record<StatementKind, Form>> = {
  'account-certificate': { needed: ['deployment', 'compartment', 'path', 'xpub', 'residency'], allowed: [] },
  'wallet-certificate': { needed: ['deployment', 'compartment', 'label', 'address', 'residency'], allowed: [] },
  'address-certificate': {
    needed: ['deployment', 'client', 'compartment', 'chain', 'address', 'issuedAt'],
    allowed: ['path', 'label'],
  },
  'vault-certificate': {
    needed: [
      'deployment',
      'compartment',
      'chain',
      'address',
      'factory',
      'vaultImplementation',
      'forwarderImplementation',
      'signerSet',
      'codeHashes',
      'config',
      'policy',
      'agreement',
      'issuedAt',
    ],
    allowed: ['client'],
  },
  'forwarder-certificate': {
    needed: [
      'deployment',
      'client',
      'compartment',
      'chain',
      'address',
      'vault',
      'salt',
      'factory',
      'forwarderImplementation',
      'issuedAt',
    ],
    allowed: [],
  },
  'log-key-certificate': { needed: ['deployment', 'origin', 'publicKey', 'residency'], allowed: [] },
  head: { needed: ['deployment', 'sequence', 'hash', 'at'], allowed: [] },
  brief: {
    needed: ['deployment', 'digest', 'at', 'registryVersion', 'approvalsNeeded', 'requestNeeded', 'approvedBy'],
    allowed: ['rule', 'fees', 'asset', 'destination', 'client', 'compartmentKind', 'development', 'refusal'],
  },
};

/**
 * The text an identity key signs: a header line, then canonical JSON of the fields and the kind.
 *
 * @throws CustodyError `signer/certificate-invalid` for fields that the kind does not have, or that it lacks
 */
export function statementText(kind: StatementKind, fields: CanonicalObject): string {
  assertForm(kind, fields);
  const text = header + canonicalJson({ ...fields, kind });
  if (text.length > statementCharactersMax) throw invalid(`it has more than ${statementCharactersMax} characters`);
  return text;
}

/**
 * Reads a statement back. It says what is stated, not that it is true: verify the signature first.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function parseStatement(text: string): Statement {
  if (text.length > statementCharactersMax) throw invalid(`it has more than ${statementCharactersMax} characters`);
  if (!text.startsWith(header)) throw invalid('its first line is another');
  let value: CanonicalValue;
  try {
    value = parseCanonicalJson(text.slice(header.length));
  } catch (error) {
    throw invalid('it is not in its canonical form', error);
  }
  if (!isCanonicalObject(value)) throw invalid('it is no object');
  const { kind: word, ...fields } = value;
  const kind = typeof word === 'string' ? statementKinds.find((known) => known === word) : undefined;
  if (kind === undefined) throw invalid('its kind is unknown');
  assertForm(kind, fields);
  return { kind, fields };
}

const statementKinds: readonly StatementKind[] = [
  'account-certificate',
  'wallet-certificate',
  'address-certificate',
  'vault-certificate',
  'forwarder-certificate',
  'log-key-certificate',
  'head',
  'brief',
];

function assertForm(kind: StatementKind, fields: CanonicalObject): void {
  const { needed, allowed } = forms[kind];
  const missing = needed.find((name) => fields[name] === undefined);
  if (missing !== undefined) throw invalid(`a ${kind} has no field "${missing}"`);
  const other = Object.keys(fields).find((name) => !needed.includes(name) && !allowed.includes(name));
  if (other !== undefined) throw invalid(`a ${kind} has no use for "${other.slice(0, 60)}"`);
  if (kind !== 'brief') assertForms(kind, fields);
  if (kind === 'address-certificate' && (fields['path'] === undefined) === (fields['label'] === undefined)) {
    throw invalid('it names its key by path or by label, one of the two');
  }
}

/** Terms of vaults are objects; everything else is text. */
const termsOfVault: ReadonlySet<string> = new Set(['config', 'policy', 'codeHashes']);

function assertForms(kind: StatementKind, fields: CanonicalObject): void {
  for (const [name, value] of Object.entries(fields)) {
    const object = kind === 'vault-certificate' && termsOfVault.has(name);
    if (object && !isCanonicalObject(value)) throw invalid(`"${name}" is no object`);
    if (!object && typeof value !== 'string') throw invalid(`"${name}" is no text`);
  }
}

function invalid(fact: string, cause?: unknown): CustodyError {
  return new CustodyError('signer/certificate-invalid', `This is no statement of a signer: ${fact}.`, { cause });
}
