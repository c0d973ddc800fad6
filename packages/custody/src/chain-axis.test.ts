import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Hash, invariant } from '@bulkhead/domain';
import { dispatchViews } from './dispatch.ts';
import { watchDispatch } from './send.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import {
  approve,
  ask,
  available,
  ether,
  funded,
  openWithdrawing,
  recipient,
  settle,
  withdrawal,
} from './testing/withdrawing.ts';
import { cancelWithdrawal } from './withdrawal.ts';

/** Looks at the chain once for a withdrawal, as its job does, and answers where its transaction stands now. */
async function look(bench: Bench, id: string): Promise<string> {
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  invariant(dispatch !== undefined, 'The withdrawal has no dispatch.', { id });
  await watchDispatch(bench.custody, dispatch.id);
  return (await withdrawal(bench, id)).chainState;
}

async function hashOf(bench: Bench, id: string): Promise<Hash> {
  const { transactionHash } = await withdrawal(bench, id);
  invariant(transactionHash?.startsWith('0x') === true, 'The withdrawal is not signed.');
  // The view shows hashes as text; this one came from the chain adapter.
  return transactionHash as Hash;
}

test('a transaction is in the mempool, dropped by every node, sent again as it is, in a block and final', async () => {
  await using bench = await openWithdrawing({ chain: { finalLag: 5n } });
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  assert.equal((await withdrawal(bench, id)).chainState, 'none');
  await approve(bench, id);
  assert.equal(await look(bench, id), 'in-mempool');
  const free = await available(bench, account);
  const hash = await hashOf(bench, id);

  bench.chain.ground.mempool.drop(hash);
  assert.equal(await look(bench, id), 'dropped');
  assert.equal((await withdrawal(bench, id)).state, 'broadcast', 'what was dropped can come back, so nothing ends');
  assert.equal(await available(bench, account), free, 'the hold stands');
  assert.ok(bench.chain.ground.mempool.has(hash), 'the same bytes were sent again');
  assert.equal(await look(bench, id), 'in-mempool');

  bench.chain.mine();
  await bench.follow();
  assert.deepEqual(
    [(await withdrawal(bench, id)).chainState, (await withdrawal(bench, id)).state],
    ['in-block', 'broadcast'],
  );
  await settle(bench);
  assert.deepEqual(
    [(await withdrawal(bench, id)).chainState, (await withdrawal(bench, id)).state],
    ['final', 'settled'],
  );
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  await bench.prove();
});

test('a transaction that was dropped and given up is not paid when it surfaces after its cancellation is final', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  const payment = await hashOf(bench, id);
  bench.chain.ground.mempool.drop(payment);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'cancelled');
  assert.equal(bench.chain.ground.resurface(payment), 'nonce-used', 'its nonce is consumed for ever');
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, recipient), 0n);
  assert.equal(await available(bench, account), 3n * ether - BigInt(done.feePaid ?? 0));
  await bench.prove();
});
