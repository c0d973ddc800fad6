import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeSegregation } from './client.ts';
import { assignDeposit, releaseDeposit } from './deposit.ts';
import { type Bench, refusalOf, viewOf } from './testing/bench.ts';
import { ask, ether, openWithdrawing, settle } from './testing/withdrawing.ts';

async function unassigned(bench: Bench): Promise<string> {
  bench.chain.outside.send({ to: (await bench.ownWallet('pool')).address, amount: ether });
  await settle(bench);
  const [deposit] = await bench.deposits();
  assert.ok(deposit);
  return deposit.id;
}

test('a client with an assigned claim and no address keeps the model that can pay it', async () => {
  await using bench = await openWithdrawing();
  const clientId = await bench.client('omnibus');
  const wish = { clientId, chain: bench.id };
  viewOf(await changeSegregation(bench.custody, bench.as('ann'), { ...wish, model: 'omnibus' }));
  const id = await unassigned(bench);
  for (const name of ['ruth', 'sam']) viewOf(await assignDeposit(bench.custody, bench.as(name), { id, clientId }));
  const change = await changeSegregation(bench.custody, bench.as('ann'), { ...wish, model: 'individual' });
  assert.equal(refusalOf(change), 'client/segregation-fixed');
  for (const name of ['ruth', 'sam']) viewOf(await releaseDeposit(bench.custody, bench.as(name), id));
  assert.equal((await ask(bench, { client: clientId, amount: ether / 2n })).state, 'requested');
});

test('nothing is assigned to a client who has left the compartment', async () => {
  await using bench = await openWithdrawing();
  const clientId = await bench.client('omnibus');
  const wish = { clientId, chain: bench.id };
  viewOf(await changeSegregation(bench.custody, bench.as('ann'), { ...wish, model: 'omnibus' }));
  viewOf(await changeSegregation(bench.custody, bench.as('ann'), { ...wish, model: 'individual' }));
  const id = await unassigned(bench);
  assert.equal(
    refusalOf(await assignDeposit(bench.custody, bench.as('ruth'), { id, clientId })),
    'compartment/wrong-kind',
  );
});
