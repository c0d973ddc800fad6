import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Hash, invariant } from '@bulkhead/domain';
import { text } from '@bulkhead/postgres';
import { type DispatchView, dispatchViews } from './dispatch.ts';
import { freeze, liftFreeze } from './freeze.ts';
import { watchDispatch } from './send.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import { Interrupter, interruptible, quick } from './testing/faulty-database.ts';
import {
  type Account,
  approve,
  approves,
  ask,
  available,
  ether,
  funded,
  openWithdrawing,
  recipient,
  settle,
  signs,
  wallets,
  withdrawal,
} from './testing/withdrawing.ts';
import { cancelWithdrawal, expireWithdrawals } from './withdrawal.ts';

async function dispatchOf(bench: Bench, id: string): Promise<DispatchView> {
  const [view] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  invariant(view !== undefined, 'The withdrawal has no dispatch.', { id });
  return view;
}

function hashOf(view: DispatchView, ordinal: number): Hash {
  const hash = view.attempts.find((attempt) => attempt.ordinal === ordinal)?.hash;
  invariant(hash?.startsWith('0x') === true, 'The attempt is not signed.');
  // The view shows hashes as text; this one came from the chain adapter.
  return hash as Hash;
}

async function sent(bench: Bench): Promise<{ account: Account; id: string }> {
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  return { account, id };
}

async function provePaid(bench: Bench, account: Account, times: bigint): Promise<void> {
  assert.equal(bench.chain.ground.balance(bench.native, recipient), times * ether);
  const { books, chain } = await wallets(bench, account.wallet);
  assert.equal(books, chain, 'books and chain agree on the wallet');
  await bench.prove();
}

