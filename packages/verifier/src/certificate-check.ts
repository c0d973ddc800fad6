import {
  type CanonicalObject,
  nobleHashes,
  type Statement,
  vaultTermsOf,
  verifySignedRecord,
  verifySignedStatement,
} from '@bulkhead/authority';
import {
  type Address,
  type Compartment,
  CustodyError,
  type DecisionRecord,
  parseAddress,
  parseAmount,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { forwarderAddress, parseWord, vaultAddress } from '@bulkhead/vaults';
import { fieldOf } from './bytes.ts';
import { checkOf } from './signed-statement.ts';

/** First addresses of an account among which one is looked for. */
export const accountAddressesMax = 10_000;

/** What a reader knows before it looks at a certificate or a record. */
export type CertificateKnowledge = {
  /** Hex. A key that comes with the file proves nothing. */
  readonly identities: readonly string[];
  readonly address: Address | undefined;
  /** Fields that must be exactly so. */
  readonly fields: Readonly<Record<string, string>>;
  /** Whether an address is one of the first of an account; absent where nothing here derives addresses. */
  readonly hasAddress?: (
    account: { readonly xpub: string; readonly compartment: Compartment },
    address: Address,
    among: number,
  ) => boolean;
};

/** One thing that a certificate or record told: proven, a field of what is proven, or something that nobody looked at. */
export type Told = {
  readonly mark: 'proven' | 'field' | 'unseen';
  readonly text: string;
  /** What it is about. */
  readonly step: 'certificate' | 'vault' | 'halves';
};

export const proven = (text: string, step: Told['step'] = 'certificate'): Told => ({ mark: 'proven', text, step });
export const unseen = (text: string, step: Told['step'] = 'certificate'): Told => ({ mark: 'unseen', text, step });
export const detail = (text: string): Told => ({ mark: 'field', text, step: 'certificate' });

/** Whether a value has the outside of a certificate or a record, as the API gives them. */
export function isCertificate(value: unknown): boolean {
  const inside = fieldOf(value, 'certificate') ?? value;
  return fieldOf(value, 'line') !== undefined || fieldOf(inside, 'statement') !== undefined;
}

/**
 * Verifies a certificate or a record of a signer with nothing but identity keys. A record proves itself by its head; anything else is a
 * statement, or has one under `certificate`.
 *
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged` and those of fields that have another form
 */
export function verifyCertificate(value: unknown, known: CertificateKnowledge): readonly Told[] {
  if (fieldOf(value, 'line') !== undefined) return verifiedRecord(recordOf(value), known);
  const statement = statementOf(fieldOf(value, 'certificate') ?? value);
  const said = verifySignedStatement(statement, checkOf(known.identities), known.fields);
  const { kind, fields } = said;
  const looked = known.address === undefined ? [] : assertAddress(fields, { kind, address: known.address, known });
  assertDerived(said);
  const behind = kind === 'forwarder-certificate' ? verifiedVault(value, said, known) : [];
  return [proven(`${kind}, signed by ${statement.identity}`), ...toldFields(fields), ...looked, ...behind];
}

/** An address of a contract follows from what its certificate says: whoever signed another one is not believed about it. */
export function assertDerived({ kind, fields }: Statement): void {
  const derived = derivedAddress(kind, fields);
  if (derived === undefined || derived === fields['address']) return;
  throw new CustodyError(
    'signer/certificate-invalid',
    `What it says leads to ${derived}, and it names another address.`,
  );
}

function derivedAddress(kind: Statement['kind'], fields: CanonicalObject): Address | undefined {
  const address = (name: string): Address => parseAddress(text(fields, name));
  if (kind === 'forwarder-certificate') {
    const system = { factory: address('factory'), forwarderImplementation: address('forwarderImplementation') };
    const salt = parseWord(`0x${text(fields, 'salt')}`);
    return forwarderAddress(nobleHashes, system, { vault: address('vault'), salt });
  }
  if (kind !== 'vault-certificate') return undefined;
  const system = { factory: address('factory'), vaultImplementation: address('vaultImplementation') };
  return vaultAddress(nobleHashes, system, vaultTermsOf(fields).config);
}

/** The vault that a forwarder pays, where its certificate is in the file: what arrives is only as safe as that. */
function verifiedVault(value: unknown, { fields }: Statement, { identities }: CertificateKnowledge): readonly Told[] {
  const given = fieldOf(value, 'vaultCertificates');
  const first: unknown = Array.isArray(given) ? given[0] : undefined;
  if (first === undefined) return [unseen('the vault that it pays, whose certificate is not in the file.', 'vault')];
  const statement = statementOf(first);
  const shared = ['deployment', 'chain', 'compartment', 'factory', 'forwarderImplementation'] as const;
  const expected = Object.fromEntries(shared.map((name) => [name, text(fields, name)]));
  const address = text(fields, 'vault');
  const said = verifySignedStatement(statement, checkOf(identities), {
    ...expected,
    kind: 'vault-certificate',
    address,
  });
  assertDerived(said);
  return [proven(`vault-certificate of ${address}, which it pays, signed by ${statement.identity}`, 'vault')];
}

function verifiedRecord(
  record: DecisionRecord,
  { identities, address, fields: wanted }: CertificateKnowledge,
): readonly Told[] {
  const { sequence, at, type, fields } = verifySignedRecord(record, checkOf(identities), nobleHashes);
  const all = { ...wanted, ...(address === undefined ? {} : { address }) };
  for (const [name, value] of Object.entries(all)) {
    // The installation is named by the head that the record stands below.
    if (name === 'deployment') verifySignedStatement(record.head, checkOf(identities), { deployment: value });
    else if (fields[name] !== value) throw unlike(name, value);
  }
  const time = new Date(Number(at) * 1_000).toISOString();
  return [proven(`record ${sequence}, ${type}, ${time}, signed by ${record.head.identity}`), ...toldFields(fields)];
}

function assertAddress(
  fields: CanonicalObject,
  of: { readonly kind: string; readonly address: Address; readonly known: CertificateKnowledge },
): readonly Told[] {
  const { kind, address, known } = of;
  const { xpub, compartment } = fields;
  if (kind !== 'account-certificate' || typeof xpub !== 'string' || typeof compartment !== 'string') {
    if (fields['address'] !== address) throw unlike('address', address);
    return [];
  }
  if (known.hasAddress === undefined) return [unseen(`whether ${address} is an address of this account.`)];
  const account = { xpub, compartment: parseCompartment(Number(compartment)) };
  if (known.hasAddress(account, address, accountAddressesMax)) return [];
  throw new CustodyError(
    'signer/certificate-invalid',
    `${address} is none of the first ${accountAddressesMax} addresses of this account.`,
  );
}

export function unlike(name: string, value: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `Its "${name}" is not "${value}": it is about something else.`);
}

