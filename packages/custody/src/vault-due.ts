import type { BlockRef, ChainId } from '@bulkhead/domain';
import { bigint, only, text, type Transaction } from '@bulkhead/postgres';
import { enqueue } from './job.ts';

/**
 * Asks for a look at what the time of a final block has made due: keys that may be put in force, and a set of signers that has changed.
 * The clock of the chain decides, and nobody waits for a schedule.
 */
export async function wakeDue(
  tx: Transaction,
  { chain, block }: { readonly chain: ChainId; readonly block: BlockRef },
): Promise<void> {
  const mined = only(
    await tx.query(
      `select extract(epoch from mined_at)::bigint as seconds from custody.block where chain = $1 and hash = $2`,
      [chain, block.hash],
    ),
  );
  const seconds = bigint(mined, 'seconds');
  const recoveries = await tx.query(
    `select id from custody.key_recovery where chain = $1 and step = 'queued' and ready_at <= $2 order by id`,
    [chain, seconds],
  );
  for (const row of recoveries) await enqueue(tx, { task: 'follow-key-recovery', id: text(row, 'id') });
  const changed = await tx.query(
    `select chain from custody.signer_set_standing where chain = $1 and newest_number > current_number and newest_from <= $2`,
    [chain, seconds],
  );
  if (changed.length > 0) await enqueue(tx, { task: 'keep-signer-set', id: chain });
}
