import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { outlookMsMax } from './approval.ts';
import { dispatchViews, type DispatchView, findDispatch } from './dispatch.ts';
import { taskList } from './jobs.ts';
import { movementViews } from './movement-view.ts';
import { sendDispatch, watchDispatch } from './send.ts';
import { askAgainMsMax } from './signing.ts';
import { requestSweep } from './sweep.ts';
import { reconciled } from './testing/desk.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import {
  approve,
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
import { cancelWithdrawal } from './withdrawal.ts';
import { withdrawalIntentText } from './withdrawal-approval.ts';

async function dispatchOf(bench: Bench, id: string): Promise<DispatchView> {
  const [view] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.ok(view !== undefined, 'it has a dispatch');
  return view;
}

/** What the clock does every minute, and the jobs that follow. */
async function minute(bench: Bench): Promise<void> {
  const task = taskList(bench.custody)['watch-dispatches'];
  assert.ok(task !== undefined);
  // The schedule hands no payload, and its task looks at nothing else.
  await Reflect.apply(task, undefined, [{}]);
  await bench.work();
}

test('without the signer deposits, books, reconciliation and addresses go on; withdrawals wait, and go on when it is back', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const outlook = bench.signer.outlook.bind(bench.signer);
  bench.signer.outlook = async (intent, evidence) => {
    // It goes away once everybody has signed.
    bench.signer.down = evidence.approvals.length >= 2;
    return outlook(intent, evidence);
  };
  await approve(bench, id);
  const held = await withdrawal(bench, id);
  assert.deepEqual([held.state, bench.signer.down], ['signing', true]);
  assert.match(held.reason ?? '', /^The signer does not answer \(signer\/unavailable\)/u);
  assert.deepEqual([(await dispatchOf(bench, id)).nonce, bench.signer.signed.length], [null, 0]);
  assert.equal(await available(bench, account), 2n * ether - nativeFeeCap, 'it stays held');

  await pay(bench, account.wallet, ether);
  const second = await bench.wallet(account.client);
  await pay(bench, second, ether);
  const later = await ask(bench, { client: account.client, amount: ether });
  assert.equal((await withdrawal(bench, later.id)).quorum, 2, 'asked for by the policy of the server');
  await reconciled(bench);
  await minute(bench);
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  await bench.prove();

  bench.signer.outlook = outlook;
  bench.signer.down = false;
  await minute(bench);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  const { books, chain } = await wallets(bench, account.wallet);
  assert.equal(books, chain);
  await bench.prove();
});

test('a refusal before the nonce costs nothing, is shown with its code, and is tried again', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  bench.signer.rules.refuse = ({ kind }) =>
    kind === 'withdrawal' ? { code: 'signer/destination-cooling', message: 'usable tomorrow' } : undefined;
  await approve(bench, id);
  const held = await withdrawal(bench, id);
  assert.deepEqual([held.state, (await dispatchOf(bench, id)).nonce], ['signing', null]);
  assert.match(held.reason ?? '', /signer\/destination-cooling.*usable tomorrow/u);
  await minute(bench);
  assert.equal((await dispatchOf(bench, id)).nonce, null);
  bench.signer.rules.refuse = undefined;
  await minute(bench);
  const sent = await withdrawal(bench, id);
  assert.deepEqual([sent.state, sent.reason], ['broadcast', null]);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
});

test('a signer that is stopped, and says nothing, makes nobody wait: a withdrawal is taken with the quorum of the policy', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  bench.signer.rules.quorum = 9;
  const outlook = bench.signer.outlook.bind(bench.signer);
  const silent = Promise.withResolvers<never>();
  bench.signer.outlook = () => silent.promise;
  const began = performance.now();
  const { id } = await ask(bench, { client, amount: ether });
  const taken = await withdrawal(bench, id);
  assert.equal(taken.quorum, bench.custody.policy.quorum);
  assert.equal(
    (await withdrawalIntentText(bench.custody, id))?.brief,
    null,
    'who reads what is to be signed does not wait for it either',
  );
  assert.ok(performance.now() - began < 5 * outlookMsMax);
  bench.signer.outlook = outlook;
  // What fails after nobody waits for it any more ends no process.
  silent.reject(new CustodyError('signer/unavailable', 'The connection broke.'));
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).quorum, 9, 'once it answers its word counts');
});

