import { invariant, equalBytes } from '@bulkhead/domain';
import { type Frontier, peakCount } from './merkle-frontier.ts';
import { emptyRoot, hashLength, isTreeSize, nodeHash } from './merkle-hash.ts';

/**
 * Gives the hash of a complete subtree: 2^level leaves, the `index`-th of that size from the left. Whoever implements it may
 * be lied to by its source; what is made of its answers proves nothing until it is verified against a root that is trusted.
 */
export type ReadNode = (level: number, index: number) => Promise<Uint8Array>;

/** A signed or otherwise trusted view of a tree. */
export type TreeHead = { readonly size: number; readonly root: Uint8Array };

/** Largest power of two that is less than a number above 1. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function levelOf(count: number): number | undefined {
  const level = Math.round(Math.log2(count));
  return 2 ** level === count ? level : undefined;
}

/** MTH of the leaves from `start` until before `end`, where `start` is as RFC 6962 divides a tree. */
async function rangeHash(read: ReadNode, start: number, end: number): Promise<Uint8Array> {
  const count = end - start;
  const level = levelOf(count);
  if (level !== undefined) return read(level, start / count);
  const split = splitOf(count);
  const [left, right] = await Promise.all([rangeHash(read, start, start + split), rangeHash(read, start + split, end)]);
  return nodeHash(left, right);
}

/** RFC 6962 section 2.1: the root of the first `size` leaves. */
export async function rootAt(read: ReadNode, size: number): Promise<Uint8Array> {
  return size === 0 ? emptyRoot : rangeHash(read, 0, size);
}

/** What is needed to go on from a tree of this size. */
export async function frontierAt(read: ReadNode, size: number): Promise<Frontier> {
  const peaks: Promise<Uint8Array>[] = [];
  let start = 0;
  for (let level = 48; level >= 0; level -= 1) {
    const count = 2 ** level;
    if (size - start < count) continue;
    peaks.push(read(level, start / count));
    start += count;
  }
  invariant(peaks.length === peakCount(size), 'The subtrees of a tree are not those of its size.');
  return { size, peaks: await Promise.all(peaks) };
}

/** RFC 6962 section 2.1.1: the path that shows leaf `index` in the tree of the first `size` leaves. */
export async function inclusionProof(read: ReadNode, index: number, size: number): Promise<readonly Uint8Array[]> {
  invariant(isTreeSize(index) && isTreeSize(size) && index < size, `A tree of ${size} leaves has no leaf ${index}.`);
  const path: Promise<Uint8Array>[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      path.push(rangeHash(read, middle, end));
      end = middle;
    } else {
      path.push(rangeHash(read, start, middle));
      start = middle;
    }
  }
  return (await Promise.all(path)).toReversed();
}

/** RFC 6962 section 2.1.2: what shows that the tree of `older` leaves is the beginning of that of `newer` leaves. */
export async function consistencyProof(read: ReadNode, older: number, newer: number): Promise<readonly Uint8Array[]> {
  invariant(isTreeSize(older) && isTreeSize(newer) && older <= newer, `A tree does not shrink: ${older}, ${newer}.`);
  if (older === 0 || older === newer) return [];
  const path: Promise<Uint8Array>[] = [];
  let [start, end] = [0, newer];
  while (older < end) {
    const middle = start + splitOf(end - start);
    if (older <= middle) {
      path.push(rangeHash(read, middle, end));
      end = middle;
    } else {
      path.push(rangeHash(read, start, middle));
      start = middle;
    }
  }
  // The older tree ends at `end`. If it is one complete subtree from the first leaf on, who asks has its root already.
  if (start > 0) path.push(rangeHash(read, start, end));
  return (await Promise.all(path)).toReversed();
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === hashLength);
}

/**
 * Whether a leaf's hash stands at `index` in the tree of this head (RFC 9162 section 2.1.3.2). The head is what the caller
 * trusts; a path that is longer or shorter than position and size ask for proves nothing.
 */
export function verifyInclusion(
  proof: { readonly index: number; readonly leaf: Uint8Array; readonly path: readonly Uint8Array[] },
  head: TreeHead,
): boolean {
  const { index, leaf, path } = proof;
  if (!isTreeSize(index) || !isTreeSize(head.size) || index >= head.size) return false;
  if (leaf.length !== hashLength || !areHashes(path)) return false;
  let [node, last] = [index, head.size - 1];
  let root = leaf;
  for (const hash of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      root = nodeHash(hash, root);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      root = nodeHash(root, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(root, head.root);
}

/**
 * Whether the tree of the older head is the beginning of that of the newer one (RFC 9162 section 2.1.4.2). An empty older tree is
 * the beginning of everything, so that it proves nothing: false.
 */
export function verifyConsistency(older: TreeHead, newer: TreeHead, path: readonly Uint8Array[]): boolean {
  if (!isTreeSize(older.size) || !isTreeSize(newer.size) || older.size > newer.size || !areHashes(path)) return false;
  if (older.size === 0) return false;
  if (older.size === newer.size) return path.length === 0 && equalBytes(older.root, newer.root);
  const whole = levelOf(older.size) === undefined ? path : [older.root, ...path];
  const [first, ...others] = whole;
  if (first === undefined || path.length === 0) return false;
  let [node, last] = [older.size - 1, newer.size - 1];
  while (node % 2 === 1) [node, last] = [(node - 1) / 2, Math.floor(last / 2)];
  let [olderRoot, newerRoot] = [first, first];
  for (const hash of others) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      olderRoot = nodeHash(hash, olderRoot);
      newerRoot = nodeHash(hash, newerRoot);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      newerRoot = nodeHash(newerRoot, hash);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(olderRoot, older.root) && equalBytes(newerRoot, newer.root);
}
