import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { type Address, parseAddress } from './address.ts';
import { parseAmount } from './amount.ts';
import { type AssetId, contractOf, parseAssetId } from './asset.ts';
import { type Compartment, kindOf, parseCompartment } from './compartment.ts';
import { CustodyError } from './fault.ts';

/** Who bears the network fee: the client's own coins, or coins the house granted to the address (`gas`). */
export type FeePayer = 'client' | 'house';

type Asked = {
  /** The installation this belongs to: what was approved in one means nothing in another. 32 lower-case hex digits. */
  readonly deployment: string;
  /** Id of the workflow that asks, e.g. `wd_…`. One intent has one effect. */
  readonly id: string;
};

type Effect = Asked & {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  /** Most that may be burnt as network fee, in wei, over all attempts of this intent. */
  readonly feeMax: bigint;
};

/**
 * What one transaction may do, as a closed union: every signature of a wallet belongs to one of these.
 * - `withdrawal`: a client's assets leave to a destination; approved by a quorum;
 * - `deposit-return`: a quarantined deposit goes back; approved by a quorum;
 * - `sweep`: from a deposit address to the pool wallet of the same compartment;
 * - `gas-grant`: native coin from the house gas wallet to an address that must pay a fee;
 * - `fee-payment`: fees a client owes go to the house fee wallet;
 * - `cancel`: a zero self-transfer that takes the nonce of the transaction of the intent `cancels`.
 */
export type MovementIntent =
  | (Effect & {
      readonly kind: 'withdrawal' | 'deposit-return';
      readonly client: string;
      readonly feePayer: FeePayer;
      /** Unix seconds. Nothing is signed afterwards. */
      readonly expiresAt: bigint;
    })
  | (Effect & { readonly kind: 'sweep' })
  | (Effect & { readonly kind: 'gas-grant'; readonly beneficiary: Compartment })
  | (Effect & { readonly kind: 'fee-payment'; readonly client: string })
  | (Effect & { readonly kind: 'cancel'; readonly cancels: string; readonly nonce: bigint });

export type MovementIntentKind = MovementIntent['kind'];

/**
 * What changes who may do what. It moves no coin, and people approve it like a payment.
 * - `enrolment`: clients and their destinations, and taking rights away; by the operational quorum;
 * - `policy-change`: chains, tokens, wallets, people, quorums and limits; by the root quorum;
 * - `state-recovery`: the signer may go on from an older copy of its state; by the root quorum.
 */
export type AuthorityIntent =
  | (Asked & {
      readonly kind: 'enrolment' | 'policy-change';
      /** Version of the registry that the list changes. An approval for one version means nothing for the next. */
      readonly before: bigint;
      /** How many items the list has. */
      readonly items: bigint;
      /** SHA-256 of the canonical bytes of the list, lower-case hex: one approval covers a list of any length. */
      readonly digest: string;
      /** Unix seconds. Nothing is changed afterwards. */
      readonly expiresAt: bigint;
    })
  | (Asked & {
      readonly kind: 'state-recovery';
      /** Position and hash of the newest record of the state that is to go on. */
      readonly sequence: bigint;
      readonly head: string;
      readonly expiresAt: bigint;
    });

/** Everything people are ever asked to approve and the signer ever acts on. A new kind is a reviewed change here. */
export type Intent = MovementIntent | AuthorityIntent;

export type IntentKind = Intent['kind'];

const header = 'bulkhead-intent-v1\n';

/**
 * The text that an intent was read from. Those intents are frozen and hold nothing but texts and numbers, so the text stays theirs,
 * and need not be worked out again at each place that asks for it.
 */
const textsRead = new WeakMap<Intent, string>();

/** An intent of today is below 700 bytes. */
export const intentBytesMax: number = 4_096;

/** Ids of workflows and clients in an intent: a prefix of letters, `_`, then lower-case letters, digits and hyphens. */
const idForm = /^[a-z]{1,16}_[0-9a-z-]{1,64}$/u;

