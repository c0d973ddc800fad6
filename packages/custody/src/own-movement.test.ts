import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetId, gasAccount, houseFees, houseGas } from '@bulkhead/domain';
import { freezeDeposit } from './deposit.ts';
import { returnDeposit } from './deposit-return.ts';
import { chargeFee, feePaymentViews, payFees } from './fee.ts';
import { movementViews } from './movement-view.ts';
import { requestSweep } from './sweep.ts';
import { type Bench, type BenchWallet, pool, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, reconciled, resolves } from './testing/desk.ts';
import {
  type Account,
  approve,
  ask,
  available,
  ether,
  funded,
  openWithdrawing,
  pay,
  recipient,
  settle,
  tokenFeeCap,
  wallets,
  withdrawal,
} from './testing/withdrawing.ts';
import { withdrawalViews } from './withdrawal-view.ts';

type Pool = {
  readonly first: Account;
  readonly second: Account;
  readonly poolWallet: BenchWallet;
  readonly gas: BenchWallet;
  readonly token: AssetId;
};

/** Two clients of one pool with coins at their own addresses, and a house that can grant gas. */
async function openPool(bench: Bench): Promise<Pool> {
  const gas = await bench.ownWallet('gas');
  await bench.ownWallet('fees');
  await pay(bench, gas, 5n * ether);
  const token = await bench.token('USD');
  const accounts: Account[] = [];
  for (const amount of [3n, 4n]) {
    const client = await bench.client('omnibus');
    const wallet = await bench.wallet(client);
    await pay(bench, wallet, amount * ether);
    await pay(bench, wallet, amount * 1_000n, token);
    accounts.push({ client, wallet });
  }
  const [first, second] = accounts;
  assert.ok(first !== undefined && second !== undefined);
  return { first, second, poolWallet: await bench.ownWallet('pool'), gas, token };
}

async function settleAll(bench: Bench): Promise<void> {
  for (let round = 0; round < 6; round += 1) await settle(bench);
}

test('sweeps bring a pool its coins, the house pays their gas, and no claim changes', async () => {
  await using bench = await openWithdrawing();
  const { first, second, poolWallet, gas, token } = await openPool(bench);
  const before = [await available(bench, first), await available(bench, second), await available(bench, first, token)];
  const { items } = viewOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id }));
  assert.equal(items.length, 4);
  await settleAll(bench);
  const states = (await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 10 })).map(
    ({ state }) => state,
  );
  assert.deepEqual(states, ['settled', 'settled', 'settled', 'settled']);
  assert.deepEqual(before, [3n * ether, 4n * ether, 3_000n]);
  assert.deepEqual(
    [await available(bench, first), await available(bench, second), await available(bench, first, token)],
    before,
  );
  assert.equal(bench.chain.ground.balance(bench.native, poolWallet.address), 7n * ether);
  assert.equal(bench.chain.ground.balance(token, poolWallet.address), 7_000n);
  for (const wallet of [first.wallet, second.wallet, poolWallet, gas]) {
    const { books, chain } = await wallets(bench, wallet);
    assert.equal(books, chain);
  }
  const granted = await bench.posted(pool, bench.native, gasAccount(first.client));
  assert.equal(
    granted,
    bench.chain.ground.balance(bench.native, first.wallet.address),
    'what is left at the address is gas, and nobody else has a claim to it',
  );
  assert.equal((await bench.deposits()).length, 5, 'a gas grant is no deposit');
  assert.ok((await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' })) > 0n);
  await bench.prove();
});

test('there is nothing to sweep twice, and a house wallet is not swept', async () => {
  await using bench = await openWithdrawing();
  await openPool(bench);
  const sweep = { compartment: pool, chain: bench.id, asset: bench.native };
  viewOf(await requestSweep(bench.custody, bench.as('olga'), sweep));
  assert.equal(refusalOf(await requestSweep(bench.custody, bench.as('olga'), sweep)), 'sweep/nothing-to-move');
  assert.equal(
    refusalOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: houseGas, chain: bench.id })),
    'sweep/wrong-wallet',
  );
  assert.equal(
    refusalOf(await requestSweep(bench.custody, bench.as('olga'), { walletId: 'wal_nobody' })),
    'resource/not-found',
  );
});