function toldFields(fields: CanonicalObject): readonly Told[] {
  return Object.entries(fields).map(([name, value]) => {
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    return detail(`${name}: ${JSON.stringify(shown.slice(0, 400)).slice(1, -1)}`);
  });
}

export function text(value: unknown, name: string): string {
  const found = fieldOf(value, name);
  if (typeof found === 'string') return found;
  throw malformed(`no text "${name}"`);
}

export function malformed(fact: string): CustodyError {
  return new CustodyError(
    'signer/certificate-invalid',
    `The file has ${fact}: give a certificate or a record as the API gave it.`,
  );
}

export function statementOf(value: unknown): SignedStatement {
  return {
    statement: text(value, 'statement'),
    identity: text(value, 'identity'),
    signature: text(value, 'signature'),
  };
}

export function recordOf(value: unknown): DecisionRecord {
  const following = fieldOf(value, 'following');
  const sequence = fieldOf(value, 'sequence');
  if (!Array.isArray(following) || !following.every((digest) => typeof digest === 'string')) {
    throw malformed('no list "following"');
  }
  return {
    sequence: parseAmount(typeof sequence === 'number' ? String(sequence) : text(value, 'sequence')),
    line: text(value, 'line'),
    previous: text(value, 'previous'),
    following,
    head: statementOf(fieldOf(value, 'head')),
  };
}
