import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  houseGas,
  type MovementIntent,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import {
  client,
  cooling,
  deployment,
  enrolled,
  ether,
  mainnet,
  now,
  payee,
  person,
  play,
  policy,
  pool,
  small,
  token,
  vault,
} from '../test/opening.ts';
import { judgeMovement } from './judge-movement.ts';
import type { Judgement, MovementQuestion } from './judgement.ts';
import { nobleHashes } from './noble-hashes.ts';
import { applyList } from './registry-change.ts';
import type { Registry, RegistryItem } from './registry.ts';

const registry = enrolled();
const later = now + cooling;
const ours = parseAddress(`0x${'0a'.repeat(20)}`);

const base = {
  deployment,
  id: 'wd_1',
  compartment: vault,
  asset: token,
  to: payee,
  amount: 100n,
  feeMax: 900n,
} as const;
const withdrawal = { ...base, kind: 'withdrawal', client, feePayer: 'client', expiresAt: later + 60n } as const;
const toUs = { ...base, to: ours } as const;
const intents = {
  withdrawal,
  'deposit-return': { ...withdrawal, kind: 'deposit-return' },
  sweep: { ...toUs, kind: 'sweep' },
  'gas-grant': { ...toUs, kind: 'gas-grant', compartment: houseGas, asset: ether, beneficiary: vault },
  'fee-payment': { ...toUs, kind: 'fee-payment', client, amount: 50n },
  cancel: { ...toUs, kind: 'cancel', amount: 0n, cancels: 'wd_0', nonce: 3n },
  relay: {
    ...base,
    kind: 'relay',
    compartment: houseGas,
    asset: ether,
    amount: 0n,
    relays: 'wd_1',
    beneficiary: vault,
    callDigest: 'c'.repeat(64),
  },
  delegation: { ...base, kind: 'delegation', asset: ether, amount: 0n, feeMax: 0n, wallet: ours, nonce: 0n },
} as const satisfies Record<MovementIntent['kind'], MovementIntent>;

/** Everything is there for the intent; a test takes one thing away. */
function question(intent: MovementIntent = withdrawal): MovementQuestion {
  return {
    intent,
    tier: 'hot',
    residency: 'hsm',
    requester: 'olga',
    approvers: ['anna', 'ben'],
    now: later,
    spent: () => 0n,
    feesSpent: () => 0n,
    fee: intent.feeMax,
    isOwn: (_compartment, address) => address === ours,
  };
}

function after(...list: readonly RegistryItem[]): Registry {
  return applyList(nobleHashes, registry, { list, now, authority: 'root' });
}

function codeOf(judgement: Judgement): string | undefined {
  return judgement.refusal?.code;
}

const { relay, delegation, ...transfers } = intents;

test('nothing is relayed to a contract that no list names, and nothing delegated to the wallet of another', () => {
  assert.equal(codeOf(judgeMovement(registry, question(relay))), 'signer/unknown-destination');
  assert.equal(codeOf(judgeMovement(registry, question(delegation))), undefined);
  const toOther = { ...delegation, wallet: payee };
  assert.equal(codeOf(judgeMovement(registry, question(toOther))), 'signer/unknown-destination');
});

test('an intent of every kind for which everything is there is allowed', () => {
  for (const intent of Object.values(transfers)) {
    const judgement = judgeMovement(registry, question(intent));
    assert.equal(judgement.refusal, undefined, intent.kind);
    assert.equal(judgement.requestNeeded, 'expiresAt' in intent);
  }
  assert.deepEqual(judgeMovement(registry, question()), {
    rule: small,
    approvalsNeeded: 1,
    requestNeeded: true,
    approvedBy: ['anna', 'ben'],
  });
});

test('deployment, expiry, chain, residency, asset and client', () => {
  const { expiresAt } = withdrawal;
  const of = (change: Partial<typeof withdrawal>, more: Partial<MovementQuestion> = {}): string | undefined =>
    codeOf(judgeMovement(registry, { ...question({ ...withdrawal, ...change }), ...more }));
  assert.equal(of({ deployment: 'f'.repeat(32) }), 'signer/wrong-deployment');
  assert.equal(of({}, { now: expiresAt }), undefined, 'the last second counts');
  assert.equal(of({}, { now: expiresAt + 1n }), 'signer/intent-expired');
  const unlisted = parseAssetId('eip155:5/slip44:60');
  assert.equal(codeOf(judgeMovement(registry, question({ ...withdrawal, asset: unlisted }))), 'signer/unknown-chain');
  assert.equal(of({}, { residency: 'software' }), 'signer/chain-not-development');
  for (const residency of ['hsm-derived', 'hsm-sealed'] as const) assert.equal(of({}, { residency }), undefined);
  const development = question({ ...intents.cancel, asset: play });
  assert.equal(codeOf(judgeMovement(registry, { ...development, residency: 'software' })), undefined);
  const stranger = parseAssetId(`${mainnet}/erc20:0x${'99'.repeat(20)}`);
  assert.equal(codeOf(judgeMovement(registry, question({ ...withdrawal, asset: stranger }))), 'signer/unknown-asset');
  for (const kind of ['withdrawal', 'deposit-return', 'fee-payment'] as const) {
    const intent = { ...intents[kind], client: 'cl_bob' };
    assert.equal(codeOf(judgeMovement(registry, question(intent))), 'signer/unknown-client', kind);
    const elsewhere = { ...intents[kind], compartment: parseCompartment(100_009) };
    assert.equal(codeOf(judgeMovement(registry, question(elsewhere))), 'signer/unknown-client', kind);
  }
});

