import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { dispatchViews } from './dispatch.ts';
import { watchDispatch } from './send.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import { approve, ask, ether, funded, openWithdrawing, recipient, settle, withdrawal } from './testing/withdrawing.ts';
import { cancelWithdrawal } from './withdrawal.ts';

/** A withdrawal that is signed, and that no node has seen. */
async function signedUnsent(bench: Bench): Promise<string> {
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  const { chain } = bench;
  const broadcast = chain.broadcast.bind(chain);
  chain.broadcast = async () => {
    throw new CustodyError('chain/unavailable', 'Nobody answers.');
  };
  await assert.rejects(approve(bench, id), { code: 'chain/unavailable' });
  chain.broadcast = broadcast;
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  return id;
}

for (const job of ['the job of the cancellation', 'a look at the transaction'] as const) {
  test(`a payment that was cancelled before anybody saw it is not made known by ${job}`, async () => {
    await using bench = await openWithdrawing();
    const id = await signedUnsent(bench);
    viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
    const [{ id: dispatch } = { id: '' }] = await dispatchViews(bench.custody.db, {
      reference: id,
      after: null,
      limit: 1,
    });
    if (job === 'a look at the transaction') await watchDispatch(bench.custody, dispatch);
    await bench.work();
    const [view] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
    assert.deepEqual(
      view?.attempts.map(({ role }) => role),
      ['effect', 'cancel'],
    );
    const known = bench.chain.ground.sentBefore().map(({ hash }) => hash);
    assert.deepEqual(
      view.attempts.map(({ hash }) => known.some((one) => one === hash)),
      [false, true],
    );
    await settle(bench);
    assert.equal((await withdrawal(bench, id)).state, 'cancelled');
    assert.equal(bench.chain.ground.balance(bench.native, recipient), 0n);
    await bench.prove();
  });
}
