import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gasAccount } from '@bulkhead/domain';
import { requestSweep } from './sweep.ts';
import { viewOf } from './testing/bench.ts';
import {
  approve,
  ask,
  ether,
  openWithdrawing,
  pay,
  recipient,
  settle,
  wallets,
  withdrawal,
} from './testing/withdrawing.ts';

test('gas that lies at another address of the client does not pay where all coins of the address are paid out', async () => {
  await using bench = await openWithdrawing();
  await pay(bench, await bench.ownWallet('gas'), ether);
  const token = await bench.token('USD');
  const client = await bench.client('individual');
  const [full, other] = [await bench.wallet(client), await bench.wallet(client)];
  await pay(bench, full, ether);
  await pay(bench, other, 50n, token);
  viewOf(await requestSweep(bench.custody, bench.as('olga'), { walletId: other.id, asset: token }));
  for (let round = 0; round < 4; round += 1) await settle(bench);
  assert.ok((await bench.posted(full.compartment, bench.native, gasAccount(client))) > 21_000n * 100_000_000_000n);
  assert.equal(bench.chain.ground.balance(bench.native, full.address), ether);

  const { id } = await ask(bench, { client, amount: ether, feePayer: 'house' });
  await approve(bench, id);
  for (let round = 0; round < 4; round += 1) await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'settled', done.reason ?? '');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  for (const wallet of [full, other]) {
    const { books, chain } = await wallets(bench, wallet);
    assert.equal(books, chain);
  }
  await bench.prove();
});