test('a refusal after the nonce leaves the attempt unsigned and the hold where it is, says why, and is tried again', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async (request) => {
    bench.signer.rules.refuse = () => ({ code: 'signer/velocity-exceeded', message: 'enough' });
    return sign(request);
  };
  await approve(bench, id);
  const held = await withdrawal(bench, id);
  const dispatch = await dispatchOf(bench, id);
  assert.deepEqual([held.state, dispatch.state, dispatch.nonce], ['signing', 'signing', '0']);
  assert.match(held.reason ?? '', /signer\/velocity-exceeded/u);
  assert.equal(dispatch.attempts[0]?.hash, null);
  await minute(bench);
  assert.equal((await dispatchOf(bench, id)).attempts.length, 1, 'no second attempt beside one that nobody signed');
  assert.equal(await available(bench, account), 2n * ether - nativeFeeCap);
  bench.signer.sign = sign;
  bench.signer.rules.refuse = undefined;
  await minute(bench);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  await bench.prove();
});

test('what is refused after the nonce can be cancelled, and its nonce is used up', async () => {
  await using bench = await openWithdrawing();
  const account = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async (request) => {
    if (request.intent.kind === 'withdrawal') bench.signer.rules.quorum = 9;
    return sign(request);
  };
  await approve(bench, id);
  const held = await withdrawal(bench, id);
  assert.deepEqual([held.state, held.quorum], ['signing', 9], 'more people may still approve');
  assert.match(held.reason ?? '', /signer\/approvals-missing/u);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  await settle(bench);
  const over = await withdrawal(bench, id);
  assert.deepEqual([over.state, bench.chain.ground.balance(bench.native, recipient)], ['cancelled', 0n]);
  await bench.prove();
});

test('a fee bump that the signer refuses disturbs nothing: no further attempts, and the first one is paid', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  await approve(bench, id);
  const { id: dispatch } = await dispatchOf(bench, id);
  bench.signer.rules.refuse = () => ({ code: 'signer/fee-above-limit', message: 'too dear' });
  bench.clock.advance(700_000);
  for (let round = 0; round < 4; round += 1) await watchDispatch(bench.custody, dispatch);
  const bumped = await dispatchOf(bench, id);
  assert.deepEqual(
    bumped.attempts.map(({ hash }) => hash !== null),
    [true, false],
  );
  assert.match((await withdrawal(bench, id)).reason ?? '', /signer\/fee-above-limit/u);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  await bench.prove();
});

test('a signature whose answer was lost is asked for again and is the same; its record is stored with it', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async (request) => {
    await sign(request);
    bench.signer.down = true;
    return sign(request);
  };
  await approve(bench, id);
  assert.equal((await dispatchOf(bench, id)).attempts[0]?.hash, null);
  bench.signer.sign = sign;
  bench.signer.down = false;
  await minute(bench);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  const grants = bench.signer.log.records(0n, 100).filter(({ line }) => line.includes('"granted"'));
  assert.equal(grants.length, 1);
  const stored = await bench.custody.db.query('select line from custody.signer_record');
  assert.deepEqual(
    stored.map((row) => row['line']),
    grants.map(({ line }) => line),
  );
});

test('a sweep that the signer refuses waits, and does not say that it waits for gas', async () => {
  await using bench = await openWithdrawing();
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  const gas = await bench.ownWallet('gas');
  bench.chain.outside.send({ to: gas.address, amount: 5n * ether });
  await pay(bench, wallet, 3n * ether);
  bench.signer.rules.refuse = ({ kind }) =>
    kind === 'sweep' ? { code: 'signer/amount-above-limit', message: 'no rule' } : undefined;
  viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: bench.native }));
  await bench.work();
  await settle(bench);
  await settle(bench);
  const [view] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.equal(view?.state, 'queued');
  assert.match(view.reason ?? '', /signer\/amount-above-limit/u);
  bench.signer.rules.refuse = undefined;
  await sendDispatch(bench.custody, view.dispatchId ?? '');
  await settle(bench);
  const [done] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.equal(done?.state, 'settled');
});

