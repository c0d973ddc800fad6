import { equalBytes, malformed, wordBytes } from './fixed-width.ts';
import { bookNodeHash, emptyRowHash, type HashOrder, recordHash } from './reserve-hash.ts';

/** The number of a compartment has 31 bits, and so has the way to its row: there is one place for each compartment. */
export const bookLevels = 31;

/** A tree over all numbers of compartments, with a row where there is one. */
export type BookTree = {
  readonly root: Uint8Array;
  readonly rows: number;
  /** What the registry records. */
  readonly record: Uint8Array;
  /** The way from a compartment's row: which siblings are not empty (bit 0 the lowest), and those, bottom up. */
  readonly path: (compartment: number) => BookPath;
};

export type BookPath = { readonly present: number; readonly siblings: Uint8Array };

type Level = { readonly positions: Uint32Array; readonly hashes: Uint8Array };

/** Those of the last context: who checks ten thousand packages of an epoch asks for the same ones. */
let kept: { readonly context: Uint8Array; readonly hashes: readonly Uint8Array[] } | undefined;

/** Hashes of places below which there is no row, by level. */
function emptyHashes(order: HashOrder): readonly Uint8Array[] {
  if (kept !== undefined && equalBytes(kept.context, order.context)) return kept.hashes;
  const hashes = hashEmpty(order);
  kept = { context: order.context.slice(), hashes };
  return hashes;
}

function hashEmpty(order: HashOrder): readonly Uint8Array[] {
  const hashes = [emptyRowHash(order).slice()];
  const children = new Uint8Array(2 * wordBytes);
  for (let level = 1; level < bookLevels; level += 1) {
    const below = hashes[level - 1] ?? children;
    children.set(below);
    children.set(below, wordBytes);
    hashes.push(bookNodeHash(order, level, children).slice());
  }
  return hashes;
}

/** @param rows numbers of compartments, strictly ascending, and their hashes, one after the other */
export function makeBookTree(
  order: HashOrder,
  rows: { readonly compartments: readonly number[]; readonly hashes: Uint8Array },
): BookTree {
  const count = rows.compartments.length;
  if (count === 0) throw malformed('there is no compartment');
  rows.compartments.forEach((compartment, at) => {
    const before = rows.compartments[at - 1];
    if (before !== undefined && before >= compartment) {
      throw malformed(`compartment ${compartment} does not come after ${before}`);
    }
  });
  const empty = emptyHashes(order);
  const levels: Level[] = [{ positions: Uint32Array.from(rows.compartments), hashes: rows.hashes }];
  for (let level = 1; level <= bookLevels; level += 1) {
    const below = levels[level - 1];
    if (below !== undefined) levels.push(levelAbove(order, below, { level, empty: empty[level - 1] ?? rows.hashes }));
  }
  const root = levels[bookLevels]?.hashes ?? rows.hashes;
  return {
    root,
    rows: count,
    record: recordHash(order, root, count).slice(),
    path: (compartment) => pathFrom(levels, compartment),
  };
}

function levelAbove(
  order: HashOrder,
  below: Level,
  { level, empty }: { readonly level: number; readonly empty: Uint8Array },
): Level {
  const positions: number[] = [];
  const hashes = new Uint8Array(below.hashes.length);
  const children = new Uint8Array(2 * wordBytes);
  for (let at = 0; at < below.positions.length; at += 1) {
    const position = below.positions[at] ?? 0;
    const own = below.hashes.subarray(at * wordBytes, (at + 1) * wordBytes);
    const paired = position % 2 === 0 && below.positions[at + 1] === position + 1;
    const sibling = paired ? below.hashes.subarray((at + 1) * wordBytes, (at + 2) * wordBytes) : empty;
    children.set(position % 2 === 0 ? own : sibling, 0);
    children.set(position % 2 === 0 ? sibling : own, wordBytes);
    hashes.set(bookNodeHash(order, level, children), positions.length * wordBytes);
    positions.push(Math.floor(position / 2));
    if (paired) at += 1;
  }
  return { positions: Uint32Array.from(positions), hashes: hashes.slice(0, positions.length * wordBytes) };
}

function pathFrom(levels: readonly Level[], compartment: number): BookPath {
  const siblings: Uint8Array[] = [];
  let present = 0;
  let position = compartment;
  if (findIn(levels[0]?.positions, compartment) === undefined) throw malformed(`compartment ${compartment} has no row`);
  for (let level = 0; level < bookLevels; level += 1) {
    const found = findIn(levels[level]?.positions, position % 2 === 0 ? position + 1 : position - 1);
    const hash = levels[level]?.hashes.subarray((found ?? 0) * wordBytes, ((found ?? 0) + 1) * wordBytes);
    if (found !== undefined && hash !== undefined) {
      present += 2 ** level;
      siblings.push(hash);
    }
    position = Math.floor(position / 2);
  }
  const joined = new Uint8Array(siblings.length * wordBytes);
  siblings.forEach((hash, at) => joined.set(hash, at * wordBytes));
  return { present, siblings: joined };
}

function findIn(sorted: Uint32Array | undefined, value: number): number | undefined {
  if (sorted === undefined) return undefined;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value ? low : undefined;
}

/** How many siblings a path brings, or undefined for bits beyond the levels. */
export function siblingsOfBook(present: number): number | undefined {
  if (present >= 2 ** bookLevels) return undefined;
  let count = 0;
  for (let rest = present; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** The root that follows from a row and its path; undefined where a sibling that is said to be there is the empty one. */
export function foldBook(
  order: HashOrder,
  row: { readonly compartment: number; readonly hash: Uint8Array },
  path: BookPath,
): Uint8Array | undefined {
  const empty = emptyHashes(order);
  const children = new Uint8Array(2 * wordBytes);
  let own = row.hash;
  let position = row.compartment;
  let used = 0;
  for (let level = 0; level < bookLevels; level += 1) {
    const there = Math.floor(path.present / 2 ** level) % 2 === 1;
    const nothing = empty[level] ?? own;
    const sibling = there ? path.siblings.subarray(used, used + wordBytes) : nothing;
    if (there && sibling.every((byte, at) => byte === nothing[at])) return undefined;
    if (there) used += wordBytes;
    children.set(position % 2 === 0 ? own : sibling, 0);
    children.set(position % 2 === 0 ? sibling : own, wordBytes);
    own = bookNodeHash(order, level + 1, children).slice();
    position = Math.floor(position / 2);
  }
  return own;
}
