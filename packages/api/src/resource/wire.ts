import {
  amountMax,
  compartmentMax,
  CustodyError,
  parseAddress,
  parseAmount,
  parseAssetId,
  parseChainId,
  parseCompartment,
  parsePositiveAmount,
} from '@bulkhead/domain';
import type { Address, AssetId, ChainId, Compartment, FaultCode } from '@bulkhead/domain';
import { z } from 'zod';

/**
 * The words every resource is spelled with. Inputs are parsed into the types of the domain here, once; views are
 * JSON-ready: amounts are base-unit strings, ids prefixed UUIDv7, times ISO 8601 in UTC, addresses carry their EIP-55
 * checksum.
 */

/** Prefix of the id of each resource. An id in a log line says what it names. */
export const idPrefixes = {
  client: 'cl',
  agreement: 'agr',
  wallet: 'wal',
  deposit: 'dep',
  withdrawal: 'wd',
  sweep: 'swp',
  fee: 'fee',
  feePayment: 'fp',
  reconciliation: 'rec',
  break: 'brk',
  dispatch: 'dsp',
  registryChange: 'chg',
  vault: 'vlt',
  segregationMove: 'sgm',
  heartbeat: 'vhb',
  delegation: 'dlg',
  vaultRestriction: 'vrs',
  keyRecovery: 'vkr',
  signerSetChange: 'ssc',
} as const;

export type IdNoun = keyof typeof idPrefixes;

