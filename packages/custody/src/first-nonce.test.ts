import assert from 'node:assert/strict';
import test from 'node:test';
import { namedAddress } from '@bulkhead/fakes';
import { approve, ask, ether, funded, openWithdrawing, pay, settle, withdrawal } from './testing/withdrawing.ts';

test('the first nonce of a wallet does not build on a transaction that a reorg can take away', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, ether);
  const { id } = await ask(bench, { client: account.client, amount: ether / 2n });
  bench.chain.outside.steal({ from: account.wallet.address, to: namedAddress('thief'), amount: 1n });
  bench.chain.mine();
  await approve(bench, id);
  bench.chain.reorg(1, { drop: 'all' });
  await settle(bench);
  await pay(bench, account.wallet, 5n);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
});
