import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyList, emptyRegistry, listText, nobleHashes, type Person, type Registry } from '@bulkhead/authority';
import { type Approval, intentDigest, type MovementIntent } from '@bulkhead/domain';
import { approvalVerifier } from './approvals.ts';
import { passkey, robot, wallet } from './testing/approver.ts';
import { compartments, deployment, ether, exchange, genesisItems } from './testing/registry.ts';

const now = 1_800_000_000n;
const own = [passkey('anna', 'p1'), wallet('anna', 'w1'), robot('anna', 'r1')] as const;
const others = [passkey('berta', 'p1'), wallet('berta', 'w1'), robot('berta', 'r1')] as const;

const anna: Person = {
  id: 'anna',
  name: 'anna',
  roles: ['approver'],
  keys: own.map(({ key }) => key),
  suspended: false,
};

const intent: MovementIntent = {
  deployment,
  kind: 'withdrawal',
  id: 'wd_one',
  compartment: compartments.first,
  client: 'cl_one',
  asset: ether,
  to: exchange,
  amount: 7n,
  feeMax: 1n,
  feePayer: 'client',
  expiresAt: now + 60n,
};
const subject = { intent, digest: intentDigest(intent) };
const approvals: readonly Approval[] = own.map((approver) => approver.approve(intent));

function registryWith(person: Person): Registry {
  const opened = applyList(nobleHashes, emptyRegistry(deployment), {
    list: listText(genesisItems),
    now,
    authority: 'opening',
  });
  return { ...opened, people: new Map([[person.id, person]]) };
}

test('a signature that was verified before counts for nothing once its person, key or intent is another', async () => {
  const verifier = approvalVerifier(nobleHashes);
  const registry = registryWith(anna);
  await verifier.prepare(registry, subject, approvals);
  const { approvers } = verifier.evidence(registry, subject, { approvals });
  assert.deepEqual(approvers, ['anna', 'anna', 'anna']);

  const suspended = registryWith({ ...anna, suspended: true });
  const removed = registryWith({ ...anna, keys: [] });
  const replaced = registryWith({ ...anna, keys: others.map(({ key }) => key) });
  const changed = { ...intent, amount: 8n };
  const other = { intent: changed, digest: intentDigest(changed) };
  for (const approval of approvals) {
    await verifier.prepare(replaced, subject, [approval]);
    await verifier.prepare(registry, other, [approval]);
    assert.throws(() => verifier.approval(suspended, subject, approval), { code: 'signer/person-not-entitled' });
    assert.throws(() => verifier.approval(removed, subject, approval), { code: 'signer/approval-invalid' });
    assert.throws(() => verifier.approval(replaced, subject, approval), { code: 'signer/approval-invalid' });
    assert.throws(() => verifier.approval(registry, other, approval), { code: 'signer/approval-invalid' });
    assert.equal(verifier.approval(registry, subject, approval).person, 'anna');
  }
});

test('what is verified ahead and is wrong is not remembered', async () => {
  const verifier = approvalVerifier(nobleHashes);
  const registry = registryWith(anna);
  for (const approval of approvals) {
    const digits = approval.signature;
    const end = digits.endsWith('00') ? '01' : '00';
    // The last byte of a wallet's signature is its v; any other place is as good.
    const at = approval.kind === 'eip712' ? 40 : digits.length - 2;
    const wrong = { ...approval, signature: digits.slice(0, at) + end + digits.slice(at + 2) };
    await verifier.prepare(registry, subject, [wrong, { ...approval, person: 'nobody' }]);
    assert.throws(() => verifier.approval(registry, subject, wrong), { code: 'signer/approval-invalid' });
  }
});

test('verifying ahead ends in the order in which it was begun', async () => {
  const verifier = approvalVerifier(nobleHashes);
  const registry = registryWith(anna);
  const ended: number[] = [];
  // The first has work for threads, the second has none.
  const runs = [approvals, []].map(async (given, at) => {
    await verifier.prepare(registry, subject, given);
    ended.push(at);
  });
  await Promise.all(runs);
  assert.deepEqual(ended, [0, 1]);
});
