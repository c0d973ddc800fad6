import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { type AuthorityIntent, authorityFields, authorityKinds, authorityOf } from './authority-intent.ts';
import { CustodyError } from './fault.ts';
import { askedOf, field, type Fields, unknownKind } from './intent-field.ts';
import { type MovementIntent, movementFields, movementKinds, movementOf } from './movement-intent.ts';
import {
  type ProofIntent,
  proofFields,
  proofKinds,
  proofOf,
  type ReserveIntent,
  reserveKinds,
} from './proof-intent.ts';
import { type VaultIntent, vaultFields, vaultKinds, vaultOf } from './vault-intent.ts';

/** Everything people are ever asked to approve and the signer ever acts on. A new kind is a reviewed change here. */
export type Intent = MovementIntent | VaultIntent | ProofIntent | AuthorityIntent;

export type IntentKind = Intent['kind'];

/** A signature of a wallet's key, over the bytes of a transaction or of an authorisation. */
export function isMovement(intent: Intent): intent is MovementIntent {
  return isKindOf(movementKinds, intent.kind);
}

/** A signature of a member of a set of signers, over typed data of one contract. */
export function isVaultMatter(intent: Intent): intent is VaultIntent {
  return isKindOf(vaultKinds, intent.kind);
}

/** Something that is shown to others: it moves nothing, and nobody approves it. */
export function isProof(intent: Intent): intent is ProofIntent {
  return isKindOf(proofKinds, intent.kind);
}

/** Of those, what a member of a set of signers signs for a proof registry. */
export function isReserveMatter(intent: Intent): intent is ReserveIntent {
  return isKindOf(reserveKinds, intent.kind);
}

/** A change of who may do what. */
export function isAuthority(intent: Intent): intent is AuthorityIntent {
  return isKindOf(authorityKinds, intent.kind);
}

function isKindOf<T extends string>(kinds: readonly T[], kind: string): kind is T {
  return kinds.some((known) => known === kind);
}

const header = 'bulkhead-intent-v1\n';

/**
 * The text that an intent was read from. Those intents are frozen and hold nothing but texts and numbers, so the text stays theirs,
 * and need not be worked out again at each place that asks for it.
 */
const textsRead = new WeakMap<Intent, string>();

/** An intent of today is below 1,800 bytes: a set of signers with all its members. */
export const intentBytesMax: number = 4_096;

/**
 * The bytes that approvers and signers agree on: the header line, then a JSON object whose keys are sorted by code unit, whose
 * values are all strings, without white space. `spec/intent.md` has the format, `spec/vectors/intent.json` examples.
 *
 * @throws CustodyError for an intent that {@link parseIntent} would not read back, with the code it would have
 */
export function intentBytes(intent: Intent): Uint8Array {
  return utf8ToBytes(intentText(intent));
}

/**
 * The same as text, one character for each byte.
 *
 * @throws CustodyError as {@link intentBytes}
 */
export function intentText(intent: Intent): string {
  const read = textsRead.get(intent);
  if (read !== undefined) return read;
  const fields = fieldsOf(intent);
  const text = encode(fields);
  // Types do not hold at run time: what leaves here is known to be an intent, and the only encoding of it.
  if (encode(fieldsOf(intentOf(fields))) !== text) throw notCanonical();
  return text;
}

/** SHA-256 of {@link intentBytes}, lower-case hex without prefix. */
export function intentDigest(intent: Intent): string {
  return bytesToHex(sha256(intentBytes(intent)));
}

/**
 * Reads canonical bytes back. Bytes that this module would not have written itself are refused, so that one intent has one
 * encoding.
 *
 * @throws CustodyError `intent/malformed` and the faults of the field parsers
 */
export function parseIntent(bytes: Uint8Array): Intent {
  if (bytes.length > intentBytesMax) throw malformed();
  return parseIntentText(String.fromCharCode(...bytes));
}

/**
 * The same from text, one character for each byte.
 *
 * @throws CustodyError as {@link parseIntent}
 */
export function parseIntentText(text: string): Intent {
  // Canonical intents are ASCII: no field admits anything else.
  if (text.length > intentBytesMax) throw malformed();
  const intent = Object.freeze(intentOf(readFields(text)));
  if (encode(fieldsOf(intent)) !== text) throw notCanonical();
  textsRead.set(intent, text);
  return intent;
}

/**
 * The intent as its canonical bytes say it, without anything that merely came along on the object. What {@link parseIntent} has
 * given is that already.
 *
 * @throws CustodyError as {@link intentBytes}
 */
export function canonicalIntent(intent: Intent): Intent {
  return textsRead.has(intent) ? intent : parseIntentText(intentText(intent));
}

function encode(fields: Fields): string {
  const inOrder: Record<string, string | undefined> = {};
  // Without a comparison of its own, `sort` compares code units.
  for (const name of [...fields.keys()].sort()) inOrder[name] = fields.get(name);
  return header + JSON.stringify(inOrder);
}

/** Exactly the fields of the kind: a property that merely came along on the object is no part of the intent. */
function fieldsOf(intent: Intent): Fields {
  const { deployment, kind, id } = intent;
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries({ deployment, kind, id, ...ownFields(intent) })) {
    fields.set(name, String(value));
  }
  return fields;
}

function ownFields(intent: Intent): Readonly<Record<string, string | number | bigint>> {
  if (isMovement(intent)) return movementFields(intent);
  if (isVaultMatter(intent)) return vaultFields(intent);
  if (isProof(intent)) return proofFields(intent);
  return authorityFields(intent);
}

function readFields(text: string): Fields {
  if (!text.startsWith(header)) throw malformed();
  let value: unknown;
  try {
    value = JSON.parse(text.slice(header.length));
  } catch {
    throw malformed();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed();
  const fields = new Map<string, string>();
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw malformed();
    fields.set(name, entry);
  }
  return fields;
}

function intentOf(fields: Fields): Intent {
  const asked = askedOf(fields);
  const kind = field(fields, 'kind');
  if (isKindOf(movementKinds, kind)) return movementOf(fields, { asked, kind });
  if (isKindOf(vaultKinds, kind)) return vaultOf(fields, { asked, kind });
  if (isKindOf(proofKinds, kind)) return proofOf(fields, { asked, kind });
  if (isKindOf(authorityKinds, kind)) return authorityOf(fields, { asked, kind });
  throw unknownKind(kind);
}

function malformed(): CustodyError {
  return new CustodyError('intent/malformed', 'These bytes are not an intent: a header line and an object of strings.');
}

function notCanonical(): CustodyError {
  return new CustodyError('intent/malformed', 'The intent is not in its canonical form: write it with intentBytes().');
}
