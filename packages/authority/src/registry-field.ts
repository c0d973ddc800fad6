import { CustodyError, parseAmount } from '@bulkhead/domain';
import { type CanonicalObject, type CanonicalValue, isCanonicalObject } from './canonical-json.ts';

/** Shortest and longest window of a limit. Longer ones the signer would have to remember too long. */
export const windowSecondsMin: bigint = 60n;
export const windowSecondsMax: bigint = 366n * 86_400n;

/** @throws CustodyError `signer/registry-list` */
export function fieldOf(fields: CanonicalObject, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw wrong(`the field "${name}" is missing or no text`);
  return value;
}

/** @throws CustodyError `signer/registry-list` */
export function listOf(fields: CanonicalObject, name: string): readonly CanonicalValue[] {
  const value = fields[name];
  if (value === undefined || typeof value === 'string' || isCanonicalObject(value)) {
    throw wrong(`the field "${name}" is missing or no list`);
  }
  return value;
}

/** @throws CustodyError `signer/registry-list` */
export function objectOf(value: CanonicalValue): CanonicalObject {
  if (!isCanonicalObject(value)) throw wrong('an entry of a list is no object');
  return value;
}

/** @throws CustodyError `signer/registry-list` for a field that is not among the names */
export function assertNames(fields: CanonicalObject, names: readonly string[]): void {
  const other = Object.keys(fields).find((name) => !names.includes(name));
  if (other !== undefined) throw wrong(`the field "${other.slice(0, 60)}" does not belong here`);
}

/** @throws CustodyError `signer/registry-list` */
export function oneOf<const T extends string>(fields: CanonicalObject, name: string, words: readonly T[]): T {
  const value = fieldOf(fields, name);
  const word = words.find((known) => known === value);
  if (word === undefined) throw wrong(`"${value.slice(0, 60)}" is no "${name}": ${words.join(', ')}`);
  return word;
}

/** A small whole number that counts, at most `max`. @throws CustodyError `signer/registry-list`, `amount/malformed` */
export function countOf(fields: CanonicalObject, name: string, max: number): number {
  const count = parseAmount(fieldOf(fields, name));
  if (count > BigInt(max)) throw wrong(`"${name}" is ${count}, at most ${max}`);
  return Number(count);
}

/** @throws CustodyError `signer/registry-list`, `amount/malformed` */
export function windowOf(fields: CanonicalObject, name: string): bigint {
  const seconds = parseAmount(fieldOf(fields, name));
  if (seconds < windowSecondsMin || seconds > windowSecondsMax) {
    throw wrong(`"${name}" is ${seconds}, not ${windowSecondsMin} to ${windowSecondsMax} seconds`);
  }
  return seconds;
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
