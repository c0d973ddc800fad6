import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockRef, type Hash, parseHash, type TransactionSight } from './chain.ts';
import {
  type Attempt,
  type ChainState,
  chainStateOf,
  decideDispatch,
  type DispatchEffect,
  type DispatchEvent,
  type DispatchState,
} from './dispatch.ts';

const hashOf = (digit: string): Hash => parseHash(`0x${digit.repeat(64)}`);
const block: BlockRef = { number: 9n, hash: hashOf('9') };
const otherBlock: BlockRef = { number: 10n, hash: hashOf('a') };
const terms = { gasLimit: 21_000n, maxFeePerGas: 5n, maxPriorityFeePerGas: 1n };
const effectHash = hashOf('1');
const cancelHash = hashOf('2');
const strange = hashOf('f');

const prepared = (role: 'effect' | 'cancel', nonce = 7n): DispatchEvent => ({ type: 'prepared', nonce, role, terms });
const signed = (ordinal: number, hash: Hash): DispatchEvent => ({ type: 'signed', ordinal, hash });
const sighted = (hash: Hash, sight: TransactionSight): DispatchEvent => ({ type: 'sighted', hash, sight });
const nonceFinal = (hash: Hash, succeeded = true, at = block): DispatchEvent => ({
  type: 'nonce-final',
  hash,
  succeeded,
  fee: 11n,
  block: at,
});
const cancelAsked: DispatchEvent = { type: 'cancel-asked' };
const queued: DispatchState = { step: 'queued' };

function run(...events: readonly DispatchEvent[]): DispatchState {
  return events.reduce((state, event) => decideDispatch(state, event).state, queued);
}

const toBroadcast = [prepared('effect'), signed(1, effectHash)];
const toCancelling = [...toBroadcast, cancelAsked, prepared('cancel'), signed(2, cancelHash)];

const situations = {
  queued: [],
  signing: [prepared('effect')],
  broadcast: toBroadcast,
  cancelling: toCancelling,
  done: [...toBroadcast, nonceFinal(effectHash)],
  abandoned: [cancelAsked],
  impossible: [{ type: 'impossible' }],
} satisfies Readonly<Record<string, readonly DispatchEvent[]>>;
const names = ['queued', 'signing', 'broadcast', 'cancelling', 'done', 'abandoned', 'impossible'] as const;

/** `=`: nothing changes; `+`: a note inside the step; `!`: a bug, and treated as one; otherwise the step or the outcome. */
type Row = readonly [name: string, event: DispatchEvent, cells: readonly string[], effect?: DispatchEffect['type']];
const over = ['=', '=', '='] as const;

const table: readonly Row[] = [
  ['prepared', prepared('effect'), ['signing', '+', '+', '+', ...over], 'sign'],
  ['prepared, other nonce', prepared('effect', 8n), ['signing', '!', '!', '!', ...over], 'sign'],
  ['impossible', { type: 'impossible' }, ['impossible', '=', '=', '=', ...over], 'finished'],
  ['signed', signed(1, effectHash), ['=', 'broadcast', '=', '=', ...over], 'broadcast'],
  ['signed, other hash', signed(1, strange), ['=', 'broadcast', '!', '!', ...over], 'broadcast'],
  ['signed, no such attempt', signed(3, strange), ['=', '!', '!', '!', ...over], 'broadcast'],
  ['seen in the mempool', sighted(effectHash, { at: 'mempool' }), ['=', '=', '+', '+', ...over]],
  ['seen in a block', sighted(effectHash, { at: 'block', block, succeeded: true }), ['=', '=', '+', '+', ...over]],
  ['never seen', sighted(effectHash, { at: 'unknown' }), ['=', '=', '=', '=', ...over]],
  ['a stranger seen', sighted(strange, { at: 'mempool' }), ['=', '=', '=', '=', ...over]],
  ['removed', { type: 'removed', hash: effectHash }, ['=', '=', '+', '+', ...over]],
  ['cancel asked', cancelAsked, ['abandoned', '+', '+', '=', ...over]],
  ['nonce final', nonceFinal(effectHash), ['=', 'superseded', 'succeeded', 'succeeded', '=', '!', '!'], 'finished'],
  [
    'nonce final, reverted',
    nonceFinal(effectHash, false),
    ['=', 'superseded', 'reverted', 'reverted', '=', '!', '!'],
    'finished',
  ],
  [
    'nonce final, cancelled',
    nonceFinal(cancelHash),
    ['=', 'superseded', 'superseded', 'cancelled', '=', '!', '!'],
    'finished',
  ],
  [
    'nonce final, a reverted cancellation',
    nonceFinal(cancelHash, false),
    ['=', 'superseded', 'superseded', 'cancelled', '=', '!', '!'],
    'finished',
  ],
  [
    'nonce final, a stranger',
    nonceFinal(strange),
    ['=', 'superseded', 'superseded', 'superseded', '=', '!', '!'],
    'finished',
  ],
  [
    'nonce final, another block',
    nonceFinal(effectHash, true, otherBlock),
    ['=', 'superseded', 'succeeded', 'succeeded', '!', '!', '!'],
    'finished',
  ],
];

