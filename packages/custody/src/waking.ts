import type { ChainId, Compartment } from '@bulkhead/domain';
import { type Queries, text } from '@bulkhead/postgres';
import { enqueue } from './job.ts';

/** Most workflows woken in one go; the next occasion wakes the rest. */
export const wakeMax = 1_000;

export type Sleepers = { readonly chain?: ChainId; readonly compartment?: Compartment };

/** Gives moves of clients between compartments another look. */
export async function wakeMoves(tx: Queries, chain: ChainId): Promise<void> {
  const moves = await tx.query(
    `select id from custody.segregation_move where chain = $1 and step = 'moving' order by id limit $2`,
    [chain, wakeMax],
  );
  for (const row of moves) await enqueue(tx, { task: 'advance-move', id: text(row, 'id') });
}

/** Gives everything on a chain or in a compartment that waits (for coins, gas, a lower fee, the end of a freeze) another try. */
export async function wakeWaiting(tx: Queries, { chain, compartment }: Sleepers): Promise<void> {
  const withdrawals = await tx.query(
    `select id from custody.withdrawal
     where ($1::text is null or chain = $1) and ($2::bigint is null or compartment = $2) and step in ('approved', 'awaiting-liquidity')
     order by id limit $3`,
    [chain ?? null, compartment ?? null, wakeMax],
  );
  for (const row of withdrawals) await enqueue(tx, { task: 'find-liquidity', id: text(row, 'id') });
  const dispatches = await tx.query(
    `select id from custody.dispatch
     where ($1::text is null or chain = $1) and ($2::bigint is null or compartment = $2) and step in ('queued', 'signing')
     order by id limit $3`,
    [chain ?? null, compartment ?? null, wakeMax],
  );
  for (const row of dispatches) await enqueue(tx, { task: 'send-dispatch', id: text(row, 'id') });
  const payments = await tx.query(
    `select id from custody.vault_dispatch
     where ($1::text is null or chain = $1) and ($2::bigint is null or compartment = $2) and step <> 'done' and waiting_reason is not null
     order by id limit $3`,
    [chain ?? null, compartment ?? null, wakeMax],
  );
  for (const row of payments) await enqueue(tx, { task: 'send-vault-dispatch', id: text(row, 'id') });
  for (const table of ['delegation', 'delegated_sweep'] as const) {
    const rows = await tx.query(
      `select id from custody.${table}
       where ($1::text is null or chain = $1) and ($2::bigint is null or compartment = $2) and step <> 'done' order by id limit $3`,
      [chain ?? null, compartment ?? null, wakeMax],
    );
    const task = table === 'delegation' ? 'send-delegation' : 'send-delegated-sweep';
    for (const row of rows) await enqueue(tx, { task, id: text(row, 'id') });
  }
}
