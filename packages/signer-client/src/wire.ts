import { peopleMax } from '@bulkhead/authority';
import { CustodyError, type FaultCode, faultCodes, type FaultDetails } from '@bulkhead/domain';
import { z } from 'zod';
import { type Calls, isMethod, type Method, protocolVersion, recordsMax, requestIdLengthMax } from './protocol.ts';
import { hasExactly, readGranted, readSignRequest, writeGranted, writeSignRequest } from './wire-sign.ts';
import * as wire from './wire-value.ts';

/** Hashes of a proof that one tree begins with another: two for each level of a tree of 2^48 leaves are never needed. */
const consistencyHashesMax = 63;

/** Bytes of a signature of Ed25519 (RFC 8032). */
const ed25519SignatureBytes = 64;

/** Places that one signer names in its status. */
const slotsMax = 64;

type Codecs = {
  readonly [M in Method]: {
    readonly params: z.ZodType<Calls[M]['params']>;
    readonly answer: z.ZodType<Calls[M]['answer']>;
    /** Faster than `params`, for what it accepts: see `wire-sign.ts`. */
    readonly readParams?: (value: unknown) => Calls[M]['params'] | undefined;
    readonly writeAnswer?: (answer: Calls[M]['answer']) => unknown;
    readonly writeParams?: (params: Calls[M]['params']) => unknown;
    readonly readAnswer?: (value: unknown) => Calls[M]['answer'] | undefined;
  };
};

const slot = z.strictObject({ name: wire.text, healthy: z.boolean(), detail: wire.text });
const refusal = z.strictObject({ code: wire.text, message: z.string() });
const people = z.array(wire.text).max(peopleMax);
const changed = z.strictObject({ version: wire.amount, record: wire.record });

export const signParams: z.ZodType<Calls['sign']['params']> = z.strictObject({
  intent: wire.movementIntent,
  evidence: wire.evidence,
  key: wire.keyRef,
  unsigned: wire.bytes(wire.unsignedBytesMax),
});
export const signAnswer: z.ZodType<Calls['sign']['answer']> = z.strictObject({
  signature: wire.signature,
  record: wire.record,
});

const vaultClaim = { client: wire.text, chain: wire.chain, vault: wire.address };

