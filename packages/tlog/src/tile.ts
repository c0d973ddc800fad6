import { CustodyError, invariant } from '@bulkhead/domain';
import { hashLength, nodeHash } from './merkle-hash.ts';
import type { ReadNode } from './merkle-proof.ts';

/** Hashes of a full tile, and entries of a full bundle (C2SP tlog-tiles). */
export const tileWidthMax: number = 256;
const tileHeight = 8;
const levelMax = 63;

/** Part of a tree as a file: hashes of level `level`, or the entries themselves. */
export type Tile = {
  readonly level: number | 'entries';
  readonly index: number;
  /** Hashes or entries in it; less than 256 at the right end of a tree. */
  readonly width: number;
};

/** `tile/<level>/<index>[.p/<width>]` below the prefix of a log. */
export function tilePath({ level, index, width }: Tile): string {
  const groups = [(index % 1000).toString().padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${(rest % 1000).toString().padStart(3, '0')}`);
  }
  const partial = width === tileWidthMax ? '' : `.p/${width}`;
  return `tile/${level}/${groups.join('/')}${partial}`;
}

const pathForm = /^tile\/(0|[1-9][0-9]?|entries)\/((?:x[0-9]{3}\/){0,4}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/u;

/** Reads the path of a tile; undefined for everything that {@link tilePath} does not write. */
export function parseTilePath(path: string): Tile | undefined {
  const [, level, groups, partial] = pathForm.exec(path) ?? [];
  if (level === undefined || groups === undefined) return undefined;
  const index = Number(groups.replaceAll(/[x/]/gu, ''));
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index,
    width: partial === undefined ? tileWidthMax : Number(partial),
  };
  const isWritten = tilePath(tile) === path && (tile.level === 'entries' || tile.level <= levelMax);
  return isWritten ? tile : undefined;
}

function entriesAt(level: Tile['level'], size: number): number {
  return level === 'entries' ? size : Math.floor(size / tileWidthMax ** level);
}

/** How wide a tile is in a tree of this size; 0 where the tree does not reach it. */
export function tileWidthAt(tile: Omit<Tile, 'width'>, size: number): number {
  const behind = entriesAt(tile.level, size) - tile.index * tileWidthMax;
  return Math.max(0, Math.min(tileWidthMax, behind));
}

/** The tiles and bundles that a tree has and a smaller beginning of it had not, partial ones included. */
export function* tilesBetween(older: number, newer: number): Generator<Tile> {
  for (const level of ['entries', ...Array(7).keys()] as const) {
    const [had, has] = [entriesAt(level, older), entriesAt(level, newer)];
    if (has === had) continue;
    for (let index = Math.floor(had / tileWidthMax); index * tileWidthMax < has; index += 1) {
      yield { level, index, width: Math.min(tileWidthMax, has - index * tileWidthMax) };
    }
  }
}

/** The hash of a complete subtree inside of a tile: 2^height hashes of it, from one of them on. */
function within(hashes: Uint8Array, at: { readonly start: number; readonly count: number }): Uint8Array {
  let nodes: Uint8Array[] = [];
  for (let n = at.start; n < at.start + at.count; n += 1) {
    nodes.push(hashes.subarray(n * hashLength, (n + 1) * hashLength));
  }
  while (nodes.length > 1) {
    const parents: Uint8Array[] = [];
    for (let n = 0; n + 1 < nodes.length; n += 2) {
      const [left, right] = [nodes[n], nodes[n + 1]];
      if (left !== undefined && right !== undefined) parents.push(nodeHash(left, right));
    }
    nodes = parents;
  }
  const [root] = nodes;
  invariant(root !== undefined, 'A tile has no such subtree.');
  return root;
}

/**
 * Reads the complete subtrees of a tree of `size` leaves from its tiles. The same tile is asked for once.
 *
 * @param readTile gives the bytes of a tile, which nobody vouches for
 * @throws CustodyError `log/malformed` when a tile has another length than its width
 */
export function nodesOfTiles(size: number, readTile: (tile: Tile) => Promise<Uint8Array>): ReadNode {
  const known = new Map<string, Promise<Uint8Array>>();
  const fetched = async (tile: Tile): Promise<Uint8Array> => {
    const bytes = await readTile(tile);
    if (bytes.length !== tile.width * hashLength) {
      const message = `The file ${tilePath(tile)} has ${bytes.length} bytes, not ${tile.width * hashLength}.`;
      throw new CustodyError('log/malformed', message);
    }
    return bytes;
  };
  return async (level, index) => {
    const tileLevel = Math.floor(level / tileHeight);
    const count = 2 ** (level % tileHeight);
    const first = index * count;
    const place = { level: tileLevel, index: Math.floor(first / tileWidthMax) };
    const tile = { ...place, width: tileWidthAt(place, size) };
    const start = first % tileWidthMax;
    invariant(
      start + count <= tile.width,
      `A tree of ${size} leaves has no complete subtree ${index} of level ${level}.`,
    );
    const path = tilePath(tile);
    const bytes = known.get(path) ?? fetched(tile);
    known.set(path, bytes);
    return within(await bytes, { start, count });
  };
}
