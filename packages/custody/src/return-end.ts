import { invariant } from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { machine } from './custody.ts';
import { lockDeposit, stepDeposit } from './deposit-row.ts';

/** Tells a deposit that the withdrawal that should have sent it back is over. It moves no claims: the withdrawal did. */
export async function endReturn(
  tx: Transaction,
  end: { readonly deposit: string; readonly withdrawal: string; readonly settled: boolean; readonly now: Date },
): Promise<void> {
  const deposit = await lockDeposit(tx, end.deposit);
  invariant(deposit !== undefined, 'A return names a deposit that does not exist.', { id: end.deposit });
  const stepped = await stepDeposit(tx, {
    deposit,
    event: { type: 'return-ended', withdrawal: end.withdrawal, settled: end.settled },
    actor: machine,
    now: end.now,
  });
  invariant(stepped.status === 'stepped', 'The end of a return cannot be refused.', { id: end.deposit });
}
