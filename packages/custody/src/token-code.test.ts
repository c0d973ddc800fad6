import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetId, contractOf, CustodyError } from '@bulkhead/domain';
import { FakeSignerLog, foreignIdentity } from '@bulkhead/fakes';
import { breakViews, resolveBreak } from './break.ts';
import { releaseDeposit } from './deposit.ts';
import { dispatchViews, findDispatch } from './dispatch.ts';
import { frozenBy } from './freeze.ts';
import { reviewedCodes } from './reviewed-code.ts';
import { sendDispatch } from './send.ts';
import { pullSignerRecords } from './signer-record.ts';
import { requestSweep } from './sweep.ts';
import { type Bench, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, onlyBreak, reconciled } from './testing/desk.ts';
import {
  type Account,
  approve,
  ask,
  available,
  ether,
  funded,
  openWithdrawing,
  pay,
  settle,
  withdrawal,
} from './testing/withdrawing.ts';
import { lookAtCodes } from './token-code.ts';

type Item = Readonly<Record<string, string>>;

function listOf(items: readonly Item[]): string {
  return ['bulkhead-registry-list-v1', ...items.map((item) => JSON.stringify(item)), ''].join('\n');
}

/** The root quorum lists a token with the code that it has now, or with another hash. */
async function lists(bench: Bench, asset: AssetId, codeHash?: string): Promise<void> {
  const contract = contractOf(asset);
  assert.ok(contract !== undefined);
  const reviewed = codeHash ?? bench.chain.ground.codeHash(contract, bench.chain.ground.height);
  const item = { asset, codeHash: reviewed, decimals: '6', item: 'asset', symbol: 'USD' };
  bench.signer.log.append('changed', { list: listOf([item]) });
  await pullSignerRecords(bench.custody);
  await bench.work();
}

/** A client with coins for fees and a token whose code was reviewed. */
async function openToken(bench: Bench): Promise<Account & { readonly token: AssetId }> {
  const account = await funded(bench, 3n * ether);
  const token = await bench.token('USD');
  await lists(bench, token);
  await pay(bench, account.wallet, 5_000n, token);
  return { ...account, token };
}

