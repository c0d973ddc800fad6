import { bigint, bytes, bytesOrNull, type Queries } from '@bulkhead/postgres';
import { inclusionProof, type Receipt } from '@bulkhead/tlog';
import { type FactView, readFacts } from './fact.ts';
import { shownCheckpoint, storedNodes } from './log-reading.ts';

/** Receipts that one question is answered with, the newest first. */
export const receiptsMax = 100;

/**
 * Receipts of the facts at these places, as far as the shown checkpoint goes. The opening is in each: give it only to who may read
 * the fact.
 */
export async function receiptsOf(
  db: Queries,
  order: { readonly views: readonly FactView[]; readonly positions: readonly bigint[]; readonly witnessesMin: number },
): Promise<readonly Receipt[]> {
  const checkpoint = await shownCheckpoint(db, order.witnessesMin);
  if (checkpoint === undefined) return [];
  const rows = await db.query(
    `select l.index, l.position, l.entry, o.salt from log.leaf l left join log.opening o on o.index = l.index
     where l.position = any ($1::bigint[]) and l.index < $2 order by l.index desc limit $3`,
    [order.positions, checkpoint.size, receiptsMax],
  );
  const read = storedNodes(db, checkpoint.size);
  const receipts: Receipt[] = [];
  for (const row of rows) {
    const [index, position, salt] = [Number(bigint(row, 'index')), bigint(row, 'position'), bytesOrNull(row, 'salt')];
    const [fact] = await readFacts(db, order.views, { after: position - 1n, until: position, limit: 1 });
    const content = fact?.content;
    receipts.push({
      index,
      leaf: bytes(row, 'entry'),
      opening: salt === null || content === undefined ? undefined : { salt, content },
      path: await inclusionProof(read, index, checkpoint.size),
      checkpoint: checkpoint.note,
    });
  }
  return receipts;
}
