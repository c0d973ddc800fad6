import type { Address } from './address.ts';
import { contractOf } from './asset.ts';
import { type Compartment, kindOf } from './compartment.ts';
import {
  addressField,
  compartmentField,
  digestDigits,
  type Effect,
  effectFields,
  effectOf,
  field,
  type Fields,
  type FieldValues,
  hexField,
  idField,
  longField,
  malformed,
  moving,
  type Reading,
  unknownKind,
} from './intent-field.ts';

/** Who bears the network fee: the client's own coins, or coins the house granted to the address (`gas`). */
export type FeePayer = 'client' | 'house';

/**
 * What one signature of a wallet's key may do, as a closed union: each of these belongs to one nonce of one account.
 * - `withdrawal`: a client's assets leave to a destination; approved by a quorum;
 * - `deposit-return`: a quarantined deposit goes back; approved by a quorum;
 * - `sweep`: from a deposit address to the pool wallet of the same compartment;
 * - `gas-grant`: native coin from the house gas wallet to an address that must pay a fee;
 * - `fee-payment`: fees a client owes go to the house fee wallet;
 * - `cancel`: a zero self-transfer that takes the nonce of the transaction of the intent `cancels`;
 * - `relay`: the house gas wallet carries to a contract what others have signed: a call of a vault, of the factory, of the set of
 *   signers, or a sweep of a delegated address. It moves no coin and has no authority;
 * - `delegation`: an authorisation (EIP-7702) that makes an address sweepable to the wallet `wallet` of its compartment by anybody,
 *   or takes that back (`to` zero).
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
  | (Effect & { readonly kind: 'cancel'; readonly cancels: string; readonly nonce: bigint })
  | (Effect & {
      readonly kind: 'relay';
      /** Id of the intent or workflow whose signatures are carried. */
      readonly relays: string;
      /** Whose vault or address it is about; a compartment of the house for the factory and the set of signers. */
      readonly beneficiary: Compartment;
      /** SHA-256 of the call data, lower-case hex. */
      readonly callDigest: string;
    })
  | (Effect & {
      readonly kind: 'delegation';
      /** The only address that the delegate pays. */
      readonly wallet: Address;
      /** Nonce of the account that the authorisation takes. */
      readonly nonce: bigint;
    });

export type MovementIntentKind = MovementIntent['kind'];

export const movementKinds: readonly MovementIntentKind[] = [
  'withdrawal',
  'deposit-return',
  'sweep',
  'gas-grant',
  'fee-payment',
  'cancel',
  'relay',
  'delegation',
];

export function movementFields(intent: MovementIntent): FieldValues {
  return { ...effectFields(intent), ...ownFields(intent) };
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
    case 'relay':
      return { relays: intent.relays, beneficiary: intent.beneficiary, callDigest: intent.callDigest };
    case 'delegation':
      return { wallet: intent.wallet, nonce: intent.nonce };
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
}

export function movementOf(fields: Fields, { asked, kind }: Reading): MovementIntent {
  const effect = effectOf(fields, asked);
  switch (kind) {
    case 'withdrawal':
    case 'deposit-return':
      return {
        ...moving(effect),
        kind,
        client: idField(fields, 'client'),
        feePayer: feePayerOf(field(fields, 'feePayer')),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'sweep':
      return { ...moving(effect), kind };
    case 'gas-grant':
      return { ...granting(moving(effect)), kind, beneficiary: compartmentField(fields, 'beneficiary') };
    case 'fee-payment':
      return { ...moving(effect), kind, client: idField(fields, 'client') };
    case 'cancel':
      return {
        ...still(effect, 'cancels'),
        kind,
        cancels: idField(fields, 'cancels'),
        nonce: longField(fields, 'nonce'),
      };
    case 'relay':
      return {
        ...fromHouse(native(still(effect, 'relays'), 'relays with'), 'relays'),
        kind,
        relays: idField(fields, 'relays'),
        beneficiary: compartmentField(fields, 'beneficiary'),
        callDigest: hexField(fields, 'callDigest', digestDigits),
      };
    case 'delegation':
      return {
        ...free(native(still(effect, 'delegates'), 'delegates in')),
        kind,
        wallet: addressField(fields, 'wallet'),
        nonce: longField(fields, 'nonce'),
      };
    default:
      throw unknownKind(kind);
  }
}

function feePayerOf(text: string): FeePayer {
  if (text === 'client' || text === 'house') return text;
  throw malformed(`"${text.slice(0, 60)}" pays no fee: client or house.`);
}

function still(effect: Effect, verb: string): Effect {
  if (effect.amount === 0n) return effect;
  throw malformed(`Intent ${effect.id} ${verb} and would move ${effect.amount}: its amount must be 0.`);
}

/** Gas comes in the native coin and from the house: no client's coins pay for another client's gas. */
function granting(effect: Effect): Effect {
  return fromHouse(native(effect, 'grants gas in'), 'grants gas');
}

function native(effect: Effect, verb: string): Effect {
  if (contractOf(effect.asset) === undefined) return effect;
  throw malformed(`Intent ${effect.id} ${verb} ${effect.asset}: it must name the native coin of its chain.`);
}

function fromHouse(effect: Effect, verb: string): Effect {
  if (kindOf(effect.compartment) === 'house') return effect;
  throw malformed(`Intent ${effect.id} ${verb} from compartment ${effect.compartment}: only the house does.`);
}

/** An authorisation is carried by somebody else's transaction, who pays. */
function free(effect: Effect): Effect {
  if (effect.feeMax === 0n) return effect;
  throw malformed(`Intent ${effect.id} delegates, which burns no fee: its feeMax must be 0.`);
}
