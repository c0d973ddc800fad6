import { bytes, type Queries } from '@bulkhead/postgres';
import { checkpointText, emptyFrontier, extend, parseSignedNote, rootOf, type TreeHead } from '@bulkhead/tlog';
import { nativeSha256 } from './log-key.ts';

/** Leaf hashes read at a time. */
const hashesAtOnce = 16_384;

/** What stands elsewhere, where nobody can take it back, of a checkpoint of the log. */
export type Anchor = {
  /** {@link bodyDigest}, 64 hex digits. */
  readonly digest: string;
  /** For people: which block, which transaction. */
  readonly where: string;
  /** How many leaves it is said to be of; nobody vouches for that. */
  readonly size?: number;
};

/** SHA-256 of the text of a checkpoint that its signature covers, in hex. */
export function bodyDigest(text: string): string {
  return Buffer.from(nativeSha256(new TextEncoder().encode(text))).toString('hex');
}

/** The same of a checkpoint as a signed note. */
export function anchorDigest(note: string): string {
  return bodyDigest(parseSignedNote(note).text);
}

/** The digest that a checkpoint of this head has, signed or not. */
export function headDigest(origin: string, { size, root }: TreeHead): string {
  return bodyDigest(checkpointText({ origin, size, root }));
}

/**
 * Looks in the whole tree for checkpoints of these digests, leaf by leaf: for anchors of which nothing else is known any more.
 *
 * @returns the sizes of those that the tree ever had
 */
export async function sizesOf(
  db: Queries,
  digests: ReadonlySet<string>,
  log: { readonly origin: string; readonly size: number },
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  let frontier = emptyFrontier;
  while (frontier.size < log.size && found.size < digests.size) {
    const range = [frontier.size, Math.min(frontier.size + hashesAtOnce, log.size)];
    const rows = await db.query('select hash from log.leaf where index >= $1 and index < $2 order by index', range);
    if (rows.length === 0) break;
    for (const row of rows) {
      frontier = extend(frontier, [bytes(row, 'hash')]);
      const digest = headDigest(log.origin, { size: frontier.size, root: rootOf(frontier) });
      if (digests.has(digest)) found.set(digest, frontier.size);
    }
  }
  return found;
}
