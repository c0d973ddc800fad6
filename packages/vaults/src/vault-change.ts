import { policyHash } from './initial-policy.ts';
import type { VaultCallArguments } from './vault-call.ts';
import type { VaultEvent } from './vault-event.ts';
import { type LimitChange, vaultForms } from './vault-message.ts';
import { isRefusal, newest, ready } from './vault-policy.ts';
import { removedDestination } from './vault-question.ts';
import type { VaultRefusal } from './vault-refusal.ts';
import {
  type Answer,
  authorised,
  changeable,
  changeOf,
  limitName,
  isFit,
  type Message,
  type Surroundings,
  type VaultState,
  type VaultStep,
  windowOf,
  withEntry,
  withoutEntry,
} from './vault-state.ts';
import type { Hex } from './word.ts';

/** Writes what was never written; entries that can be no destination are left out. */
export function openPolicy(
  state: VaultState,
  around: Surroundings,
  { policy }: VaultCallArguments['openPolicy'],
): Answer {
  const frozen = changeable(state);
  if (frozen !== undefined) return frozen;
  const hash = policyHash(around.hashes, policy);
  if (hash !== around.config.policyHash) return { refusal: 'WrongPolicy', policyHash: hash };
  if (policy.unlisted.length > 0 && around.config.kind !== 'omnibus') return { refusal: 'UnlistedForbidden' };
  let next: VaultState = state;
  const events: VaultEvent[] = [];
  for (const to of policy.destinations) {
    if ((next.destinations.get(to) ?? 0n) !== 0n || !isFit(around, to)) continue;
    next = { ...next, destinations: withEntry(next.destinations, to, around.time) };
    events.push({ event: 'DestinationAdded', to, activeFrom: around.time });
  }
  const limits = [
    ...policy.limits.map((limit) => ({ ...limit, unlisted: false })),
    ...policy.unlisted.map((limit) => ({ ...limit, unlisted: true })),
  ];
  for (const limit of limits) {
    if (windowOf(next, limit.token, limit.unlisted).written) continue;
    const set = withCap(next, limit);
    next = set.state;
    events.push(...set.events);
  }
  return { state: next, events: [...events, { event: 'PolicyOpened' }] };
}

export function addDestination(state: VaultState, around: Surroundings, message: Message<'addDestination'>): Answer {
  const begun = changeable(state) ?? authorised(state, around, { ...message, side: 'client' });
  if (isRefusal(begun)) return begun;
  const { to } = message;
  const current = state.destinations.get(to) ?? 0n;
  if (current !== 0n && current !== removedDestination) return { refusal: 'AlreadyListed', to, activeFrom: current };
  if (!isFit(around, to)) return { refusal: 'UnfitDestination', to };
  const activeFrom = around.time + around.config.changeDelay;
  return {
    state: { ...begun, destinations: withEntry(begun.destinations, to, activeFrom) },
    events: [{ event: 'DestinationAdded', to, activeFrom }],
  };
}

export function removeDestination(
  state: VaultState,
  around: Surroundings,
  message: Message<'removeDestination'>,
): Answer {
  const begun = authorised(state, around, message);
  if (isRefusal(begun)) return begun;
  const { to, side } = message;
  const activeFrom = state.destinations.get(to) ?? 0n;
  const pending = activeFrom > around.time && activeFrom !== removedDestination;
  if (side === 'exit' && !pending) return { refusal: 'NotPending', to, activeFrom };
  return {
    state: { ...begun, destinations: withEntry(begun.destinations, to, removedDestination) },
    events: [{ event: 'DestinationRemoved', to, side }],
  };
}

export function queueLimitRaise(state: VaultState, around: Surroundings, message: Message<'queueLimitRaise'>): Answer {
  const frozen = changeable(state);
  if (frozen !== undefined) return frozen;
  if (message.unlisted && around.config.kind !== 'omnibus') return { refusal: 'UnlistedForbidden' };
  const begun = authorised(state, around, { ...message, side: 'client' });
  if (isRefusal(begun)) return begun;
  const { token, cap, unlisted } = message;
  const change = changeOf(around, vaultForms.limitRaise, message);
  const readyAt = around.time + around.config.changeDelay;
  return {
    state: { ...begun, queued: withEntry(begun.queued, change, readyAt) },
    events: [{ event: 'LimitQueued', change, token, cap, unlisted, readyAt }],
  };
}

export function executeLimitRaise(
  state: VaultState,
  around: Surroundings,
  message: Message<'executeLimitRaise'>,
): Answer {
  const change = changeOf(around, vaultForms.limitRaise, message);
  const since = state.loweredAt.get(limitName(message.token, message.unlisted)) ?? 0n;
  const delay = around.config.changeDelay;
  const taken = changeable(state) ?? takeReady(state, around, { change, delay, since });
  if (isRefusal(taken)) return taken;
  const current = windowOf(state, message.token, message.unlisted).cap;
  if (message.cap <= current) return { refusal: 'WrongCap', cap: message.cap, current };
  return withCap(taken.state, message);
}

export function lowerLimit(state: VaultState, around: Surroundings, message: Message<'lowerLimit'>): Answer {
  const begun = authorised(state, around, message);
  if (isRefusal(begun)) return begun;
  const { token, cap, unlisted } = message;
  const window = windowOf(state, token, unlisted);
  const lower = window.written ? cap < window.cap : cap === 0n;
  if (!lower) return { refusal: 'WrongCap', cap, current: window.cap };
  const loweredAt = withEntry(begun.loweredAt, limitName(token, unlisted), around.time);
  return withCap({ ...begun, loweredAt }, message);
}

/** Takes a change out of the queue, once, when it is ready, and says when it was queued. */
export function takeReady(
  state: VaultState,
  { time }: Surroundings,
  { change, delay, since }: { readonly change: Hex; readonly delay: bigint; readonly since: bigint },
): { readonly state: VaultState; readonly queuedAt: bigint } | VaultRefusal {
  const readyAt = ready(change, state.queued.get(change) ?? 0n, time);
  if (isRefusal(readyAt)) return readyAt;
  const queuedAt = newest(change, readyAt, { delay, since });
  if (isRefusal(queuedAt)) return queuedAt;
  return { state: { ...state, queued: withoutEntry(state.queued, change) }, queuedAt };
}

function withCap(state: VaultState, { token, cap, unlisted }: LimitChange): VaultStep {
  const window = { ...windowOf(state, token, unlisted), cap, written: true };
  return {
    state: { ...state, limits: withEntry(state.limits, limitName(token, unlisted), window) },
    events: [{ event: 'LimitSet', token, cap, unlisted }],
  };
}
