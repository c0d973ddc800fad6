import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { namedAddress } from '@bulkhead/fakes';
import { dispatchViews, findDispatch } from './dispatch.ts';
import { sendDispatch } from './send.ts';
import { breaks, reconciled, resolves } from './testing/desk.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import { approve, ask, ether, funded, openWithdrawing, recipient, settle, withdrawal } from './testing/withdrawing.ts';
import { cancelWithdrawal } from './withdrawal.ts';

/** A withdrawal that has its nonce and no signature, because the signer went away, in a compartment that is then robbed. */
async function frozenUnsigned(bench: Bench): Promise<{ id: string; dispatch: string }> {
  const { client, wallet } = await funded(bench, 3n * ether);
  const second = await bench.wallet(client);
  bench.chain.outside.send({ to: second.address, amount: 2n * ether });
  await settle(bench);
  const { id } = await ask(bench, { client, amount: ether });
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async () => {
    throw new CustodyError('signer/unavailable', 'Nobody answers.');
  };
  await approve(bench, id);
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.equal(dispatch?.state, 'signing');
  assert.equal(dispatch.from.toLowerCase(), wallet.address);
  bench.chain.outside.steal({ from: second.address, to: namedAddress('thief'), amount: ether });
  bench.chain.mine();
  bench.chain.settle();
  await bench.follow();
  await reconciled(bench);
  bench.signer.sign = sign;
  return { id, dispatch: dispatch.id };
}

test('what has a nonce and no signature is not signed while its compartment is frozen', async () => {
  await using bench = await openWithdrawing();
  const { id, dispatch } = await frozenUnsigned(bench);
  await sendDispatch(bench.custody, dispatch);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), 0n);
  const standing = await findDispatch(bench.custody.db, dispatch);
  assert.match(standing?.waitingReason ?? '', /^Compartment \d+ is frozen by brk_/u, 'it says why');
  for (const { id: found } of await breaks(bench)) await resolves(bench, found, 'book-loss');
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled', 'it goes on when the freeze is lifted');
  await bench.prove();
});

test('what waits unsigned in a frozen compartment can be cancelled, and its nonce is used up', async () => {
  await using bench = await openWithdrawing();
  const { id } = await frozenUnsigned(bench);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'cancelled');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), 0n);
});