/** Strict on both sides: a field that the type does not name is refused, coming and going. */
const codecs: Codecs = {
  status: {
    params: z.strictObject({}),
    answer: z.strictObject({
      deployment: wire.text,
      residency: wire.residency,
      registryVersion: wire.amount,
      registryHash: wire.hash,
      sequence: wire.amount,
      identities: z.array(wire.hash).max(slotsMax),
      slots: z.array(slot).max(slotsMax),
      members: z.exactOptional(z.array(wire.address).max(slotsMax)),
    }),
  },
  account: {
    params: z.strictObject({ compartment: wire.compartment }),
    answer: z.strictObject({
      compartment: wire.compartment,
      xpub: wire.text,
      residency: wire.residency,
      certificate: wire.statement,
    }),
  },
  wallet: {
    params: z.strictObject({ key: wire.keyLabel }),
    answer: z.strictObject({
      compartment: wire.compartment,
      label: wire.text,
      address: wire.address,
      residency: wire.residency,
      certificate: wire.statement,
    }),
  },
  certifyAddress: {
    params: z.strictObject({ claim: z.strictObject({ client: wire.text, chain: wire.chain, key: wire.keyRef }) }),
    answer: wire.statement,
  },
  outlook: {
    params: z.strictObject({ intent: wire.intent, evidence: wire.evidence }),
    answer: z.strictObject({
      refusal: z.exactOptional(refusal),
      approvalsNeeded: z.number().int().min(0),
      requestNeeded: z.boolean(),
      approvedBy: people,
      brief: wire.statement,
    }),
  },
  lodge: {
    params: z.strictObject({ intent: wire.intent, approval: wire.approval }),
    answer: z.strictObject({ person: wire.text }),
  },
  sign: {
    params: signParams,
    answer: signAnswer,
    readParams: readSignRequest,
    writeParams: writeSignRequest,
    readAnswer: readGranted,
    writeAnswer: writeGranted,
  },
  signVault: {
    params: z.strictObject({ intent: wire.vaultIntent, evidence: wire.evidence }),
    answer: z.strictObject({ signature: wire.signature, member: wire.address, record: wire.record }),
  },
  certifyVault: { params: z.strictObject({ claim: z.strictObject(vaultClaim) }), answer: wire.statement },
  certifyForwarder: {
    params: z.strictObject({ claim: z.strictObject({ ...vaultClaim, salt: wire.hash }) }),
    answer: wire.statement,
  },
  signReserves: {
    params: z.strictObject({ intent: wire.reserveIntent }),
    answer: z.strictObject({ signature: wire.signature, member: wire.address, record: wire.record }),
  },
  signControl: { params: z.strictObject({ intent: wire.controlIntent, key: wire.keyRef }), answer: signAnswer },
  signCheckpoint: {
    params: z.strictObject({
      intent: wire.checkpointIntent,
      oldSize: wire.amount,
      proof: z.array(wire.hash).max(consistencyHashesMax),
    }),
    answer: z.strictObject({
      signature: wire.bytes(ed25519SignatureBytes),
      publicKey: wire.hash,
      record: wire.record,
    }),
  },
  logKey: {
    params: z.strictObject({}),
    answer: z.strictObject({ origin: wire.text, publicKey: wire.hash, certificate: wire.statement }),
  },
  change: {
    params: z.strictObject({ intent: wire.authorityIntent, evidence: wire.evidence, list: z.string() }),
    answer: changed,
  },
  records: {
    params: z.strictObject({ after: wire.amount, limit: z.number().int().min(1).max(recordsMax) }),
    answer: z.array(wire.record).max(recordsMax),
  },
};

/** @throws CustodyError `signer/protocol` with every field that is wrong */
export function decodeParams<M extends Method>(method: M, value: unknown): Calls[M]['params'] {
  const { params, readParams } = codecs[method];
  return readParams?.(value) ?? decoded(params, { value, what: `params of "${method}"` });
}

/** @throws CustodyError `signer/protocol` with every field that is wrong */
export function decodeAnswer<M extends Method>(method: M, value: unknown): Calls[M]['answer'] {
  const { answer, readAnswer: read } = codecs[method];
  return read?.(value) ?? decoded(answer, { value, what: `answer to "${method}"` });
}

/** @throws CustodyError `signer/protocol` for what {@link decodeParams} would not read back, `intent/malformed` for no intent */
export function encodeParams<M extends Method>(method: M, params: Calls[M]['params']): unknown {
  const { params: schema, writeParams } = codecs[method];
  return writeParams?.(params) ?? encoded(schema, { value: params, what: `params of "${method}"` });
}

/** @throws CustodyError `signer/protocol` for what {@link decodeAnswer} would not read back */
export function encodeAnswer<M extends Method>(method: M, answer: Calls[M]['answer']): unknown {
  const { answer: schema, writeAnswer } = codecs[method];
  return writeAnswer?.(answer) ?? encoded(schema, { value: answer, what: `answer to "${method}"` });
}

type Named<Value> = { readonly value: Value; readonly what: string };

function decoded<Value>(schema: z.ZodType<Value>, { value, what }: Named<unknown>): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw nonsense(`The ${what} cannot be read`, result.error);
}

function encoded<Value>(schema: z.ZodType<Value>, { value, what }: Named<Value>): unknown {
  const result = z.safeEncode(schema, value);
  if (result.success) return result.data;
  throw nonsense(`The ${what} cannot be written`, result.error);
}

