import { bigint, integer, type Queries, text } from '@bulkhead/postgres';

/** What a chain's run of stored blocks amounts to. */
export type CoverageCertificate = {
  readonly from: string;
  readonly to: string;
  readonly blocks: number;
  /** Heights at which a block is missing or does not name the one below it as its parent; none in a whole run. */
  readonly holes: readonly string[];
};

/** Most holes that a certificate names. */
export const holesNamedMax = 100;

/** Proves from what is stored that the run of blocks from the start to the tip is contiguous and linked by hash. */
export async function coverageCertificate(db: Queries, chain: string): Promise<CoverageCertificate | undefined> {
  const [row] = await db.query(
    `with cursor as (
       select start_number, tip_number, tip_hash from custody.chain_cursor where chain = $1
     ), run as (
       select b.number, b.hash, b.parent_hash, lag(b.hash) over (order by b.number) as hash_below, lag(b.number) over (order by b.number) as number_below
       from custody.block b where b.chain = $1 and b.removed_at is null
     ), holes as (
       select r.number from run r, cursor c
       where r.number > c.start_number and (r.number_below is distinct from r.number - 1 or r.hash_below is distinct from r.parent_hash)
       union all
       select c.tip_number from cursor c where not exists (select from run r where r.number = c.tip_number and r.hash = c.tip_hash)
       union all
       select c.start_number from cursor c where not exists (select from run r where r.number = c.start_number)
       union all
       select r.number from run r, cursor c where r.number > c.tip_number or r.number < c.start_number
     )
     select c.start_number, c.tip_number, (select count(*)::integer from run) as blocks,
       coalesce((select string_agg(h.number::text, ',') from (select number from holes order by number limit $2) h), '') as holes
     from cursor c`,
    [chain, holesNamedMax],
  );
  if (row === undefined) return undefined;
  const holes = text(row, 'holes');
  return {
    from: bigint(row, 'start_number').toString(),
    to: bigint(row, 'tip_number').toString(),
    blocks: integer(row, 'blocks'),
    holes: holes === '' ? [] : holes.split(','),
  };
}
