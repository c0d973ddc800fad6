import {
  type Approval,
  compartmentMax,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  evidenceApprovalsMax,
  type Granted,
  intentBytesMax,
  intentText,
  isMovement,
  type KeyRef,
  type MovementIntent,
  parseAmount,
  parseCompartment,
  parseIntentText,
  type Signature,
  type SignedStatement,
  type SignRequest,
} from '@bulkhead/domain';
import { assertionBytesMax, isHex, statementLengthMax, textLengthMax, unsignedBytesMax } from './wire-value.ts';

/*
 * The hot way through the protocol: a request to sign, and its answer, read and written by hand. The signer has no compiler for
 * JavaScript, and the general schemas take a good part of a decision there; its client waits no longer than it must.
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

/** The same for the wire. */
export function writeSignRequest(request: SignRequest): unknown {
  if (!hasExactly(request, ['intent', 'evidence', 'key', 'unsigned'])) return undefined;
  const { intent, unsigned } = request;
  const text = orUndefined(() => (isMovement(intent) ? intentText(intent) : undefined));
  const evidence = evidenceOf(request.evidence);
  const key = keyOf(request.key);
  if (text === undefined || evidence === undefined || key === undefined) return undefined;
  if (!(unsigned instanceof Uint8Array) || unsigned.length > unsignedBytesMax) return undefined;
  return { intent: text, evidence, key, unsigned: Buffer.from(unsigned).toString('hex') };
}

/** The answer to `sign`, or undefined for what the schema must judge. */
export function readGranted(answer: unknown): Granted | undefined {
  if (!hasExactly(answer, ['signature', 'record'])) return undefined;
  const signature = signatureOf(member(answer, 'signature'));
  const record = recordOf(member(answer, 'record'));
  return signature === undefined || record === undefined ? undefined : { signature, record };
}

/** The answer to `sign` for the wire, or undefined for what the schema must judge. */
export function writeGranted({ signature, record }: Granted): unknown {
  const { sequence, line, previous, following, head } = record;
  const { r, s, yParity } = signature;
  if (![r, s, sequence].every(isAmount) || (yParity !== 0 && yParity !== 1)) return undefined;
  if (typeof line !== 'string' || !areHashes([previous, ...following]) || !isStatement(head)) return undefined;
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
  if (!isText(person) || !isText(key) || !isPairs(signature, assertionBytesMax)) return undefined;
  if (!long) {
    const plain = kind === 'eip712' || kind === 'ed25519';
    return plain && isHex(signature) ? { kind, person, key, signature } : undefined;
  }
  const authenticatorData = member(value, 'authenticatorData');
  const clientDataJson = member(value, 'clientDataJson');
  if (kind !== 'webauthn' || !isPairs(authenticatorData, assertionBytesMax)) return undefined;
  // Pairs of digits behind each other are digits where each of them is, and are looked at in one call.
  if (!isPairs(clientDataJson, assertionBytesMax) || !isHex(signature + authenticatorData + clientDataJson)) {
    return undefined;
  }
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

function signatureOf(value: unknown): Signature | undefined {
  if (!hasExactly(value, ['r', 's', 'yParity'])) return undefined;
  const r = amountOf(member(value, 'r'));
  const s = amountOf(member(value, 's'));
  const yParity = member(value, 'yParity');
  return r === undefined || s === undefined || (yParity !== 0 && yParity !== 1) ? undefined : { r, s, yParity };
}

function recordOf(value: unknown): DecisionRecord | undefined {
  if (!hasExactly(value, ['sequence', 'line', 'previous', 'following', 'head'])) return undefined;
  const sequence = amountOf(member(value, 'sequence'));
  const line = member(value, 'line');
  const previous = member(value, 'previous');
  const following = member(value, 'following');
  const head = member(value, 'head');
  if (sequence === undefined || typeof line !== 'string' || !isHash(previous)) return undefined;
  if (!Array.isArray(following) || !following.every(isHash) || !isStatement(head)) return undefined;
  return { sequence, line, previous, following: [...following], head: statementOf(head) };
}

function amountOf(text: unknown): bigint | undefined {
  return typeof text === 'string' ? orUndefined(() => parseAmount(text)) : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= textLengthMax;
}

function isHexText(value: unknown, bytesMax: number): value is string {
  return isPairs(value, bytesMax) && isHex(value);
}

function isPairs(value: unknown, bytesMax: number): value is string {
  return typeof value === 'string' && value.length <= 2 * bytesMax && value.length % 2 === 0;
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= compartmentMax;
}

const amountMax = 2n ** 256n;

function isAmount(value: unknown): boolean {
  return typeof value === 'bigint' && value >= 0n && value < amountMax;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && value.length === 64 && isHex(value);
}

/** Looked at in one call: texts of a fixed length behind each other. */
function areHashes(texts: readonly string[]): boolean {
  return texts.every((text) => text.length === 64) && isHex(texts.join(''));
}

function isStatement(given: unknown): given is SignedStatement {
  if (!hasExactly(given, ['statement', 'identity', 'signature'])) return false;
  const statement = member(given, 'statement');
  const identity = member(given, 'identity');
  const signature = member(given, 'signature');
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
