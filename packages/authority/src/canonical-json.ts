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
  const inOrder = ordered(value, 0);
  const text = inOrder === undefined ? undefined : JSON.stringify(inOrder);
  // Half of a surrogate pair is written as an escape that begins like this, and is refused below.
  return text === undefined || text.includes('\\ud') ? encode(value, 0) : text;
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
  assertValue(parsed, 0);
  if (canonicalJson(parsed) !== text) throw notCanonical('it is written in another way');
  return parsed;
}

export function isCanonicalObject(value: CanonicalValue): value is CanonicalObject {
  return typeof value !== 'string' && !Array.isArray(value);
}

/**
 * The value with the names of its objects in order, so that JSON.stringify writes all of it at once: without a compiler for JavaScript
 * that is several times as fast as {@link encode}. Undefined where an object has a name that looks like an index, because those come
 * first in every object, whatever their order.
 */
function ordered(value: CanonicalValue, depth: number): CanonicalValue | undefined {
  if (typeof value === 'string') return value;
  if (depth >= canonicalDepthMax) throw tooDeep();
  if (isList(value)) {
    if (value.every((entry) => typeof entry === 'string')) return value;
    const entries = value.map((entry) => ordered(entry, depth + 1));
    return entries.every((entry) => entry !== undefined) ? entries : undefined;
  }
  const names = Object.keys(value);
  let inPlace = true;
  let before: string | undefined;
  for (const name of names) {
    if (before !== undefined && before >= name) inPlace = false;
    if (typeof value[name] !== 'string') inPlace = false;
    before = name;
  }
  if (inPlace) return value;
  const members: [string, CanonicalValue][] = [];
  for (const name of names.toSorted(byCodeUnit)) {
    const member = value[name];
    const entry = member === undefined ? undefined : ordered(member, depth + 1);
    if (entry === undefined || /^[0-9]/u.test(name)) return undefined;
    members.push([name, entry]);
  }
  return Object.fromEntries(members);
}

/** The same for every value, text by text. */
function encode(value: CanonicalValue, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (depth >= canonicalDepthMax) throw tooDeep();
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

function assertValue(parsed: unknown, depth: number): asserts parsed is CanonicalValue {
  if (typeof parsed === 'string') return;
  if (typeof parsed !== 'object' || parsed === null) {
    throw notCanonical('it has a value that is no text, list or object');
  }
  if (depth >= canonicalDepthMax) throw tooDeep();
  for (const entry of Object.values(parsed)) assertValue(entry, depth + 1);
}

function tooDeep(): CustodyError {
  return notCanonical(`it is nested deeper than ${canonicalDepthMax}`);
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