/**
 * The bytes that approvers and signers agree on: the header line, then a JSON object whose keys are sorted by code unit, whose
 * values are all strings, without white space. `spec/intent.md` has the format, `spec/vectors/intent.json` examples.
 *
 * @throws CustodyError for an intent that {@link parseIntent} would not read back, with the code it would have
 */
export function intentBytes(intent: Intent): Uint8Array {
  const read = textsRead.get(intent);
  if (read !== undefined) return utf8ToBytes(read);
  const fields = fieldsOf(intent);
  const text = encode(fields);
  // Types do not hold at run time: what leaves here is known to be an intent, and the only encoding of it.
  if (encode(fieldsOf(intentOf(fields))) !== text) throw notCanonical();
  return utf8ToBytes(text);
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
  // One character for each byte. Canonical intents are ASCII: no field admits anything else.
  const text = String.fromCharCode(...bytes);
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
  return textsRead.has(intent) ? intent : parseIntent(intentBytes(intent));
}

type Fields = ReadonlyMap<string, string>;

function encode(fields: Fields): string {
  const sorted = [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
  return header + JSON.stringify(Object.fromEntries(sorted));
}

/** Exactly the fields of the kind: a property that merely came along on the object is no part of the intent. */
function fieldsOf(intent: Intent): Fields {
  const { deployment, kind, id } = intent;
  const own = 'compartment' in intent ? { ...effectFields(intent), ...ownFields(intent) } : authorityFields(intent);
  return new Map(Object.entries({ deployment, kind, id, ...own }).map(([name, value]) => [name, String(value)]));
}

type FieldValues = Readonly<Record<string, string | number | bigint>>;

function effectFields({ compartment, asset, to, amount, feeMax }: MovementIntent): FieldValues {
  return { compartment, asset, to, amount, feeMax };
}

function authorityFields(intent: AuthorityIntent): FieldValues {
  switch (intent.kind) {
    case 'enrolment':
    case 'policy-change':
      return { before: intent.before, items: intent.items, digest: intent.digest, expiresAt: intent.expiresAt };
    case 'state-recovery':
      return { sequence: intent.sequence, head: intent.head, expiresAt: intent.expiresAt };
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
}

function ownFields(intent: MovementIntent): FieldValues {
  switch (intent.kind) {
    case 'withdrawal':
    case 'deposit-return':
      return { client: intent.client, feePayer: intent.feePayer, expiresAt: intent.expiresAt };
    case 'sweep':
      return {};
    case 'gas-grant':
      return { beneficiary: intent.beneficiary };
    case 'fee-payment':
      return { client: intent.client };
    case 'cancel':
      return { cancels: intent.cancels, nonce: intent.nonce };
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
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
  const asked: Asked = { deployment: hexField(fields, 'deployment', deploymentDigits), id: idField(fields, 'id') };
  const kind = field(fields, 'kind');
  switch (kind) {
    case 'enrolment':
    case 'policy-change':
      return {
        ...asked,
        kind,
        before: longField(fields, 'before'),
        items: someItems(asked, longField(fields, 'items')),
        digest: hexField(fields, 'digest', digestDigits),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'state-recovery':
      return {
        ...asked,
        kind,
        sequence: longField(fields, 'sequence'),
        head: hexField(fields, 'head', digestDigits),
        expiresAt: longField(fields, 'expiresAt'),
      };
    default:
      return movementOf(fields, { asked, kind });
  }
}

function movementOf(fields: Fields, { asked, kind }: { asked: Asked; kind: string }): MovementIntent {
  const effect: Effect = {
    ...asked,
    compartment: parseCompartment(Number(field(fields, 'compartment'))),
    asset: parseAssetId(field(fields, 'asset')),
    to: parseAddress(field(fields, 'to')),
    amount: parseAmount(field(fields, 'amount')),
    feeMax: parseAmount(field(fields, 'feeMax')),
  };
  switch (kind) {
    case 'withdrawal':
    case 'deposit-return': {
      const feePayer = field(fields, 'feePayer');
      if (feePayer !== 'client' && feePayer !== 'house') {
        throw new CustodyError('intent/malformed', `"${feePayer.slice(0, 60)}" pays no fee: client or house.`);
      }
      const expiresAt = longField(fields, 'expiresAt');
      return { ...moving(effect), kind, client: idField(fields, 'client'), feePayer, expiresAt };
    }
    case 'sweep':
      return { ...moving(effect), kind };
    case 'gas-grant': {
      const beneficiary = parseCompartment(Number(field(fields, 'beneficiary')));
      return { ...granting(moving(effect)), kind, beneficiary };
    }
    case 'fee-payment':
      return { ...moving(effect), kind, client: idField(fields, 'client') };
    case 'cancel':
      return {
        ...still(effect),
        kind,
        cancels: idField(fields, 'cancels'),
        nonce: longField(fields, 'nonce'),
      };
    default:
      throw unknownKind(kind);
  }
}

/** Something must move: an intent of zero would be approved, signed and paid for without effect. */
function moving(effect: Effect): Effect {
  if (effect.amount === 0n) {
    throw new CustodyError('intent/malformed', `Intent ${effect.id} moves nothing: its amount is 0.`);
  }
  return effect;
}

function still(effect: Effect): Effect {
  if (effect.amount !== 0n) {
    throw new CustodyError(
      'intent/malformed',
      `Intent ${effect.id} cancels and would move ${effect.amount}: its amount must be 0.`,
    );
  }
  return effect;
}

/** Gas comes in the native coin and from the house: no client's coins pay for another client's gas. */
function granting(effect: Effect): Effect {
  if (contractOf(effect.asset) !== undefined) {
    throw new CustodyError(
      'intent/malformed',
      `Intent ${effect.id} grants gas in ${effect.asset}: gas is paid in the native coin.`,
    );
  }
  if (kindOf(effect.compartment) !== 'house') {
    throw new CustodyError(
      'intent/malformed',
      `Intent ${effect.id} grants gas from compartment ${effect.compartment}: only the house grants gas.`,
    );
  }
  return effect;
}

/** A list of nothing would be approved without effect. */
function someItems({ id }: Asked, items: bigint): bigint {
  if (items === 0n) throw new CustodyError('intent/malformed', `Intent ${id} changes nothing: its list has no items.`);
  return items;
}

/** Hex digits of a deployment id and of a digest. */
const deploymentDigits = 32;
const digestDigits = 64;

function hexField(fields: Fields, name: string, digits: number): string {
  const text = field(fields, name);
  if (text.length !== digits || !/^[0-9a-f]+$/u.test(text)) {
    throw new CustodyError(
      'intent/malformed',
      `"${text.slice(0, 90)}" is not the ${digits} lower-case hex digits that "${name}" has.`,
    );
  }
  return text;
}

/** Times, versions, positions and nonces fit 64 bits, as they do wherever else they stand: typed data, chains, logs. */
function longField(fields: Fields, name: string): bigint {
  const value = parseAmount(field(fields, name));
  if (value >= 2n ** 64n) {
    throw new CustodyError('intent/malformed', `"${name}" is ${value}, above the 64 bits it has.`);
  }
  return value;
}

function field(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw new CustodyError('intent/malformed', `The intent has no field "${name}".`);
  return value;
}

function idField(fields: Fields, name: string): string {
  const id = field(fields, name);
  if (!idForm.test(id)) {
    throw new CustodyError(
      'intent/malformed',
      `"${id.slice(0, 90)}" is no id for "${name}": letters, an underscore, then lower-case letters, digits and hyphens.`,
    );
  }
  return id;
}

function malformed(): CustodyError {
  return new CustodyError('intent/malformed', 'These bytes are not an intent: a header line and an object of strings.');
}

function notCanonical(): CustodyError {
  return new CustodyError('intent/malformed', 'The intent is not in its canonical form: write it with intentBytes().');
}

function unknownKind(kind: string): CustodyError {
  return new CustodyError('intent/malformed', `"${kind.slice(0, 60)}" is no kind of intent.`);
}