test('the rule with the smallest limit that covers the amount applies', () => {
  const of = (amount: bigint): Judgement => judgeMovement(registry, question({ ...withdrawal, amount }));
  assert.equal(of(100n).approvalsNeeded, 1);
  assert.equal(of(101n).approvalsNeeded, 2);
  assert.equal(of(500n).approvalsNeeded, 2);
  assert.equal(codeOf(of(501n)), 'signer/amount-above-limit');
  assert.match(of(501n).refusal?.message ?? '', /largest limit .* 500/u);
  assert.equal(of(501n).rule, undefined);
});

test('a rule is for its kind, kind of compartment, tier and asset alone', () => {
  const codes = [
    judgeMovement(registry, { ...question(), tier: 'cold' }),
    judgeMovement(registry, question({ ...withdrawal, compartment: pool })),
    judgeMovement(registry, question({ ...withdrawal, asset: ether })),
    judgeMovement(after({ item: 'policy', ...policy, rules: [] }), question()),
    judgeMovement(after({ item: 'policy', ...policy, rules: [] }), question(intents.sweep)),
  ].map((judgement) => [codeOf(judgement), judgement.refusal?.message.includes('No rule allows')]);
  assert.deepEqual(
    codes,
    Array.from({ length: 5 }, () => ['signer/amount-above-limit', true]),
  );
});

test('a destination is enrolled for this client, compartment and chain, and has cooled', () => {
  const of = (change: object, at = later): string | undefined =>
    codeOf(judgeMovement(registry, { ...question({ ...withdrawal, ...change }), now: at }));
  assert.equal(of({}, later - 1n), 'signer/destination-cooling');
  assert.equal(of({}, later), undefined);
  assert.equal(of({ to: ours }), 'signer/unknown-destination');
  const bob: RegistryItem = { item: 'client', client: 'cl_bob', compartment: pool };
  const omnibus = { ...small, compartments: 'omnibus' } as const;
  const both = after(bob, { item: 'policy', ...policy, rules: [small, omnibus] });
  const inPool = { ...withdrawal, compartment: pool };
  assert.equal(codeOf(judgeMovement(both, question(inPool))), 'signer/unknown-destination', 'of another compartment');
  const bobs = {
    item: 'destination',
    client: 'cl_bob',
    compartment: pool,
    chain: mainnet,
    address: payee,
    label: 'x',
  } as const;
  const enrolledForBob = applyList(nobleHashes, both, { list: [bobs], now, authority: 'operational' });
  assert.equal(
    codeOf(judgeMovement(enrolledForBob, question(inPool))),
    'signer/unknown-destination',
    'of another client',
  );
  assert.equal(codeOf(judgeMovement(enrolledForBob, question({ ...inPool, client: 'cl_bob' }))), undefined);
  const elsewhere = { ...bobs, client, compartment: vault, chain: parseChainId('eip155:31337'), address: ours };
  const onAnvil = applyList(nobleHashes, registry, { list: [elsewhere], now, authority: 'operational' });
  assert.equal(
    codeOf(judgeMovement(onAnvil, question({ ...withdrawal, to: ours }))),
    'signer/unknown-destination',
    'on another chain',
  );
  // The approvers answer for where a deposit goes back to: its rule says so.
  assert.equal(codeOf(judgeMovement(registry, question({ ...intents['deposit-return'], to: ours }))), undefined);
});

test('kinds that nobody approves stay among our own addresses, each where it belongs', () => {
  const asked: string[] = [];
  for (const kind of ['sweep', 'gas-grant', 'fee-payment', 'cancel'] as const) {
    const intent = intents[kind];
    const isOwn: MovementQuestion['isOwn'] = (compartment, address, among) => {
      asked.push(`${kind} ${compartment} ${address === intent.to} ${among}`);
      return false;
    };
    assert.equal(codeOf(judgeMovement(registry, { ...question(intent), isOwn })), 'signer/unknown-destination', kind);
  }
  assert.deepEqual(asked, [
    `sweep ${vault} true listed`,
    `gas-grant ${vault} true derived`,
    'fee-payment 2 true listed',
    `cancel ${vault} true derived`,
  ]);
  const other = { ...intents['gas-grant'], compartment: parseCompartment(3) };
  assert.equal(codeOf(judgeMovement(registry, question(other))), 'signer/unknown-wallet');
});