function cellOf(state: DispatchState, event: DispatchEvent, effect: DispatchEffect['type'] | undefined): string {
  try {
    const result = decideDispatch(state, event);
    assert.deepEqual(result.transfers, [], 'a dispatch books nothing itself');
    const changed = JSON.stringify(result.state, text) !== JSON.stringify(state, text);
    const expected = event.type === 'cancel-asked' ? (state.step === 'queued' ? 'finished' : 'prepare-cancel') : effect;
    const repeats = event.type === 'signed' && state.step === 'broadcast';
    assert.deepEqual(
      result.effects.map(({ type }) => type),
      (changed || repeats) && expected !== undefined ? [expected] : [],
      `${event.type} in ${state.step}`,
    );
    if (!changed) return '=';
    if (result.state.step === 'done') return result.state.outcome;
    return result.state.step === state.step ? '+' : result.state.step;
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'invariant/broken', String(error));
    return '!';
  }
}

const text = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

test('every event in every situation: where it leads, where it changes nothing, where it is a bug', () => {
  for (const [name, event, cells, effect] of table) {
    const found = names.map((situation) => cellOf(run(...situations[situation]), event, effect));
    assert.deepEqual(found, cells, name);
  }
});

test('only a final block ends a dispatch that has a nonce, with the fee of our own transaction and of no stranger', () => {
  const ended = (events: readonly DispatchEvent[]): readonly unknown[] => {
    const state = run(...events);
    assert.equal(state.step, 'done');
    return [
      state.outcome,
      state.nonce,
      state.fee,
      state.block?.number,
      state.attempts.map(({ chainState }) => chainState),
    ];
  };
  assert.deepEqual(ended([...toCancelling, nonceFinal(effectHash)]), ['succeeded', 7n, 11n, 9n, ['final', 'replaced']]);
  assert.deepEqual(ended([...toCancelling, nonceFinal(effectHash, false)]), [
    'reverted',
    7n,
    11n,
    9n,
    ['reverted', 'replaced'],
  ]);
  assert.deepEqual(ended([...toCancelling, nonceFinal(cancelHash)]), ['cancelled', 7n, 11n, 9n, ['replaced', 'final']]);
  assert.deepEqual(ended([...toCancelling, nonceFinal(strange)]), ['superseded', 7n, 0n, 9n, ['replaced', 'replaced']]);
  assert.deepEqual(ended([cancelAsked]), ['abandoned', undefined, 0n, undefined, []]);
  assert.deepEqual(ended([{ type: 'impossible' }]), ['impossible', undefined, 0n, undefined, []]);
});

