import assert from 'node:assert/strict';
import test from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { approve, ask, ether, funded, openWithdrawing, settle, withdrawal } from './testing/withdrawing.ts';
import { cancelWithdrawal } from './withdrawal.ts';
import { viewOf } from './testing/bench.ts';

const gwei = 10n ** 9n;

test('what was never signed can be cancelled although a replacement would cost more than the cap', async () => {
  const fees = { base: gwei };
  await using bench = await openWithdrawing({ chain: { baseFee: () => fees.base } });
  const account = await funded(bench, ether);
  const { id } = await ask(bench, { client: account.client, amount: ether / 2n });
  // Twice the base fee and the tip are 97 gwei: below the cap of 100, and a tenth more is above it.
  fees.base = 48n * gwei;
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async () => {
    throw new CustodyError('signer/unavailable', 'The signer is away.');
  };
  await approve(bench, id);
  bench.signer.sign = sign;
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'cancelled');
});