/** An id as {@link idPrefixes} says: prefix, underscore, UUIDv7 (RFC 9562) in lower case. */
export function id(noun: IdNoun): z.ZodString {
  const prefix = idPrefixes[noun];
  return z
    .string()
    .regex(
      new RegExp(`^${prefix}_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, 'u'),
      `Expected an id of a ${noun}: "${prefix}_" and a UUIDv7 in lower case.`,
    )
    .meta({ description: `Id of a ${noun}`, example: `${prefix}_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f` });
}

/** Runs a parser of the domain inside a schema; its fault becomes an issue with the fault's code and message. */
function parsed<In, Out>(parse: (value: In) => Out): (value: In, context: z.core.$RefinementCtx<In>) => Out {
  return (value, context) => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { fault: error.code } });
      return z.NEVER;
    }
  };
}

/** The code of the domain's fault behind an issue made by {@link parsed}. */
export function faultOf(issue: z.core.$ZodIssue): FaultCode | undefined {
  const fault: unknown = issue.code === 'custom' ? issue.params?.['fault'] : undefined;
  return typeof fault === 'string' ? faultNames.get(fault) : undefined;
}

const faultNames: ReadonlyMap<string, FaultCode> = new Map(
  (
    [
      'address/checksum',
      'address/malformed',
      'amount/malformed',
      'amount/out-of-range',
      'asset/malformed',
      'chain/malformed',
      'compartment/out-of-range',
    ] satisfies FaultCode[]
  ).map((code) => [code, code]),
);

/** Longest string any of the parsers below is asked to look at. */
const tokenCharsMax = 256;

const digits = z.string().max(tokenCharsMax);
const amountExample = '1500000000000000000';

/** An amount to move: base units of the asset, at least one. */
export const positiveAmountInput: z.ZodType<bigint, string> = digits
  .meta({
    description: "Amount in the asset's smallest unit, decimal digits, 1 to 2^256 - 1",
    pattern: '^[1-9][0-9]{0,77}$',
    example: amountExample,
  })
  .transform(parsed(parsePositiveAmount));

/** A limit or threshold in base units; may be zero. */
export const amountInput: z.ZodType<bigint, string> = digits
  .meta({
    description: "Amount in the asset's smallest unit, decimal digits, 0 to 2^256 - 1",
    pattern: '^(?:0|[1-9][0-9]{0,77})$',
    example: amountExample,
  })
  .transform(parsed(parseAmount));

export const assetInput: z.ZodType<AssetId, string> = digits
  .meta({ description: 'CAIP-19 id of an asset', example: 'eip155:1/slip44:60' })
  .transform(parsed(parseAssetId));

export const chainInput: z.ZodType<ChainId, string> = digits
  .meta({ description: 'CAIP-2 id of a chain', example: 'eip155:1' })
  .transform(parsed(parseChainId));

export const addressInput: z.ZodType<Address, string> = digits
  .meta({
    description: 'EVM address; mixed case must carry a right EIP-55 checksum',
    example: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  })
  .transform(parsed(parseAddress));

export const compartmentInput: z.ZodType<Compartment, number> = z
  .number()
  .meta({ description: 'Number of a compartment, uint31', type: 'integer', minimum: 0, maximum: compartmentMax })
  .transform(parsed(parseCompartment));

/** A whole number in a path or query, where everything is text. */
function integerText(max: number): z.ZodString {
  const wrong = `Expected a whole number from 0 to ${max}, without sign or leading zero.`;
  return z
    .string()
    .max(String(max).length, wrong)
    .regex(/^(?:0|[1-9][0-9]*)$/u, wrong);
}

export const compartmentParameter: z.ZodType<Compartment, string> = integerText(compartmentMax)
  .meta({ description: 'Number of a compartment, uint31', example: '100000' })
  .transform(parsed((text) => parseCompartment(Number(text))));

/** Number of an account inside a book: int4 in the books. */
export const accountNumberMax: number = 2 ** 31 - 1;

export const accountNumberParameter: z.ZodType<number, string> = integerText(accountNumberMax)
  .transform(Number)
  .pipe(z.number().max(accountNumberMax));

/**
 * Text that people wrote: well-formed Unicode without control characters, so that it can be stored, logged and shown as it is.
 * Lines may be broken where `lines` says so.
 */
export function text(charsMax: number, lines: 'one-line' | 'many-lines' = 'one-line'): z.ZodString {
  const control = lines === 'one-line' ? /\p{Cc}/u : /(?![\n\t])\p{Cc}/u;
  return z
    .string()
    .min(1, 'Expected some text.')
    .max(charsMax)
    .refine((value) => value.isWellFormed(), 'Expected well-formed Unicode: a surrogate stands alone.')
    .refine((value) => !control.test(value), 'Expected text without control characters.')
    .refine((value) => value.trim() === value, 'Expected text that does not begin or end with white space.');
}

/** A time as people and machines agree on it: ISO 8601 with `Z` or an offset. Passed on in UTC with milliseconds. */
export const timeInput: z.ZodType<string, string> = z.iso
  .datetime({ offset: true })
  .max(40)
  .meta({ description: 'Time, ISO 8601', example: '2026-01-31T09:30:00Z' })
  .transform((value) => new Date(value).toISOString());

export const time = z.iso
  .datetime({ precision: 3 })
  .meta({ description: 'Time, ISO 8601 in UTC with milliseconds', example: '2026-01-31T09:30:00.000Z' });

/** Base units, never negative. */
export const amount = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,77})$/u)
  .refine((value) => BigInt(value) <= amountMax)
  .meta({ description: "Amount in the asset's smallest unit", example: amountExample });

/** Base units with a sign: a difference, or a position of an account that may be overdrawn. */
export const signedAmount = z
  .string()
  .regex(/^(?:0|-?[1-9][0-9]{0,77})$/u)
  .meta({ description: "Signed amount in the asset's smallest unit", example: '-1' });

/** A height, a nonce or a ledger position: whole numbers that may leave the safe range of a JSON number. */
export const count = z
  .string()
  .regex(/^(?:0|[1-9][0-9]{0,77})$/u)
  .meta({ description: 'Whole number as decimal digits', example: '21000000' });

export const asset = z
  .string()
  .regex(/^eip155:[1-9][0-9]{0,14}\/(?:slip44:60|erc20:0x[0-9a-f]{40})$/u)
  .meta({ description: 'CAIP-19 id of an asset', example: 'eip155:1/slip44:60' });

export const chain = z
  .string()
  .regex(/^eip155:[1-9][0-9]{0,14}$/u)
  .meta({ description: 'CAIP-2 id of a chain', example: 'eip155:1' });

export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/u)
  .meta({ description: 'EVM address with EIP-55 checksum', example: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' });

export const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/u)
  .meta({ description: '32 bytes, lower-case hex' });

export const block = z
  .strictObject({ number: count, hash })
  .meta({ id: 'Block', description: 'A block by height and hash' });

export const compartment = z
  .int()
  .min(0)
  .max(compartmentMax)
  .meta({ description: 'Number of a compartment', example: 100_000 });

export const person = z.string().min(1).meta({ description: 'Name of the user or rule that acted', example: 'alice' });
