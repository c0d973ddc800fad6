import { type Address, type ChainId, chainNumber } from '@bulkhead/domain';
import {
  addressCodec,
  booleanCodec,
  listOf,
  named,
  struct,
  type StructCodec,
  unsigned,
  wordHexCodec,
} from './codec.ts';
import type { TypedDomain } from './typed-data.ts';
import type { Hex } from './word.ts';

/** What every signed message ends with. A nonce counts once in its space; the deadline is a time of the chain, Unix seconds. */
export type Bounds = { readonly nonce: bigint; readonly deadline: bigint };

/** Something that moves. The zero address is the native coin. */
export type VaultPayment = { readonly token: Address; readonly to: Address; readonly amount: bigint };
export type LimitChange = { readonly token: Address; readonly cap: bigint; readonly unlisted: boolean };

/** Who authorises. Each has nonces of its own. */
export type VaultSide = 'quorum' | 'client' | 'exit';
type Sided<S extends VaultSide> = { readonly side: S };

/** Whose key a rotation replaces. */
export type KeyRole = 'client' | 'exit';

/** What is signed for a vault, by name. What several sides may sign says first whose signature it wants. */
export type VaultMessages = {
  /** To an active destination; of an omnibus, also to others within their own limit. Quorum. */
  readonly withdrawal: VaultPayment & Bounds;
  /** Several of those, all or none. Quorum. */
  readonly withdrawalBatch: { readonly payments: readonly VaultPayment[] } & Bounds;
  /** To anywhere, above any limit. Quorum and client key. */
  readonly oneOff: VaultPayment & Bounds;
  /** Quorum. */
  readonly fee: { readonly token: Address; readonly amount: bigint } & Bounds;
  /** Takes the nonce, and has no other effect. Quorum. */
  readonly invalidation: Bounds;
  /** Client key. */
  readonly destinationAddition: { readonly to: Address } & Bounds;
  /** Client key. */
  readonly limitRaise: LimitChange & Bounds;
  /** Client key; waits for longer than an exit takes, so that the exit key is faster than a thief of the client key. */
  readonly exitDestinationChange: { readonly to: Address } & Bounds;
  /** By the role's old key, or by the quorum when that is lost. */
  readonly keyRotation: Sided<VaultSide> & { readonly role: KeyRole; readonly newKey: Hex } & Bounds;
  /** Of anything queued, by the digest of the message that queued it. */
  readonly veto: Sided<'client' | 'exit'> & { readonly change: Hex } & Bounds;
  readonly limitLowering: Sided<'quorum' | 'client'> & LimitChange & Bounds;
  /** By the exit key only while the destination is not yet active. */
  readonly destinationRemoval: Sided<VaultSide> & { readonly to: Address } & Bounds;
  readonly pause: Sided<'quorum' | 'client'> & Bounds;
  /** Exit key. */
  readonly exitRequest: Bounds;
  /** Exit key. */
  readonly exitCancellation: Bounds;
};

const amountCodec = unsigned(256);
const bounds = { nonce: amountCodec, deadline: unsigned(64) };
const payment = { token: addressCodec, to: addressCodec, amount: amountCodec };
const limitChange = { token: addressCodec, cap: unsigned(104), unlisted: booleanCodec };

const sideCodec = named({ quorum: 0n, client: 1n, exit: 2n });
const holderCodec = named({ client: 1n, exit: 2n });
const restrainerCodec = named({ quorum: 0n, client: 1n });

export const paymentCodec: StructCodec<VaultPayment> = struct('Payment', payment);

/** The struct of each message, in the domain of {@link vaultDomain}. */
export const vaultForms: { readonly [K in keyof VaultMessages]: StructCodec<VaultMessages[K]> } = {
  withdrawal: struct('Withdrawal', { ...payment, ...bounds }),
  withdrawalBatch: struct('WithdrawalBatch', { payments: listOf(paymentCodec), ...bounds }),
  oneOff: struct('OneOff', { ...payment, ...bounds }),
  fee: struct('Fee', { token: addressCodec, amount: amountCodec, ...bounds }),
  invalidation: struct('Invalidation', bounds),
  destinationAddition: struct('DestinationAddition', { to: addressCodec, ...bounds }),
  limitRaise: struct('LimitRaise', { ...limitChange, ...bounds }),
  exitDestinationChange: struct('ExitDestinationChange', { to: addressCodec, ...bounds }),
  keyRotation: struct('KeyRotation', { side: sideCodec, role: holderCodec, newKey: wordHexCodec, ...bounds }),
  veto: struct('Veto', { side: holderCodec, change: wordHexCodec, ...bounds }),
  limitLowering: struct('LimitLowering', { side: restrainerCodec, ...limitChange, ...bounds }),
  destinationRemoval: struct('DestinationRemoval', { side: sideCodec, to: addressCodec, ...bounds }),
  pause: struct('Pause', { side: restrainerCodec, ...bounds }),
  exitRequest: struct('ExitRequest', bounds),
  exitCancellation: struct('ExitCancellation', bounds),
};

export function vaultDomain(chain: ChainId, vault: Address): TypedDomain {
  return { name: 'Bulkhead Vault', version: '1', chainId: BigInt(chainNumber(chain)), verifyingContract: vault };
}
