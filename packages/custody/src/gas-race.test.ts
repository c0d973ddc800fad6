import assert from 'node:assert/strict';
import test from 'node:test';
import { dispatchViews } from './dispatch.ts';
import { sendDispatch } from './send.ts';
import { requestSweep } from './sweep.ts';
import { pool, viewOf } from './testing/bench.ts';
import { nativeFeeCap, openWithdrawing, pay, settle, tokenFeeCap } from './testing/withdrawing.ts';

test('two sweeps of a client at once do not both count on the same gas', async () => {
  await using bench = await openWithdrawing({ policy: { gasGrantTransactions: 1n } });
  const token = await bench.token('USD');
  const client = await bench.client('omnibus');
  const [poor, rich] = [await bench.wallet(client), await bench.wallet(client)];
  const gas = await bench.ownWallet('gas');
  await pay(bench, poor, 50n, token);
  await pay(bench, rich, 50n, token);
  await pay(bench, rich, tokenFeeCap);
  // Enough for one grant: the second address has coins of its own, and the gas of the first would have to pay for both.
  bench.chain.outside.send({ to: gas.address, amount: tokenFeeCap + nativeFeeCap });
  await settle(bench);
  viewOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id, asset: token }));
  await bench.work();
  bench.chain.mine();
  bench.chain.settle();
  await bench.follow();

  const { promise: bothAsk, resolve } = Promise.withResolvers<void>();
  const { chain } = bench;
  const estimate = chain.estimate.bind(chain);
  let asked = 0;
  chain.estimate = async (plan) => {
    asked += 1;
    if (asked === 2) resolve();
    await bothAsk;
    return estimate(plan);
  };
  const sweeps = await dispatchViews(bench.custody.db, { kind: 'sweep', after: null, limit: 10 });
  assert.deepEqual(
    sweeps.map((sweep) => sweep.state),
    ['queued', 'queued'],
  );
  await Promise.all(sweeps.map((sweep) => sendDispatch(bench.custody, sweep.id)));
  const states = (await dispatchViews(bench.custody.db, { kind: 'sweep', after: null, limit: 10 })).map(
    (sweep) => sweep.state,
  );
  assert.deepEqual(states.toSorted(), ['broadcast', 'queued']);
});