test('a stuck transaction is replaced by one with the same nonce that pays more', async () => {
  await using bench = await openWithdrawing();
  const { account, id } = await sent(bench);
  bench.clock.advance(600_001);
  await watchDispatch(bench.custody, (await dispatchOf(bench, id)).id);
  await bench.work();
  const bumped = await dispatchOf(bench, id);
  assert.equal(bumped.attempts.length, 2);
  const [first, second] = bumped.attempts;
  assert.ok(BigInt(second?.maxFeePerGas ?? 0) * 10n >= BigInt(first?.maxFeePerGas ?? 0) * 11n);
  await settle(bench);
  const done = await dispatchOf(bench, id);
  assert.deepEqual(
    done.attempts.map(({ chainState }) => chainState),
    ['replaced', 'final'],
  );
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('the first attempt may win after all, and the replacement is the one that was replaced', async () => {
  await using bench = await openWithdrawing();
  const { account, id } = await sent(bench);
  bench.clock.advance(600_001);
  await watchDispatch(bench.custody, (await dispatchOf(bench, id)).id);
  await bench.work();
  bench.chain.mine({ transactions: [hashOf(await dispatchOf(bench, id), 1)] });
  await bench.settle();
  assert.deepEqual(
    (await dispatchOf(bench, id)).attempts.map(({ chainState }) => chainState),
    ['final', 'replaced'],
  );
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('a dropped transaction is seen as dropped, sent again as it is, and paid once', async () => {
  await using bench = await openWithdrawing();
  bench.chain.faults.scriptBroadcast('accepted-lost');
  const { account, id } = await sent(bench);
  const { id: dispatch } = await dispatchOf(bench, id);
  bench.chain.faults.scriptBroadcast('accepted-lost');
  await watchDispatch(bench.custody, dispatch);
  await watchDispatch(bench.custody, dispatch);
  await bench.work();
  assert.equal((await dispatchOf(bench, id)).attempts.length, 1, 'sent again, not signed again');
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

for (const fault of ['unclear-accepted', 'unclear-lost'] as const) {
  test(`a broadcast with an unknown outcome (${fault}) is resolved by looking`, async () => {
    await using bench = await openWithdrawing();
    bench.chain.faults.scriptBroadcast(fault);
    const { account, id } = await sent(bench);
    await watchDispatch(bench.custody, (await dispatchOf(bench, id)).id);
    await bench.work();
    await settle(bench);
    assert.equal((await withdrawal(bench, id)).state, 'settled');
    assert.equal((await dispatchOf(bench, id)).attempts.length, 1);
    await provePaid(bench, account, 1n);
  });
}

test('a transaction that a reorg takes out of its block is removed, comes back and is paid once', async () => {
  await using bench = await openWithdrawing({ chain: { finalLag: 10n } });
  const { account, id } = await sent(bench);
  bench.chain.mine();
  await bench.follow();
  assert.equal((await withdrawal(bench, id)).chainState, 'in-block');
  bench.chain.reorg(1, { drop: 'all' });
  await bench.follow();
  assert.equal((await withdrawal(bench, id)).chainState, 'removed');
  assert.equal((await withdrawal(bench, id)).state, 'broadcast', 'only a final block moves the workflow');
  await watchDispatch(bench.custody, (await dispatchOf(bench, id)).id);
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('cancelled before a nonce was taken, nothing was signed and everything is free at once', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  assert.equal((await withdrawal(bench, id)).state, 'cancelled');
  assert.equal(await available(bench, account), 3n * ether);
  await bench.prove();
});

test('cancelled after signing, the hold stands until the self-transfer is final', async () => {
  await using bench = await openWithdrawing();
  const { account, id } = await sent(bench);
  const held = await available(bench, account);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  const cancelling = await dispatchOf(bench, id);
  assert.deepEqual(
    cancelling.attempts.map(({ role }) => role),
    ['effect', 'cancel'],
  );
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  assert.equal(await available(bench, account), held, 'nothing is released on a wish');
  await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'cancelled');
  assert.equal(
    await available(bench, account),
    3n * ether - BigInt(done.feePaid ?? 0),
    'only the fee of the cancellation is gone',
  );
  await provePaid(bench, account, 0n);
});

test('a cancellation that comes too late changes nothing: the payment was final first', async () => {
  await using bench = await openWithdrawing();
  const { account, id } = await sent(bench);
  const payment = hashOf(await dispatchOf(bench, id), 1);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  bench.chain.mine({ transactions: [payment] });
  await bench.settle();
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('a signed transaction that was given up and surfaces days later cannot be paid twice', async () => {
  await using bench = await openWithdrawing();
  bench.chain.faults.scriptBroadcast('accepted-lost');
  const { account, id } = await sent(bench);
  const payment = hashOf(await dispatchOf(bench, id), 1);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  bench.chain.faults.scriptBroadcast('accepted-lost');
  await bench.work();
  bench.clock.advance(5 * 86_400_000);
  await expireWithdrawals(bench.custody);
  await settle(bench);
  assert.equal(
    (await withdrawal(bench, id)).state,
    'broadcast',
    'days later, with its expiry behind it, the hold still stands',
  );
  assert.ok((await available(bench, account)) < 2n * ether);
  bench.chain.ground.resurface(payment);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('a thief who takes the nonce makes our payment impossible, and the hold goes back', async () => {
  await using bench = await openWithdrawing();
  const { account, id } = await sent(bench);
  bench.chain.outside.steal({ from: account.wallet.address, to: recipient, amount: ether / 2n });
  await settle(bench);
  const failed = await withdrawal(bench, id);
  assert.equal(failed.state, 'failed');
  assert.equal((await dispatchOf(bench, id)).outcome, 'superseded');
  assert.equal(failed.feePaid, '0');
  assert.equal(
    await available(bench, account),
    3n * ether,
    'the claim of the client is whole; the hole is for reconciliation to report',
  );
  const { id: next } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, next);
  await settle(bench);
  assert.equal((await withdrawal(bench, next)).state, 'settled', 'the next nonce is counted from what the thief used');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether + ether / 2n);
});

test('a compartment that is frozen signs nothing, and goes on when the freeze is lifted', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const { owner } = bench.database;
  const now = bench.clock.now();
  await owner.query(
    `insert into custody.break (id, type, chain, compartment, wallet, asset, evidence, owner, deadline, opened_at)
     values ('brk_test', 'shortfall', $1, $2, $3, $4, '{}', 'desk', $5, $5)`,
    [bench.id, account.wallet.compartment, account.wallet.id, bench.native, now],
  );
  await owner.transaction((tx) => freeze(tx, now, { compartment: account.wallet.compartment, cause: 'brk_test' }));
  await approve(bench, id);
  const waiting = await withdrawal(bench, id);
  assert.equal(waiting.state, 'awaiting-liquidity');
  assert.match(waiting.reason ?? '', /frozen by brk_test/u);
  await owner.transaction((tx) => liftFreeze(tx, now, 'brk_test'));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await provePaid(bench, account, 1n);
});

test('a fee above the cap is not paid: it waits until fees fall', async () => {
  await using bench = await openWithdrawing({ chain: { baseFee: () => 200_000_000_000n } });
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  const [row] = await bench.custody.db.query('select waiting_reason from custody.dispatch where subject = $1', [id]);
  assert.match(row === undefined ? '' : text(row, 'waiting_reason'), /cap/u);
  bench.clock.advance(86_400_001);
  await expireWithdrawals(bench.custody);
  await bench.work();
  assert.equal((await withdrawal(bench, id)).state, 'expired');
  assert.equal(await available(bench, account), 3n * ether);
  await bench.prove();
});

const interruptions = ['before', 'after'] as const;

for (const kind of interruptions) {
  test(`killed ${kind} any step from the approval to the settlement, it is paid once and nothing stays held`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openWithdrawing({ chain: quick, database: (db) => interruptible(db, interrupter) });
    const account = await funded(bench, 1_000n * ether);
    let paid = 0n;
    for (let step = 0; ; step += 2) {
      interrupter.disarm();
      const { id } = await ask(bench, { client: account.client, amount: ether });
      interrupter.arm(step, kind);
      let broken = false;
      try {
        await approve(bench, id);
        await settle(bench);
      } catch {
        broken = true;
      }
      interrupter.disarm();
      // What a restart does: people repeat what they did not see done, jobs that were lost are found again.
      await recover(bench, id);
      paid += 1n;
      assert.equal((await withdrawal(bench, id)).state, 'settled', `interrupted ${kind} step ${step}`);
      assert.equal(
        bench.chain.ground.balance(bench.native, recipient),
        paid * ether,
        `interrupted ${kind} step ${step}`,
      );
      if (!broken) break;
    }
    assert.ok(paid > 20n, `only ${paid} steps were interrupted`);
    await provePaid(bench, account, paid);
    const [row] = await bench.custody.db.query('select count(*)::integer as open from ledger.open_holds');
    assert.equal(row?.['open'], 0);
  });
}

async function recover(bench: Bench, id: string): Promise<void> {
  const { enqueue } = await import('./job.ts');
  const { releaseWithdrawal } = await import('./withdrawal.ts');
  const { findLiquidity } = await import('./liquidity.ts');
  await releaseWithdrawal(bench.custody, bench.as('ruth', `release-again-${id}`), id);
  await signs(bench, 'olga', id, `olga-again-${id}`);
  await approves(bench, 'ruth', id, `ruth-again-${id}`);
  await approves(bench, 'sam', id, `sam-again-${id}`);
  await findLiquidity(bench.custody, id);
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  if (dispatch !== undefined) await enqueue(bench.custody.db, { task: 'watch-dispatch', id: dispatch.id });
  await bench.work();
  await settle(bench);
  if ((await withdrawal(bench, id)).state !== 'settled') await settle(bench);
}
