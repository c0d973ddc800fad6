import { CustodyError, isHash, parseAddress } from '@bulkhead/domain';
import type { Address, Hash } from '@bulkhead/domain';

/** Longest excerpt of an answer that an error message repeats. */
const excerptCharactersMax = 80;

/** A JSON object whose fields nobody has looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Says that a source gave an answer that cannot be true. */
export function nonsense(what: string, value?: unknown): CustodyError {
  const shown = value === undefined ? '' : `: ${excerpt(value)}`;
  return new CustodyError(
    'chain/nonsense',
    `The answer cannot be true: ${what}${shown}. Do not rely on this source until it is repaired.`,
  );
}

export function excerpt(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > excerptCharactersMax ? `${text.slice(0, excerptCharactersMax)}…` : text;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws CustodyError `chain/nonsense`, as all readers of this file */
export function readFields(value: unknown, what: string): Fields {
  if (!isFields(value)) throw nonsense(`${what} is no object`, value);
  return value;
}

export function readList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw nonsense(`${what} is no list`, value);
  return value;
}

export function readText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw nonsense(`${what} is no text`, value);
  return value;
}

/** A JSON-RPC quantity: `0x`, hex digits, at most 256 bits. Leading zeros, which some nodes write, are taken. */
export function readQuantity(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/u.test(value)) {
    throw nonsense(`${what} is no quantity`, value);
  }
  return BigInt(value);
}

export function readHash(value: unknown, what: string): Hash {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (!isHash(text)) throw nonsense(`${what} is no hash`, value);
  return text;
}

/** Case carries no meaning in the answer of a node: some write checksums, some do not. */
export function readAddress(value: unknown, what: string): Address {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{40}$/u.test(value)) {
    throw nonsense(`${what} is no address`, value);
  }
  return parseAddress(value.toLowerCase());
}

/** Bytes as lower-case hex of whole bytes. */
export function readData(value: unknown, what: string): `0x${string}` {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (!isData(text)) throw nonsense(`${what} is no byte string`, value);
  return text;
}

function isData(text: string): text is `0x${string}` {
  return /^0x(?:[0-9a-f]{2})*$/u.test(text);
}

export function hexQuantity(value: bigint): `0x${string}` {
  return `0x${value.toString(16)}`;
}
