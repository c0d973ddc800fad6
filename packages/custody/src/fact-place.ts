import { bigint, type Queries } from '@bulkhead/postgres';

/** Places among all facts of those about one id, in their order: entries of the journal, or the transfer of this key. */
export async function factPlaces(
  db: Queries,
  of: { readonly id: string; readonly after: bigint; readonly limit: number },
): Promise<readonly bigint[]> {
  const rows = await db.query(
    `(select fact as place from custody.journal where subject = $1 and fact > $2 order by fact limit $3)
     union all (select position from ledger.transfers where key::text = $1 and position > $2)
     order by place limit $3`,
    [of.id, of.after, of.limit],
  );
  return rows.map((row) => bigint(row, 'place'));
}