test('without coins for gas a sweep waits and says why', async () => {
  await using bench = await openWithdrawing();
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  await pay(bench, wallet, ether);
  viewOf(await requestSweep(bench.custody, bench.as('olga'), { walletId: wallet.id }));
  await bench.work();
  const [waiting] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.equal(waiting?.state, 'awaiting-gas');
  assert.match(waiting.reason ?? '', /house gas wallet/u);
  await pay(bench, await bench.ownWallet('gas'), ether);
  await settleAll(bench);
  const [done] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.equal(done?.state, 'settled');
  await bench.prove();
});

test('a token withdrawal whose fee the house pays waits for its gas and is settled', async () => {
  await using bench = await openWithdrawing();
  const { first, token } = await openPool(bench);
  viewOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id, asset: token }));
  await settleAll(bench);
  const coins = await available(bench, first);
  const { id } = await ask(bench, { client: first.client, asset: token, amount: 2_500n, feePayer: 'house' });
  await approve(bench, id);
  assert.match((await withdrawal(bench, id)).reason ?? '', /gas grant/u);
  await settleAll(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(token, recipient), 2_500n);
  assert.equal(await available(bench, first, token), 500n);
  assert.equal(await available(bench, first), coins, 'the client paid no fee');
  await bench.prove();
});

test('a token withdrawal whose fee the client pays holds the fee in native coin', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, ether);
  const token = await bench.token('USD');
  await pay(bench, account.wallet, 1_000n, token);
  const { id } = await ask(bench, { client: account.client, asset: token, amount: 400n });
  assert.equal(await available(bench, account), ether - tokenFeeCap);
  await approve(bench, id);
  await settleAll(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'settled');
  assert.equal(await available(bench, account), ether - BigInt(done.feePaid ?? 0));
  assert.equal(await available(bench, account, token), 600n);
  await bench.prove();
});

test('a token that says false and moves nothing is not a payment, whatever the receipt says', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, ether);
  const token = await bench.token('USD');
  await pay(bench, account.wallet, 1_000n, token);
  const { id } = await ask(bench, { client: account.client, asset: token, amount: 400n });
  await approve(bench, id);
  bench.chain.ground.pretendToken(token, true);
  await settleAll(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'failed');
  assert.equal(await available(bench, account, token), 1_000n, "the principal is the client's");
  assert.equal(await available(bench, account), ether - BigInt(done.feePaid ?? 0), 'the fee was burnt');
  const { books, chain } = await wallets(bench, account.wallet, token);
  assert.equal(books, chain);
  await bench.prove();
});

test('a fee is charged claim to claim, and paid to the house on chain as one movement in two books', async () => {
  await using bench = await openWithdrawing();
  await pay(bench, await bench.ownWallet('gas'), ether);
  const fees = await bench.ownWallet('fees');
  const account = await funded(bench, 3n * ether);
  const fee = {
    clientId: account.client,
    asset: bench.native,
    amount: ether / 100n,
    description: 'Custody, third quarter',
  };
  viewOf(await chargeFee(bench.custody, bench.as('olga'), fee));
  assert.equal(await available(bench, account), 3n * ether - ether / 100n);
  assert.equal(
    await bench.posted(account.wallet.compartment, bench.native, { kind: 'fee-payable', holder: account.client }),
    ether / 100n,
  );
  assert.equal(
    refusalOf(await chargeFee(bench.custody, bench.as('olga'), { ...fee, amount: 9n * ether })),
    'fee/insufficient-funds',
  );
  const payment = viewOf(
    await payFees(bench.custody, bench.as('olga'), { clientId: account.client, asset: bench.native }),
  );
  assert.equal(payment.amount, (ether / 100n).toString());
  assert.equal(
    refusalOf(await payFees(bench.custody, bench.as('olga'), { clientId: account.client, asset: bench.native })),
    'fee/insufficient-funds',
  );
  await settleAll(bench);
  const [paid] = await feePaymentViews(bench.custody.db, { after: null, limit: 1 });
  assert.equal(paid?.state, 'settled');
  assert.equal(bench.chain.ground.balance(bench.native, fees.address), ether / 100n);
  assert.equal(await bench.posted(houseFees, bench.native, { kind: 'fee-income', holder: '' }), ether / 100n);
  assert.equal(
    await bench.posted(account.wallet.compartment, bench.native, { kind: 'fee-payable', holder: account.client }),
    0n,
  );
  await bench.prove();
});

