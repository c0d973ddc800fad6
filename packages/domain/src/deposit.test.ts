import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nativeAsset, parseChainId } from './asset.ts';
import { type BlockRef, parseHash } from './chain.ts';
import { parseCompartment } from './compartment.ts';
import {
  claimOf,
  decideDeposit,
  type DepositEvent,
  type DepositResult,
  type DepositState,
  type DepositTerms,
  type Disposition,
} from './deposit.ts';
import type { ScreeningVerdict } from './screening.ts';
import type { TransferRequest } from './transfer.ts';

const block: BlockRef = { number: 9n, hash: parseHash(`0x${'9'.repeat(64)}`) };
const terms: DepositTerms = {
  id: 'dep_1',
  compartment: parseCompartment(10_000),
  asset: nativeAsset(parseChainId('eip155:1')),
  wallet: 'wal_1',
  amount: 70n,
};
const detected: DepositState = { step: 'detected' };
const dispositions: readonly Disposition[] = ['client', 'unassigned', 'dust', 'unexplained', 'house-funding'];
const verdicts: readonly ScreeningVerdict[] = ['clear', 'hit', 'review', 'inconclusive', 'not-screened'];

function finalized(disposition: Disposition, credited = 69n): DepositEvent {
  const client = disposition === 'client' ? { client: 'cl_1' } : {};
  return { type: 'finalized', block, credited, disposition, ...client };
}

function screened(verdict: ScreeningVerdict, ruleReleases = false): DepositEvent {
  return { type: 'screened', verdict, ruleReleases };
}

const released = (by: string): DepositEvent => ({ type: 'release-asked', by });
const frozen = (by: string): DepositEvent => ({ type: 'freeze-asked', by });
const assigned = (by: string, client = 'cl_1'): DepositEvent => ({ type: 'assignment-asked', by, client });
const returning = (withdrawal: string): DepositEvent => ({ type: 'return-asked', withdrawal });
const returnEnded = (withdrawal: string, settled: boolean): DepositEvent => ({
  type: 'return-ended',
  withdrawal,
  settled,
});

function decide(state: DepositState, event: DepositEvent): Extract<DepositResult, { status: 'decided' }> {
  const result = decideDeposit(terms, state, event);
  assert.equal(result.status, 'decided', `${event.type} in ${state.step}`);
  return result;
}

function run(...events: readonly DepositEvent[]): DepositState {
  return events.reduce((state, event) => decide(state, event).state, detected);
}

/** Every situation that a deposit can be in, by the events that lead there. */
const situations = {
  detected: [],
  removed: [{ type: 'removed' }],
  quarantined: [finalized('client')],
  proposed: [finalized('client'), released('ann')],
  frozen: [finalized('client'), frozen('ann')],
  returning: [finalized('client'), returning('wd_1')],
  released: [finalized('client'), screened('clear')],
  returned: [finalized('client'), returning('wd_1'), returnEnded('wd_1', true)],
  suspense: [finalized('unassigned')],
  dust: [finalized('dust')],
  unexplained: [finalized('unexplained')],
  house: [finalized('house-funding')],
  nothing: [finalized('client', 0n)],
} satisfies Readonly<Record<string, readonly DepositEvent[]>>;

type Situation = keyof typeof situations;
const names: readonly Situation[] = [
  'detected',
  'removed',
  'quarantined',
  'proposed',
  'frozen',
  'returning',
  'released',
  'returned',
  'suspense',
  'dust',
  'unexplained',
  'house',
  'nothing',
];

const steps: Readonly<Record<string, DepositState['step']>> = {
  d: 'detected',
  f: 'final',
  x: 'frozen',
  r: 'released',
  b: 'returned',
  m: 'removed',
};

/**
 * What each event does in each situation, in the order of `names`: a letter of {@link steps} where it moves, `=`: nothing changes;
 * `+`: a note inside the step; `!`: a bug; `~`: refused for the state; `2`: a second person is missing.
 */
