import type { Address } from './address.ts';
import { parseAddress } from './address.ts';
import { parseAmount } from './amount.ts';
import { type AssetId, type ChainId, parseAssetId, parseChainId } from './asset.ts';
import { type Compartment, parseCompartment } from './compartment.ts';
import { CustodyError } from './fault.ts';

/** What every intent has. */
export type Asked = {
  /** The installation this belongs to: what was approved in one means nothing in another. 32 lower-case hex digits. */
  readonly deployment: string;
  /** Id of the workflow that asks, e.g. `wd_…`. One intent has one effect. */
  readonly id: string;
};

/** What every intent has that moves something. */
export type Effect = Asked & {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  /** Most that may be burnt as network fee, in wei, over all attempts of this intent. */
  readonly feeMax: bigint;
};

export type Fields = ReadonlyMap<string, string>;

export type FieldValues = Readonly<Record<string, string | number | bigint>>;

/** Where the fields of a kind are read: what all intents have, and which kind they say they are. */
export type Reading = { readonly asked: Asked; readonly kind: string };

/** Ids of workflows and clients in an intent: a prefix of letters, `_`, then lower-case letters, digits and hyphens. */
const idForm = /^[a-z]{1,16}_[0-9a-z-]{1,64}$/u;

/** Hex digits of a deployment id, and of a digest or any other 32 bytes. */
const deploymentDigits = 32;
export const digestDigits: number = 64;

export function askedOf(fields: Fields): Asked {
  return { deployment: hexField(fields, 'deployment', deploymentDigits), id: idField(fields, 'id') };
}

export function effectOf(fields: Fields, asked: Asked): Effect {
  return {
    ...asked,
    compartment: compartmentField(fields, 'compartment'),
    asset: parseAssetId(field(fields, 'asset')),
    to: addressField(fields, 'to'),
    amount: parseAmount(field(fields, 'amount')),
    feeMax: parseAmount(field(fields, 'feeMax')),
  };
}

export function effectFields({ compartment, asset, to, amount, feeMax }: Effect): FieldValues {
  return { compartment, asset, to, amount, feeMax };
}

/** Something must move: an intent of zero would be approved, signed and paid for without effect. */
export function moving<T extends Effect>(effect: T): T {
  if (effect.amount === 0n) throw malformed(`Intent ${effect.id} moves nothing: its amount is 0.`);
  return effect;
}

export function field(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw malformed(`The intent has no field "${name}".`);
  return value;
}

export function idField(fields: Fields, name: string): string {
  const id = field(fields, name);
  if (!idForm.test(id)) {
    throw malformed(
      `"${id.slice(0, 90)}" is no id for "${name}": letters, an underscore, then lower-case letters, digits and hyphens.`,
    );
  }
  return id;
}

export function hexField(fields: Fields, name: string, digits: number): string {
  const text = field(fields, name);
  if (text.length !== digits || !/^[0-9a-f]+$/u.test(text)) {
    throw malformed(`"${text.slice(0, 90)}" is not the ${digits} lower-case hex digits that "${name}" has.`);
  }
  return text;
}

/** Times, versions, positions and nonces of accounts fit 64 bits, as they do wherever else they stand: typed data, chains, logs. */
export function longField(fields: Fields, name: string): bigint {
  const value = parseAmount(field(fields, name));
  if (value >= 2n ** 64n) throw malformed(`"${name}" is ${value}, above the 64 bits it has.`);
  return value;
}

export function amountField(fields: Fields, name: string): bigint {
  return parseAmount(field(fields, name));
}

export function addressField(fields: Fields, name: string): Address {
  return parseAddress(field(fields, name));
}

export function compartmentField(fields: Fields, name: string): Compartment {
  return parseCompartment(Number(field(fields, name)));
}

export function chainField(fields: Fields, name: string): ChainId {
  return parseChainId(field(fields, name));
}

export function assetField(fields: Fields, name: string): AssetId {
  return parseAssetId(field(fields, name));
}

export function wordField<const T extends string>(fields: Fields, name: string, words: readonly T[]): T {
  const text = field(fields, name);
  const word = words.find((known) => known === text);
  if (word === undefined) throw malformed(`"${text.slice(0, 60)}" is no "${name}": ${words.join(', ')}.`);
  return word;
}

export function malformed(message: string): CustodyError {
  return new CustodyError('intent/malformed', message);
}

export function unknownKind(kind: string): CustodyError {
  return malformed(`"${kind.slice(0, 60)}" is no kind of intent.`);
}
