import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseFees } from '@bulkhead/domain';
import { breaks, proves, reconciled } from './testing/desk.ts';
import { ether, funded, openWithdrawing, settle } from './testing/withdrawing.ts';

test('coins that somebody else moves from one of our wallets to another are credited to nobody a second time', async () => {
  await using bench = await openWithdrawing();
  const victim = await funded(bench, 3n * ether);
  const lucky = await funded(bench, ether);
  const second = await bench.wallet(victim.client);
  bench.chain.outside.steal({ from: victim.wallet.address, to: lucky.wallet.address, amount: ether });
  await settle(bench);
  bench.chain.outside.steal({ from: victim.wallet.address, to: second.address, amount: ether });
  await settle(bench);
  const quarantined = [lucky, victim].map(({ wallet, client }) =>
    bench.posted(wallet.compartment, bench.native, { kind: 'quarantine', holder: client }),
  );
  assert.deepEqual(
    await Promise.all(quarantined),
    [0n, 0n],
    'the claims of the victim stand, so these would be a second one',
  );
  for (const { compartment } of [lucky.wallet, victim.wallet]) {
    assert.equal(await bench.posted(compartment, bench.native, { kind: 'suspense', holder: '' }), ether);
  }
  await reconciled(bench);
  assert.deepEqual(
    (await breaks(bench)).map((found) => [found.type, found.walletId]),
    [['missing-movement', victim.wallet.id]],
  );
  await proves(bench);
});

test('coins of a client that somebody else moves to a house wallet do not become the property of the house', async () => {
  await using bench = await openWithdrawing();
  const victim = await funded(bench, 3n * ether);
  const fees = await bench.ownWallet('fees');
  bench.chain.outside.steal({ from: victim.wallet.address, to: fees.address, amount: ether });
  await settle(bench);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'equity', holder: '' }), 0n);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'suspense', holder: '' }), ether);
  await proves(bench);
});