const table: readonly (readonly [name: string, event: DepositEvent, cells: string])[] = [
  ['removed', { type: 'removed' }, 'm=!!!!!!!!!!!'],
  ['restored', { type: 'restored' }, '=d==========='],
  ['final, client', finalized('client'), 'f============'],
  ['final, nobody', finalized('unassigned'), 'f============'],
  ['final, house', finalized('house-funding'), 'f============'],
  ['final, nothing', finalized('client', 0n), 'f============'],
  ['clear', screened('clear'), '==rr========='],
  ['hit', screened('hit'), '==xx========='],
  ['review', screened('review', true), '==++========='],
  ['inconclusive', screened('inconclusive', true), '==++========='],
  ['not screened', screened('not-screened'), '==++========='],
  ['not screened, rule', screened('not-screened', true), '==rr========='],
  ['release by one', released('ann'), '~~+2+~~~~~~~~'],
  ['release by another', released('bob'), '~~+r+~~~~~~~~'],
  ['freeze', frozen('bob'), '~~xx=~~~~~~~~'],
  ['assignment', assigned('ann'), '~~~~~~~~+++~~'],
  ['return', returning('wd_2'), '~~+++~~~~~~~~'],
  ['return settled', returnEnded('wd_1', true), '=====b======='],
  ['return failed', returnEnded('wd_1', false), '=====+======='],
  ['another return settled', returnEnded('wd_0', true), '============='],
  ['another return failed', returnEnded('wd_0', false), '============='],
];

function cellOf(state: DepositState, event: DepositEvent): string {
  try {
    const result = decideDeposit(terms, state, event);
    if (result.status === 'refused') {
      if (result.code === 'four-eyes/second-person-needed') return '2';
      return result.code === 'deposit/wrong-state' ? '~' : result.code;
    }
    if (result.state.step !== state.step) {
      return Object.entries(steps).find(([, step]) => step === result.state.step)?.[0] ?? result.state.step;
    }
    assert.deepEqual([result.transfers, result.effects], [[], []], `${event.type} in ${state.step} moves nothing`);
    try {
      assert.deepEqual(result.state, state);
      return '=';
    } catch {
      return '+';
    }
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'invariant/broken', String(error));
    return '!';
  }
}

test('every event in every situation: where it leads, where it changes nothing, where it is refused', () => {
  assert.deepEqual(Object.keys(situations), names);
  for (const [name, event, cells] of table) {
    assert.equal(cells.length, names.length);
    const found = names.map((situation) => cellOf(run(...situations[situation]), event));
    assert.equal(found.join(''), cells, name);
  }
});

type Shape = readonly [debit: string, credit: string, amount: bigint, code: string, block: bigint | undefined];

function shapes(result: Extract<DepositResult, { status: 'decided' }>): readonly Shape[] {
  return result.transfers.flat().map((request) => {
    assert.equal(request.type, 'post');
    const { debit, credit, amount, code } = request;
    assert.equal(request.reference, 'dep_1');
    assert.equal(request.compartment, terms.compartment);
    return [`${debit.kind}:${debit.holder}`, `${credit.kind}:${credit.holder}`, amount, code, request.block?.number];
  });
}

test('finality books what arrived to the account of its disposition, and asks for screening where it is a client', () => {
  const account: Readonly<Record<Disposition, string>> = {
    client: 'quarantine:cl_1',
    unassigned: 'suspense:',
    dust: 'suspense:',
    unexplained: 'suspense:',
    'house-funding': 'equity:',
  };
  for (const disposition of dispositions) {
    const result = decide(detected, finalized(disposition));
    assert.deepEqual(shapes(result), [['wallet:wal_1', account[disposition], 69n, `deposit-${disposition}`, 9n]]);
    assert.deepEqual(result.effects, disposition === 'client' ? [{ type: 'screen' }] : []);
    assert.equal(result.state.credited, 69n, 'what the balance says, not what the event says');
    const nothing = decide(detected, finalized(disposition, 0n));
    assert.deepEqual([nothing.transfers, nothing.effects, nothing.state.step], [[], [], 'final']);
  }
  assert.throws(
    () => decideDeposit(terms, detected, { type: 'finalized', block, credited: 1n, disposition: 'client' }),
    {
      code: 'invariant/broken',
    },
  );
});

test('an address that was a client address when the deposit was seen, and is nobody any more, credits nobody', () => {
  const state = decide({ step: 'detected', client: 'cl_1' }, finalized('unassigned')).state;
  assert.equal(state.client, undefined);
});

