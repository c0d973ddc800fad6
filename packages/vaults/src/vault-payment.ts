import type { Address } from '@bulkhead/domain';
import { nativeToken } from './initial-policy.ts';
import type { PaymentAuthority, VaultEvent } from './vault-event.ts';
import type { VaultPayment } from './vault-message.ts';
import { feeMax, isRefusal, noExit, noPause, spend } from './vault-policy.ts';
import { removedDestination } from './vault-question.ts';
import type { VaultRefusal } from './vault-refusal.ts';
import {
  type Answer,
  authorised,
  limitName,
  isFit,
  type Message,
  type Surroundings,
  type VaultState,
  windowOf,
  withEntry,
} from './vault-state.ts';

export function pay(state: VaultState, around: Surroundings, message: Message<'pay'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  const counted = count(begun, around, { ...message, unlisted: false });
  if (isRefusal(counted)) return counted;
  return paidByQuorum(counted, around, { payment: message, nonce: message.nonce });
}

/** Payments in their order; the cap of a token once after each run of payments of it. */
export function payBatch(state: VaultState, around: Surroundings, message: Message<'payBatch'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  if (message.payments.length === 0) return { refusal: 'NothingToPay' };
  let next: VaultState = begun;
  const events: VaultEvent[] = [];
  for (const run of runsOf(message.payments)) {
    for (const payment of run) {
      const paid = paidByQuorum(next, around, { payment, nonce: message.nonce });
      if (isRefusal(paid)) return paid;
      next = paid.state;
      events.push(...paid.events);
    }
    const [first] = run;
    const amount = run.reduce((sum, payment) => sum + payment.amount, 0n);
    const counted = count(next, around, { token: first.token, amount, unlisted: false });
    if (isRefusal(counted)) return counted;
    next = counted;
  }
  return { state: next, events };
}

export function payOnce(state: VaultState, around: Surroundings, message: Message<'payOnce'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  const { to } = message;
  if (to === nativeToken || to === around.vault) return { refusal: 'ForbiddenDestination', to };
  return paidOut(begun, { payment: message, nonce: message.nonce }, 'one-off');
}

export function collectFee(state: VaultState, around: Surroundings, message: Message<'collectFee'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  const { token, amount, nonce } = message;
  const from = state.feeClocks.get(token) ?? 0n;
  const max = from === 0n ? 0n : feeMax(around.balanceOf(token), around.config.feeBpsYear, around.time - from);
  if (amount > max) return { refusal: 'FeeAboveMax', amount, feeMax: max };
  const feeClocks = withEntry(begun.feeClocks, token, around.time);
  const collected: VaultEvent = { event: 'FeeCollected', token, amount, nonce, from, to: around.time };
  return { state: { ...begun, feeClocks }, events: [collected] };
}

export function invalidate(state: VaultState, around: Surroundings, message: Message<'invalidate'>): Answer {
  const begun = authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  return { state: begun, events: [{ event: 'NonceInvalidated', nonce: message.nonce }] };
}

/** Nothing is paid after an exit request, or in a pause of either side. */
function paying({ gate }: VaultState, { time }: Surroundings): VaultRefusal | undefined {
  return noExit(gate.exitReadyAt) ?? noPause(gate.quorumPauseUntil, time) ?? noPause(gate.clientPauseUntil, time);
}

type Paid = { readonly payment: VaultPayment; readonly nonce: bigint };

/** By the quorum alone: an active destination, or, from an omnibus and within its cap, another one. */
function paidByQuorum(state: VaultState, around: Surroundings, paid: Paid): Answer {
  const { to } = paid.payment;
  const activeFrom = state.destinations.get(to) ?? 0n;
  if (activeFrom !== 0n && activeFrom <= around.time) return paidOut(state, paid, 'listed');
  if (around.config.kind !== 'omnibus' || activeFrom === removedDestination) {
    return { refusal: 'NotADestination', to, activeFrom };
  }
  if (!isFit(around, to)) return { refusal: 'ForbiddenDestination', to };
  const counted = count(state, around, { ...paid.payment, unlisted: true });
  return isRefusal(counted) ? counted : paidOut(counted, paid, 'unlisted');
}

type Counted = { readonly token: Address; readonly amount: bigint; readonly unlisted: boolean };

function count(
  state: VaultState,
  { config, time }: Surroundings,
  { token, amount, unlisted }: Counted,
): VaultState | VaultRefusal {
  const window = spend(windowOf(state, token, unlisted), amount, { windowSeconds: config.windowSeconds, time });
  if (isRefusal(window)) return window;
  return { ...state, limits: withEntry(state.limits, limitName(token, unlisted), window) };
}

function paidOut(state: VaultState, { payment, nonce }: Paid, authority: PaymentAuthority): Answer {
  const { token, to, amount } = payment;
  if (amount === 0n) return { refusal: 'NothingToPay' };
  return { state, events: [{ event: 'Withdrawn', token, to, amount, nonce, authority }] };
}

type Run = [VaultPayment, ...VaultPayment[]];

/** Neighbours of the same token. */
function runsOf(payments: readonly VaultPayment[]): readonly Run[] {
  const runs: Run[] = [];
  for (const payment of payments) {
    const last = runs.at(-1);
    if (last?.[0].token === payment.token) last.push(payment);
    else runs.push([payment]);
  }
  return runs;
}