test('a token with other code is paid no more: what was approved waits with the reason, a break is there, and nothing is frozen', async () => {
  await using bench = await openWithdrawing();
  const account = await openToken(bench);
  const { client, token } = account;
  const { id } = await ask(bench, { client, amount: 1_000n, asset: token });
  bench.chain.ground.swapCode(token, 'other');
  bench.chain.mine();
  await approve(bench, id);
  const waiting = await withdrawal(bench, id);
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.deepEqual([waiting.state, dispatch?.nonce], ['signing', null]);
  assert.match(
    waiting.reason ?? '',
    /has code with the Keccak-256 [0-9a-f]{64}; what was reviewed has [0-9a-f]{64} \(break brk_/u,
  );
  const found = await onlyBreak(bench);
  assert.deepEqual([found.type, found.asset, found.freezes, found.walletId], ['token-code', token, false, null]);
  assert.deepEqual(await frozenBy(bench.custody.db, account.wallet.compartment), []);
  const other = await ask(bench, { client, amount: ether });
  await approve(bench, other.id);
  await settle(bench);
  assert.equal((await withdrawal(bench, other.id)).state, 'settled', 'coins of another asset go on');

  await lists(bench, token);
  await settle(bench);
  await settle(bench);
  assert.deepEqual(
    [await breaks(bench), (await withdrawal(bench, id)).state],
    [[], 'settled'],
    'the new code was reviewed',
  );
  await bench.prove();
});

test('a deposit of a token with other code stays in quarantine, whoever releases it, and goes on once the code is right', async () => {
  await using bench = await openWithdrawing();
  bench.screening.verdict = 'clear';
  const account = await openToken(bench);
  const { token, wallet } = account;
  assert.equal(await available(bench, account, token), 5_000n);
  bench.chain.ground.swapCode(token, undefined);
  bench.chain.mine();
  await lookAtCodes(bench.custody, bench.id);
  bench.chain.outside.send({ to: wallet.address, amount: 700n, asset: token });
  await settle(bench);
  assert.equal(await available(bench, account, token), 5_000n);
  const deposit = (await bench.deposits()).find(({ amount }) => amount === '700');
  assert.ok(deposit !== undefined);
  assert.equal(deposit.state, 'final');
  const released = await releaseDeposit(bench.custody, bench.as('ruth'), deposit.id);
  assert.equal(refusalOf(released), 'asset/code-changed');
  assert.match(JSON.stringify(released), /has no code/u);
  bench.chain.ground.swapCode(token, 'other');
  bench.chain.mine();
  const contract = contractOf(token);
  assert.ok(contract !== undefined);
  await lists(bench, token, bench.chain.ground.codeHash(contract, bench.chain.ground.height));
  assert.equal(await available(bench, account, token), 5_700n, 'it was screened when the break ended');
});

test('every reconciliation looks, a break stays one break, no word of people ends it, and the code of before does', async () => {
  await using bench = await openWithdrawing();
  const { token } = await openToken(bench);
  bench.chain.ground.swapCode(token, 'other');
  bench.chain.mine();
  await reconciled(bench);
  await reconciled(bench);
  const { id } = await onlyBreak(bench);
  const word = { breakId: id, action: 'acknowledge', note: 'seen' } as const;
  assert.equal(refusalOf(await resolveBreak(bench.custody, bench.as('ann'), word)), 'break/wrong-type');
  bench.chain.ground.swapCode(token, 'token');
  bench.chain.mine();
  await reconciled(bench);
  const [over] = await breakViews(bench.custody.db, { state: 'resolved', after: null, limit: 9 }, bench.clock.now());
  assert.deepEqual([await breaks(bench), over?.id, over?.resolution?.action], [[], id, 'vanished']);
});

test('code that is swapped between the nonce and the signature stops the signature, and a sweep waits like a payment', async () => {
  await using bench = await openWithdrawing();
  const { client, token } = await openToken(bench);
  const { id } = await ask(bench, { client, amount: 1_000n, asset: token });
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async () => {
    throw new CustodyError('signer/unavailable', 'Nobody answers.');
  };
  await approve(bench, id);
  bench.chain.ground.swapCode(token, 'other');
  bench.chain.mine();
  await lookAtCodes(bench.custody, bench.id);
  bench.signer.sign = sign;
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.ok(dispatch !== undefined);
  await sendDispatch(bench.custody, dispatch.id);
  const unsigned = await findDispatch(bench.custody.db, dispatch.id);
  assert.deepEqual([unsigned?.state.step, bench.signer.signed.length], ['signing', 0]);

  const second = await bench.wallet(client);
  bench.chain.outside.send({ to: second.address, amount: 500n, asset: token });
  await settle(bench);
  viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: second.id, asset: token }));
  await bench.work();
  const [sweep] = await dispatchViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  const waits = sweep === undefined ? undefined : await findDispatch(bench.custody.db, sweep.id);
  assert.match(waits?.waitingReason ?? '', /token-code|what was reviewed has/u);
  assert.deepEqual(
    await dispatchViews(bench.custody.db, { kind: 'gas-grant', after: null, limit: 1 }),
    [],
    'no gas for it',
  );
});

test('what was reviewed is what signed lists say in their order; refused lists and strangers say nothing', async () => {
  await using bench = await openWithdrawing();
  const token = await bench.token('USD');
  const codes = async (): Promise<readonly string[]> => [
    ...(await reviewedCodes(bench.custody, bench.custody.db)).values(),
  ];
  const item = { asset: token, codeHash: 'a1'.repeat(32), decimals: '6', item: 'asset', symbol: 'USD' };
  bench.signer.log.append('refused', { list: listOf([item]), request: 'change' });
  await pullSignerRecords(bench.custody);
  assert.deepEqual(await codes(), []);
  await lists(bench, token, 'a1'.repeat(32));
  await lists(bench, token, 'b2'.repeat(32));
  assert.deepEqual(await codes(), ['b2'.repeat(32)]);
  bench.signer.log.append('changed', { list: listOf([{ asset: token, item: 'asset-removed' }]) });
  await pullSignerRecords(bench.custody);
  assert.deepEqual(await codes(), []);
  const stranger = new FakeSignerLog(bench.clock, foreignIdentity);
  const forged = stranger.append('changed', { list: listOf([{ ...item, codeHash: 'c3'.repeat(32) }]) });
  await bench.database.app.query(
    `insert into custody.signer_record (sequence, line, previous, following, head, stored_at) values (99, $1, $2, '[]', $3, now())`,
    [forged.line, forged.previous, JSON.stringify(forged.head)],
  );
  assert.match((await codes()).join(), /^nothing that can be believed, because record 99 /u);
  await lookAtCodes(bench.custody, bench.id);
  assert.deepEqual([(await onlyBreak(bench)).type, await breaks(bench, 'resolved')], ['token-code', []]);
  await settle(bench);
  await reconciled(bench);
});