test('velocity: what moved in the window of the rule and this amount stay within its limit', () => {
  const windows: bigint[] = [];
  const of = (before: bigint): string | undefined => {
    const spent = (seconds: bigint): bigint => (windows.push(seconds), before);
    return codeOf(judgeMovement(registry, { ...question(), spent }));
  };
  assert.equal(of(900n), undefined);
  assert.equal(of(901n), 'signer/velocity-exceeded');
  assert.deepEqual(new Set(windows), new Set([86_400n]));
  const grant = { ...question(intents['gas-grant']), spent: () => 8_901n };
  assert.equal(codeOf(judgeMovement(registry, grant)), 'signer/velocity-exceeded');
});

test('fees: of the intent, of one intent on the chain, of the compartment in a window', () => {
  for (const intent of Object.values(transfers)) {
    const of = (change: Partial<MovementQuestion>, of_ = intent as MovementIntent): string | undefined =>
      codeOf(judgeMovement(registry, { ...question(of_), ...change }));
    assert.equal(of({ fee: 901n }), 'signer/fee-above-limit', `${intent.kind}: above the intent`);
    const generous = { ...intent, feeMax: 5_000n };
    assert.equal(of({ fee: 1_000n }, generous), undefined, intent.kind);
    assert.equal(of({ fee: 1_001n }, generous), 'signer/fee-above-limit', `${intent.kind}: above the chain`);
    assert.equal(of({ feesSpent: () => 1_600n }), undefined, intent.kind);
    assert.equal(of({ feesSpent: () => 1_601n }), 'signer/fee-above-limit', `${intent.kind}: above the window`);
    const windows: bigint[] = [];
    of({ feesSpent: (seconds) => (windows.push(seconds), 0n) });
    assert.deepEqual(windows, [3_600n]);
  }
});

test('the requester signs, is registered, active and entitled', () => {
  const of = (requester: string | undefined, from = registry): string | undefined => {
    const { requester: _, ...others } = question();
    return codeOf(judgeMovement(from, requester === undefined ? others : { ...others, requester }));
  };
  assert.equal(of(undefined), 'signer/request-missing');
  assert.equal(of('nobody'), 'signer/person-not-entitled');
  assert.equal(of('anna'), 'signer/person-not-entitled', 'an approver only approves');
  const list: readonly RegistryItem[] = [{ item: 'person-suspended', person: 'olga' }];
  const suspended = applyList(nobleHashes, registry, { list, now, authority: 'operational' });
  assert.equal(of('olga', suspended), 'signer/person-not-entitled');
});

test('approvals: people who approve, each once, never the requester, never suspended', () => {
  const large = { ...withdrawal, amount: 500n };
  const of = (approvers: readonly string[], from = registry, requester = 'olga'): Judgement =>
    judgeMovement(from, { ...question(large), approvers, requester });
  assert.deepEqual(of(['ben', 'anna', 'ben']).approvedBy, ['anna', 'ben']);
  for (const approvers of [[], ['anna'], ['anna', 'anna'], ['anna', 'nobody'], ['anna', 'admin'], ['anna', 'olga']]) {
    assert.equal(codeOf(of(approvers)), 'signer/approvals-missing', approvers.join());
  }
  const list: readonly RegistryItem[] = [{ item: 'person-suspended', person: 'ben' }];
  const suspended = applyList(nobleHashes, registry, { list, now, authority: 'operational' });
  assert.deepEqual(of(['anna', 'ben'], suspended).approvedBy, ['anna']);
  assert.equal(codeOf(of(['anna', 'ben'], suspended)), 'signer/approvals-missing');
  // Whoever has both roles never approves what they asked for.
  const both = after(person('dora', 'approver', 'requester'));
  assert.deepEqual(of(['anna', 'dora'], both, 'dora').approvedBy, ['anna']);
  assert.equal(codeOf(of(['anna', 'dora'], both, 'dora')), 'signer/approvals-missing');
  assert.equal(codeOf(of(['anna', 'dora'], both, 'olga')), undefined);
});

test('the first check that fails is the refusal; people come last', () => {
  // Each entry breaks one thing more than the one after it leaves broken, in the order of the checks.
  const broken: [string, Partial<MovementIntent>, Partial<MovementQuestion>][] = [
    ['signer/wrong-deployment', { deployment: 'f'.repeat(32) }, {}],
    ['signer/intent-expired', {}, { now: later + 61n }],
    ['signer/chain-not-development', {}, { residency: 'software' }],
    ['signer/unknown-client', { client: 'cl_bob' }, {}],
    ['signer/amount-above-limit', { amount: 501n }, {}],
    ['signer/unknown-destination', { to: ours }, {}],
    ['signer/velocity-exceeded', {}, { spent: () => 1_000n }],
    ['signer/fee-above-limit', {}, { fee: 901n }],
    ['signer/approvals-missing', {}, { approvers: [] }],
  ];
  for (let from = 0; from < broken.length; from++) {
    const left = broken.slice(from);
    const intent = Object.assign({}, withdrawal, ...left.map(([, change]) => change)) as MovementIntent;
    const asked = Object.assign({}, question(intent), ...left.map(([, , change]) => change)) as MovementQuestion;
    assert.equal(codeOf(judgeMovement(registry, asked)), broken[from]?.[0]);
  }
});