test('the chain axis says what was seen last; gone is only what had been seen', () => {
  const sights: readonly (readonly [readonly DispatchEvent[], ChainState])[] = [
    [[], 'none'],
    [[sighted(effectHash, { at: 'unknown' })], 'none'],
    [[sighted(effectHash, { at: 'mempool' })], 'in-mempool'],
    [[sighted(effectHash, { at: 'mempool' }), sighted(effectHash, { at: 'unknown' })], 'dropped'],
    [[sighted(effectHash, { at: 'block', block, succeeded: true })], 'in-block'],
    [[sighted(effectHash, { at: 'block', block, succeeded: false })], 'reverted'],
    [[sighted(effectHash, { at: 'block', block, succeeded: true }), { type: 'removed', hash: effectHash }], 'removed'],
    [[{ type: 'removed', hash: effectHash }, sighted(effectHash, { at: 'unknown' })], 'removed'],
    [[{ type: 'removed', hash: effectHash }, sighted(effectHash, { at: 'mempool' })], 'in-mempool'],
    [[nonceFinal(effectHash)], 'final'],
    [[nonceFinal(effectHash, false)], 'reverted'],
    [[nonceFinal(strange)], 'replaced'],
  ];
  for (const [events, expected] of sights) assert.equal(chainStateOf(run(...toBroadcast, ...events)), expected);
  assert.equal(chainStateOf(queued), 'none');
  assert.equal(
    chainStateOf(run(...toCancelling, sighted(effectHash, { at: 'block', block, succeeded: true }))),
    'in-block',
    'the one that won, although it is older',
  );
  assert.equal(
    chainStateOf(run(...toCancelling, sighted(cancelHash, { at: 'mempool' }))),
    'in-mempool',
    'else the youngest',
  );
});

const hashes = fc.constantFrom(...['1', '2', '3', 'f'].map(hashOf));
const events: fc.Arbitrary<DispatchEvent> = fc.oneof<fc.Arbitrary<DispatchEvent>[]>(
  fc.constantFrom(prepared('effect'), prepared('cancel')),
  fc.integer({ min: 1, max: 3 }).map((n) => signed(n, hashOf(String(n)))),
  fc
    .tuple(
      hashes,
      fc.constantFrom<TransactionSight[]>(
        { at: 'unknown' },
        { at: 'mempool' },
        { at: 'block', block, succeeded: false },
      ),
    )
    .map(([hash, sight]) => sighted(hash, sight)),
  hashes.map((hash) => ({ type: 'removed', hash })),
  fc.constant(cancelAsked),
  fc.constant({ type: 'impossible' }),
  fc.tuple(hashes, fc.boolean()).map(([hash, succeeded]) => nonceFinal(hash, succeeded)),
);

/** What can never reach a dispatch: the signature of an attempt that was not made, the nonce of one that never had one. */
function possible(state: DispatchState, event: DispatchEvent): boolean {
  if (event.type === 'nonce-final') return state.step !== 'done' || state.nonce !== undefined;
  if (event.type !== 'signed' || state.step === 'queued' || state.step === 'done') return true;
  return event.ordinal <= state.attempts.length;
}

function checkHistory(before: DispatchState, after: DispatchState): void {
  if (before.step === 'done') {
    assert.equal(after, before, 'what is done stays as it is');
    return;
  }
  if (before.step === 'queued') return;
  assert.ok(after.step !== 'queued');
  assert.equal(after.nonce, before.nonce, 'the nonce stays');
  for (const [n, attempt] of before.attempts.entries()) {
    const same: Attempt | undefined = after.attempts[n];
    assert.deepEqual(
      [same?.ordinal, same?.role, same?.terms],
      [n + 1, attempt.role, attempt.terms],
      'no attempt is lost',
    );
    if (attempt.hash !== undefined) assert.equal(same?.hash, attempt.hash, 'no signature is forgotten');
  }
  if (after.step === 'done') assert.ok(after.block !== undefined, 'a nonce is used up by a block only');
}

test('whatever happens in whatever order, a dispatch ends once, keeps its nonce and forgets no signature', () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(fc.array(events, { maxLength: 25 }), fc.constantFrom([], toBroadcast), (sequence, before) => {
      let state = run(...before);
      let finished = 0;
      for (const event of sequence) {
        if (!possible(state, event)) continue;
        const result = decideDispatch(state, event);
        checkHistory(state, result.state);
        finished += result.effects.filter(({ type }) => type === 'finished').length;
        state = result.state;
        assert.equal(finished, state.step === 'done' ? 1 : 0);
      }
      if (state.step === 'done') outcomes.add(state.outcome);
    }),
    { numRuns: 3_000, seed: 20 },
  );
  assert.deepEqual([...outcomes].toSorted(), [
    'abandoned',
    'cancelled',
    'impossible',
    'reverted',
    'succeeded',
    'superseded',
  ]);
});
