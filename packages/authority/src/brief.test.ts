import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intentDigest, type MovementIntent, parseAddress, parseCompartment } from '@bulkhead/domain';
import {
  client,
  cooling,
  deployment,
  enrolled,
  mainnet,
  now,
  payee,
  pool,
  small,
  token,
  vault,
} from '../test/opening.ts';
import { type BriefQuestion, briefLookAlikesMax, briefOf } from './brief.ts';
import { briefFields, parseBrief } from './brief-fields.ts';
import { judgeMovement } from './judge-movement.ts';
import { lookAlikes } from './look-alike.ts';
import { nobleHashes } from './noble-hashes.ts';
import { applyList } from './registry-change.ts';
import type { Registry, RegistryItem } from './registry.ts';
import { parseStatement, statementText } from './statement.ts';

const twin = parseAddress(`0xdddd${'1'.repeat(32)}dddd`);
const enrolledTwin: RegistryItem = {
  item: 'destination',
  client,
  compartment: pool,
  chain: mainnet,
  address: twin,
  label: 'Twin',
};
const registry = applyList(nobleHashes, enrolled(), { list: [enrolledTwin], now, authority: 'operational' });
const intent: MovementIntent = {
  deployment,
  kind: 'withdrawal',
  id: 'wd_1',
  compartment: vault,
  asset: token,
  to: payee,
  amount: 100n,
  feeMax: 900n,
  client,
  feePayer: 'client',
  expiresAt: now + cooling + 60n,
};

function question(of: MovementIntent = intent, from: Registry = registry): BriefQuestion {
  const spent = (): bigint => 300n;
  const feesSpent = (): bigint => 2_600n;
  const judgement = judgeMovement(from, {
    intent: of,
    tier: 'hot',
    residency: 'hsm',
    approvers: ['anna'],
    now: now + cooling,
    spent,
    feesSpent: () => 0n,
    fee: of.feeMax,
    isOwn: () => true,
  });
  return { intent: of, digest: intentDigest(of), at: now, judgement, spent, feesSpent, used: { times: 0n }, own: [] };
}

test('a brief says what approvers cannot see in the intent', () => {
  const { kind: _k, asset: _a, approvals: _n, compartments: _c, ...limits } = small;
  assert.deepEqual(briefOf(registry, question()), {
    deployment,
    digest: intentDigest(intent),
    at: now,
    registryVersion: 3n,
    approvalsNeeded: 1,
    requestNeeded: true,
    approvedBy: ['anna'],
    rule: { ...limits, spent: 300n, left: 700n },
    fees: { feeMax: 1_000n, windowSeconds: 3_600n, windowMax: 2_500n, spent: 2_600n, left: 0n },
    asset: { asset: token, symbol: 'USDC', decimals: 6 },
    destination: {
      label: 'Ada at her bank',
      usableFrom: now + cooling,
      timesUsed: 0n,
      lookAlikes: [{ address: twin, label: 'Twin (cl_ada)' }],
    },
    client,
    compartmentKind: 'individual',
    development: false,
    refusal: {
      code: 'signer/request-missing',
      message: 'Whoever asked for wd_1 has not signed it. Have the requester sign the intent.',
    },
  });
});

test('a brief of an address that is new and looks like others says so, a few of them', () => {
  const looks = (n: number): typeof twin => parseAddress(`0xdddd${n.toString(16).padStart(32, '2')}dddd`);
  const own = Array.from({ length: 20 }, (_, n) => ({ address: looks(n), label: `own ${n}` }));
  const { destination } = briefOf(registry, {
    ...question({ ...intent, compartment: parseCompartment(pool) }),
    own,
    used: { times: 3n, first: 5n },
  });
  assert.deepEqual([destination?.label, destination?.timesUsed, destination?.firstUsed], [undefined, 3n, 5n]);
  assert.equal(destination?.lookAlikes.length, briefLookAlikesMax);
  assert.equal(destination?.lookAlikes[0]?.address, twin);
});

test('a brief survives the way through a statement', () => {
  const change = {
    deployment,
    kind: 'enrolment',
    id: 'enr_1',
    before: 3n,
    items: 1n,
    digest: 'd'.repeat(64),
    expiresAt: now,
  } as const;
  const briefs = [
    briefOf(registry, question()),
    briefOf(registry, { ...question(), used: { times: 2n, first: 9n }, own: [{ address: twin, label: 'ours' }] }),
    briefOf(registry, { ...question(), intent: change }),
  ];
  assert.deepEqual(Object.keys(briefs[2] ?? {}).includes('destination'), false);
  for (const brief of briefs) {
    const { kind, fields } = parseStatement(statementText('brief', briefFields(brief)));
    assert.equal(kind, 'brief');
    assert.deepEqual(parseBrief(fields), brief);
  }
});

test('fields that are none of a brief are refused', () => {
  const fields = briefFields(briefOf(registry, question()));
  const wrong: Record<string, object> = {
    'digest of another length': { digest: 'ab' },
    'a count that is none': { approvalsNeeded: '-1' },
    'a truth that is none': { requestNeeded: 'maybe' },
    'people that are no list': { approvedBy: 'anna' },
    'a person that is no text': { approvedBy: [['anna']] },
    'a rule that is no object': { rule: 'none' },
    'a rule with more': { rule: { ...Object(fields['rule']), more: 'x' } },
    'fees with more': { fees: { ...Object(fields['fees']), more: 'x' } },
    'an asset with more': { asset: { ...Object(fields['asset']), more: 'x' } },
    'a destination with more': { destination: { ...Object(fields['destination']), more: 'x' } },
    'a look-alike with more': {
      destination: { timesUsed: '0', lookAlikes: [{ address: twin, label: 'x', more: 'x' }] },
    },
    'a refusal with more': { refusal: { code: 'signer/protocol', message: 'x', more: 'x' } },
    'a code nobody knows': { refusal: { code: 'signer/whim', message: 'x' } },
    'an address that is none': { destination: { timesUsed: '0', lookAlikes: [{ address: '0x', label: 'x' }] } },
    'a kind of compartment that is none': { compartmentKind: 'private' },
  };
  for (const [why, change] of Object.entries(wrong)) {
    assert.throws(() => parseBrief({ ...fields, ...change }), { code: 'signer/certificate-invalid' }, why);
  }
});

test('look-alikes share the digits that people compare, and are another address', () => {
  const known = [payee, twin, parseAddress(`0xdddd${'1'.repeat(32)}ddde`), parseAddress(`0xddde${'1'.repeat(32)}dddd`)];
  const found = lookAlikes(
    payee,
    known.map((address) => ({ address, label: address })),
  );
  assert.deepEqual(
    found.map(({ address }) => address),
    [twin],
  );
});
