import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Hash, parseHash } from './chain.ts';
import { decideDispatch, type DispatchEvent, type DispatchState } from './dispatch.ts';
import { block, elsewhere, exampleTerms, found, here, missing } from './testing/example-withdrawal.ts';
import { Holds } from './testing/holds.ts';
import { decideWithdrawal, openWithdrawal, withdrawalEnded, type WithdrawalEvent } from './withdrawal.ts';
import type { WithdrawalState, WithdrawalStep, WithdrawalTerms } from './withdrawal-terms.ts';

const early = new Date('2030-01-01T00:00:00Z');
const late = new Date('2030-01-02T00:00:00.900Z');
const terms = exampleTerms(late);

type Step =
  | { readonly to: 'withdrawal'; readonly event: WithdrawalEvent; readonly late: boolean }
  | { readonly to: 'dispatch'; readonly event: DispatchEvent };

const hashOf = (n: number): Hash => parseHash(`0x${String(n).repeat(64)}`);
const feeTerms = { gasLimit: 1n, maxFeePerGas: 20n, maxPriorityFeePerGas: 1n };
const anyone = fc.constantFrom('olga', 'ruth', 'sam', 'tom');

const withdrawalStep: fc.Arbitrary<Step> = fc
  .tuple(
    fc.oneof<fc.Arbitrary<WithdrawalEvent>[]>(
      fc.record({
        type: fc.constant('screened'),
        verdict: fc.constantFrom('clear', 'hit', 'not-screened'),
        ruleReleases: fc.boolean(),
      }),
      fc.record({ type: fc.constant('released'), by: anyone }),
      fc.record({ type: fc.constant('approved'), by: anyone }),
      fc.record({ type: fc.constant('approved'), by: anyone, needed: fc.integer({ min: 0, max: 3 }) }),
      fc.constant({ type: 'request-signed', by: 'olga' }),
      fc.record({ type: fc.constant('approvals-missing'), needed: fc.integer({ min: 0, max: 3 }) }),
      fc.constantFrom(found(here), found(elsewhere), missing),
      fc.record({ type: fc.constant('rejected'), by: anyone, reason: fc.constant('no') }),
      fc.record({ type: fc.constant('cancel-asked'), by: anyone }),
      fc.constant({ type: 'expiry-due' }),
    ),
    fc.integer({ min: 0, max: 9 }),
  )
  .map(([event, hour]) => ({ to: 'withdrawal', event, late: hour === 9 }));

const dispatchStep: fc.Arbitrary<Step> = fc
  .oneof<fc.Arbitrary<DispatchEvent>[]>(
    fc.record({
      type: fc.constant('prepared'),
      nonce: fc.constant(7n),
      role: fc.constantFrom('effect', 'cancel'),
      terms: fc.constant(feeTerms),
    }),
    fc.constant({ type: 'impossible' }),
    fc.integer({ min: 1, max: 3 }).map((ordinal) => ({ type: 'signed', ordinal, hash: hashOf(ordinal) })),
    fc.record({
      type: fc.constant('sighted'),
      hash: fc.constantFrom(hashOf(1), hashOf(2)),
      sight: fc.constantFrom({ at: 'unknown' }, { at: 'mempool' }, { at: 'block', block, succeeded: true }),
    }),
    fc.record({ type: fc.constant('removed'), hash: fc.constant(hashOf(1)) }),
    fc.record({
      type: fc.constant('nonce-final'),
      hash: fc.constantFrom(hashOf(1), hashOf(2), hashOf(8)),
      succeeded: fc.boolean(),
      fee: fc.bigInt({ min: 0n, max: 20n }),
      block: fc.constant(block),
    }),
  )
  .map((event) => ({ to: 'dispatch', event }));

/** A withdrawal together with the dispatch that carries it out, joined as the workflows join them. */
class World {
  readonly holds: Holds = new Holds();
  readonly of: WithdrawalTerms;
  state: WithdrawalState;
  dispatch: DispatchState | undefined;
  /** How often the withdrawal said that it was over. */
  finished = 0;

  constructor(of: WithdrawalTerms) {
    this.of = of;
    const opened = openWithdrawal(of, here);
    this.state = opened.state;
    this.holds.apply(opened.transfers);
  }

  withdrawal(event: WithdrawalEvent, now: Date = early): void {
    const result = decideWithdrawal({ terms: this.of, state: this.state }, event, now);
    if (result.status === 'refused') return;
    this.state = result.state;
    this.holds.apply(result.transfers);
    for (const effect of result.effects) {
      if (effect.type === 'dispatch') this.dispatch = { step: 'queued' };
      if (effect.type === 'cancel-dispatch') this.carriedOut({ type: 'cancel-asked' });
      if (effect.type === 'finished') this.finished += 1;
    }
  }