test('a release moves the claim from quarantine to what is available, whoever releases', () => {
  const claim: readonly Shape[] = [['quarantine:cl_1', 'available:cl_1', 69n, 'deposit-release', undefined]];
  for (const [events, last, by] of [
    [situations.quarantined, screened('clear'), 'screening'],
    [situations.quarantined, screened('not-screened', true), 'rule'],
    [situations.proposed, released('bob'), 'bob'],
    [[...situations.frozen, released('ann')], released('bob'), 'bob'],
  ] as const) {
    const result = decide(run(...events), last);
    assert.deepEqual(shapes(result), claim);
    assert.equal(result.state.releasedBy, by);
  }
});

test('a proposal to release that was made before a freeze does not count after it', () => {
  for (const freeze of [frozen('cid'), screened('hit')]) {
    const state = run(...situations.proposed, freeze);
    const second = decide(state, released('bob'));
    assert.equal(second.state.step, 'frozen', 'one person who knows of the freeze is not two');
    assert.equal(decideDeposit(terms, second.state, released('bob')).status, 'refused');
    assert.equal(decide(second.state, released('ann')).state.step, 'released');
  }
});

test('an assignment takes two people who name the same client, and then the deposit is one of that client in quarantine', () => {
  for (const situation of ['suspense', 'dust', 'unexplained'] as const) {
    const proposed = run(...situations[situation], assigned('ann'));
    const own = decideDeposit(terms, proposed, assigned('ann'));
    assert.ok(own.status === 'refused' && own.code === 'four-eyes/second-person-needed');
    const other = decide(proposed, assigned('bob', 'cl_2'));
    assert.deepEqual([other.transfers, other.state.disposition], [[], proposed.disposition], 'they do not agree');
    const result = decide(other.state, assigned('ann', 'cl_2'));
    assert.deepEqual(shapes(result), [['suspense:', 'quarantine:cl_2', 69n, 'deposit-assign', undefined]]);
    assert.deepEqual(result.effects, [{ type: 'screen' }]);
    assert.deepEqual([result.state.step, result.state.disposition, result.state.client], ['final', 'client', 'cl_2']);
    assert.equal(decide(result.state, screened('clear')).state.step, 'released');
  }
  const nothing = decideDeposit(terms, run(finalized('dust', 0n)), assigned('ann'));
  assert.ok(nothing.status === 'refused' && nothing.code === 'deposit/wrong-state');
});

test('what left with an exit is no longer released, returned or assigned; what left whole is over', () => {
  const left = (amount: bigint): DepositEvent => ({ type: 'claim-left', amount });
  const part = run(finalized('client'), left(29n));
  assert.deepEqual([part.step, claimOf(part)], ['final', 40n]);
  const moved = decide(decide(part, released('ann')).state, released('bea'));
  assert.deepEqual(
    moved.transfers.flat().map((one) => ('amount' in one ? one.amount : undefined)),
    [40n],
  );
  for (const disposition of ['client', 'unassigned'] as const) {
    const whole = run(finalized(disposition), left(29n), left(40n));
    assert.deepEqual([whole.step, claimOf(whole)], ['exited', 0n]);
    for (const event of [released('ann'), frozen('ann'), returning('wd_1'), assigned('ann')]) {
      assert.equal(decideDeposit(terms, whole, event).status, 'refused');
    }
    assert.deepEqual(decide(whole, screened('clear')).state, whole);
    assert.throws(() => decideDeposit(terms, whole, left(1n)), { code: 'invariant/broken' });
  }
  assert.throws(() => decideDeposit(terms, part, left(41n)), { code: 'invariant/broken' });
});

test('a return that failed puts the deposit where it was, and it can be returned again', () => {
  for (const situation of ['quarantined', 'frozen'] as const) {
    const before = run(...situations[situation]);
    const back = decide(decide(before, returning('wd_1')).state, returnEnded('wd_1', false)).state;
    assert.deepEqual(back, before);
    const again = decide(back, returning('wd_2')).state;
    assert.equal(
      decide(again, returnEnded('wd_1', true)).state,
      again,
      'the end of the first return says nothing of the second',
    );
    assert.equal(decide(again, returnEnded('wd_2', true)).state.step, 'returned');
  }
});

// Random lives of a deposit, with the claims as the books would have them.

class Claims {
  readonly balances: Map<string, bigint> = new Map();
  readonly keys: Set<string> = new Set();
  /** What the wallet was debited in all. */
  credited = 0n;
  bookings = 0;

