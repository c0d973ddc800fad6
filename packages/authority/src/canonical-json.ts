import { CustodyError } from '@bulkhead/domain';

/** Text, lists and objects of it. No number: JSON readers disagree about those; no null, no boolean: a word says what is meant. */
export type CanonicalValue = string | readonly CanonicalValue[] | CanonicalObject;
export type CanonicalObject = { readonly [name: string]: CanonicalValue };

/** How deep values may be nested. A policy has three levels. */
export const canonicalDepthMax: number = 6;

/**
 * The one JSON text of a value (RFC 8259): keys sorted by code unit, no white space, the shortest escapes that JSON.stringify
 * writes. Two parties that agree on the value agree on the bytes.
 *
 * @throws CustodyError `signer/protocol` for a value that has no such text
 */
export function canonicalJson(value: CanonicalValue): string {
  return encode(value, 0);
}

/**
 * Reads canonical text back, and refuses every text that {@link canonicalJson} would not have written: another order, a name twice,
 * white space, another escape, a number, a boolean, null, half a surrogate pair.
 *
 * @throws CustodyError `signer/protocol`
 */
export function parseCanonicalJson(text: string): CanonicalValue {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw notCanonical('it is no JSON');
  }
  const value = valueOf(parsed, 0);
  if (encode(value, 0) !== text) throw notCanonical('it is written in another way');
  return value;
}

export function isCanonicalObject(value: CanonicalValue): value is CanonicalObject {
  return typeof value !== 'string' && !Array.isArray(value);
}

function encode(value: CanonicalValue, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (depth >= canonicalDepthMax) throw notCanonical(`it is nested deeper than ${canonicalDepthMax}`);
  if (isList(value)) return `[${value.map((entry) => encode(entry, depth + 1)).join(',')}]`;
  const members = Object.entries(value)
    .sort(([a], [b]) => byCodeUnit(a, b))
    .map(([name, entry]) => `${quoted(name)}:${encode(entry, depth + 1)}`);
  return `{${members.join(',')}}`;
}

function isList(value: CanonicalValue): value is readonly CanonicalValue[] {
  return Array.isArray(value);
}

function quoted(text: string): string {
  // Half of a surrogate pair has no UTF-8 form: signing its bytes would sign something else.
  if (!text.isWellFormed()) throw notCanonical('it has half of a surrogate pair');
  return JSON.stringify(text);
}

function valueOf(parsed: unknown, depth: number): CanonicalValue {
  if (typeof parsed === 'string') return parsed;
  if (typeof parsed !== 'object' || parsed === null) {
    throw notCanonical('it has a value that is no text, list or object');
  }
  if (depth >= canonicalDepthMax) throw notCanonical(`it is nested deeper than ${canonicalDepthMax}`);
  if (Array.isArray(parsed)) {
    const list: readonly unknown[] = parsed;
    return list.map((entry) => valueOf(entry, depth + 1));
  }
  return Object.fromEntries(Object.entries(parsed).map(([name, entry]) => [name, valueOf(entry, depth + 1)]));
}

/** The order of `<`, which compares UTF-16 code units. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function notCanonical(fact: string): CustodyError {
  return new CustodyError(
    'signer/protocol',
    `This text is not canonical JSON: ${fact}. Write it with canonicalJson().`,
  );
}
