import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Approval, intentDigest, type Intent, withdrawalIntent } from '@bulkhead/domain';
import { fakeApproval, namedAddress } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { dispatchViews } from './dispatch.ts';
import { type Bench, refusalOf, viewOf } from './testing/bench.ts';
import {
  approves,
  ask,
  ether,
  funded,
  openWithdrawing,
  recipient,
  settle,
  signatureOf,
  signs,
  withdrawal,
} from './testing/withdrawing.ts';
import { releaseWithdrawal } from './withdrawal.ts';
import { approveWithdrawal, signWithdrawalRequest, withdrawalIntentText } from './withdrawal-approval.ts';
import { findWithdrawal } from './withdrawal-step.ts';

/** A withdrawal that waits for people. */
async function waiting(bench: Bench): Promise<string> {
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  viewOf(await releaseWithdrawal(bench.custody, bench.as('ruth'), id));
  return id;
}

async function intentOf(bench: Bench, id: string): Promise<Intent> {
  const found = await findWithdrawal(bench.custody.db, id);
  assert.ok(found !== undefined);
  return withdrawalIntent(found.terms);
}

async function storedSignatures(bench: Bench, id: string): Promise<readonly string[]> {
  const rows = await bench.custody.db.query(
    'select role, person from custody.approval where subject = $1 order by role, person',
    [id],
  );
  return rows.map((row) => `${text(row, 'role')} ${text(row, 'person')}`);
}

test('an approval is a signature over the intent, by the person who hands it in, and is stored with the step', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  const { custody, as } = bench;
  const right = await signatureOf(bench, 'ruth', id);
  assert.equal(refusalOf(await approveWithdrawal(custody, as('sam'), right)), 'approval/of-another-person');
  const named = { ...right.approval, person: 'sam' };
  const invalid = { code: 'signer/approval-invalid' };
  await assert.rejects(approveWithdrawal(custody, as('sam'), { id, approval: named }), invalid);
  const intent = await intentOf(bench, id);
  for (const change of [{ amount: 2n * ether }, { to: namedAddress('thief') }, { deployment: '0'.repeat(32) }]) {
    const approval = fakeApproval('ruth', { ...intent, ...change });
    await assert.rejects(approveWithdrawal(custody, as('ruth'), { id, approval }), invalid);
  }
  assert.deepEqual(await storedSignatures(bench, id), []);
  const done = viewOf(await approveWithdrawal(custody, as('ruth'), right));
  assert.deepEqual(
    done.approvals.map(({ by }) => by),
    ['ruth'],
  );
  assert.deepEqual(await storedSignatures(bench, id), ['approval ruth']);
  const [row] = await custody.db.query('select key, kind, signature, intent_digest from custody.approval');
  assert.deepEqual(row, {
    key: right.approval.key,
    kind: 'ed25519',
    signature: right.approval,
    intent_digest: intentDigest(intent),
  });
  const nobody = { id: 'wd_nobody', approval: right.approval };
  assert.equal(refusalOf(await approveWithdrawal(custody, as('ruth'), nobody)), 'resource/not-found');
});

test('what will be refused is not given to the signer, and neither is a request that was answered before', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  const lodged: Approval[] = [];
  const lodge = bench.signer.lodge.bind(bench.signer);
  bench.signer.lodge = async (intent, approval) => {
    lodged.push(approval);
    return lodge(intent, approval);
  };
  assert.equal(refusalOf(await approves(bench, 'olga', id)), 'withdrawal/requester-may-not-approve');
  assert.equal(refusalOf(await signs(bench, 'ruth', id)), 'withdrawal/not-the-requester');
  assert.deepEqual(lodged, []);
  viewOf(await approves(bench, 'ruth', id, 'the-key'));
  assert.equal(refusalOf(await approves(bench, 'ruth', id)), 'withdrawal/already-approved');
  const asked = bench.signer.asked;
  bench.signer.down = true;
  assert.equal((await approves(bench, 'ruth', id, 'the-key')).hit, true);
  assert.deepEqual([lodged.length, bench.signer.asked], [1, asked]);
});

test('while the signer does not answer nobody approves, and the same key does it afterwards', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  bench.signer.down = true;
  await assert.rejects(approves(bench, 'ruth', id, 'the-key'), { code: 'signer/unavailable' });
  assert.equal((await withdrawalIntentText(bench.custody, id))?.brief, null);
  bench.signer.down = false;
  assert.equal(refusalOf(await approves(bench, 'ruth', id, 'the-key')), 'done');
});

test('without the signature of who asked nothing is signed, whoever approves; with it, it goes on', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  for (const person of ['ruth', 'sam', 'tom']) viewOf(await approves(bench, person, id));
  await bench.work();
  const held = await withdrawal(bench, id);
  assert.equal(held.state, 'awaiting-approval');
  assert.match(held.reason ?? '', /olga/u);
  assert.deepEqual(await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 }), []);
  const thief = { id, approval: (await signatureOf(bench, 'ruth', id)).approval };
  assert.equal(
    refusalOf(await signWithdrawalRequest(bench.custody, bench.as('olga'), thief)),
    'approval/of-another-person',
  );
  viewOf(await signs(bench, 'olga', id));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  const [request] = bench.signer.signed;
  assert.equal(request?.evidence.request?.person, 'olga');
  assert.deepEqual(
    request.evidence.approvals.map(({ person }) => person),
    ['ruth', 'sam', 'tom'],
  );
});

