import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DispatchOutcome } from './dispatch.ts';
import { block, elsewhere, exampleTerms, found, here, missing, native } from './testing/example-withdrawal.ts';
import { Holds } from './testing/holds.ts';
import {
  approvalsNeededOf,
  decideWithdrawal,
  openWithdrawal,
  withdrawalEnded,
  type WithdrawalEffect,
  type WithdrawalEvent,
} from './withdrawal.ts';
import { feeAccount } from './withdrawal-hold.ts';
import { withdrawalIntent, type WithdrawalState, type WithdrawalStep } from './withdrawal-terms.ts';

const early = new Date('2030-01-01T00:00:00Z');
const late = new Date('2030-01-02T00:00:00.900Z');
const terms = exampleTerms(late);

/** The step after `event`; anything but a decision ends the test. */
function after(
  state: WithdrawalState,
  event: WithdrawalEvent,
  { now = early, of = terms }: { now?: Date; of?: typeof terms } = {},
): WithdrawalState {
  const result = decideWithdrawal({ terms: of, state }, event, now);
  assert.equal(result.status, 'decided', `${event.type} in ${state.step}`);
  return result.state;
}

const finish = (outcome: DispatchOutcome, fee = 3n): WithdrawalEvent => {
  const burnt = outcome !== 'abandoned' && outcome !== 'impossible' && outcome !== 'superseded';
  return burnt
    ? { type: 'dispatch-finished', outcome, fee, block }
    : { type: 'dispatch-finished', outcome, fee: 0n, ...(outcome === 'superseded' ? { block } : {}) };
};
/** One state of every step, each reached by events. */
function statesOf(of: typeof terms): ReadonlyMap<WithdrawalStep, WithdrawalState> {
  const step = (state: WithdrawalState, event: WithdrawalEvent, now = early): WithdrawalState =>
    after(state, event, { now, of });
  const requested = openWithdrawal(of, here).state;
  const screened = step(requested, { type: 'screened', verdict: 'review', ruleReleases: true });
  const awaitingApproval = step(screened, { type: 'released', by: 'ruth' });
  const agreed = step(step(awaitingApproval, { type: 'approved', by: 'ruth' }), { type: 'approved', by: 'sam' });
  const approved = step(agreed, { type: 'request-signed', by: of.requestedBy });
  const awaitingLiquidity = step(approved, missing);
  const signing = step(awaitingLiquidity, found(here));
  const broadcast = step(signing, { type: 'signed' });
  const all = [
    requested,
    screened,
    awaitingApproval,
    approved,
    awaitingLiquidity,
    signing,
    broadcast,
    step(broadcast, finish('succeeded')),
    step(broadcast, finish('reverted')),
    step(approved, { type: 'rejected', by: 'ruth', reason: 'no' }),
    step(approved, { type: 'cancel-asked', by: 'olga' }),
    step(approved, { type: 'expiry-due' }, late),
  ];
  return new Map(all.map((state) => [state.step, state]));
}

const steps: readonly WithdrawalStep[] = [
  'requested',
  'screened',
  'awaiting-approval',
  'approved',
  'awaiting-liquidity',
  'signing',
  'broadcast',
  'settled',
  'failed',
  'rejected',
  'cancelled',
  'expired',
];

/** `=`: nothing at all changes; `+`: the state changes inside its step; `!`: a bug, and treated as one. */
type Expected = '=' | '+' | '!' | WithdrawalStep | `withdrawal/${string}`;

const wrong = 'withdrawal/wrong-state';
const own = 'withdrawal/requester-may-not-approve';
const foreign = 'withdrawal/not-the-requester';
type Row = readonly [name: string, event: WithdrawalEvent, now: Date, expected: readonly Expected[], ended: Expected];

