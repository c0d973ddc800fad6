import type { Address, ChainId } from '@bulkhead/domain';
import type { Keccak, StructCodec } from './codec.ts';
import { nativeToken } from './initial-policy.ts';
import { typedDigest } from './typed-data.ts';
import type { VaultCallArguments } from './vault-call.ts';
import type { VaultConfig } from './vault-config.ts';
import type { VaultEvent } from './vault-event.ts';
import { type Bounds, type KeyRole, vaultDomain, type VaultSide } from './vault-message.ts';
import { noExit } from './vault-policy.ts';
import type { Gate, LimitWindow } from './vault-question.ts';
import type { VaultRefusal } from './vault-refusal.ts';
import { type Hex, hexOf } from './word.ts';

/** What a vault remembers. Nothing is initialised: an empty state is that of a new vault. */
export type VaultState = {
  readonly usedNonces: ReadonlySet<string>;
  /** Time from which an address may be paid; `removedDestination` where it was removed. */
  readonly destinations: ReadonlyMap<Address, bigint>;
  /** By token and by whether they are of unlisted payments. */
  readonly limits: ReadonlyMap<string, LimitWindow>;
  readonly loweredAt: ReadonlyMap<string, bigint>;
  readonly feeClocks: ReadonlyMap<Address, bigint>;
  readonly queued: ReadonlyMap<Hex, bigint>;
  readonly gate: Gate;
  readonly exitDestination: Address | undefined;
  /** When the change to it was queued; 0 while none is in force. */
  readonly exitDestinationQueuedAt: bigint;
  readonly keys: ReadonlyMap<KeyRole, Hex>;
  readonly keyQueuedAt: ReadonlyMap<KeyRole, bigint>;
};

/** What a vault sees around it when it is called. */
export type Surroundings = {
  readonly hashes: Keccak;
  readonly chain: ChainId;
  readonly vault: Address;
  readonly config: VaultConfig;
  /** Time of the block, Unix seconds. */
  readonly time: bigint;
  /** Of the signer set. */
  readonly lastHeartbeat: bigint;
  readonly balanceOf: (token: Address) => bigint;
  /** Whether the code of an address is that of a vault or forwarder of the same factory. */
  readonly isClone: (address: Address) => boolean;
};

/** What a call did: the state after it, and what it told. */
export type VaultStep = { readonly state: VaultState; readonly events: readonly VaultEvent[] };

export type Answer = VaultStep | VaultRefusal;

/** What was signed for a call. */
export type Message<C extends keyof VaultCallArguments> = VaultCallArguments[C] extends { readonly message: infer M }
  ? M
  : never;

export const newVaultState: VaultState = {
  usedNonces: new Set(),
  destinations: new Map(),
  limits: new Map(),
  loweredAt: new Map(),
  feeClocks: new Map(),
  queued: new Map(),
  gate: { exitReadyAt: 0n, quorumPauseUntil: 0n, clientPauseUntil: 0n },
  exitDestination: undefined,
  exitDestinationQueuedAt: 0n,
  keys: new Map(),
  keyQueuedAt: new Map(),
};

/** The place of a limit in the state. */
export function limitName(token: Address, unlisted: boolean): string {
  return unlisted ? `${token}/unlisted` : token;
}

export function windowOf(state: VaultState, token: Address, unlisted: boolean): LimitWindow {
  return state.limits.get(limitName(token, unlisted)) ?? { cap: 0n, spent: 0n, since: 0n, written: false };
}

/** A map with one more entry. */
export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map([...map, [key, value]]);
}

/** A map with one entry less. */
export function withoutEntry<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  return new Map([...map].filter(([other]) => other !== key));
}

/** What a message that queues something is queued under. */
export function changeOf<T>({ hashes, chain, vault }: Surroundings, form: StructCodec<T>, message: T): Hex {
  return hexOf(typedDigest(hashes, vaultDomain(chain, vault), { form, message }));
}

/** Takes a nonce. Whether the right side signed is the business of whoever asks; here it did. */
export function authorised(
  state: VaultState,
  { time }: Surroundings,
  { side, nonce, deadline }: Bounds & { readonly side: VaultSide },
): VaultState | VaultRefusal {
  if (time > deadline) return { refusal: 'Expired', deadline, time };
  const name = `${side}/${nonce}`;
  if (state.usedNonces.has(name)) return { refusal: 'NonceUsed', side, nonce };
  return { ...state, usedNonces: new Set([...state.usedNonces, name]) };
}

export function keyInForce(state: VaultState, config: VaultConfig, role: KeyRole): Hex {
  return state.keys.get(role) ?? (role === 'client' ? config.clientKey : config.exitKey);
}

export function exitDestinationInForce(state: VaultState, config: VaultConfig): Address {
  return state.exitDestination ?? config.exitDestination;
}

/** Changes stand still once an exit was requested. */
export function changeable(state: VaultState): VaultRefusal | undefined {
  return noExit(state.gate.exitReadyAt);
}

/** What the quorum may pay at all. Vaults and forwarders are known by their code; before they are deployed nobody can tell. */
export function isFit({ vault, isClone }: Surroundings, to: Address): boolean {
  return to !== nativeToken && to !== vault && !isClone(to);
}
