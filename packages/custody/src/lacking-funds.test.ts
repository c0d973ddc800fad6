import assert from 'node:assert/strict';
import test from 'node:test';
import { namedAddress } from '@bulkhead/fakes';
import { chargeFee } from './fee.ts';
import { openBench, refusalOf } from './testing/bench.ts';
import { requestWithdrawal } from './withdrawal.ts';

test('what a compartment never had is refused as lacking funds, in a book that does not exist yet too', async () => {
  await using bench = await openBench();
  const asset = await bench.token('USD');
  const clientId = await bench.client();
  const { address } = await bench.wallet(clientId);
  const destination = namedAddress('destination');
  const request = { clientId, asset, amount: 5n, destination, feePayer: 'client' } as const;
  const refused = await requestWithdrawal(bench.custody, bench.as('olga'), request);
  assert.equal(refusalOf(refused), 'withdrawal/insufficient-funds');
  const fee = await chargeFee(bench.custody, bench.as('olga'), { clientId, asset, amount: 5n, description: 'custody' });
  assert.equal(refusalOf(fee), 'fee/insufficient-funds');

  // The token came, native coin for the fee never did.
  bench.chain.outside.send({ to: address, amount: 50n, asset });
  bench.chain.mine();
  await bench.settle();
  assert.equal(
    refusalOf(await requestWithdrawal(bench.custody, bench.as('olga'), request)),
    'withdrawal/insufficient-fee-funds',
  );
});
