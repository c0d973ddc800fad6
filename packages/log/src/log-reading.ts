import { invariant } from '@bulkhead/domain';
import { bigint, bytes, only, type Queries, text } from '@bulkhead/postgres';
import {
  encodeBundle,
  nodesOfTiles,
  parseSignedNote,
  type ReadNode,
  type Tile,
  tileWidthAt,
  tileWidthMax,
  type TreeHead,
} from '@bulkhead/tlog';

/** How far the committed tree goes. What is not signed yet is nobody's business but the log's own. */
export async function committedHead(db: Queries): Promise<TreeHead> {
  const row = only(await db.query('select size, root from log.sequencer'));
  return { size: Number(bigint(row, 'size')), root: bytes(row, 'root') };
}

/** A signed checkpoint with the lines of its witnesses. */
export type StoredCheckpoint = { readonly size: number; readonly note: string; readonly witnesses: number };

/**
 * The checkpoint that readers are shown: the newest one that as many witnesses cosigned as are asked for; while there is none at
 * all, the newest one.
 */
export async function shownCheckpoint(db: Queries, witnessesMin: number): Promise<StoredCheckpoint | undefined> {
  const [row] = await db.query(
    `select c.size, c.note, coalesce(w.lines, '') as lines, coalesce(w.count, 0)::bigint as count
     from log.checkpoint c
     left join lateral (
       select string_agg(s.line, '' order by s.witness) as lines, count(*) as count from log.cosignature s where s.size = c.size
     ) w on true
     where c.size = coalesce(
       case when $1::bigint > 0 then (select size from log.cosignature group by size having count(*) >= $1 order by size desc limit 1) end,
       (select max(size) from log.checkpoint))`,
    [witnessesMin],
  );
  if (row === undefined) return undefined;
  const note = `${text(row, 'note')}${text(row, 'lines')}`;
  // What the rows say is shown as it is, but not if it is no note at all.
  parseSignedNote(note);
  return { size: Number(bigint(row, 'size')), note, witnesses: Number(bigint(row, 'count')) };
}

/** The size up to which tiles are given out: that of the newest signed checkpoint. */
export async function signedSize(db: Queries): Promise<number> {
  const row = only(await db.query('select coalesce(max(size), 0)::bigint as size from log.checkpoint'));
  return Number(bigint(row, 'size'));
}

/** The bytes of a tile, or undefined where the tree of `size` leaves does not have it at that width. */
export async function readTile(db: Queries, tile: Tile, size: number): Promise<Uint8Array | undefined> {
  // A part of a tile that has grown meanwhile is still given out: its beginning does not change.
  if (tileWidthAt(tile, size) < tile.width) return undefined;
  const from = tile.index * tileWidthMax;
  const range = [from, from + tile.width] as const;
  if (tile.level === 'entries') {
    const rows = await db.query('select entry from log.leaf where index >= $1 and index < $2 order by index', range);
    invariant(rows.length === tile.width, `The log has not all of the leaves from ${from} on.`);
    return encodeBundle(rows.map((row) => bytes(row, 'entry')));
  }
  const rows =
    tile.level === 0
      ? await db.query('select hash from log.leaf where index >= $1 and index < $2 order by index', range)
      : await db.query('select hash from log.node where level = $3 and index >= $1 and index < $2 order by index', [
          ...range,
          tile.level,
        ]);
  invariant(rows.length === tile.width, `The log has not all of the hashes of a tile of level ${tile.level}.`);
  return Buffer.concat(rows.map((row) => bytes(row, 'hash')));
}

/** The complete subtrees of the first `size` leaves, from the stored hashes. */
export function storedNodes(db: Queries, size: number): ReadNode {
  return nodesOfTiles(size, async (tile) => {
    const found = await readTile(db, tile, size);
    invariant(found !== undefined, 'The log was asked for a tile that it does not have.');
    return found;
  });
}
