import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@bulkhead/domain';
import { refusalOf, viewOf } from './testing/bench.ts';
import {
  approve,
  approves,
  ask,
  available,
  ether,
  funded,
  nativeFeeCap,
  openWithdrawing,
  pay,
  recipient,
  settle,
  wallets,
  withdrawal,
} from './testing/withdrawing.ts';
import {
  cancelWithdrawal,
  expireWithdrawals,
  rejectWithdrawal,
  releaseWithdrawal,
  requestWithdrawal,
} from './withdrawal.ts';
import { withdrawalViews } from './withdrawal-view.ts';

test('a withdrawal is held, approved by two, signed, sent and settled; the client pays amount and real fee', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  assert.equal(
    await available(bench, account),
    2n * ether - nativeFeeCap,
    'amount and highest fee are held at the request',
  );
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'settled');
  assert.equal(done.chainState, 'final');
  assert.deepEqual(
    done.approvals.map(({ by }) => by),
    ['ruth', 'sam'],
  );
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  assert.ok(done.feePaid !== null && BigInt(done.feePaid) > 0n && BigInt(done.feePaid) <= nativeFeeCap);
  assert.equal(
    await available(bench, account),
    2n * ether - BigInt(done.feePaid),
    'what was held beyond the real fee is free again',
  );
  const { books, chain } = await wallets(bench, account.wallet);
  assert.equal(books, chain);
  await bench.prove();
});

test('the same request a thousand times at once is one withdrawal, and every answer is that one', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const request = {
    clientId: client,
    asset: bench.native,
    amount: ether,
    destination: recipient,
    feePayer: 'client',
  } as const;
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, () => requestWithdrawal(bench.custody, bench.as('olga', 'the-one-key'), request)),
  );
  assert.equal(new Set(answers.map((answer) => viewOf(answer).id)).size, 1);
  assert.equal(answers.filter(({ hit }) => !hit).length, 1);
  assert.equal((await withdrawalViews(bench.custody.db, { after: null, limit: 10 })).length, 1);
  await bench.prove();
});

test('two requests for the last coin make one withdrawal', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, ether + nativeFeeCap);
  const request = {
    clientId: account.client,
    asset: bench.native,
    amount: ether,
    destination: recipient,
    feePayer: 'client',
  } as const;
  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map((key) => requestWithdrawal(bench.custody, bench.as('olga', key), request)),
  );
  assert.deepEqual(answers.map(refusalOf).toSorted(), [
    'done',
    'withdrawal/insufficient-funds',
    'withdrawal/insufficient-funds',
    'withdrawal/insufficient-funds',
  ]);
  assert.equal(await available(bench, account), 0n);
  await bench.prove();
});

test('a refusal is remembered under its key, and the key means one request only', async () => {
  await using bench = await openWithdrawing();
  const { client, wallet } = await funded(bench, ether);
  const request = {
    clientId: client,
    asset: bench.native,
    amount: 2n * ether,
    destination: recipient,
    feePayer: 'client',
  } as const;
  assert.equal(
    refusalOf(await requestWithdrawal(bench.custody, bench.as('olga', 'k'), request)),
    'withdrawal/insufficient-funds',
  );
  await pay(bench, wallet, 5n * ether);
  const again = await requestWithdrawal(bench.custody, bench.as('olga', 'k'), request);
  assert.equal(refusalOf(again), 'withdrawal/insufficient-funds');
  assert.equal(again.hit, true);
  const other = { ...bench.as('olga', 'k'), idempotency: { key: 'k', fingerprint: 'another' } };
  assert.equal(refusalOf(await requestWithdrawal(bench.custody, other, request)), 'key-reused');
  assert.equal(refusalOf(await requestWithdrawal(bench.custody, bench.as('olga', 'k2'), request)), 'done');
});

test('what must not be a destination is refused, and nothing is held', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const second = await bench.wallet(account.client);
  const stranger = await funded(bench, ether);
  const to = async (destination: typeof recipient): Promise<string> =>
    refusalOf(
      await requestWithdrawal(bench.custody, bench.as('olga'), {
        clientId: account.client,
        asset: bench.native,
        amount: ether,
        destination,
        feePayer: 'client',
      }),
    );
  assert.equal(await to(account.wallet.address), 'destination/own-compartment');
  assert.equal(await to(second.address), 'destination/own-compartment');
  assert.equal(await to(parseAddress(`0x${'0'.repeat(40)}`)), 'destination/zero-address');
  assert.equal(await available(bench, account), 3n * ether);
  assert.equal(await to(stranger.wallet.address), 'done', 'another compartment is a destination like any other');
});

test('a payment to another compartment is a withdrawal here and a deposit there', async () => {
  await using bench = await openWithdrawing();
  const payer = await funded(bench, 3n * ether);
  const payee = await funded(bench, ether);
  const { id } = await ask(bench, { client: payer.client, amount: ether, destination: payee.wallet.address });
  await approve(bench, id);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  const arrived = (await bench.deposits()).find(
    (deposit) => deposit.clientId === payee.client && deposit.state === 'final',
  );
  assert.equal(arrived?.credited, ether.toString());
  for (const { wallet } of [payer, payee]) {
    const { books, chain } = await wallets(bench, wallet);
    assert.equal(books, chain);
  }
  await bench.prove();
});

