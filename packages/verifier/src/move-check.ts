import { nobleHashes, verifySignedRecord, verifySignedStatement } from '@bulkhead/authority';
import { type Address, CustodyError, parseAddress } from '@bulkhead/domain';
import { fieldOf } from './bytes.ts';
import {
  assertDerived,
  type CertificateKnowledge,
  detail,
  malformed,
  proven,
  recordOf,
  statementOf,
  text,
  type Told,
  unlike,
  unseen,
  verifyCertificate,
} from './certificate-check.ts';
import { assertGrantOf } from './granted-half.ts';
import { checkOf } from './signed-statement.ts';

/** Whether a value is the certificate of a move of a client from one compartment to another. */
export function isMove(value: unknown): boolean {
  return moveIn(value) !== undefined;
}

/**
 * Verifies what the API gave out to be verified: a certificate, a record of a signer, or the certificate of a move.
 *
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged` and those of fields that have another form
 */
export function verifyShown(value: unknown, known: CertificateKnowledge): readonly Told[] {
  const move = moveIn(value);
  return move === undefined ? verifyCertificate(value, known) : verifiedMove(move, known);
}

/** The certificate of a move, as its text or inside of what the API gave. */
function moveIn(value: unknown): unknown {
  const inside = fieldOf(value, 'certificate');
  const move = typeof inside === 'string' ? parsedOr(inside) : value;
  return fieldOf(move, 'kind') === 'segregation-move' ? move : undefined;
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
function verifiedMove(move: unknown, known: CertificateKnowledge): readonly Told[] {
  const moved = {
    deployment: text(move, 'deployment'),
    client: text(move, 'client'),
    fromCompartment: String(fieldOf(move, 'fromCompartment')),
  };
  const compartment = String(fieldOf(move, 'toCompartment'));
  const about: Readonly<Record<string, string>> = { ...moved, chain: text(move, 'chain'), compartment };
  for (const [name, value] of Object.entries(known.fields)) if (about[name] !== value) throw unlike(name, value);
  const destination = fieldOf(move, 'destination');
  const address = parseAddress(text(destination, 'address'));
  if ((known.address ?? address) !== address) throw unlike('address', address);
  const [certificate] = listOf(destination, 'certificates');
  const { deployment, client } = moved;
  const statement = statementOf(certificate);
  const said = verifySignedStatement(statement, checkOf(known.identities), {
    deployment,
    chain: text(move, 'chain'),
    compartment,
    address,
  });
  if (said.fields['client'] !== client) throw unlike('client', client);
  assertDerived(said);
  const halves = listOf(move, 'halves').map((half) => verifiedHalf(half, { known, moved, address }));
  return [
    proven(
      `${halves.length} halves of ${text(move, 'move')} were granted by the signers, and the address is one of ${client} in compartment ${compartment}`,
      'halves',
    ),
    ...halves,
    detail(`to: ${address}, ${said.kind}, signed by ${statement.identity}`),
    unseen('whether these transactions are in their blocks; ask a node of your choice.', 'halves'),
  ];
}

type OfMove = {
  readonly known: CertificateKnowledge;
  readonly moved: Parameters<typeof assertGrantOf>[2];
  readonly address: Address;
};

function verifiedHalf(value: unknown, { known, moved, address }: OfMove): Told {
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
    const { type, fields } = verifySignedRecord(record, checkOf(known.identities), nobleHashes);
    assertGrantOf(half, { type, intent: text(fields, 'intent') }, moved);
  }
  const by = new Set(records.map(({ head }) => head.identity)).size;
  return detail(
    `${half.withdrawal}: ${half.amount} of ${half.asset}, granted by ${by} signers, transaction ${text(value, 'transaction')}`,
  );
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list: unknown = fieldOf(value, name);
  if (Array.isArray(list)) return list;
  throw malformed(`no list "${name}"`);
}