function refusals(bench: Bench): number {
  return bench.signer.log.records(0n, 1_000).filter(({ line }) => line.includes('"refused"')).length;
}

test('a refused fee bump is looked at every minute and not asked for, so that it makes one record and not one a minute', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  await approve(bench, id);
  const { id: dispatch } = await dispatchOf(bench, id);
  bench.signer.rules.refuse = () => ({ code: 'signer/fee-above-limit', message: 'too dear' });
  bench.clock.advance(700_000);
  for (let round = 0; round < 5; round += 1) {
    await watchDispatch(bench.custody, dispatch);
    bench.clock.advance(60_000);
  }
  assert.equal(refusals(bench), 1);
  assert.match((await withdrawal(bench, id)).reason ?? '', /signer\/fee-above-limit/u);
  bench.signer.rules.refuse = undefined;
  await watchDispatch(bench.custody, dispatch);
  assert.deepEqual(
    (await dispatchOf(bench, id)).attempts.map(({ hash }) => hash !== null),
    [true, true],
    'as soon as the look says so it is asked for',
  );
});

test('what is refused though the look says otherwise is asked again after a minute, then after two, and so on', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  await approve(bench, id);
  const { id: dispatch } = await dispatchOf(bench, id);
  bench.clock.advance(700_000);
  const sign = bench.signer.sign.bind(bench.signer);
  let asked = 0;
  bench.signer.sign = async () => {
    asked += 1;
    throw new CustodyError('signer/nonce-taken', 'another has it');
  };
  const askedAt: number[] = [];
  for (let minutes = 0; minutes < 20; minutes += 1) {
    const before = asked;
    await watchDispatch(bench.custody, dispatch);
    if (asked > before) askedAt.push(minutes);
    else assert.match((await withdrawal(bench, id)).reason ?? '', /signer\/nonce-taken.* asked again at 20/u);
    bench.clock.advance(60_000);
  }
  assert.deepEqual(askedAt, [0, 1, 3, 7, 15]);
  bench.signer.sign = sign;
  bench.clock.advance(askAgainMsMax);
  await watchDispatch(bench.custody, dispatch);
  assert.equal((await dispatchOf(bench, id)).attempts.at(-1)?.hash === null, false);
});

test('a sweep whose rule wants approvals says that nobody can give them and which rule is to change', async () => {
  await using bench = await openWithdrawing();
  const wallet = await bench.wallet(await bench.client('omnibus'));
  const gas = await bench.ownWallet('gas');
  bench.chain.outside.send({ to: gas.address, amount: 5n * ether });
  await pay(bench, wallet, 3n * ether);
  viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: bench.native }));
  bench.signer.rules.ownQuorum = 2;
  await bench.work();
  const grants = await dispatchViews(bench.custody.db, { kind: 'gas-grant', after: null, limit: 9 });
  const [grant] = grants;
  assert.ok(grant !== undefined && grants.length === 1);
  const reasonOf = async (dispatch: string): Promise<string> =>
    (await findDispatch(bench.custody.db, dispatch))?.waitingReason ?? '';
  const said =
    /wants 2 approvals .*a gas-grant cannot be approved here.*rule for gas-grant of eip155:\d+\/slip44:60 from house compartments, .*at least \d+, has approvals 0/u;
  assert.match(await reasonOf(grant.id), said);
  bench.signer.rules.ownQuorum = 0;
  const sign = bench.signer.sign.bind(bench.signer);
  bench.signer.sign = async (request) => {
    if (request.intent.kind === 'sweep') bench.signer.rules.ownQuorum = 1;
    return sign(request);
  };
  await minute(bench);
  await settle(bench);
  await settle(bench);
  const [sweep] = await movementViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
  assert.match(
    sweep?.reason ?? '',
    /wants 1 approvals .*a sweep cannot be approved here.*from omnibus compartments/u,
    'after the nonce too',
  );
  bench.signer.sign = sign;
  bench.signer.rules.ownQuorum = 0;
  await minute(bench);
  await settle(bench);
  await bench.prove();
});
