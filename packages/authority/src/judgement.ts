import {
  type Address,
  type AuthorityIntent,
  type Compartment,
  type FaultCode,
  type FaultDetails,
  type KeyResidency,
  type MovementIntent,
} from '@bulkhead/domain';
import type { Rule, Tier } from './registry.ts';

/** Why the signer would not act, in words and as a code. A value, because to be asked and to say no is ordinary work. */
export type SignerRefusal = { readonly code: FaultCode; readonly message: string; readonly details: FaultDetails };

export type Judgement = {
  /** The rule that applies to a movement. Absent where none does, for a cancellation and for changes of authority. */
  readonly rule?: Rule;
  readonly approvalsNeeded: number;
  /** Whether the requester's own signature is needed besides. */
  readonly requestNeeded: boolean;
  /** People whose approval counts, each once, sorted. */
  readonly approvedBy: readonly string[];
  /** Absent where everything is there. */
  readonly refusal?: SignerRefusal;
};

/**
 * Whether an address belongs to a compartment, by derivation and never by hearsay: `listed` asks for the wallets of the registry
 * that are no mere deposit addresses, `derived` for those and the deposit addresses that the signer tries.
 */
export type IsOwn = (compartment: Compartment, address: Address, among: 'listed' | 'derived') => boolean;

export type MovementQuestion = {
  readonly intent: MovementIntent;
  /** Of the wallet that would sign. */
  readonly tier: Tier;
  readonly residency: KeyResidency;
  /** Whose signature over the request was verified. */
  readonly requester?: string;
  /** Whose approvals were verified; the judgement decides which of them count. */
  readonly approvers: readonly string[];
  /** Unix seconds. */
  readonly now: bigint;
  /** What intents of this kind, compartment and asset have moved in the last so many seconds, this one left out; base units. */
  readonly spent: (windowSeconds: bigint) => bigint;
  /** What intents of this compartment may have burnt on this chain in the last so many seconds, this one left out; wei. */
  readonly feesSpent: (windowSeconds: bigint) => bigint;
  /** Worst network fee of the transaction in wei, or the intent's `feeMax` before there is one. */
  readonly fee: bigint;
  /** What counts against the window of the chain, where it is more than the fee: a nonce of nobody costs more than its gas. */
  readonly charged?: bigint;
  readonly isOwn: IsOwn;
};

export type AuthorityQuestion = {
  readonly intent: AuthorityIntent;
  readonly approvers: readonly string[];
  /** Unix seconds. */
  readonly now: bigint;
};