test('the requester may not decide, nobody decides twice, and a rejection gives everything back', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const { custody, as } = bench;
  assert.equal(refusalOf(await approves(bench, 'ruth', id)), 'withdrawal/wrong-state', 'unscreened: released first');
  assert.equal(refusalOf(await releaseWithdrawal(custody, as('olga'), id)), 'withdrawal/requester-may-not-approve');
  viewOf(await releaseWithdrawal(custody, as('ruth'), id));
  assert.equal(refusalOf(await approves(bench, 'olga', id)), 'withdrawal/requester-may-not-approve');
  viewOf(await approves(bench, 'ruth', id));
  assert.equal(refusalOf(await approves(bench, 'ruth', id)), 'withdrawal/already-approved');
  assert.equal((await withdrawal(bench, id)).state, 'awaiting-approval');
  viewOf(await rejectWithdrawal(custody, as('sam'), { id, reason: 'not confirmed' }));
  assert.equal((await withdrawal(bench, id)).state, 'rejected');
  assert.equal(await available(bench, account), 3n * ether);
  assert.equal(refusalOf(await approves(bench, 'sam', id)), 'withdrawal/wrong-state');
  assert.equal(refusalOf(await cancelWithdrawal(custody, as('sam'), id)), 'withdrawal/wrong-state');
  await bench.prove();
});

test('two approvals at once by the same person count once', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  viewOf(await releaseWithdrawal(bench.custody, bench.as('ruth'), id));
  const answers = await Promise.all(Array.from({ length: 8 }, () => approves(bench, 'ruth', id)));
  assert.equal(answers.map(refusalOf).filter((code) => code === 'done').length, 1);
  assert.equal((await withdrawal(bench, id)).state, 'awaiting-approval');
});

test('nobody decides in time: it expires and the hold is released', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  bench.clock.advance(86_400_001);
  assert.equal(refusalOf(await releaseWithdrawal(bench.custody, bench.as('ruth'), id)), 'withdrawal/wrong-state');
  await expireWithdrawals(bench.custody);
  assert.equal((await withdrawal(bench, id)).state, 'expired');
  assert.equal(await available(bench, account), 3n * ether);
  await bench.prove();
});

test('a reverted transaction returns the principal; only the burnt fee is gone', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  bench.chain.ground.switchRefusal(recipient, true);
  await settle(bench);
  const failed = await withdrawal(bench, id);
  assert.equal(failed.state, 'failed');
  assert.equal(failed.chainState, 'reverted');
  assert.ok(failed.feePaid !== null && BigInt(failed.feePaid) > 0n);
  assert.equal(await available(bench, account), 3n * ether - BigInt(failed.feePaid));
  const { books, chain } = await wallets(bench, account.wallet);
  assert.equal(books, chain);
  await bench.prove();
});

test('what the chain says would fail is never signed and costs nothing', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  bench.chain.ground.switchRefusal(recipient, true);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  const failed = await withdrawal(bench, id);
  assert.equal(failed.state, 'failed');
  assert.equal(failed.transactionHash, null);
  assert.equal(await available(bench, account), 3n * ether);
  await bench.prove();
});

test('a pool that cannot pay makes the withdrawal wait, and coins that arrive let it go on', async () => {
  await using bench = await openWithdrawing();
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  const poolWallet = await bench.ownWallet('pool');
  await pay(bench, wallet, 3n * ether);
  const account = { client, wallet };
  const { id } = await ask(bench, { client, amount: ether });
  await approve(bench, id);
  const waiting = await withdrawal(bench, id);
  assert.equal(waiting.state, 'awaiting-liquidity');
  assert.match(waiting.reason ?? '', /pool wallet/u);
  assert.equal(await available(bench, account), 2n * ether - nativeFeeCap, 'the claim is held while it waits');
  bench.chain.outside.send({ to: poolWallet.address, amount: 2n * ether });
  await settle(bench);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await bench.prove();
});

test('an unscreened withdrawal passes by the declared rule, and a hit waits for people', async () => {
  await using bench = await openWithdrawing({ policy: { releaseUnscreenedWithdrawals: true } });
  const { client } = await funded(bench, 3n * ether);
  const ruled = await ask(bench, { client, amount: ether / 10n });
  const passed = await withdrawal(bench, ruled.id);
  assert.equal(passed.state, 'awaiting-approval');
  assert.equal(passed.verdict, 'not-screened');
  assert.equal(passed.releasedBy, 'rule');
  bench.screening.verdict = 'hit';
  const hit = await ask(bench, { client, amount: ether / 10n });
  assert.equal((await withdrawal(bench, hit.id)).state, 'screened');
});
