import { nativeToken } from './initial-policy.ts';
import type { VaultCallArguments } from './vault-call.ts';
import { takeReady } from './vault-change.ts';
import { type KeyRole, vaultForms, type VaultSide } from './vault-message.ts';
import { exitReady, isRefusal, openExit as opened, pause as paused, requestExit as requested } from './vault-policy.ts';
import type { VaultRefusal } from './vault-refusal.ts';
import {
  type Answer,
  authorised,
  changeable,
  changeOf,
  exitDestinationInForce,
  keyInForce,
  type Message,
  type Surroundings,
  type VaultState,
  withEntry,
  withoutEntry,
} from './vault-state.ts';
import type { Hex } from './word.ts';

export function requestExit(state: VaultState, around: Surroundings, message: Message<'requestExit'>): Answer {
  const begun = authorised(state, around, { ...message, side: 'exit' });
  if (isRefusal(begun)) return begun;
  const readyAt = requested(state.gate.exitReadyAt, around.config.exitDelay, around.time);
  if (isRefusal(readyAt)) return readyAt;
  return {
    state: { ...begun, gate: { ...begun.gate, exitReadyAt: readyAt } },
    events: [{ event: 'ExitRequested', readyAt }],
  };
}

export function cancelExit(state: VaultState, around: Surroundings, message: Message<'cancelExit'>): Answer {
  const begun = authorised(state, around, { ...message, side: 'exit' });
  if (isRefusal(begun)) return begun;
  if (state.gate.exitReadyAt === 0n) return { refusal: 'NoExit' };
  return { state: { ...begun, gate: { ...begun.gate, exitReadyAt: 0n } }, events: [{ event: 'ExitCancelled' }] };
}

export function openExit(state: VaultState, around: Surroundings): Answer {
  const { lastHeartbeat, time } = around;
  const period = around.config.heartbeatPeriod;
  const readyAt = opened(state.gate.exitReadyAt, { lastHeartbeat, period, time });
  if (isRefusal(readyAt)) return readyAt;
  return {
    state: { ...state, gate: { ...state.gate, exitReadyAt: readyAt } },
    events: [{ event: 'ExitOpened', lastHeartbeat }],
  };
}

export function exit(state: VaultState, around: Surroundings, { token }: VaultCallArguments['exit']): Answer {
  const waiting = exitReady(state.gate.exitReadyAt, around.time);
  if (waiting !== undefined) return waiting;
  const amount = around.balanceOf(token);
  if (amount === 0n) return { refusal: 'NothingToExit', token };
  return { state, events: [{ event: 'Exited', token, to: exitDestinationInForce(state, around.config), amount }] };
}

export function queueExitDestination(
  state: VaultState,
  around: Surroundings,
  message: Message<'queueExitDestination'>,
): Answer {
  const frozen = changeable(state);
  if (frozen !== undefined) return frozen;
  const { to } = message;
  if (to === nativeToken || to === around.vault) return { refusal: 'UnfitExitDestination', to };
  const begun = authorised(state, around, { ...message, side: 'client' });
  if (isRefusal(begun)) return begun;
  const change = changeOf(around, vaultForms.exitDestinationChange, message);
  const readyAt = around.time + around.config.exitChangeDelay;
  return {
    state: { ...begun, queued: withEntry(begun.queued, change, readyAt) },
    events: [{ event: 'ExitDestinationQueued', change, to, readyAt }],
  };
}

export function executeExitDestination(
  state: VaultState,
  around: Surroundings,
  message: Message<'executeExitDestination'>,
): Answer {
  const change = changeOf(around, vaultForms.exitDestinationChange, message);
  const delay = around.config.exitChangeDelay;
  const taken = changeable(state) ?? takeReady(state, around, { change, delay, since: state.exitDestinationQueuedAt });
  if (isRefusal(taken)) return taken;
  return {
    state: { ...taken.state, exitDestination: message.to, exitDestinationQueuedAt: taken.queuedAt },
    events: [{ event: 'ExitDestinationChanged', to: message.to }],
  };
}

export function queueKeyRotation(
  state: VaultState,
  around: Surroundings,
  message: Message<'queueKeyRotation'>,
): Answer {
  const frozen = changeable(state);
  if (frozen !== undefined) return frozen;
  const { side, role, newKey } = message;
  if (side !== 'quorum' && side !== role) return { refusal: 'WrongSide', side };
  const begun = unfitKey(state, around, { role, key: newKey }) ?? authorised(state, around, message);
  if (isRefusal(begun)) return begun;
  const change = changeOf(around, vaultForms.keyRotation, message);
  const readyAt = around.time + rotationDelay(around, side);
  return {
    state: { ...begun, queued: withEntry(begun.queued, change, readyAt) },
    events: [{ event: 'KeyRotationQueued', change, side, role, newKey, readyAt }],
  };
}

export function executeKeyRotation(
  state: VaultState,
  around: Surroundings,
  message: Message<'executeKeyRotation'>,
): Answer {
  const { role, newKey } = message;
  const queue = {
    change: changeOf(around, vaultForms.keyRotation, message),
    delay: rotationDelay(around, message.side),
    since: state.keyQueuedAt.get(role) ?? 0n,
  };
  const taken = changeable(state) ?? unfitKey(state, around, { role, key: newKey }) ?? takeReady(state, around, queue);
  if (isRefusal(taken)) return taken;
  return {
    state: {
      ...taken.state,
      keys: withEntry(taken.state.keys, role, newKey),
      keyQueuedAt: withEntry(taken.state.keyQueuedAt, role, taken.queuedAt),
    },
    events: [{ event: 'KeyRotated', role, newKey }],
  };
}

export function veto(state: VaultState, around: Surroundings, message: Message<'veto'>): Answer {
  const begun = authorised(state, around, message);
  if (isRefusal(begun)) return begun;
  const { change, side } = message;
  if ((state.queued.get(change) ?? 0n) === 0n) return { refusal: 'NotQueued', change };
  return {
    state: { ...begun, queued: withoutEntry(begun.queued, change) },
    events: [{ event: 'Vetoed', change, side }],
  };
}

export function pause(state: VaultState, around: Surroundings, message: Message<'pause'>): Answer {
  const begun = authorised(state, around, message);
  if (isRefusal(begun)) return begun;
  const { side } = message;
  const { gate } = state;
  const before = side === 'quorum' ? gate.quorumPauseUntil : gate.clientPauseUntil;
  const until = paused(before, around.config.pauseSeconds, around.time);
  if (isRefusal(until)) return until;
  const after = side === 'quorum' ? { ...gate, quorumPauseUntil: until } : { ...gate, clientPauseUntil: until };
  return { state: { ...begun, gate: after }, events: [{ event: 'Paused', side, until }] };
}

function rotationDelay({ config }: Surroundings, side: VaultSide): bigint {
  return side === 'quorum' ? config.recoveryDelay : config.changeDelay;
}

/** A key in force is not zero and not that of the other role. */
function unfitKey(
  state: VaultState,
  { config }: Surroundings,
  { role, key }: { readonly role: KeyRole; readonly key: Hex },
): VaultRefusal | undefined {
  const other = keyInForce(state, config, role === 'client' ? 'exit' : 'client');
  return BigInt(key) === 0n || key === other ? { refusal: 'UnfitKey', key } : undefined;
}
