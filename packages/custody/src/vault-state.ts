import type { Address } from '@bulkhead/domain';
import {
  nativeToken,
  type Hex,
  type KeyRole,
  type VaultEvent,
  type VaultSide,
  type VaultTerms,
} from '@bulkhead/vaults';

/** Something that takes effect later, and can be vetoed until then. */
export type QueuedChange = { readonly change: Hex; readonly readyAt: bigint } & (
  | { readonly kind: 'limit'; readonly token: Address; readonly cap: bigint; readonly unlisted: boolean }
  | { readonly kind: 'exit-destination'; readonly to: Address }
  | { readonly kind: 'key'; readonly role: KeyRole; readonly newKey: Hex }
);

/** What the events of a vault add up to. Times in Unix seconds of the chain. */
export type VaultState = {
  readonly policyOpened: boolean;
  /** From when a destination counts; undefined for one that was removed. */
  readonly destinations: ReadonlyMap<Address, bigint | undefined>;
  readonly limits: ReadonlyMap<Address, bigint>;
  readonly unlisted: ReadonlyMap<Address, bigint>;
  readonly queue: readonly QueuedChange[];
  /** When the exit that was asked for is open; 0 for one that silence opened. */
  readonly exitReadyAt: bigint | undefined;
  readonly exitDestination: Address;
  readonly clientKey: Hex;
  readonly exitKey: Hex;
  readonly pausedUntil: Readonly<Partial<Record<VaultSide, bigint>>>;
  /** Up to when the fee of a token is collected; none where its clock was never started. */
  readonly feeClocks: ReadonlyMap<Address, bigint>;
};

/** A vault before its first event: what was agreed from the start. */
export function initialState({ config, policy }: VaultTerms): VaultState {
  const caps = (limits: VaultTerms['policy']['limits']): ReadonlyMap<Address, bigint> =>
    new Map(limits.map(({ token, cap }) => [token, cap]));
  return {
    policyOpened: false,
    destinations: new Map(policy.destinations.map((to) => [to, 0n])),
    limits: caps(policy.limits),
    unlisted: caps(policy.unlisted),
    queue: [],
    exitReadyAt: undefined,
    exitDestination: config.exitDestination,
    clientKey: config.clientKey,
    exitKey: config.exitKey,
    pausedUntil: {},
    feeClocks: new Map(),
  };
}

/** The state after one more event. Payments change nothing of what is shown here. */
export function afterEvent(state: VaultState, event: VaultEvent): VaultState {
  switch (event.event) {
    case 'Withdrawn':
    case 'Exited':
    case 'NonceInvalidated':
      return state;
    case 'FeeCollected':
      return { ...state, feeClocks: new Map(state.feeClocks).set(event.token, event.to) };
    case 'PolicyOpened':
      return { ...state, policyOpened: true };
    case 'DestinationAdded':
      return { ...state, destinations: new Map(state.destinations).set(event.to, event.activeFrom) };
    case 'DestinationRemoved':
      return { ...state, destinations: new Map(state.destinations).set(event.to, undefined) };
    case 'LimitSet':
      return withLimit(state, event);
    case 'Vetoed':
      return { ...state, queue: state.queue.filter(({ change }) => change !== event.change) };
    case 'Paused':
      return { ...state, pausedUntil: { ...state.pausedUntil, [event.side]: event.until } };
    case 'ExitRequested':
      return { ...state, exitReadyAt: event.readyAt };
    case 'ExitCancelled':
      return { ...state, exitReadyAt: undefined };
    case 'ExitOpened':
      return { ...state, exitReadyAt: 0n };
    case 'LimitQueued':
    case 'ExitDestinationQueued':
    case 'KeyRotationQueued':
    case 'ExitDestinationChanged':
    case 'KeyRotated':
      return withChange(state, event);
  }
}

type ChangeEvent = Extract<
  VaultEvent,
  {
    event: 'LimitQueued' | 'ExitDestinationQueued' | 'KeyRotationQueued' | 'ExitDestinationChanged' | 'KeyRotated';
  }
>;

function withChange(state: VaultState, event: ChangeEvent): VaultState {
  switch (event.event) {
    case 'LimitQueued': {
      const { change, readyAt, token, cap, unlisted } = event;
      return { ...state, queue: [...state.queue, { change, readyAt, kind: 'limit', token, cap, unlisted }] };
    }
    case 'ExitDestinationQueued': {
      const { change, readyAt, to } = event;
      return { ...state, queue: [...state.queue, { change, readyAt, kind: 'exit-destination', to }] };
    }
    case 'KeyRotationQueued': {
      const { change, readyAt, role, newKey } = event;
      return { ...state, queue: [...state.queue, { change, readyAt, kind: 'key', role, newKey }] };
    }
    case 'ExitDestinationChanged': {
      const { to } = event;
      const queue = withoutOvertaken(state.queue, {
        same: (item) => item.kind === 'exit-destination',
        done: (item) => item.kind === 'exit-destination' && item.to === to,
      });
      return { ...state, queue, exitDestination: to };
    }
    case 'KeyRotated': {
      const { role, newKey } = event;
      const queue = withoutOvertaken(state.queue, {
        same: (item) => item.kind === 'key' && item.role === role,
        done: (item) => item.kind === 'key' && item.role === role && item.newKey === newKey,
      });
      return { ...state, queue, ...(role === 'client' ? { clientKey: newKey } : { exitKey: newKey }) };
    }
  }
}

type Overtaking = {
  /** Changes of the same thing. */
  readonly same: (item: QueuedChange) => boolean;
  /** Those that are what is in force now. */
  readonly done: (item: QueuedChange) => boolean;
};

/** Without the change that is in force, and those of the same thing that were queued before it: these are void. */
function withoutOvertaken(queue: readonly QueuedChange[], { same, done }: Overtaking): readonly QueuedChange[] {
  const place = queue.findLastIndex(done);
  return queue.filter((item, at) => !same(item) || at > place);
}

/** A limit in force: raises of it that waited are done, or ended by a lowering. */
function withLimit(state: VaultState, limit: Extract<VaultEvent, { event: 'LimitSet' }>): VaultState {
  const { token, cap, unlisted } = limit;
  const queue = state.queue.filter(
    (item) => item.kind !== 'limit' || item.token !== token || item.unlisted !== unlisted,
  );
  const which = unlisted ? 'unlisted' : 'limits';
  return { ...state, queue, [which]: new Map(state[which]).set(token, cap) };
}

/** Whether the vault pays to a destination at a time because the client agreed to it. */
export function isListed(state: VaultState, to: Address, atSeconds: bigint): boolean {
  const from = state.destinations.get(to);
  return from !== undefined && from <= atSeconds;
}

/** Why a payment of this amount can never leave by these limits; undefined where one window may let it through. */
export function limitObjection(
  state: VaultState,
  payment: { readonly token: Address | undefined; readonly amount: bigint; readonly unlisted: boolean },
): string | undefined {
  const token = payment.token ?? nativeToken;
  const cap = state.limits.get(token) ?? 0n;
  if (payment.amount > cap) return `the limit of a window is ${cap}`;
  const other = state.unlisted.get(token) ?? 0n;
  if (payment.unlisted && payment.amount > other) return `the limit of a window for unlisted destinations is ${other}`;
  return undefined;
}
