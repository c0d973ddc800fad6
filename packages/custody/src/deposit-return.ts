import { type DepositState, decideDeposit, invariant, parseAssetId, parseCompartment } from '@bulkhead/domain';
import { type Transaction, bigint, text } from '@bulkhead/postgres';
import { readState, writeState } from './state.ts';

/** Tells a deposit that the withdrawal that should have sent it back is over. */
export async function endReturn(tx: Transaction, end: { deposit: string; settled: boolean; now: Date }): Promise<void> {
  const [row] = await tx.query(
    'select id, compartment, asset, wallet, amount, state::text as state from custody.deposit where id = $1 for update',
    [end.deposit],
  );
  invariant(row !== undefined, 'A return names a deposit that does not exist.', { id: end.deposit });
  const terms = {
    id: text(row, 'id'),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    asset: parseAssetId(text(row, 'asset')),
    wallet: text(row, 'wallet'),
    amount: bigint(row, 'amount'),
  };
  const decision = decideDeposit(terms, readState<DepositState>(text(row, 'state')), { type: 'return-ended', settled: end.settled });
  invariant(decision.status === 'decided', 'The end of a return cannot be refused.', { id: end.deposit });
  await tx.query('update custody.deposit set step = $2, state = $3, updated_at = $4 where id = $1', [
    end.deposit,
    decision.state.step,
    writeState(decision.state),
    end.now,
  ]);
}
