import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { unsignedBytes, unsignedOf } from '../src/fixed-width.ts';
import { decodeHeader, encodeHeader, headerLength, type ReserveHeader } from '../src/header.ts';

/** A package of the plain tier in its fields, read and written by the specification and not by the code under test. */
export type PlainParts = {
  readonly header: ReserveHeader;
  readonly compartment: number;
  readonly depth: number;
  readonly reserves: bigint;
  readonly rows: number;
  readonly present: number;
  readonly bookSiblings: Uint8Array;
  readonly index: number;
  readonly kind: number;
  readonly holder: Uint8Array;
  readonly salt: Uint8Array;
  readonly balance: bigint;
  readonly siblings: Uint8Array;
};

export function plainParts(bytes: Uint8Array): PlainParts & { readonly emptyRow: (context: Uint8Array) => Uint8Array } {
  const length = headerLength(bytes) ?? 0;
  const header = decodeHeader(bytes.subarray(0, length));
  if (header === undefined) throw new TypeError('The package begins with no header.');
  let at = length;
  const take = (size: number): Uint8Array => bytes.slice(at, (at += size));
  const number = (size: number): number => Number(unsignedOf(take(size)));
  const row = { compartment: number(4), depth: number(1), reserves: unsignedOf(take(16)), rows: number(4) };
  const present = number(4);
  const bookSiblings = take(32 * present.toString(2).replaceAll('0', '').length);
  const leaf = { index: number(4), kind: number(1) };
  const holder = take(number(1));
  const opening = { salt: take(32), balance: unsignedOf(take(16)) };
  const siblings = bytes.slice(at);
  const emptyRow = (context: Uint8Array): Uint8Array => keccak_256(concatBytes(Uint8Array.of(5), context));
  return { header, ...row, present, bookSiblings, ...leaf, holder, ...opening, siblings, emptyRow };
}

export function forged(parts: PlainParts): Uint8Array {
  return concatBytes(
    encodeHeader(parts.header),
    unsignedBytes(parts.compartment, 4),
    unsignedBytes(parts.depth, 1),
    unsignedBytes(parts.reserves, 16),
    unsignedBytes(parts.rows, 4),
    unsignedBytes(parts.present, 4),
    parts.bookSiblings,
    unsignedBytes(parts.index, 4),
    unsignedBytes(parts.kind, 1),
    unsignedBytes(parts.holder.length, 1),
    parts.holder,
    parts.salt,
    unsignedBytes(parts.balance, 16),
    parts.siblings,
  );
}

const u32 = (value: number): Uint8Array => unsignedBytes(value, 4);
const hashOf = (...parts: readonly Uint8Array[]): Uint8Array => keccak_256(concatBytes(...parts));

/** The record that a package leads to, by the words of the specification: what a registry would pin if its operator lied.
 * @param kept what becomes of a sum in the operator's tree */
export function recordOf(
  parts: PlainParts,
  context: Uint8Array,
  kept: (sum: bigint) => bigint = (sum) => sum,
): Uint8Array {
  const begin = (what: number): Uint8Array => concatBytes(Uint8Array.of(what), context);
  const { compartment, holder } = parts;
  const who = concatBytes(u32(compartment), Uint8Array.of(parts.kind, holder.length), holder);
  const tag = hashOf(begin(0x11), parts.salt, who);
  let sum = parts.balance;
  let hash = hashOf(begin(0x00), u32(compartment), u32(parts.index), tag, unsignedBytes(sum, 16));
  for (let level = 1; level <= parts.depth; level += 1) {
    const sibling = parts.siblings.subarray(48 * (level - 1), 48 * level);
    const own = concatBytes(hash, unsignedBytes(sum, 16));
    const left = Math.floor(parts.index / 2 ** (level - 1)) % 2 === 0;
    const children = left ? [own, sibling] : [sibling, own];
    hash = hashOf(begin(0x01), u32(compartment), Uint8Array.of(level), ...children);
    sum = kept(sum + unsignedOf(sibling.subarray(32)));
  }
  const amounts = concatBytes(unsignedBytes(sum, 16), unsignedBytes(parts.reserves, 16));
  hash = hashOf(begin(0x03), u32(compartment), Uint8Array.of(parts.depth), hash, amounts);
  let empty = hashOf(begin(0x05));
  let used = 0;
  for (let level = 1; level <= 31; level += 1) {
    const there = Math.floor(parts.present / 2 ** (level - 1)) % 2 === 1;
    const sibling = there ? parts.bookSiblings.subarray(used, used + 32) : empty;
    if (there) used += 32;
    const left = Math.floor(compartment / 2 ** (level - 1)) % 2 === 0;
    hash = hashOf(begin(0x04), Uint8Array.of(level), ...(left ? [hash, sibling] : [sibling, hash]));
    empty = hashOf(begin(0x04), Uint8Array.of(level), empty, empty);
  }
  return hashOf(begin(0x02), hash, u32(parts.rows));
}