/** What each event does in the seven living steps, in their order, and in all of the five ended ones. */
const table: readonly Row[] = [
  [
    'clear',
    { type: 'screened', verdict: 'clear', ruleReleases: false },
    early,
    ['awaiting-approval', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'not screened',
    { type: 'screened', verdict: 'not-screened', ruleReleases: false },
    early,
    ['screened', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'not screened, rule',
    { type: 'screened', verdict: 'not-screened', ruleReleases: true },
    early,
    ['awaiting-approval', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'hit, rule',
    { type: 'screened', verdict: 'hit', ruleReleases: true },
    early,
    ['screened', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'review, rule',
    { type: 'screened', verdict: 'review', ruleReleases: true },
    early,
    ['screened', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'inconclusive, rule',
    { type: 'screened', verdict: 'inconclusive', ruleReleases: true },
    early,
    ['screened', '=', '=', '=', '=', '=', '='],
    '=',
  ],
  [
    'released',
    { type: 'released', by: 'tom' },
    early,
    [wrong, 'awaiting-approval', wrong, wrong, wrong, wrong, wrong],
    wrong,
  ],
  ['released, own', { type: 'released', by: 'olga' }, early, [own, own, own, own, own, own, own], own],
  ['released, late', { type: 'released', by: 'tom' }, late, [wrong, wrong, wrong, wrong, wrong, wrong, wrong], wrong],
  ['approved', { type: 'approved', by: 'tom' }, early, [wrong, wrong, '+', wrong, wrong, wrong, wrong], wrong],
  [
    'approved, more needed',
    { type: 'approved', by: 'tom', needed: 3 },
    early,
    [wrong, wrong, '+', '+', '+', '+', wrong],
    wrong,
  ],
  [
    'approved, fewer needed',
    { type: 'approved', by: 'tom', needed: 1 },
    early,
    [wrong, wrong, '+', wrong, wrong, wrong, wrong],
    wrong,
  ],
  ['request signed', { type: 'request-signed', by: 'olga' }, early, ['+', '+', '+', wrong, wrong, wrong, wrong], wrong],
  [
    'request signed by another',
    { type: 'request-signed', by: 'tom' },
    early,
    [foreign, foreign, foreign, foreign, foreign, foreign, foreign],
    foreign,
  ],
  [
    'request signed, late',
    { type: 'request-signed', by: 'olga' },
    late,
    [wrong, wrong, wrong, wrong, wrong, wrong, wrong],
    wrong,
  ],
  ['approvals missing', { type: 'approvals-missing', needed: 3 }, early, ['+', '+', '+', '+', '+', '+', '+'], '='],
  ['approved, own', { type: 'approved', by: 'olga' }, early, [own, own, own, own, own, own, own], own],
  ['approved, late', { type: 'approved', by: 'tom' }, late, [wrong, wrong, wrong, wrong, wrong, wrong, wrong], wrong],
  [
    'rejected',
    { type: 'rejected', by: 'tom', reason: 'no' },
    early,
    ['rejected', 'rejected', 'rejected', 'rejected', 'rejected', wrong, wrong],
    wrong,
  ],
  [
    'rejected, late',
    { type: 'rejected', by: 'tom', reason: 'no' },
    late,
    ['rejected', 'rejected', 'rejected', 'rejected', 'rejected', wrong, wrong],
    wrong,
  ],
  [
    'cancel asked',
    { type: 'cancel-asked', by: 'olga' },
    early,
    ['cancelled', 'cancelled', 'cancelled', 'cancelled', 'cancelled', '+', '+'],
    wrong,
  ],
  ['expiry, early', { type: 'expiry-due' }, early, ['=', '=', '=', '=', '=', '=', '='], '='],
  ['expiry', { type: 'expiry-due' }, late, ['expired', 'expired', 'expired', 'expired', 'expired', '=', '='], '='],
  ['liquidity', found(here), early, ['=', '=', '=', 'signing', 'signing', '=', '='], '='],
  ['liquidity elsewhere', found(elsewhere), early, ['=', '=', '=', 'signing', 'signing', '=', '='], '='],
  ['liquidity, late', found(here), late, ['=', '=', '=', '=', '=', '=', '='], '='],
  ['no liquidity', missing, early, ['=', '=', '=', 'awaiting-liquidity', '=', '=', '='], '='],
  ['signed', { type: 'signed' }, early, ['=', '=', '=', '=', '=', 'broadcast', '='], '='],
  ['succeeded', finish('succeeded'), early, ['!', '!', '!', '!', '!', 'settled', 'settled'], '='],
  ['reverted', finish('reverted'), early, ['!', '!', '!', '!', '!', 'failed', 'failed'], '='],
  ['cancelled', finish('cancelled'), early, ['!', '!', '!', '!', '!', 'expired', 'expired'], '='],
  ['superseded', finish('superseded'), early, ['!', '!', '!', '!', '!', 'failed', 'failed'], '='],
  ['abandoned', finish('abandoned'), early, ['!', '!', '!', '!', '!', 'expired', 'expired'], '='],
  ['impossible', finish('impossible'), early, ['!', '!', '!', '!', '!', 'failed', 'failed'], '='],
];

function outcomeOf(of: typeof terms, state: WithdrawalState, [, event, now]: Row): Expected {
  try {
    const result = decideWithdrawal({ terms: of, state }, event, now);
    if (result.status === 'refused') {
      assert.ok(result.code.startsWith('withdrawal/'));
      return result.code === wrong || result.code === own || result.code === foreign ? result.code : '!';
    }
    const effects = effectsWhere(result.state.step, state.step, event);
    assert.deepEqual(result.effects, effects, `${event.type} in ${state.step}`);
    const moved = result.state.step !== state.step;
    if (!moved) assert.deepEqual(result.transfers, [], `${event.type} in ${state.step} moves nothing`);
    if (moved) return result.state.step;
    return JSON.stringify(result.state) === JSON.stringify(state) ? '=' : '+';
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'invariant/broken', String(error));
    return '!';
  }
}

/** What must run after the commit of a move. */
function effectsWhere(
  step: WithdrawalStep,
  before: WithdrawalStep,
  event: WithdrawalEvent,
): readonly WithdrawalEffect[] {
  if (step === before) {
    if (event.type === 'approved' && step === 'signing') return [{ type: 'retry-dispatch' }];
    return event.type === 'cancel-asked' && !withdrawalEnded(step) ? [{ type: 'cancel-dispatch' }] : [];
  }
  if (withdrawalEnded(step)) return [{ type: 'finished' }];
  return step === 'signing' ? [{ type: 'dispatch' }] : [];
}

test('every event in every step: where it leads, where it changes nothing, where it is refused', () => {
  const variants: readonly (typeof terms)[] = [
    terms,
    { ...terms, feePayer: 'house', asset: native },
    { ...terms, kind: 'deposit-return', feePayer: 'house' },
  ];
  for (const of of variants) {
    const states = statesOf(of);
    assert.deepEqual([...states.keys()], steps, 'there is a state for every step');
    for (const row of table) {
      const [name, , , living, ended] = row;
      assert.equal(living.length, 7);
      for (const [n, step] of steps.entries()) {
        const state = states.get(step);
        assert.ok(state !== undefined);
        assert.equal(withdrawalEnded(step), n >= 7);
        assert.equal(outcomeOf(of, state, row), living[n] ?? ended, `${name} in ${step}`);
      }
    }
  }
});

test('the reason of a wait goes when it is over, and every other end says its reason', () => {
  const states = statesOf(terms);
  assert.equal(states.get('awaiting-liquidity')?.reason, 'no wallet holds enough');
  assert.equal(states.get('signing')?.reason, undefined);
  assert.equal(states.get('settled')?.reason, undefined);
  for (const step of ['failed', 'rejected', 'cancelled', 'expired'] as const) {
    assert.ok((states.get(step)?.reason ?? '').length > 0, step);
  }
});

test('whoever asked for a cancellation has cancelled it; where nobody asked it has expired', () => {
  const signing = statesOf(terms).get('signing');
  assert.ok(signing !== undefined);
  const asked = after(signing, { type: 'cancel-asked', by: 'tom' });
  for (const outcome of ['cancelled', 'abandoned'] as const) {
    const cancelled = after(asked, finish(outcome));
    assert.equal(cancelled.step, 'cancelled');
    assert.match(cancelled.reason ?? '', /tom/u);
    assert.equal(after(signing, finish(outcome)).step, 'expired');
  }
  assert.equal(after(asked, finish('succeeded')).step, 'settled', 'it was too late');
});

test('asking again for a cancellation changes nothing, whoever asks', () => {
  const signing = statesOf(terms).get('signing');
  assert.ok(signing !== undefined);
  const asked = after(signing, { type: 'cancel-asked', by: 'tom' });
  const again = decideWithdrawal({ terms, state: asked }, { type: 'cancel-asked', by: 'ann' }, early);
  assert.deepEqual(again, { status: 'decided', state: asked, transfers: [], effects: [] });
});

test('a quorum is that many different people, none of whom asked, and nothing goes on without the signature of who did', () => {
  const signs = 'the signature of olga';
  const acts = fc.array(fc.constantFrom('olga', 'ruth', 'sam', 'tom', 'ann', signs), { maxLength: 30 });
  const reached = new Set<string>();
  fc.assert(
    fc.property(acts, fc.integer({ min: 1, max: 4 }), (sequence, quorum) => {
      const of = { ...terms, quorum };
      let state = after(
        openWithdrawal(of, here).state,
        { type: 'screened', verdict: 'clear', ruleReleases: false },
        { of },
      );
      const counted = new Set<string>();
      let signed = false;
      for (const by of sequence) {
        const before = state;
        const complete = counted.size >= quorum && signed;
        const event: WithdrawalEvent = by === signs ? { type: 'request-signed', by: 'olga' } : { type: 'approved', by };
        const result = decideWithdrawal({ terms: of, state }, event, early);
        if (by === 'olga') {
          assert.ok(result.status === 'refused' && result.code === own);
        } else if (complete || (by === signs && signed)) {
          assert.ok(result.status === 'refused' && result.code === wrong);
        } else if (counted.has(by)) {
          assert.ok(result.status === 'refused' && result.code === 'withdrawal/already-approved');
        } else {
          assert.equal(result.status, 'decided');
          if (by === signs) signed = true;
          else counted.add(by);
          state = result.state;
          const done: boolean = counted.size >= quorum && signed;
          if (done) reached.add(by === signs ? 'by the requester' : 'by an approver');
          assert.deepEqual(result.effects, done ? [{ type: 'find-liquidity' }] : []);
        }
        if (result.status === 'refused') assert.equal(state, before);
        assert.deepEqual([state.approvedBy, state.requestSigned], [[...counted], signed]);
        assert.equal(state.step, counted.size >= quorum && signed ? 'approved' : 'awaiting-approval');
      }
    }),
    { numRuns: 400, seed: 11 },
  );
  assert.deepEqual(reached, new Set(['by the requester', 'by an approver']));
});

test('where nobody has to approve, nobody has to sign: it goes on when it is screened', () => {
  const of = { ...terms, quorum: 0 };
  const { state } = openWithdrawal(of, here);
  const clear = decideWithdrawal(
    { terms: of, state },
    { type: 'screened', verdict: 'clear', ruleReleases: false },
    early,
  );
  assert.ok(clear.status === 'decided');
  assert.deepEqual([clear.state.step, clear.effects], ['approved', [{ type: 'find-liquidity' }]]);
  const held = after(state, { type: 'screened', verdict: 'hit', ruleReleases: false }, { of });
  assert.equal(after(held, { type: 'released', by: 'tom' }, { of }).step, 'approved');
});

test('what the signer misses when it is asked may still be signed, and each signature that completes it tries again', () => {
  const of = { ...terms, quorum: 0 };
  const clear = { type: 'screened', verdict: 'clear', ruleReleases: false } as const;
  const signing = after(after(openWithdrawal(of, here).state, clear, { of }), found(here), { of });
  const told = after(signing, { type: 'approvals-missing', needed: 1 }, { of });
  const first = decideWithdrawal({ terms: of, state: told }, { type: 'approved', by: 'ruth' }, early);
  assert.ok(first.status === 'decided');
  assert.deepEqual(first.effects, [], 'the requester has not signed yet');
  const second = decideWithdrawal({ terms: of, state: first.state }, { type: 'request-signed', by: 'olga' }, early);
  assert.ok(second.status === 'decided');
  assert.deepEqual([second.state.step, second.effects], ['signing', [{ type: 'retry-dispatch' }]]);
  const more = decideWithdrawal({ terms: of, state: second.state }, { type: 'approved', by: 'sam' }, early);
  assert.ok(more.status === 'refused' && more.code === wrong, 'nobody is missing any more');
});

test('an approval that says how many are needed never lets it go on with fewer', () => {
  const clear = { type: 'screened', verdict: 'clear', ruleReleases: false } as const;
  let state = after(after(openWithdrawal(terms, here).state, clear), { type: 'request-signed', by: 'olga' });
  for (const by of ['ruth', 'sam']) state = after(state, { type: 'approved', by, needed: 3 });
  assert.equal(state.step, 'awaiting-approval');
  assert.equal(approvalsNeededOf(terms, state), 3);
  assert.equal(after(state, { type: 'approved', by: 'tom' }).step, 'approved');
});

test('holds are taken from the accounts that bear them, and move with the wallet', () => {
  const accounts = (of: typeof terms, holds: Holds): readonly unknown[] =>
    holds.all.map(({ request, ended }) => [
      request.debit.kind,
      request.credit.holder,
      request.asset === of.asset,
      request.amount,
      ended,
    ]);
  for (const [of, opened, moved] of [
    [
      terms,
      [
        ['available', here, true, 70n],
        ['available', here, false, 20n],
      ],
      'available',
    ],
    [{ ...terms, feePayer: 'house' }, [['available', here, true, 70n]], 'gas'],
    [{ ...terms, kind: 'deposit-return', feePayer: 'house' }, [['quarantine', here, true, 70n]], 'gas'],
    [
      { ...terms, kind: 'deposit-return' },
      [
        ['quarantine', here, true, 70n],
        ['available', here, false, 20n],
      ],
      'available',
    ],
  ] as const) {
    const holds = new Holds();
    holds.apply(openWithdrawal(of, here).transfers);
    assert.deepEqual(
      accounts(of, holds),
      opened.map((line) => [...line, undefined]),
    );
    const approved = statesOf(of).get('approved');
    assert.ok(approved !== undefined);
    const result = decideWithdrawal({ terms: of, state: approved }, found(elsewhere), early);
    assert.equal(result.status, 'decided');
    assert.equal(result.transfers.length, 1, 'old and new holds change in one group or not at all');
    holds.apply(result.transfers);
    const principal = of.kind === 'withdrawal' ? 'available' : 'quarantine';
    assert.deepEqual(accounts(of, holds), [
      ...opened.map((line) => [...line, 'voided']),
      [principal, elsewhere, true, 70n, undefined],
      [moved, elsewhere, false, 20n, undefined],
    ]);
    assert.deepEqual(feeAccount(of), { kind: moved, holder: 'cl_1' });
  }
});

test('the intent is what was asked for, and its expiry is a whole second that is not after it', () => {
  assert.deepEqual(withdrawalIntent(terms), {
    deployment: terms.deployment,
    kind: 'withdrawal',
    id: 'wd_1',
    compartment: 100_000,
    asset: terms.asset,
    to: terms.destination,
    amount: 70n,
    feeMax: 20n,
    client: 'cl_1',
    feePayer: 'client',
    expiresAt: 1_893_542_400n,
  });
});

test('an event of a machine that comes again changes nothing and moves nothing', () => {
  const machines = table
    .map(([, event]) => event)
    .filter(({ type }) => !['released', 'request-signed', 'approved', 'rejected', 'cancel-asked'].includes(type));
  for (const state of statesOf(terms).values()) {
    for (const event of machines) {
      if (event.type === 'dispatch-finished' && !withdrawalEnded(state.step) && !state.reserved) continue;
      const once = after(state, event, { now: late });
      const twice = decideWithdrawal({ terms, state: once }, event, late);
      assert.deepEqual(
        twice,
        { status: 'decided', state: once, transfers: [], effects: [] },
        `${event.type} in ${state.step}`,
      );
    }
  }
});

test('principal and fee end in one group, the fee with what was really burnt', () => {
  const broadcast = statesOf(terms).get('broadcast');
  assert.ok(broadcast !== undefined);
  for (const outcome of ['succeeded', 'reverted', 'cancelled'] as const) {
    const result = decideWithdrawal({ terms, state: broadcast }, finish(outcome, 20n), early);
    assert.equal(result.status, 'decided');
    assert.equal(result.transfers.length, 1, 'principal and fee end together');
    const [group] = result.transfers;
    assert.deepEqual(
      group?.map((request) => [
        request.type,
        request.code,
        'amount' in request ? request.amount : 0n,
        request.block?.number,
      ]),
      [
        outcome === 'succeeded'
          ? ['post-hold', 'withdrawal-settle', 70n, 9n]
          : ['void-hold', 'withdrawal-void', 0n, undefined],
        ['post-hold', 'network-fee', 20n, 9n],
      ],
    );
  }
});

test('a settlement without the block that moved the coins is a bug', () => {
  const broadcast = statesOf(terms).get('broadcast');
  assert.ok(broadcast !== undefined);
  const event: WithdrawalEvent = { type: 'dispatch-finished', outcome: 'succeeded', fee: 3n };
  assert.throws(() => decideWithdrawal({ terms, state: broadcast }, event, early), { code: 'invariant/broken' });
});
