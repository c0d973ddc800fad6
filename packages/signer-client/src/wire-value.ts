import {
  type Address,
  type Approval,
  type AuthorityIntent,
  type ChainId,
  type Compartment,
  compartmentMax,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  evidenceApprovalsMax,
  type Intent,
  intentBytesMax,
  intentText,
  isAuthority,
  isMovement,
  isReserveMatter,
  isVaultMatter,
  type KeyLabel,
  type KeyPath,
  type KeyRef,
  type KeyResidency,
  type LogCheckpointIntent,
  type MovementIntent,
  parseAddress,
  parseAmount,
  parseChainId,
  parseCompartment,
  parseIntentText,
  type ReserveIntent,
  type Signature,
  type SignedStatement,
  type VaultIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { z } from 'zod';

/** Longest name, label, id or sentence on the wire, in characters. */
export const textLengthMax = 1_024;
/** Longest text that a signature is over, in characters: a brief names people, limits and rules. */
export const statementLengthMax = 65_536;
/** A passkey's answer has some hundred bytes; extensions may add some. */
export const assertionBytesMax = 4_096;

/** An unsigned transfer has some hundred bytes; a relay carries whole calls for contracts. */
export const unsignedBytesMax = 20_480;

/** Text on the wire, a domain value here. What the parser says against a text is said to the other side. */
function parsed<Value>(lengthMax: number, form: Form<Value>): z.ZodType<Value> {
  return z.codec(z.string().max(lengthMax), z.custom<Value>(), {
    decode: (text, context) => {
      try {
        return form.parse(text);
      } catch (cause) {
        if (!(cause instanceof CustodyError)) throw cause;
        context.issues.push({ code: 'custom', message: cause.message, input: text });
        return z.NEVER;
      }
    },
    encode: (value) => form.write(value),
  });
}

type Form<Value> = { readonly parse: (text: string) => Value; readonly write: (value: Value) => string };

/** 2^256 - 1 has 78 digits. */
const amountDigitsMax = 78;

export const amount: z.ZodType<bigint> = parsed(amountDigitsMax, { parse: parseAmount, write: String });
export const address: z.ZodType<Address> = parsed(64, { parse: parseAddress, write: String });
export const chain: z.ZodType<ChainId> = parsed(32, { parse: parseChainId, write: String });

export const compartment: z.ZodType<Compartment> = z.codec(
  z.number().int().min(0).max(compartmentMax),
  z.custom<Compartment>(),
  { decode: (number) => parseCompartment(number), encode: Number },
);

/** An intent travels as its canonical text: what was approved and what is read are the same characters. */
export const intent: z.ZodType<Intent> = parsed(intentBytesMax, {
  parse: parseIntentText,
  write: intentText,
});

export const movementIntent: z.ZodType<MovementIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (!isMovement(value)) throw wrongKind(`An intent of kind "${value.kind}" is no movement: a wallet signs`);
    return value;
  },
  write: intentText,
});

export const vaultIntent: z.ZodType<VaultIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (!isVaultMatter(value)) {
      throw wrongKind(`An intent of kind "${value.kind}" is not for a set of signers, which needs`);
    }
    return value;
  },
  write: intentText,
});

export const authorityIntent: z.ZodType<AuthorityIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (!isAuthority(value)) throw wrongKind(`An intent of kind "${value.kind}" changes no authority: a change needs`);
    return value;
  },
  write: intentText,
});

export const reserveIntent: z.ZodType<ReserveIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (!isReserveMatter(value)) {
      throw wrongKind(`An intent of kind "${value.kind}" says nothing about reserves, for which there are`);
    }
    return value;
  },
  write: intentText,
});

export const controlIntent: z.ZodType<WalletControlIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (value.kind !== 'wallet-control') {
      throw wrongKind(`An intent of kind "${value.kind}" is not what a wallet says of itself, which needs`);
    }
    return value;
  },
  write: intentText,
});

export const checkpointIntent: z.ZodType<LogCheckpointIntent> = parsed(intentBytesMax, {
  parse: (text) => {
    const value = parseIntentText(text);
    if (value.kind !== 'log-checkpoint') {
      throw wrongKind(`An intent of kind "${value.kind}" is no checkpoint of a log, which needs`);
    }
    return value;
  },
  write: intentText,
});

function wrongKind(begin: string): CustodyError {
  return new CustodyError('signer/protocol', `${begin} one of the other kinds only.`);
}

/** Bytes as lower-case hex, at most so many of them. */
function hex(bytesMax: number): z.ZodType<string> {
  return z
    .string()
    .max(2 * bytesMax)
    .refine(isHex, 'is not lower-case hex');
}

/** What Node writes back as it was read. A regular expression takes a hundred times as long in a process without a compiler. */
export function isHex(text: string): boolean {
  return Buffer.from(text, 'hex').toString('hex') === text;
}

export const bytes = (bytesMax: number): z.ZodType<Uint8Array> =>
  z.codec(hex(bytesMax), z.custom<Uint8Array>(), {
    decode: (text) => new Uint8Array(Buffer.from(text, 'hex')),
    encode: (value) => Buffer.from(value).toString('hex'),
  });

export const text: z.ZodType<string> = z.string().max(textLengthMax);
export const hash: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/u, 'is not 64 lower-case hex digits');

const index = z.number().int().min(0).max(compartmentMax);
const keyPath: z.ZodType<KeyPath> = z.strictObject({ compartment, index });
export const keyLabel: z.ZodType<KeyLabel> = z.strictObject({ compartment, label: text });
export const keyRef: z.ZodType<KeyRef> = z.union([keyPath, keyLabel]);

export const approval: z.ZodType<Approval> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('webauthn'),
    person: text,
    key: text,
    authenticatorData: hex(assertionBytesMax),
    clientDataJson: hex(assertionBytesMax),
    signature: hex(assertionBytesMax),
  }),
  z.strictObject({ kind: z.literal('eip712'), person: text, key: text, signature: hex(assertionBytesMax) }),
  z.strictObject({ kind: z.literal('ed25519'), person: text, key: text, signature: hex(assertionBytesMax) }),
]);

export const evidence: z.ZodType<Evidence> = z.strictObject({
  request: z.exactOptional(approval),
  approvals: z.array(approval).max(evidenceApprovalsMax),
});

export const signature: z.ZodType<Signature> = z.strictObject({
  r: amount,
  s: amount,
  yParity: z.union([z.literal(0), z.literal(1)]),
});

export const residency: z.ZodType<KeyResidency> = z.enum(['software', 'hsm', 'hsm-derived', 'hsm-sealed']);

export const statement: z.ZodType<SignedStatement> = z.strictObject({
  statement: z.string().max(statementLengthMax),
  identity: hash,
  signature: z.string().regex(/^[0-9a-f]{128}$/u, 'is not 128 lower-case hex digits'),
});

export const record: z.ZodType<DecisionRecord> = z.strictObject({
  sequence: amount,
  line: z.string(),
  previous: hash,
  following: z.array(hash),
  head: statement,
});