  apply(groups: readonly (readonly TransferRequest[])[]): void {
    for (const request of groups.flat()) {
      assert.equal(request.type, 'post');
      assert.ok(!this.keys.has(request.key), 'a key is used once');
      this.keys.add(request.key);
      this.move(request.debit.kind, -request.amount);
      this.move(request.credit.kind, request.amount);
      if (request.debit.kind !== 'wallet') continue;
      this.credited += request.amount;
      this.bookings += 1;
    }
  }

  move(kind: string, amount: bigint): void {
    const balance = (this.balances.get(kind) ?? 0n) + amount;
    assert.ok(kind === 'wallet' || balance >= 0n, `${kind} is negative`);
    this.balances.set(kind, balance);
  }

  get holding(): readonly string[] {
    return [...this.balances].filter(([kind, balance]) => kind !== 'wallet' && balance !== 0n).map(([kind]) => kind);
  }
}

function accountWhere(state: DepositState): readonly string[] {
  if (state.step === 'detected' || state.step === 'removed' || state.step === 'returned') return [];
  if ((state.credited ?? 0n) === 0n) return [];
  if (state.disposition === 'house-funding') return ['equity'];
  if (state.disposition !== 'client') return ['suspense'];
  return [state.step === 'released' ? 'available' : 'quarantine'];
}

const people = fc.constantFrom('ann', 'bob', 'cid');
const events: fc.Arbitrary<DepositEvent> = fc.oneof<fc.Arbitrary<DepositEvent>[]>(
  fc.constantFrom({ type: 'restored' }, { type: 'removed' }),
  fc
    .tuple(fc.constantFrom(...dispositions), fc.constantFrom(0n, 1n, 69n))
    .map(([disposition, credited]) => finalized(disposition, credited)),
  fc.tuple(fc.constantFrom(...verdicts), fc.boolean()).map(([verdict, rule]) => screened(verdict, rule)),
  people.map(released),
  people.map(frozen),
  fc.tuple(people, fc.constantFrom('cl_1', 'cl_2')).map(([by, client]) => assigned(by, client)),
  fc.constantFrom('wd_1', 'wd_2').map(returning),
  fc.tuple(fc.constantFrom('wd_1', 'wd_2'), fc.boolean()).map(([id, settled]) => returnEnded(id, settled)),
);

test('whatever happens in whatever order, it is credited at most once and its claim is in exactly one place', () => {
  const ends = new Set<string>();
  fc.assert(
    fc.property(fc.array(events, { maxLength: 25 }), (sequence) => {
      const claims = new Claims();
      let state = detected;
      for (const event of sequence) {
        if (event.type === 'removed' && state.step !== 'detected' && state.step !== 'removed') continue;
        const result = decideDeposit(terms, state, event);
        if (result.status === 'refused') continue;
        claims.apply(result.transfers);
        // The withdrawal that returned it has taken it out of quarantine.
        if (result.state.step === 'returned' && state.step !== 'returned') {
          claims.move('quarantine', -(state.credited ?? 0n));
          assert.equal(event.type === 'return-ended' && event.withdrawal, state.returnedBy);
        }
        if (state.step === 'released' || state.step === 'returned') {
          assert.deepEqual(result.state, state, 'what is over stays');
        }
        state = result.state;
        assert.deepEqual(claims.holding, accountWhere(state));
        assert.ok(claims.bookings <= 1);
        assert.equal(claims.credited, state.credited ?? 0n);
      }
      ends.add(state.step);
    }),
    { numRuns: 3_000, seed: 20 },
  );
  assert.deepEqual([...ends].toSorted(), ['detected', 'final', 'frozen', 'released', 'removed', 'returned']);
});

test('people release only in twos, and both of them after the last freeze', () => {
  let seen = 0;
  const acts = fc.array(fc.oneof(people.map(released), people.map(released), people.map(frozen)), { maxLength: 12 });
  fc.assert(
    fc.property(acts, (sequence) => {
      let state = run(finalized('client'));
      let askedSince = new Set<string>();
      for (const event of sequence) {
        const result = decideDeposit(terms, state, event);
        if (event.type === 'freeze-asked' && result.status === 'decided') askedSince = new Set();
        if (event.type === 'release-asked') askedSince.add(event.by);
        if (result.status === 'decided') state = result.state;
        if (state.step !== 'released') continue;
        assert.equal(askedSince.size, 2);
        seen += 1;
        return;
      }
    }),
    { seed: 20 },
  );
  assert.ok(seen > 10);
});
