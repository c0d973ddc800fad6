import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakViews } from './break.ts';
import { machine } from './custody.ts';
import { frozenBy } from './freeze.ts';
import { reconcile } from './reconciliation.ts';
import { approve, ask, ether, funded, openWithdrawing, recipient, settle, workers } from './testing/withdrawing.ts';

test('a payment that nobody ordered makes the chain be reconciled and its compartment frozen, without waiting for the night', async () => {
  await using bench = await openWithdrawing({
    workers: {
      ...workers,
      reconcile: async (custody) => void (await reconcile(custody, { chain: bench.id, actor: machine })),
    },
  });
  const victim = await funded(bench, 3n * ether);
  const other = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: other.client, amount: ether });
  await approve(bench, id);
  await settle(bench);
  assert.deepEqual(
    await breakViews(bench.custody.db, { after: null, limit: 10 }, bench.clock.now()),
    [],
    'what was ordered raises no alarm',
  );
  bench.chain.outside.steal({ from: victim.wallet.address, to: recipient, amount: ether });
  await settle(bench);
  const breaks = await breakViews(bench.custody.db, { after: null, limit: 10 }, bench.clock.now());
  assert.deepEqual(
    breaks.map(({ type, compartment }) => [type, compartment]),
    [['missing-movement', victim.wallet.compartment]],
  );
  assert.equal((await frozenBy(bench.custody.db, victim.wallet.compartment)).length, 1);
  assert.equal((await frozenBy(bench.custody.db, other.wallet.compartment)).length, 0);
});
