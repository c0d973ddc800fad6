import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import { isVaultMatter, parseIntent, intentBytes } from './intent.ts';
import { exampleTerms } from './testing/example-withdrawal.ts';
import { Holds } from './testing/holds.ts';
import { decideWithdrawal, openWithdrawal, type WithdrawalEvent } from './withdrawal.ts';
import {
  withdrawalIntent,
  type WithdrawalOutcome,
  type WithdrawalState,
  type WithdrawalTerms,
} from './withdrawal-terms.ts';

const early = new Date('2030-01-01T00:00:00Z');
const vault = parseAddress(`0x${'fa'.repeat(20)}`);
const terms: WithdrawalTerms = {
  ...exampleTerms(new Date('2030-01-02T00:00:00.900Z')),
  feePayer: 'house',
  quorum: 0,
  vault: { address: vault, nonce: 7n, authorisation: 'listed' },
};

function run(...events: readonly WithdrawalEvent[]): { readonly state: WithdrawalState; readonly holds: Holds } {
  const holds = new Holds();
  const opened = openWithdrawal(terms, 'wal_vault');
  holds.apply(opened.transfers);
  let { state } = opened;
  for (const event of events) {
    const result = decideWithdrawal({ terms, state }, event, early);
    assert.ok(result.status === 'decided', result.status === 'refused' ? result.message : '');
    holds.apply(result.transfers);
    state = result.state;
  }
  return { state, holds };
}

const signing: readonly WithdrawalEvent[] = [
  { type: 'screened', verdict: 'clear', ruleReleases: false },
  { type: 'liquidity-found', wallet: 'wal_vault' },
];
const ended = (outcome: WithdrawalOutcome): WithdrawalEvent => ({ type: 'dispatch-finished', outcome, fee: 0n });

test('the intent of a vault names the vault, its nonce, and a deadline that is the expiry', () => {
  const intent = withdrawalIntent(terms);
  assert.ok(isVaultMatter(intent) && intent.kind === 'vault-withdrawal');
  assert.deepEqual([intent.vault, intent.vaultNonce, intent.authorisation], [vault, 7n, 'listed']);
  assert.equal(intent.deadline, BigInt(Date.parse('2030-01-02T00:00:00Z') / 1000));
  assert.equal(intent.deadline, intent.expiresAt);
  assert.deepEqual(parseIntent(intentBytes(intent)), intent);
});

test('a vault that pays holds the principal and never a fee of the client', () => {
  const { state, holds } = run(...signing);
  assert.equal(state.step, 'signing');
  assert.equal(state.feeHeld, false);
  assert.deepEqual(
    holds.open.map(({ request }) => request.code),
    ['withdrawal-hold'],
  );
});

test('what lapsed is expired, or cancelled where somebody had asked, and its hold is void', () => {
  const lapsed = run(...signing, { type: 'signed' }, ended('lapsed'));
  assert.equal(lapsed.state.step, 'expired');
  assert.deepEqual(lapsed.holds.open, []);
  const cancelled = run(...signing, { type: 'signed' }, { type: 'cancel-asked', by: 'olga' }, ended('lapsed'));
  assert.equal(cancelled.state.step, 'cancelled');
});

test('an exit ends a withdrawal in every state before its end, and voids what it held', () => {
  const waiting = run({ type: 'vault-exited' });
  assert.equal(waiting.state.step, 'failed');
  assert.deepEqual(waiting.holds.open, []);
  const signed = run(...signing, { type: 'signed' }, ended('exited'));
  assert.equal(signed.state.step, 'failed');
  assert.deepEqual(signed.holds.open, []);
  const carried = run(...signing, { type: 'vault-exited' });
  assert.equal(carried.state.step, 'signing', 'its dispatch says when it is over');
});

test('another wallet never pays what was approved for a vault', () => {
  const { state } = run(signing[0] ?? assert.fail());
  assert.throws(() => decideWithdrawal({ terms, state }, { type: 'liquidity-found', wallet: 'wal_other' }, early), {
    code: 'invariant/broken',
  });
});