test('the text to sign is the canonical one, and says whether the requester has signed', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  const before = await withdrawalIntentText(bench.custody, id);
  const intent = await intentOf(bench, id);
  assert.ok(before !== undefined);
  assert.deepEqual(before.intent, intent);
  assert.equal(before.digest, intentDigest(intent));
  assert.match(before.canonical, /^bulkhead-intent-v1\n\{/u);
  assert.deepEqual([before.requestedBy, before.requestSigned], ['olga', false]);
  assert.match(before.brief?.statement ?? '', new RegExp(before.digest, 'u'));
  viewOf(await signs(bench, 'olga', id));
  assert.equal((await withdrawalIntentText(bench.custody, id))?.requestSigned, true);
  assert.equal(await withdrawalIntentText(bench.custody, 'wd_nobody'), undefined);
});

test('how many people are needed is what the signer says, at the request and with every signature', async () => {
  await using bench = await openWithdrawing();
  bench.signer.rules.quorum = 3;
  const id = await waiting(bench);
  assert.equal((await withdrawal(bench, id)).quorum, 3);
  viewOf(await signs(bench, 'olga', id));
  bench.signer.rules.quorum = 4;
  for (const person of ['ruth', 'sam', 'tom']) viewOf(await approves(bench, person, id));
  const { quorum, state } = await withdrawal(bench, id);
  assert.deepEqual([quorum, state], [4, 'awaiting-approval']);
  viewOf(await approves(bench, 'ann', id));
  assert.equal((await withdrawal(bench, id)).state, 'approved');
});

test('while the signer was away the policy said how many; when it is back, it says so itself', async () => {
  await using bench = await openWithdrawing();
  bench.signer.rules.quorum = 3;
  const { client } = await funded(bench, 3n * ether);
  bench.signer.down = true;
  const { id } = await ask(bench, { client, amount: ether });
  viewOf(await releaseWithdrawal(bench.custody, bench.as('ruth'), id));
  assert.equal((await withdrawal(bench, id)).quorum, 2);
  bench.signer.down = false;
  viewOf(await signs(bench, 'olga', id));
  viewOf(await approves(bench, 'ruth', id));
  viewOf(await approves(bench, 'sam', id));
  const { quorum, state } = await withdrawal(bench, id);
  assert.deepEqual([quorum, state], [3, 'awaiting-approval']);
  viewOf(await approves(bench, 'tom', id));
  assert.equal((await withdrawal(bench, id)).state, 'approved');
});

test('approvals still come when a wallet is reserved already, and the last one sends it', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  viewOf(await signs(bench, 'olga', id));
  viewOf(await approves(bench, 'ruth', id));
  viewOf(await approves(bench, 'sam', id));
  assert.equal(refusalOf(await approves(bench, 'tom', id)), 'withdrawal/wrong-state', 'nobody is missing');
  bench.signer.rules.quorum = 4;
  await bench.work();
  const held = await withdrawal(bench, id);
  assert.deepEqual([held.state, held.quorum], ['signing', 4]);
  assert.match(held.reason ?? '', /signer\/approvals-missing/u);
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.deepEqual([dispatch?.state, dispatch?.nonce], ['queued', null], 'no nonce was spent');
  viewOf(await approves(bench, 'tom', id));
  await bench.work();
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  viewOf(await approves(bench, 'ann', id));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
});

test('a person who lost the right to approve is replaced by another one', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  viewOf(await signs(bench, 'olga', id));
  viewOf(await approves(bench, 'ruth', id));
  bench.signer.rules.people = new Set(['olga', 'sam', 'tom']);
  viewOf(await approves(bench, 'sam', id));
  await bench.work();
  assert.equal((await withdrawal(bench, id)).state, 'awaiting-approval');
  viewOf(await approves(bench, 'tom', id));
  await bench.work();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
});

test('where the signer wants nobody, nobody is asked', async () => {
  await using bench = await openWithdrawing();
  bench.signer.rules.quorum = 0;
  const id = await waiting(bench);
  await bench.work();
  await settle(bench);
  assert.deepEqual(
    [(await withdrawal(bench, id)).state, bench.chain.ground.balance(bench.native, recipient)],
    ['settled', ether],
  );
});

test('approvals that somebody wrote into the database, or changed there, pay nothing', async () => {
  await using bench = await openWithdrawing();
  const id = await waiting(bench);
  viewOf(await signs(bench, 'olga', id));
  viewOf(await approves(bench, 'ruth', id));
  const { owner } = bench.database;
  await owner.query(
    `insert into custody.approval (subject, role, person, key, kind, signature, intent_digest, at)
     select subject, role, 'sam', key, kind, signature || '{"person": "sam"}', intent_digest, at from custody.approval
     where role = 'approval'`,
  );
  await owner.query('alter table custody.withdrawal disable trigger user');
  await owner.query(
    `update custody.withdrawal set step = 'approved', state = state || '{"step": "approved", "approvedBy": ["ruth", "sam"]}'`,
  );
  await owner.query('alter table custody.withdrawal enable trigger user');
  await owner.query(
    `select graphile_worker.add_job('find-liquidity', json_build_object('id', $1::text), job_key => $1::text)`,
    [id],
  );
  await bench.work();
  const held = await withdrawal(bench, id);
  assert.equal(held.state, 'signing');
  assert.match(held.reason ?? '', /signer\/approval-invalid/u);
  assert.deepEqual(bench.signer.signed, []);
});