/** Field names and what is wrong with them; of a value itself only what its own parser chooses to quote. */
function nonsense(begin: string, error: z.ZodError): CustodyError {
  const faults = error.issues.slice(0, 8).map(({ path, message }) => `${path.join('.') || 'all of it'}: ${message}`);
  return new CustodyError('signer/protocol', `${begin}: ${faults.join('; ').slice(0, 2_000)}.`);
}

export type Fault = { readonly code: FaultCode; readonly message: string; readonly details: FaultDetails };

export type RequestFrame = { readonly id: string; readonly method: Method; readonly params: unknown };

export type AnswerFrame = { readonly id: string } & ({ readonly ok: unknown } | { readonly error: Fault });

const idSchema = z
  .string()
  .max(requestIdLengthMax)
  .regex(/^[0-9a-z-]*$/u);

const requestSchema = z.strictObject({
  v: z.number(),
  id: idSchema.min(1),
  method: z.string().max(64),
  params: z.unknown(),
});

const faultSchema = z.strictObject({
  code: z.enum(faultCodes),
  message: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

const answerSchema = z.union([
  z.strictObject({ v: z.literal(protocolVersion), id: idSchema, ok: z.unknown() }),
  z.strictObject({ v: z.literal(protocolVersion), id: idSchema, error: faultSchema }),
]);

/** Members stand in the order that {@link requestBytesAllowed} looks for. */
export function requestText({ id, method, params }: RequestFrame): string {
  return JSON.stringify({ v: protocolVersion, id, method, params });
}

export function answerText(answer: AnswerFrame): string {
  const { id } = answer;
  return JSON.stringify(
    'ok' in answer ? { v: protocolVersion, id, ok: answer.ok } : { v: protocolVersion, id, error: answer.error },
  );
}

/**
 * What a request frame says before its params are looked at. A method that is not known is an answerable mistake; another
 * version or a shape that is none is not, because what follows cannot be told.
 *
 * @throws CustodyError `signer/protocol`
 */
export function readRequest(text: string): RequestFrame | { readonly id: string; readonly unknownMethod: string } {
  const value = jsonOf(text);
  const { v, id, method, params } = plainRequest(value) ?? decoded(requestSchema, { value, what: 'request frame' });
  if (v !== protocolVersion) {
    throw new CustodyError(
      'signer/protocol',
      `A frame of version ${v} came; this side speaks version ${protocolVersion}: run signer and client of one release.`,
    );
  }
  return isMethod(method) ? { id, method, params } : { id, unknownMethod: method };
}

const idForm = /^[0-9a-z-]{1,32}$/u;

/** The request of a client of this version; for any other the schema says what is wrong. */
function plainRequest(value: unknown): z.infer<typeof requestSchema> | undefined {
  if (!hasExactly(value, ['v', 'id', 'method', 'params'])) return undefined;
  const id: unknown = Reflect.get(value, 'id');
  const method: unknown = Reflect.get(value, 'method');
  const params: unknown = Reflect.get(value, 'params');
  if (Reflect.get(value, 'v') !== protocolVersion || typeof id !== 'string' || !idForm.test(id)) return undefined;
  return typeof method === 'string' && isMethod(method) ? { v: protocolVersion, id, method, params } : undefined;
}

/** The answer of a signer of this version to a request that it granted; for any other the schema says what it is. */
function plainAnswer(value: unknown): AnswerFrame | undefined {
  if (!hasExactly(value, ['v', 'id', 'ok']) || Reflect.get(value, 'v') !== protocolVersion) return undefined;
  const id: unknown = Reflect.get(value, 'id');
  return typeof id === 'string' && idForm.test(id) ? { id, ok: Reflect.get(value, 'ok') } : undefined;
}

/** @throws CustodyError `signer/protocol` */
export function readAnswer(text: string): AnswerFrame {
  const value = jsonOf(text);
  return plainAnswer(value) ?? decoded(answerSchema, { value, what: 'answer frame' });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CustodyError('signer/protocol', 'A frame came that is not JSON.', { cause });
  }
}
