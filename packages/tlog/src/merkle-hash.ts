import { sha256 } from '@noble/hashes/sha2.js';

/** Bytes of every hash of a tree. */
export const hashLength: number = 32;
/** Leaves that a tree may have: positions are exact numbers, and no proof is longer than 48 hashes. */
export const treeSizeMax: number = 2 ** 48;

const leafPrefix = 0x00;
const nodePrefix = 0x01;

/** RFC 6962 section 2.1: the root of the tree without leaves. */
export const emptyRoot: Uint8Array = sha256(new Uint8Array());

/** FIPS 180-4; who has a native one and many leaves passes it in the place of the portable one. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** RFC 6962 section 2.1: a leaf's hash, apart from that of every inner node. */
export function leafHash(entry: Uint8Array, hash: Sha256 = sha256): Uint8Array {
  const input = new Uint8Array(entry.length + 1);
  input[0] = leafPrefix;
  input.set(entry, 1);
  return hash(input);
}

/** RFC 6962 section 2.1: the hash of two subtrees of which the left one is complete. Both are 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(2 * hashLength + 1);
  input[0] = nodePrefix;
  input.set(left, 1);
  input.set(right, 1 + hashLength);
  return sha256(input);
}

/** Whether a number can be the size of a tree, or a position in one. */
export function isTreeSize(size: number): boolean {
  return Number.isInteger(size) && size >= 0 && size <= treeSizeMax;
}
