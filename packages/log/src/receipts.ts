import { bigint, bytes, bytesOrNull, type Queries } from '@bulkhead/postgres';
import { inclusionProof, type Receipt } from '@bulkhead/tlog';
import { type FactView, readFacts } from './fact.ts';
import { shownCheckpoint, type StoredCheckpoint, storedNodes } from './log-reading.ts';

/** Receipts that one question is answered with, the newest first. */
export const receiptsMax = 256;

/** What there is to show of a fact, by its place. */
export type ReceiptState =
  | { readonly status: 'proven'; readonly receipt: Receipt }
  /** Nothing was written at this place, or by nobody who has committed. */
  | { readonly status: 'none' }
  /** It is no leaf yet. */
  | { readonly status: 'waiting' }
  /** No checkpoint covers its leaf yet that as many witnesses cosigned as are asked for. */
  | { readonly status: 'unsigned'; readonly index: number };

type ReceiptOrder = { readonly views: readonly FactView[]; readonly witnessesMin: number };

/** The receipt of one fact, or how far it is. The opening is in it: give it only to who may read the fact. */
export async function receiptAt(db: Queries, position: bigint, order: ReceiptOrder): Promise<ReceiptState> {
  const [leaf] = await db.query('select index from log.leaf where position = $1', [position]);
  if (leaf === undefined) {
    const [fact] = await readFacts(db, order.views, { after: position - 1n, until: position, limit: 1 });
    return { status: fact === undefined ? 'none' : 'waiting' };
  }
  const index = Number(bigint(leaf, 'index'));
  const receipt = (await provenReceipts(db, [position], order)).get(position);
  return receipt === undefined ? { status: 'unsigned', index } : { status: 'proven', receipt };
}

/** The receipts that are proven as readers are promised, by the places of their facts; what is not there has none yet. */
export async function provenReceipts(
  db: Queries,
  positions: readonly bigint[],
  { views, witnessesMin }: ReceiptOrder,
): Promise<ReadonlyMap<bigint, Receipt>> {
  const shown = await shownCheckpoint(db, witnessesMin);
  if (shown === undefined || shown.witnesses < witnessesMin) return new Map();
  return new Map(await placedReceipts(db, { views, positions, checkpoint: shown }));
}

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
  return (await placedReceipts(db, { ...order, checkpoint })).map(([, receipt]) => receipt);
}

type Placed = {
  readonly views: readonly FactView[];
  readonly positions: readonly bigint[];
  readonly checkpoint: StoredCheckpoint;
};

async function placedReceipts(
  db: Queries,
  { views, positions, checkpoint }: Placed,
): Promise<readonly (readonly [bigint, Receipt])[]> {
  const rows = await db.query(
    `select l.index, l.position, l.entry, o.salt from log.leaf l left join log.opening o on o.index = l.index
     where l.position = any ($1::bigint[]) and l.index < $2 order by l.index desc limit $3`,
    [positions, checkpoint.size, receiptsMax],
  );
  const read = storedNodes(db, checkpoint.size);
  const receipts: (readonly [bigint, Receipt])[] = [];
  for (const row of rows) {
    const [index, position, salt] = [Number(bigint(row, 'index')), bigint(row, 'position'), bytesOrNull(row, 'salt')];
    const [fact] = await readFacts(db, views, { after: position - 1n, until: position, limit: 1 });
    const content = fact?.content;
    const receipt: Receipt = {
      index,
      leaf: bytes(row, 'entry'),
      opening: salt === null || content === undefined ? undefined : { salt, content },
      path: await inclusionProof(read, index, checkpoint.size),
      checkpoint: checkpoint.note,
    };
    receipts.push([position, receipt]);
  }
  return receipts;
}
