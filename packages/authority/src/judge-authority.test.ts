import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorityIntent } from '@bulkhead/domain';
import { deployment, enrolled, now } from '../test/opening.ts';
import { judgeAuthority } from './judge-authority.ts';
import { nobleHashes } from './noble-hashes.ts';
import { applyList, emptyRegistry } from './registry-change.ts';
import type { Registry } from './registry.ts';

const registry = enrolled();
const asked = { deployment, id: 'enr_1', expiresAt: now + 60n } as const;
const listed = { ...asked, before: registry.version, items: 1n, digest: 'd'.repeat(64) } as const;
const enrolment: AuthorityIntent = { ...listed, kind: 'enrolment' };
const change: AuthorityIntent = { ...listed, kind: 'policy-change' };
const recovery: AuthorityIntent = { ...asked, kind: 'state-recovery', sequence: 3n, head: 'a'.repeat(64) };

function of(
  intent: AuthorityIntent,
  approvers: readonly string[],
  from: Registry = registry,
  at = now,
): string | undefined {
  return judgeAuthority(from, { intent, approvers, now: at }).refusal?.code;
}

test('enrolments need the operational quorum, people, policy and state the root quorum', () => {
  assert.equal(of(enrolment, ['admin', 'olga']), undefined);
  assert.equal(of(enrolment, ['admin', 'ben']), 'signer/approvals-missing');
  for (const intent of [change, recovery]) {
    assert.equal(of(intent, ['admin', 'ben']), undefined);
    assert.equal(of(intent, ['admin', 'olga']), 'signer/approvals-missing');
  }
  assert.deepEqual(judgeAuthority(registry, { intent: enrolment, approvers: ['olga', 'admin', 'ben'], now }), {
    approvalsNeeded: 2,
    requestNeeded: false,
    approvedBy: ['admin', 'olga'],
  });
});

test('a person counts once, and a suspended one not', () => {
  assert.equal(of(change, ['admin', 'admin']), 'signer/approvals-missing');
  assert.equal(of(change, ['admin']), 'signer/approvals-missing');
  assert.equal(of(change, ['admin', 'nobody']), 'signer/approvals-missing');
  const list = [{ item: 'person-suspended', person: 'ben' }] as const;
  const next = applyList(nobleHashes, registry, { list, now, authority: 'operational' });
  const again = { ...change, before: next.version };
  assert.equal(of(again, ['admin', 'ben'], next), 'signer/approvals-missing');
  assert.equal(of(again, ['admin', 'anna'], next), undefined);
});

test('an intent is for this installation, this version and this time', () => {
  const everybody = ['admin', 'anna', 'ben', 'olga'];
  for (const intent of [enrolment, change, recovery]) {
    assert.equal(of({ ...intent, deployment: 'f'.repeat(32) }, everybody), 'signer/wrong-deployment');
    assert.equal(of(intent, everybody, registry, now + 60n), undefined);
    assert.equal(of(intent, everybody, registry, now + 61n), 'signer/intent-expired');
  }
  for (const intent of [enrolment, change]) {
    assert.equal(of({ ...intent, before: registry.version - 1n }, everybody), 'signer/registry-version');
    assert.equal(of({ ...intent, before: registry.version + 1n }, everybody), 'signer/registry-version');
  }
});

test('a registry that no ceremony has opened allows nothing', () => {
  const empty = emptyRegistry(deployment);
  assert.equal(of({ ...change, before: 0n }, [], empty), 'signer/approvals-missing');
  assert.equal(of(recovery, [], empty), 'signer/approvals-missing');
});
