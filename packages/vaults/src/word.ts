import { CustodyError, amountMax } from '@bulkhead/domain';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

/** `0x` and lower-case hex digits, two for each byte. */
export type Hex = `0x${string}`;

/** Bytes of a word of the EVM, and of everything that stands in one. */
export const wordBytes: number = 32;

const longMax = 2n ** 64n - 1n;
const hexForm = /^0x(?:[0-9a-f]{2})*$/u;

/** 32 bytes, big-endian. @throws CustodyError `vault/malformed` for what needs more bits, or has a sign */
export function wordOf(value: bigint): Uint8Array {
  if (value < 0n || value > amountMax) throw malformed(`${value} does not fit into 256 bits`);
  const bytes = new Uint8Array(wordBytes);
  const view = new DataView(bytes.buffer);
  for (let part = 0n; part < 4n; part++) view.setBigUint64(Number(part) * 8, (value >> (192n - 64n * part)) & longMax);
  return bytes;
}

/** The word that begins at a position, as a number. @throws CustodyError `vault/malformed` beyond the end */
export function wordAt(bytes: Uint8Array, at: number): bigint {
  const view = viewOf(bytes, at, wordBytes);
  return (
    (view.getBigUint64(0) << 192n) |
    (view.getBigUint64(8) << 128n) |
    (view.getBigUint64(16) << 64n) |
    view.getBigUint64(24)
  );
}

/** Bytes from a position on. @throws CustodyError `vault/malformed` beyond the end */
export function bytesAt(bytes: Uint8Array, at: number, length: number): Uint8Array {
  if (at + length > bytes.length) throw malformed('the bytes end too early');
  return bytes.subarray(at, at + length);
}

/** Whether a text is `0x` and lower-case hex of so many bytes. */
export function isHexOf(text: string, bytes: number): text is Hex {
  return text.length === 2 + bytes * 2 && hexForm.test(text);
}

export function hexOf(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`;
}

/** @throws CustodyError `vault/malformed` for what is no lower-case hex with `0x` */
export function bytesOf(text: string): Uint8Array {
  if (!hexForm.test(text)) throw malformed(`"${text.slice(0, 80)}" is not 0x and lower-case hex`);
  return hexToBytes(text.slice(2));
}

/** Reads 32 bytes in hex. @throws CustodyError `vault/malformed` */
export function parseWord(text: string): Hex {
  if (!isHexOf(text, wordBytes)) throw malformed(`"${text.slice(0, 80)}" is not 0x and 64 lower-case hex digits`);
  return text;
}

export function malformed(fact: string): CustodyError {
  return new CustodyError('vault/malformed', `This is nothing that a vault reads or writes: ${fact}.`);
}

function viewOf(bytes: Uint8Array, at: number, length: number): DataView {
  const found = bytesAt(bytes, at, length);
  return new DataView(found.buffer, found.byteOffset, length);
}