  carriedOut(event: DispatchEvent): void {
    // Nobody sends an event of a dispatch, or a signature of an attempt, that was never there.
    if (this.dispatch === undefined) return;
    const known = this.dispatch.step === 'queued' ? 0 : this.dispatch.attempts.length;
    if (event.type === 'signed' && event.ordinal > known && this.dispatch.step !== 'done') return;
    if (event.type === 'nonce-final' && this.dispatch.step === 'done' && this.dispatch.block === undefined) return;
    const result = decideDispatch(this.dispatch, event);
    this.dispatch = result.state;
    if (event.type === 'signed' && result.state.step === 'broadcast') this.withdrawal({ type: 'signed' });
    for (const effect of result.effects) {
      if (effect.type !== 'finished' || result.state.step !== 'done') continue;
      const { outcome, fee, block: at } = result.state;
      this.withdrawal({ type: 'dispatch-finished', outcome, fee, ...(at === undefined ? {} : { block: at }) });
    }
  }

  get nonceIsOut(): boolean {
    return this.dispatch !== undefined && this.dispatch.step !== 'queued' && this.dispatch.step !== 'done';
  }
}

function checkHolds(world: World): void {
  const { holds, state, of } = world;
  const principal = holds.all.filter(({ request }) => request.amount === of.amount);
  const fees = holds.all.filter(({ request }) => request.amount === of.feeMax);
  assert.equal(principal.length + fees.length, holds.all.length);
  const paid = principal.reduce((sum, { posted }) => sum + posted, 0n);
  if (withdrawalEnded(state.step)) {
    assert.deepEqual(holds.open, [], `nothing is held after ${state.step}`);
    assert.equal(paid, state.step === 'settled' ? of.amount : 0n);
    assert.ok(fees.filter(({ ended }) => ended === 'posted').length <= 1);
    assert.equal(state.reserved, false);
    assert.equal(world.finished, 1, 'it says once that it is over');
    assert.ok(!world.nonceIsOut, 'nothing can still be sent');
  } else {
    assert.equal(paid, 0n);
    const open = holds.open.map(({ request }) => request);
    assert.deepEqual(
      open.map(({ amount }) => amount),
      state.feeHeld ? [of.amount, of.feeMax] : [of.amount],
    );
    assert.ok(
      open.every(({ credit }) => credit.holder === state.wallet),
      'the holds name the wallet that will pay',
    );
    assert.equal(world.finished, 0);
  }
}

const payers = fc.constantFrom<WithdrawalTerms['feePayer'][]>('client', 'house');
const kinds = fc.constantFrom<WithdrawalTerms['kind'][]>('withdrawal', 'deposit-return');
/** The way to a signature, so that what can happen afterwards happens often. */
const toSigning: readonly WithdrawalEvent[] = [
  { type: 'screened', verdict: 'clear', ruleReleases: false },
  { type: 'request-signed', by: 'olga' },
  { type: 'approved', by: 'ruth' },
  { type: 'approved', by: 'sam' },
  found(elsewhere),
];

test('whatever happens in whatever order, each hold ends once, nothing is paid twice, and no hold ends while a nonce is out', () => {
  const ends = new Map<WithdrawalStep, number>();
  const beginnings = fc.oneof(fc.integer({ min: 0, max: toSigning.length }), fc.constant(toSigning.length));
  const sequences = fc.array(fc.oneof(withdrawalStep, { arbitrary: dispatchStep, weight: 2 }), { maxLength: 40 });
  fc.assert(
    fc.property(sequences, payers, kinds, beginnings, (sequence, feePayer, kind, ahead) => {
      const world = new World({ ...terms, feePayer, kind });
      for (const event of toSigning.slice(0, ahead)) world.withdrawal(event);
      for (const step of sequence) {
        const heldBefore = world.nonceIsOut ? world.holds.open : undefined;
        const endedBefore = withdrawalEnded(world.state.step) ? world.state : undefined;
        if (step.to === 'withdrawal') world.withdrawal(step.event, step.late ? late : early);
        else world.carriedOut(step.event);
        checkHolds(world);
        if (endedBefore !== undefined) assert.equal(world.state, endedBefore, 'what is over stays as it is');
        const final = step.to === 'dispatch' && step.event.type === 'nonce-final';
        if (heldBefore !== undefined && !final) assert.deepEqual(world.holds.open, heldBefore);
      }
      ends.set(world.state.step, (ends.get(world.state.step) ?? 0) + 1);
    }),
    { numRuns: 2_000, seed: 20 },
  );
  for (const step of ['settled', 'failed', 'rejected', 'cancelled', 'expired'] as const) {
    assert.ok((ends.get(step) ?? 0) > 0, `no sequence ended in ${step}`);
  }
});
