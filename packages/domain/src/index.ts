export * from './account.ts';
export * from './address-set.ts';
export * from './address.ts';
export * from './amount.ts';
export * from './approval.ts';
export * from './asset.ts';
export type { AuthorityIntent } from './authority-intent.ts';
export * from './balance-difference.ts';
export * from './break.ts';
export * from './bytes.ts';
export * from './chain.ts';
export * from './clock.ts';
export * from './compartment.ts';
export * from './deposit.ts';
export * from './dispatch.ts';
export * from './fault.ts';
export * from './fees.ts';
export * from './intent.ts';
export type { FeePayer, MovementIntent, MovementIntentKind } from './movement-intent.ts';
export {
  isLogOrigin,
  logSizeMax,
  type LogCheckpointIntent,
  type ProofIntent,
  type ProofIntentKind,
  type ReserveIntent,
  reserveHeaderBytesMax,
  type WalletControlIntent,
} from './proof-intent.ts';
export * from './proof-signer.ts';
export * from './proof-stream.ts';
export * from './reconciliation.ts';
export * from './refusal.ts';
export * from './screening.ts';
export * from './settlement.ts';
export * from './signer.ts';
export * from './transfer.ts';
export {
  membersOf,
  setMembersMax,
  type VaultAuthorisation,
  type VaultIntent,
  type VaultIntentKind,
  type VaultKeyRole,
} from './vault-intent.ts';
export * from './vault-dispatch.ts';
export * from './vault-exit.ts';
export * from './vault-signer.ts';
export { feeAccount } from './withdrawal-hold.ts';
export * from './withdrawal-terms.ts';
export * from './withdrawal.ts';
