import type { Bench } from './bench.ts';
import { settle } from './withdrawing.ts';

/** Where work that lost its job stands, and the job that goes on with it. */
export type Lost = {
  readonly table: 'delegation' | 'delegated_sweep' | 'dispatch' | 'vault_dispatch' | 'withdrawal';
  readonly task: string;
  /** Which rows are under way; those that are not done, if it is not said. */
  readonly where?: string;
};

export const lostDispatches: readonly Lost[] = [
  { table: 'vault_dispatch', task: 'send-vault-dispatch' },
  { table: 'dispatch', task: 'send-dispatch' },
];

/**
 * A restarted process: what lost its job gets another one, as the schedule sees to, and the chain goes on. It ends when nothing is under
 * way any more, or after some turns: what is open then stays open, which is for the test to see.
 */
export async function resume(bench: Bench, lost: readonly Lost[], turnsMax = 3): Promise<void> {
  for (let turn = 0; turn < turnsMax; turn += 1) {
    let reminded = 0;
    for (const { table, task, where = `step <> 'done'` } of lost) {
      const rows = await bench.database.owner.query(
        `select graphile_worker.add_job(identifier => $1::text, payload => json_build_object('id', id), job_key => $1 || id)
         from custody.${table} where ${where}`,
        [task],
      );
      reminded += rows.length;
    }
    if (turn > 0 && reminded === 0) return;
    await settle(bench);
  }
}
