import {
  type Approval,
  compartmentMax,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  evidenceApprovalsMax,
  type Granted,
  intentBytesMax,
  isMovement,
  type KeyRef,
  type MovementIntent,
  parseCompartment,
  parseIntentText,
  type SignedStatement,
  type SignRequest,
} from '@bulkhead/domain';
import { assertionBytesMax, isHex, statementLengthMax, textLengthMax, unsignedBytesMax } from './wire-value.ts';

/*
 * The hot way through the protocol: a request to sign, and its answer, read and written by hand. The signer has no compiler for
 * JavaScript, and the general schemas take a good part of a decision there.
 *
 * These accept less than the schemas or the same, never more, and give the same values. What they do not accept they leave to the
 * schemas, which then say what is wrong.
 */

/** Params of `sign`, or undefined for what the schema must judge. */
export function readSignRequest(params: unknown): SignRequest | undefined {
  if (!hasExactly(params, ['intent', 'evidence', 'key', 'unsigned'])) return undefined;
  const intent = intentOf(member(params, 'intent'));
  const evidence = evidenceOf(member(params, 'evidence'));
  const key = keyOf(member(params, 'key'));
  const unsigned = member(params, 'unsigned');
  if (intent === undefined || evidence === undefined || key === undefined) return undefined;
  if (!isHexText(unsigned, unsignedBytesMax)) return undefined;
  return { intent, evidence, key, unsigned: new Uint8Array(Buffer.from(unsigned, 'hex')) };
}

/** The answer to `sign` for the wire, or undefined for what the schema must judge. */
export function writeGranted({ signature, record }: Granted): unknown {
  const { sequence, line, previous, following, head } = record;
  const { r, s, yParity } = signature;
  if (![r, s, sequence].every(isAmount) || (yParity !== 0 && yParity !== 1)) return undefined;
  if (typeof line !== 'string' || ![previous, ...following].every(isHash) || !isStatement(head)) return undefined;
  return {
    signature: { r: String(r), s: String(s), yParity },
    record: { sequence: String(sequence), line, previous, following, head: statementOf(head) },
  } satisfies Written;
}

type Written = {
  readonly signature: { readonly r: string; readonly s: string; readonly yParity: 0 | 1 };
  readonly record: Omit<DecisionRecord, 'sequence'> & { readonly sequence: string };
};

function member(value: object, name: string): unknown {
  return Reflect.get(value, name);
}

/** Whether a value is an object with these members and no other. */
export function hasExactly(value: unknown, names: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}

function intentOf(text: unknown): MovementIntent | undefined {
  if (typeof text !== 'string' || text.length > intentBytesMax) return undefined;
  const intent = orUndefined(() => parseIntentText(text));
  return intent !== undefined && isMovement(intent) ? intent : undefined;
}

function evidenceOf(value: unknown): Evidence | undefined {
  const asked = hasExactly(value, ['request', 'approvals']);
  if (!asked && !hasExactly(value, ['approvals'])) return undefined;
  const list = member(value, 'approvals');
  if (!Array.isArray(list) || list.length > evidenceApprovalsMax) return undefined;
  const approvals: Approval[] = [];
  for (const entry of list) {
    const approval = approvalOf(entry);
    if (approval === undefined) return undefined;
    approvals.push(approval);
  }
  if (!asked) return { approvals };
  const request = approvalOf(member(value, 'request'));
  return request === undefined ? undefined : { request, approvals };
}

const plainNames = ['kind', 'person', 'key', 'signature'];
const webauthnNames = [...plainNames, 'authenticatorData', 'clientDataJson'];

function approvalOf(value: unknown): Approval | undefined {
  const long = hasExactly(value, webauthnNames);
  if (!long && !hasExactly(value, plainNames)) return undefined;
  const kind = member(value, 'kind');
  const person = member(value, 'person');
  const key = member(value, 'key');
  const signature = member(value, 'signature');
  if (!isText(person) || !isText(key) || !isHexText(signature, assertionBytesMax)) return undefined;
  if (!long) return kind === 'eip712' || kind === 'ed25519' ? { kind, person, key, signature } : undefined;
  const authenticatorData = member(value, 'authenticatorData');
  const clientDataJson = member(value, 'clientDataJson');
  if (kind !== 'webauthn' || !isHexText(authenticatorData, assertionBytesMax)) return undefined;
  if (!isHexText(clientDataJson, assertionBytesMax)) return undefined;
  return { kind, person, key, authenticatorData, clientDataJson, signature };
}

function keyOf(value: unknown): KeyRef | undefined {
  const labelled = hasExactly(value, ['compartment', 'label']);
  if (!labelled && !hasExactly(value, ['compartment', 'index'])) return undefined;
  const number = member(value, 'compartment');
  if (!isIndex(number)) return undefined;
  const compartment = orUndefined(() => parseCompartment(number));
  if (compartment === undefined) return undefined;
  const last = member(value, labelled ? 'label' : 'index');
  if (labelled) return isText(last) ? { compartment, label: last } : undefined;
  return isIndex(last) ? { compartment, index: last } : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= textLengthMax;
}

function isHexText(value: unknown, bytesMax: number): value is string {
  return typeof value === 'string' && value.length <= 2 * bytesMax && isHex(value);
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= compartmentMax;
}

const amountMax = 2n ** 256n;

function isAmount(value: unknown): boolean {
  return typeof value === 'bigint' && value >= 0n && value < amountMax;
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && value.length === 64 && isHex(value);
}

function isStatement(given: SignedStatement): boolean {
  const { statement, identity, signature } = given;
  const short = typeof statement === 'string' && statement.length <= statementLengthMax;
  return short && isHash(identity) && typeof signature === 'string' && signature.length === 128 && isHex(signature);
}

function statementOf({ statement, identity, signature }: SignedStatement): SignedStatement {
  return { statement, identity, signature };
}

function orUndefined<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CustodyError) return undefined;
    throw error;
  }
}
