import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { type Address, parseAddress } from './address.ts';
import { parseAmount } from './amount.ts';
import { type AssetId, parseAssetId } from './asset.ts';
import { type Compartment, parseCompartment } from './compartment.ts';
import { CustodyError } from './fault.ts';

/** Who bears the network fee: the client's own coins, or coins the house granted to the address (`gas`). */
export type FeePayer = 'client' | 'house';

type Effect = {
  /** Id of the workflow that asks, e.g. `wd_…`. One intent has one effect. */
  readonly id: string;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  /** Most that may be burnt as network fee, in wei, over all attempts of this intent. */
  readonly feeMax: bigint;
};

/**
 * Everything that is ever signed, as a closed union. Each kind says what one transaction may do.
 * - `withdrawal`: a client's assets leave to a destination; approved by a quorum;
 * - `deposit-return`: a quarantined deposit goes back; approved by a quorum;
 * - `sweep`: from a deposit address to the pool wallet of the same compartment;
 * - `gas-grant`: native coin from the house gas wallet to an address that must pay a fee;
 * - `fee-payment`: fees a client owes go to the house fee wallet;
 * - `cancel`: a zero self-transfer that takes the nonce of the transaction of the intent `cancels`.
 */
export type Intent =
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

export type IntentKind = Intent['kind'];

const header = 'bulkhead-intent-v1\n';
/** An intent of today is below 700 bytes. */
export const intentBytesMax: number = 4_096;

/**
 * The bytes that approvers and signers agree on: the header line, then a JSON object whose keys are sorted by code unit, whose
 * values are all strings, without white space. `spec/intent.md` has the format, `spec/vectors/intent.json` examples.
 */
export function intentBytes(intent: Intent): Uint8Array {
  const fields = Object.entries(intent)
    .map(([name, value]): [string, string] => [name, String(value)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return utf8ToBytes(header + JSON.stringify(Object.fromEntries(fields)));
}

/** SHA-256 of {@link intentBytes}, lower-case hex without prefix. */
export function intentDigest(intent: Intent): string {
  return bytesToHex(sha256(intentBytes(intent)));
}

type Fields = ReadonlyMap<string, string>;

function field(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw new CustodyError('intent/malformed', `The intent has no field "${name}".`);
  return value;
}

/**
 * Reads canonical bytes back. Bytes that this module would not have written itself are refused, so that one intent has one
 * encoding.
 *
 * @throws CustodyError `intent/malformed` and the faults of the field parsers
 */
export function parseIntent(bytes: Uint8Array): Intent {
  const intent = intentOf(readFields(bytes));
  if (bytesToHex(intentBytes(intent)) !== bytesToHex(bytes)) {
    throw new CustodyError('intent/malformed', 'The intent is not in its canonical form: write it with intentBytes().');
  }
  return intent;
}

function readFields(bytes: Uint8Array): Fields {
  // Canonical intents are ASCII: every field parser below admits nothing else.
  const text = String.fromCharCode(...bytes.subarray(0, intentBytesMax + 1));
  const malformed = new CustodyError('intent/malformed', 'These bytes are not an intent: a header line and an object of strings.');
  if (bytes.length > intentBytesMax || !text.startsWith(header)) throw malformed;
  let value: unknown;
  try {
    value = JSON.parse(text.slice(header.length));
  } catch {
    throw malformed;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed;
  const fields = new Map<string, string>();
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry !== 'string') throw malformed;
    fields.set(name, entry);
  }
  return fields;
}

function intentOf(fields: Fields): Intent {
  const effect: Effect = {
    id: field(fields, 'id'),
    compartment: parseCompartment(Number(field(fields, 'compartment'))),
    asset: parseAssetId(field(fields, 'asset')),
    to: parseAddress(field(fields, 'to')),
    amount: parseAmount(field(fields, 'amount')),
    feeMax: parseAmount(field(fields, 'feeMax')),
  };
  const kind = field(fields, 'kind');
  switch (kind) {
    case 'withdrawal':
    case 'deposit-return': {
      const feePayer = field(fields, 'feePayer');
      if (feePayer !== 'client' && feePayer !== 'house') {
        throw new CustodyError('intent/malformed', `"${feePayer}" pays no fee: client or house.`);
      }
      const expiresAt = parseAmount(field(fields, 'expiresAt'));
      return { ...effect, kind, client: field(fields, 'client'), feePayer, expiresAt };
    }
    case 'sweep':
      return { ...effect, kind };
    case 'gas-grant':
      return { ...effect, kind, beneficiary: parseCompartment(Number(field(fields, 'beneficiary'))) };
    case 'fee-payment':
      return { ...effect, kind, client: field(fields, 'client') };
    case 'cancel':
      return { ...effect, kind, cancels: field(fields, 'cancels'), nonce: parseAmount(field(fields, 'nonce')) };
    default:
      throw new CustodyError('intent/malformed', `"${kind}" is no kind of intent.`);
  }
}
