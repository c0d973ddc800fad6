import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type CanonicalObject, nobleHashes, type Statement, vaultTermsOf } from '@bulkhead/authority';
import {
  type Address,
  CustodyError,
  type DecisionRecord,
  parseAddress,
  parseAmount,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { hasAddress } from '@bulkhead/keys';
import { verifyRecord, verifyStatement } from '@bulkhead/signer-client';
import { forwarderAddress, parseWord, vaultAddress } from '@bulkhead/vaults';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { assertGrantOf } from './move-verification.ts';

/** Characters of a file that is verified. A record with a long list of changes is the longest. */
export const verifiedCharsMax = 16 * 2 ** 20;

/** First addresses of an account among which one is looked for. */
export const accountAddressesMax = 10_000;

type Expected = {
  readonly identities: readonly string[];
  readonly address: Address | undefined;
  /** Fields that must be exactly so. */
  readonly fields: Readonly<Record<string, string>>;
};

/**
 * Verifies a certificate or a record offline, for whoever has nothing of the installation but its identity keys: no configuration is
 * read and nobody is asked.
 */
export async function verify(terminal: Terminal): Promise<ExitCode> {
  const { file, expected } = read(terminal.words);
  const value = jsonOf(resolve(terminal.folder, file));
  try {
    for (const line of verified(value, expected)) terminal.out(line);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    terminal.out(`NOT PROVEN: ${error.message}`);
    return exitCodes.found;
  }
}

const options = {
  identity: { type: 'string', multiple: true },
  address: { type: 'string' },
  client: { type: 'string' },
  chain: { type: 'string' },
  compartment: { type: 'string' },
  deployment: { type: 'string' },
} as const;

const explained = '"bulkhead help signer" shows what it takes.';

function read(words: readonly string[]): { readonly file: string; readonly expected: Expected } {
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true; strict: true }>>;
  try {
    parsed = parseArgs({ args: [...words], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message.split(/\.\s/u)[0] : ''}. ${explained}`);
  }
  const { values, positionals } = parsed;
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`signer verify takes one file. ${explained}`);
  const identities = values.identity ?? [];
  if (identities.length === 0 || !identities.every((key) => /^[0-9a-f]{64}$/u.test(key))) {
    throw new UsageError(
      `signer verify needs --identity with the 64 hex digits of each identity key that you believe, from the ceremony. A key that comes with the file proves nothing.`,
    );
  }
  const { identity: _, address, ...fields } = values;
  return {
    file,
    expected: { identities, address: address === undefined ? undefined : parseAddress(address), fields },
  };
}

function jsonOf(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : ''}`);
  }
  if (text.length > verifiedCharsMax) {
    throw new UsageError(`${path} has ${text.length} characters, at most ${verifiedCharsMax} are read.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${path} is not JSON: give the certificate or the record as the API gave it.`);
  }
}

/** A record proves itself by its head; anything else is a statement, or has one under `certificate`. */
function verified(value: unknown, expected: Expected): readonly string[] {
  if (field(value, 'line') !== undefined) return verifiedRecord(recordOf(value), expected);
  const move = moveIn(value);
  if (move !== undefined) return verifiedMove(move, expected);
  const statement = statementOf(field(value, 'certificate') ?? value);
  const said = verifyStatement(statement, expected.identities, expected.fields);
  const { kind, fields } = said;
  if (expected.address !== undefined) assertAddress(fields, { kind, address: expected.address });
  assertDerived(said);
  const behind = kind === 'forwarder-certificate' ? verifiedVault(value, said, expected) : [];
  return [`Proven: ${kind}, signed by ${statement.identity}`, ...toldFields(fields), ...behind];
}

