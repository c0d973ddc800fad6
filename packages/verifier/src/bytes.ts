import { hexToBytes } from '@noble/hashes/utils.js';

export { equalBytes } from '@bulkhead/domain';

/** Bytes of hex with 0x, of a length where one is given; undefined for anything else. */
export function readBytes(value: unknown, length?: number): Uint8Array | undefined {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-f]{2})*$/iu.test(value)) return undefined;
  const bytes = hexToBytes(value.slice(2));
  return length === undefined || bytes.length === length ? bytes : undefined;
}

/** A number as JSON-RPC writes it; undefined for anything else. */
export function readNumber(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^0x(?:0|[1-9a-f][0-9a-f]{0,63})$/iu.test(value) ? BigInt(value) : undefined;
}

/** Big-endian, without zeros in front. */
export function integerBytes(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array();
  const digits = value.toString(16);
  return hexToBytes(digits.length % 2 === 0 ? digits : `0${digits}`);
}

/** Big-endian, in a word of the EVM. */
export function wordBytes(value: bigint): Uint8Array {
  return hexToBytes(value.toString(16).padStart(64, '0'));
}

export function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** A field of an answer that may be anything. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
