import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScreeningVerdict } from '@bulkhead/domain';
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
  recipient,
  settle,
  withdrawal,
} from './testing/withdrawing.ts';
import { rejectWithdrawal } from './withdrawal.ts';

test('only a clear verdict lets a withdrawal go on by itself; every other one waits for a person', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 10n * ether);
  const verdicts: readonly (readonly [ScreeningVerdict, string])[] = [
    ['clear', 'awaiting-approval'],
    ['hit', 'screened'],
    ['review', 'screened'],
    ['inconclusive', 'screened'],
    ['not-screened', 'screened'],
  ];
  for (const [verdict, state] of verdicts) {
    bench.screening.verdict = verdict;
    const { id } = await ask(bench, { client: account.client, amount: ether });
    const view = await withdrawal(bench, id);
    assert.deepEqual(
      [view.verdict, view.state, view.releasedBy],
      [verdict, state, verdict === 'clear' ? 'screening' : null],
    );
    assert.equal(refusalOf(await approves(bench, 'ruth', id)), verdict === 'clear' ? 'done' : 'withdrawal/wrong-state');
  }
  assert.equal(
    await available(bench, account),
    10n * ether - 5n * (ether + nativeFeeCap),
    'whatever the verdict, it is held',
  );
  assert.deepEqual(
    bench.screening.asked
      .filter(({ direction }) => direction === 'out')
      .map(({ counterparty, amount }) => [counterparty, amount]),
    verdicts.map(() => [recipient, ether]),
  );
});

test('a screening that fails has cleared nothing: the withdrawal waits for people', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  bench.screening.script(recipient, new Error('the provider does not answer'));
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const view = await withdrawal(bench, id);
  assert.deepEqual([view.verdict, view.state], ['inconclusive', 'screened']);
  await approve(bench, id);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
});

test('the declared rule passes what no screening exists for, and nothing that a screening doubted', async () => {
  await using bench = await openWithdrawing({ policy: { releaseUnscreenedWithdrawals: true } });
  const account = await funded(bench, 10n * ether);
  for (const verdict of ['hit', 'review', 'inconclusive'] as const) {
    bench.screening.verdict = verdict;
    const { id } = await ask(bench, { client: account.client, amount: ether });
    assert.deepEqual(
      [(await withdrawal(bench, id)).state, (await withdrawal(bench, id)).releasedBy],
      ['screened', null],
    );
  }
});

test('a hit is released by a person and paid, or rejected and returned', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  bench.screening.verdict = 'hit';
  const paid = await ask(bench, { client: account.client, amount: ether / 2n });
  const refused = await ask(bench, { client: account.client, amount: ether / 2n });
  await approve(bench, paid.id);
  viewOf(await rejectWithdrawal(bench.custody, bench.as('sam'), { id: refused.id, reason: 'sanctioned' }));
  await settle(bench);
  const done = await withdrawal(bench, paid.id);
  assert.deepEqual([done.state, done.verdict, done.releasedBy], ['settled', 'hit', 'ruth']);
  assert.equal((await withdrawal(bench, refused.id)).state, 'rejected');
  assert.equal(await available(bench, account), 3n * ether - ether / 2n - BigInt(done.feePaid ?? 0));
  await bench.prove();
});
