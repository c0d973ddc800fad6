import { ed25519 } from '@noble/curves/ed25519.js';
import { wordBytes } from './fixed-width.ts';

/** Order of the group, 2^252 + 27742317777372353535851937790883648493. */
export const groupOrder: bigint = ed25519.Point.Fn.ORDER;

/** The remainder, never negative. */
export function reduced(value: bigint): bigint {
  const rest = value % groupOrder;
  return rest < 0n ? rest + groupOrder : rest;
}

/** @param value not a multiple of the order */
export function inverseOf(value: bigint): bigint {
  return ed25519.Point.Fn.inv(reduced(value));
}

/** Little-endian bytes, as all scalars and field elements of the group have them. */
export function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(wordBytes);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < 4; word += 1) {
    view.setBigUint64(8 * word, BigInt.asUintN(64, value >> BigInt(64 * word)), true);
  }
  return bytes;
}

/** The number of little-endian bytes, a multiple of eight of them. */
export function littleEndianOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let value = 0n;
  for (let at = bytes.length - 8; at >= 0; at -= 8) value = (value << 64n) + view.getBigUint64(at, true);
  return value;
}

/** The scalar of 32 bytes; undefined for one at or beyond the order, which would be a second form of another. */
export function decodeScalar(bytes: Uint8Array): bigint | undefined {
  const value = littleEndianOf(bytes);
  return value < groupOrder ? value : undefined;
}

/** 1, base, base^2, … */
export function powersOf(base: bigint, count: number): bigint[] {
  const powers: bigint[] = [];
  let power = 1n;
  for (let at = 0; at < count; at += 1) {
    powers.push(power);
    power = (power * base) % groupOrder;
  }
  return powers;
}