/** The certificate of a move, as its text or inside of what the API gave. */
function moveIn(value: unknown): unknown {
  const inside = field(value, 'certificate');
  const move = typeof inside === 'string' ? parsedOr(inside) : value;
  return field(move, 'kind') === 'segregation-move' ? move : undefined;
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Each half by the records of the signers that granted it, and the address that all went to by its certificates. Whether the transactions
 * are in their blocks only the chain knows.
 */
function verifiedMove(move: unknown, expected: Expected): readonly string[] {
  const { identities, fields: wanted } = expected;
  const moved = {
    deployment: text(move, 'deployment'),
    client: text(move, 'client'),
    fromCompartment: String(field(move, 'fromCompartment')),
  };
  const compartment = String(field(move, 'toCompartment'));
  const about: Readonly<Record<string, string>> = { ...moved, chain: text(move, 'chain'), compartment };
  for (const [name, value] of Object.entries(wanted)) if (about[name] !== value) throw unlike(name, value);
  const destination = field(move, 'destination');
  const address = parseAddress(text(destination, 'address'));
  if ((expected.address ?? address) !== address) throw unlike('address', address);
  const [certificate] = listOf(destination, 'certificates');
  const { deployment, client } = moved;
  const statement = statementOf(certificate);
  const said = verifyStatement(statement, identities, { deployment, chain: text(move, 'chain'), compartment, address });
  if (said.fields['client'] !== client) throw unlike('client', client);
  assertDerived(said);
  const told = listOf(move, 'halves').map((half) => verifiedHalf(half, { identities, moved, address }));
  return [
    `Proven: ${told.length} halves of ${text(move, 'move')} were granted by the signers, and the address is one of ${client} in compartment ${compartment}`,
    ...told,
    `  to: ${address}, ${said.kind}, signed by ${statement.identity}`,
    'Not looked at: whether these transactions are in their blocks; ask a node of your choice.',
  ];
}

type OfMove = {
  readonly identities: readonly string[];
  readonly moved: Parameters<typeof assertGrantOf>[2];
  readonly address: Address;
};

function verifiedHalf(value: unknown, { identities, moved, address }: OfMove): string {
  const half = {
    withdrawal: text(value, 'withdrawal'),
    asset: text(value, 'asset'),
    amount: text(value, 'amount'),
    to: text(value, 'to'),
  };
  if (half.to !== address) throw unlike('to', address);
  const records = listOf(value, 'granted').map(recordOf);
  if (records.length === 0) {
    throw new CustodyError(
      'signer/certificate-invalid',
      `No record of a signer stands for the half ${half.withdrawal}.`,
    );
  }
  for (const record of records) {
    const { type, fields } = verifyRecord(record, identities);
    assertGrantOf(half, { type, intent: text(fields, 'intent') }, moved);
  }
  const by = new Set(records.map(({ head }) => head.identity)).size;
  return `  ${half.withdrawal}: ${half.amount} of ${half.asset}, granted by ${by} signers, transaction ${text(value, 'transaction')}`;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list: unknown = field(value, name);
  if (Array.isArray(list)) return list;
  throw new UsageError(`The file has no list "${name}": give the certificate as the API gave it.`);
}

/** An address of a contract follows from what its certificate says: whoever signed another one is not believed about it. */
function assertDerived({ kind, fields }: Statement): void {
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
function verifiedVault(value: unknown, { fields }: Statement, { identities }: Expected): readonly string[] {
  const given = field(value, 'vaultCertificates');
  const first: unknown = Array.isArray(given) ? given[0] : undefined;
  if (first === undefined) return ['Not looked at: the vault that it pays, whose certificate is not in the file.'];
  const statement = statementOf(first);
  const shared = ['deployment', 'chain', 'compartment', 'factory', 'forwarderImplementation'] as const;
  const expected = Object.fromEntries(shared.map((name) => [name, text(fields, name)]));
  const address = text(fields, 'vault');
  const said = verifyStatement(statement, identities, { ...expected, kind: 'vault-certificate', address });
  assertDerived(said);
  return [`Proven: vault-certificate of ${address}, which it pays, signed by ${statement.identity}`];
}

function verifiedRecord(record: DecisionRecord, { identities, address, fields: wanted }: Expected): readonly string[] {
  const { sequence, at, type, fields } = verifyRecord(record, identities);
  const all = { ...wanted, ...(address === undefined ? {} : { address }) };
  for (const [name, text] of Object.entries(all)) {
    // The installation is named by the head that the record stands below.
    if (name === 'deployment') verifyStatement(record.head, identities, { deployment: text });
    else if (fields[name] !== text) throw unlike(name, text);
  }
  const time = new Date(Number(at) * 1_000).toISOString();
  return [`Proven: record ${sequence}, ${type}, ${time}, signed by ${record.head.identity}`, ...toldFields(fields)];
}

function assertAddress(fields: CanonicalObject, of: { readonly kind: string; readonly address: Address }): void {
  const { kind, address } = of;
  const { xpub, compartment } = fields;
  if (kind !== 'account-certificate' || typeof xpub !== 'string' || typeof compartment !== 'string') {
    if (fields['address'] !== address) throw unlike('address', address);
    return;
  }
  const account = { xpub, compartment: parseCompartment(Number(compartment)) };
  if (hasAddress(account, address, accountAddressesMax)) return;
  throw new CustodyError(
    'signer/certificate-invalid',
    `${address} is none of the first ${accountAddressesMax} addresses of this account.`,
  );
}

function unlike(name: string, text: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `Its "${name}" is not "${text}": it is about something else.`);
}

function toldFields(fields: CanonicalObject): readonly string[] {
  return Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `  ${name}: ${JSON.stringify(text.slice(0, 400)).slice(1, -1)}`;
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found === 'string') return found;
  throw new UsageError(`The file has no text "${name}": give a certificate or a record as the API gave it.`);
}

function statementOf(value: unknown): SignedStatement {
  return {
    statement: text(value, 'statement'),
    identity: text(value, 'identity'),
    signature: text(value, 'signature'),
  };
}

function recordOf(value: unknown): DecisionRecord {
  const following = field(value, 'following');
  const sequence = field(value, 'sequence');
  if (!Array.isArray(following) || !following.every((digest) => typeof digest === 'string')) {
    throw new UsageError('The file has no list "following": give a record as the API gave it.');
  }
  return {
    sequence: parseAmount(typeof sequence === 'number' ? String(sequence) : text(value, 'sequence')),
    line: text(value, 'line'),
    previous: text(value, 'previous'),
    following,
    head: statementOf(field(value, 'head')),
  };
}
