import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHash } from './chain.ts';
import {
  decideVaultDispatch,
  type VaultDispatchEvent,
  type VaultDispatchState,
  type VaultOutcome,
} from './vault-dispatch.ts';

const block = { number: 9n, hash: parseHash(`0x${'9'.repeat(64)}`) };
const states: readonly VaultDispatchState[] = [
  { step: 'queued' },
  { step: 'signing', cancelAsked: false },
  { step: 'signing', cancelAsked: true },
  { step: 'relaying', cancelAsked: false },
  { step: 'relaying', cancelAsked: true },
];

function after(state: VaultDispatchState, ...events: readonly VaultDispatchEvent[]): VaultDispatchState {
  return events.reduce((now, event) => decideVaultDispatch(now, event).state, state);
}

test('a payment is signed only after it is stored that it will be, and relayed when all signatures are there', () => {
  const started = decideVaultDispatch({ step: 'queued' }, { type: 'signing-started' });
  assert.deepEqual(started.state, { step: 'signing', cancelAsked: false });
  assert.deepEqual(started.effects, [{ type: 'sign' }]);
  const signed = decideVaultDispatch(started.state, { type: 'signed' });
  assert.deepEqual(signed.state, { step: 'relaying', cancelAsked: false });
  assert.deepEqual(signed.effects, [{ type: 'relay' }]);
  assert.deepEqual(decideVaultDispatch(signed.state, { type: 'signed' }).effects, [], 'once');
});

test('cancelled before the first signer was asked it is over; later it is only asked for, and never relayed by us', () => {
  const early = decideVaultDispatch({ step: 'queued' }, { type: 'cancel-asked' });
  assert.deepEqual(early.state, { step: 'done', outcome: 'abandoned' });
  const late = decideVaultDispatch({ step: 'signing', cancelAsked: false }, { type: 'cancel-asked' });
  assert.deepEqual(late.state, { step: 'signing', cancelAsked: true });
  assert.deepEqual(late.effects, [{ type: 'invalidate' }]);
  assert.deepEqual(decideVaultDispatch(late.state, { type: 'cancel-asked' }).effects, []);
  const signed = decideVaultDispatch(late.state, { type: 'signed' });
  assert.deepEqual(signed.effects, []);
  assert.deepEqual(after(signed.state, { type: 'nonce-final', by: 'ours', block }), {
    step: 'done',
    outcome: 'paid',
    block,
  });
});

test('in every state only what is final ends it, whoever relayed it', () => {
  const ends: readonly (readonly [VaultDispatchEvent, VaultOutcome])[] = [
    [{ type: 'nonce-final', by: 'ours', block }, 'paid'],
    [{ type: 'nonce-final', by: 'other', block }, 'superseded'],
    [{ type: 'nonce-final', by: 'invalidation', block }, 'invalidated'],
    [{ type: 'deadline-final', block }, 'lapsed'],
    [{ type: 'exited', block }, 'exited'],
  ];
  for (const state of states) {
    for (const [event, outcome] of ends) {
      const decision = decideVaultDispatch(state, event);
      assert.deepEqual(decision.state, { step: 'done', outcome, block });
      assert.deepEqual(decision.effects, [{ type: 'finished', outcome }]);
      assert.deepEqual(decideVaultDispatch(decision.state, event).effects, [], 'told twice it ends once');
    }
    if (state.step === 'queued') continue;
    for (const event of [{ type: 'signing-started' }, { type: 'cancel-asked' }, { type: 'signed' }] as const) {
      assert.notEqual(after(state, event).step, 'done', 'a signature may exist, so that nothing of ours ends it');
    }
  }
});

test('what can pay no more and is paid all the same breaks an invariant; after an exit a late payment is possible', () => {
  const paid = { type: 'nonce-final', by: 'ours', block } as const;
  for (const outcome of ['invalidated', 'superseded', 'lapsed', 'abandoned'] as const) {
    assert.throws(() => decideVaultDispatch({ step: 'done', outcome, block }, paid), { code: 'invariant/broken' });
  }
  const exited = { step: 'done', outcome: 'exited', block } as const;
  assert.deepEqual(decideVaultDispatch(exited, paid).state, exited);
});
