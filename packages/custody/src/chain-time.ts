import type { ChainId } from '@bulkhead/domain';
import { bigint, type Queries } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';

/** Unix seconds of the newest block that is stored; 0 before there is one. Contracts count by the time of blocks and by no other. */
export async function blockTime(db: Queries, chain: ChainId): Promise<bigint> {
  const [row] = await db.query(
    `select extract(epoch from mined_at)::bigint as seconds from custody.block where chain = $1 order by number desc limit 1`,
    [chain],
  );
  return row === undefined ? 0n : bigint(row, 'seconds');
}

/** Unix seconds: the later of our clock and the newest block, for what must not come too late by either. */
export async function chainTime({ db, clock }: Pick<Custody, 'db' | 'clock'>, chain: ChainId): Promise<bigint> {
  const ours = BigInt(Math.floor(clock.now().getTime() / 1000));
  const theirs = await blockTime(db, chain);
  return theirs > ours ? theirs : ours;
}
