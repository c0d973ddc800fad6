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
  type Message,
  type Surroundings,
  type VaultState,
  windowOf,
  withEntry,
} from './vault-state.ts';

export function pay(state: VaultState, around: Surroundings, message: Message<'pay'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  const judged = judge(begun, around, message);
  if (isRefusal(judged)) return judged;
  const counted = count(judged.state, around, { ...message, unlisted: false });
  if (isRefusal(counted)) return counted;
  return paidOut(counted, around, { payment: message, nonce: message.nonce, authority: judged.authority });
}

/** The caps of tokens first, once for each run of payments of the same token; then each payment. */
export function payBatch(state: VaultState, around: Surroundings, message: Message<'payBatch'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  if (message.payments.length === 0) return { refusal: 'NothingToPay' };
  let next: VaultState = begun;
  for (const run of runsOf(message.payments)) {
    const counted = count(next, around, { ...run, unlisted: false });
    if (isRefusal(counted)) return counted;
    next = counted;
  }
  const events: VaultEvent[] = [];
  for (const payment of message.payments) {
    const judged = judge(next, around, payment);
    if (isRefusal(judged)) return judged;
    const paid = paidOut(judged.state, around, { payment, nonce: message.nonce, authority: judged.authority });
    if (isRefusal(paid)) return paid;
    next = paid.state;
    events.push(...paid.events);
  }
  return { state: next, events };
}

export function payOnce(state: VaultState, around: Surroundings, message: Message<'payOnce'>): Answer {
  const begun = paying(state, around) ?? authorised(state, around, { ...message, side: 'quorum' });
  if (isRefusal(begun)) return begun;
  return paidOut(begun, around, { payment: message, nonce: message.nonce, authority: 'one-off' });
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

type Judged = { readonly state: VaultState; readonly authority: PaymentAuthority };

/** By what right the quorum alone pays this address. */
function judge(state: VaultState, around: Surroundings, payment: VaultPayment): Judged | VaultRefusal {
  const { to } = payment;
  const activeFrom = state.destinations.get(to) ?? 0n;
  if (activeFrom !== 0n && activeFrom <= around.time) return { state, authority: 'listed' };
  if (around.config.kind !== 'omnibus' || activeFrom === removedDestination) {
    return { refusal: 'NotADestination', to, activeFrom };
  }
  if (around.isClone(to)) return { refusal: 'ForbiddenDestination', to };
  const counted = count(state, around, { ...payment, unlisted: true });
  return isRefusal(counted) ? counted : { state: counted, authority: 'unlisted' };
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

type Paid = { readonly payment: VaultPayment; readonly nonce: bigint; readonly authority: PaymentAuthority };

function paidOut(state: VaultState, { vault }: Surroundings, { payment, nonce, authority }: Paid): Answer {
  const { token, to, amount } = payment;
  if (amount === 0n) return { refusal: 'NothingToPay' };
  if (to === nativeToken || to === vault) return { refusal: 'ForbiddenDestination', to };
  return { state, events: [{ event: 'Withdrawn', token, to, amount, nonce, authority }] };
}

/** Neighbours of the same token, added up. */
function runsOf(payments: readonly VaultPayment[]): readonly { readonly token: Address; readonly amount: bigint }[] {
  const runs: { token: Address; amount: bigint }[] = [];
  for (const { token, amount } of payments) {
    const last = runs.at(-1);
    if (last?.token === token) last.amount += amount;
    else runs.push({ token, amount });
  }
  return runs;
}