test('a deposit that must not stay is frozen and sent back to where it came from', async () => {
  await using bench = await openWithdrawing();
  await pay(bench, await bench.ownWallet('gas'), ether);
  const client = await bench.client('individual');
  const wallet = await bench.wallet(client);
  bench.chain.outside.send({ to: wallet.address, amount: ether });
  await settle(bench);
  const deposit = (await bench.deposits()).find((one) => one.clientId === client);
  assert.ok(deposit !== undefined);
  viewOf(await freezeDeposit(bench.custody, bench.as('ruth'), deposit.id));
  const asked = viewOf(await returnDeposit(bench.custody, bench.as('olga'), { id: deposit.id }));
  assert.ok(asked.returnWithdrawalId !== null);
  assert.equal(
    refusalOf(await returnDeposit(bench.custody, bench.as('olga'), { id: deposit.id })),
    'deposit/wrong-state',
  );
  await bench.work();
  await approve(bench, asked.returnWithdrawalId);
  await settleAll(bench);
  const [back] = await withdrawalViews(bench.custody.db, { id: asked.returnWithdrawalId, after: null, limit: 1 });
  assert.equal(back?.state, 'settled');
  assert.equal(back.kind, 'deposit-return');
  assert.equal((await bench.deposits()).find((one) => one.id === deposit.id)?.state, 'returned');
  assert.equal(await bench.posted(wallet.compartment, bench.native, { kind: 'quarantine', holder: client }), 0n);
  await bench.prove();
});

test('a token that keeps a part of every transfer is not swept; the address that holds it pays the withdrawal', async () => {
  await using bench = await openWithdrawing();
  const { first } = await openPool(bench);
  const tax = await bench.token('TAX', { feePercent: 10n });
  await pay(bench, first.wallet, 1_000n, tax);
  assert.equal(await available(bench, first, tax), 900n);
  const sweep = { compartment: pool, chain: bench.id, asset: tax };
  assert.equal(refusalOf(await requestSweep(bench.custody, bench.as('olga'), sweep)), 'asset/fee-on-transfer');
  viewOf(
    await chargeFee(bench.custody, bench.as('olga'), {
      clientId: first.client,
      asset: tax,
      amount: 100n,
      description: 'Custody',
    }),
  );
  assert.equal(
    refusalOf(await payFees(bench.custody, bench.as('olga'), { clientId: first.client, asset: tax })),
    'asset/fee-on-transfer',
  );
  const { id } = await ask(bench, { client: first.client, asset: tax, amount: 500n, feePayer: 'house' });
  await approve(bench, id);
  await settleAll(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(tax, recipient), 450n);
  const { books, chain } = await wallets(bench, first.wallet, tax);
  assert.equal(books, chain);
  await bench.prove();
});

test('a robbed house gas wallet grants nothing until its break is resolved', async () => {
  await using bench = await openWithdrawing();
  const { gas } = await openPool(bench);
  bench.chain.outside.steal({ from: gas.address, to: recipient, amount: ether });
  await settle(bench);
  await reconciled(bench);
  viewOf(
    await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id, asset: bench.native }),
  );
  await settleAll(bench);
  const stateOf = async (): Promise<readonly string[]> =>
    (await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 10 })).map(({ state }) => state);
  assert.deepEqual(await stateOf(), ['awaiting-gas', 'awaiting-gas']);
  for (const { id } of await breaks(bench)) await resolves(bench, id, 'book-loss');
  await bench.work();
  await settleAll(bench);
  assert.deepEqual(await stateOf(), ['settled', 'settled']);
  await bench.prove();
});
