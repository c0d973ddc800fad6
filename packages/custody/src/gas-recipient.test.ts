import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, recipientIndexCount } from '@bulkhead/domain';
import { dispatchViews, findDispatch } from './dispatch.ts';
import { certifyAgainMs } from './gas-recipient.ts';
import { movementViews } from './movement-view.ts';
import { sendDispatch } from './send.ts';
import { requestSweep } from './sweep.ts';
import { type Bench, type BenchWallet, pool, viewOf } from './testing/bench.ts';
import { ether, openWithdrawing, pay, settle } from './testing/withdrawing.ts';

/** A client of a pool whose addresses come after those that the signer knows by itself, with coins to sweep. */
async function lateWallet(bench: Bench): Promise<BenchWallet> {
  await pay(bench, await bench.ownWallet('gas'), 5n * ether);
  const client = await bench.client('omnibus');
  await bench.wallet(client);
  await bench.custody.db.query('update custody.address_counter set next_index = $2 where compartment = $1', [
    pool,
    recipientIndexCount,
  ]);
  const wallet = await bench.wallet(client);
  await pay(bench, wallet, 3n * ether);
  return wallet;
}

async function sweeps(bench: Bench, wallet: BenchWallet): Promise<void> {
  viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: bench.native }));
  await bench.work();
}

async function certified(bench: Bench): Promise<readonly unknown[]> {
  const rows = await bench.custody.db.query('select wallet, issued_by from custody.address_certificate');
  return rows.map((row) => [row['wallet'], row['issued_by']]);
}

test('an address beyond those that the signer derives is certified before it gets gas, and is swept', async () => {
  await using bench = await openWithdrawing();
  const wallet = await lateWallet(bench);
  await sweeps(bench, wallet);
  for (let round = 0; round < 4; round += 1) await settle(bench);
  const [sweep] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.deepEqual([sweep?.state, sweep?.reason], ['settled', null]);
  assert.deepEqual(await certified(bench), [[wallet.id, 'bulkhead']]);
  await bench.prove();
});

test('a certificate that is refused is said to be, is asked for once an hour, and then the sweep goes on', async () => {
  await using bench = await openWithdrawing();
  const wallet = await lateWallet(bench);
  const certify = bench.signer.certifyAddress.bind(bench.signer);
  let asked = 0;
  bench.signer.certifyAddress = async () => {
    asked += 1;
    throw new CustodyError('signer/unknown-client', 'The client is not enrolled.');
  };
  await sweeps(bench, wallet);
  const [grant] = await dispatchViews(bench.custody.db, { kind: 'gas-grant', after: null, limit: 1 });
  assert.ok(grant !== undefined);
  for (let round = 0; round < 5; round += 1) await sendDispatch(bench.custody, grant.id);
  const waiting = await findDispatch(bench.custody.db, grant.id);
  assert.match(waiting?.waitingReason ?? '', /does not certify wallet .*signer\/unknown-client.*asked again at/u);
  assert.deepEqual([asked, waiting?.state.step], [1, 'queued']);
  bench.clock.advance(certifyAgainMs);
  for (let round = 0; round < 5; round += 1) await sendDispatch(bench.custody, grant.id);
  assert.equal(asked, 2);
  bench.signer.certifyAddress = certify;
  bench.clock.advance(certifyAgainMs);
  await sendDispatch(bench.custody, grant.id);
  for (let round = 0; round < 4; round += 1) await settle(bench);
  const [sweep] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.equal(sweep?.state, 'settled');
});
