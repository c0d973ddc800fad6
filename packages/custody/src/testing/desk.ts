import assert from 'node:assert/strict';
import type { AssetId, BreakAction } from '@bulkhead/domain';
import { namedAddress } from '@bulkhead/fakes';
import { audit } from '@bulkhead/ledger';
import { type BreakView, breakViews, resolveBreak } from '../break.ts';
import { isRefused } from '../command.ts';
import { machine } from '../custody.ts';
import { reconcile } from '../reconciliation.ts';
import { type LineFilter, type ReconciliationView, reconciliationLines } from '../reconciliation-view.ts';
import { type Bench, type BenchWallet, viewOf } from './bench.ts';

/** What the reconciliation desk does and sees, and what thieves do, in tests. */
const thief = namedAddress('thief');

export async function reconciled(bench: Bench): Promise<ReconciliationView> {
  const view = await reconcile(bench.custody, { chain: bench.id, actor: machine });
  assert.ok(!isRefused(view), 'it was refused');
  return view;
}

export async function breaks(bench: Bench, state: 'open' | 'resolved' = 'open'): Promise<readonly BreakView[]> {
  return breakViews(bench.custody.db, { state, after: null, limit: 100 }, bench.clock.now());
}

export async function onlyBreak(bench: Bench): Promise<BreakView> {
  const [found, ...more] = await breaks(bench);
  assert.ok(
    found !== undefined && more.length === 0,
    `one open break was expected, there are ${found === undefined ? 0 : more.length + 1}`,
  );
  return found;
}

/** How much less there is than the books say. */
export function lostIn(found: BreakView): bigint {
  assert.ok(found.difference !== null);
  return -BigInt(found.difference);
}

export async function pays(
  bench: Bench,
  to: BenchWallet,
  amount: bigint,
  asset: AssetId = bench.native,
): Promise<void> {
  bench.chain.outside.send({ to: to.address, amount, asset });
  bench.chain.mine();
  await bench.settle();
}

export async function steals(
  bench: Bench,
  from: BenchWallet,
  amount: bigint,
  asset: AssetId = bench.native,
): Promise<void> {
  bench.chain.outside.steal({ from: from.address, to: thief, amount, asset });
  bench.chain.mine();
  await bench.settle();
}

/** Coins that leave or come while no block shows how. */
export async function changesUnseen(bench: Bench, at: BenchWallet, change: bigint): Promise<void> {
  bench.chain.mine();
  bench.chain.ground.history.add({
    asset: bench.native,
    address: at.address,
    height: bench.chain.ground.height,
    change,
  });
  await bench.settle();
}

export async function resolves(bench: Bench, id: string, action: BreakAction): Promise<BreakView> {
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), { breakId: id, action, note: 'looked into' }));
  return viewOf(await resolveBreak(bench.custody, bench.as('bea'), { breakId: id, action, note: 'agreed' }));
}

export async function lines(
  bench: Bench,
  id: string,
  filter: Partial<LineFilter> = {},
): ReturnType<typeof reconciliationLines> {
  return reconciliationLines(bench.custody.db, { reconciliationId: id, after: 0, limit: 100, ...filter });
}

export async function individual(bench: Bench): Promise<BenchWallet> {
  return bench.wallet(await bench.client('individual'));
}

/** The audit of the ledger finds nothing, among it that each loss stands beside an obligation; and the run of blocks is whole. */
export async function proves(bench: Bench): Promise<void> {
  assert.deepEqual(await audit(bench.database.owner), []);
  await bench.prove();
}
