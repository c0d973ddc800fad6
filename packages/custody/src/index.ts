export { allowAsset, type AssetFilter, type AssetView, assetViews, findAsset, listAssets } from './asset.ts';
export { resumeChain, type ResumedView } from './cursor.ts';
export { lookForUnseen, sweepBalances, sweepDue, type Swept } from './balance-sweep.ts';
export { type BreakFilter, type BreakView, breakViews, findBreak, resolveBreak, setBreakOwner } from './break.ts';
export {
  type AgreementTerms,
  type AgreementView,
  changeSegregation,
  type ClientView,
  createClient,
  findClient,
  listAgreements,
  listClients,
  listSegregation,
  type NewClient,
  recordAgreement,
  type SegregationView,
} from './client.ts';
export { type Answer, isRefused, notFound, type WriteCall } from './command.ts';
export { type CoverageCertificate, coverageCertificate } from './coverage.ts';
export { type Cursor, findCursor } from './cursor.ts';
export {
  type Actor,
  type Custody,
  type FeeCaps,
  type LogAnchor,
  machine,
  type Policy,
  type SourceAgreement,
} from './custody.ts';
export { type AuditorReading, auditorReadings } from './auditor-access.ts';
export { type CeremonyFact, importCeremony } from './ceremony.ts';
export { eraseJournal, type Erasure, namingFacts, recordErasure } from './erasure.ts';
export { factPlaces } from './fact-place.ts';
export { notePolicy, noteRetention } from './policy-fact.ts';
export { erasePersonal, personalFindings } from './personal.ts';
export { type DelegationView, delegationViews, revokeDelegation, sendDelegation } from './delegation.ts';
export { cancelSweep, retrySweep, sendDelegatedSweep } from './delegated-sweep.ts';
export { assignDeposit, freezeDeposit, releaseDeposit, screenDeposit } from './deposit.ts';
export { returnDeposit } from './deposit-return.ts';
export { type DepositView, depositView, depositViews } from './deposit-view.ts';
export { type DispatchView, dispatchViews } from './dispatch.ts';
export { chargeFee, type FeePaymentView, feePaymentViews, type FeeView, payFees } from './fee.ts';
export { flushForWithdrawal, flushVault } from './flush.ts';
export { heartbeatCall, heartbeatIntent, keepHeartbeat, lookAtHeartbeat } from './heartbeat.ts';
export {
  type HeartbeatClock,
  heartbeatClock,
  heartbeatViews,
  type HeartbeatView,
  statedAnchors,
} from './heartbeat-view.ts';
export type { JurisdictionProfile } from './jurisdiction-profile.ts';
export { finalize, type Finalized } from './finality.ts';
export { followChain, type FollowOptions } from './follow-chain.ts';
export { observe, type Observed, startChain } from './follower.ts';
export { enqueue, type Job } from './job.ts';
export { type JobLog, type JobsOptions, runJobs, type RunningJobs } from './jobs.ts';
export {
  type AccountView,
  accountViews,
  type BalanceView,
  balanceViews,
  type BookView,
  type CompartmentView,
  compartmentViews,
  type TransferView,
  transferViews,
} from './ledger-view.ts';
export { findLiquidity } from './liquidity.ts';
export { type LostGrant, lostGrants } from './lost-grant.ts';
export { keepProof, type Kept } from './proof-keeping.ts';
export { type ProvenAsset, provenAsset, registryDifferences } from './proof-registry.ts';
export {
  type EpochMaker,
  type EpochOrder,
  type ProofRegistrySetup,
  type ProofSetup,
  type ProvenTerms,
} from './proof-setup.ts';
export { type ProofActView, proofActView, type ProofClock, proofClocks } from './proof-view.ts';
export { custodyMigrations, migrateAll, migrateWorker, migrationSources } from './migrations.ts';
export { type MovementView } from './movement-view.ts';
export { reconcile, requestReconciliation } from './reconciliation.ts';
export {
  reserveWalletProof,
  type ReserveWalletProof,
  reserveWallets,
  type ReserveWalletView,
} from './reserve-wallet.ts';
export {
  findReconciliation,
  type ReconciliationLineView,
  reconciliationLines,
  type ReconciliationView,
  reconciliationViews,
} from './reconciliation-view.ts';
export {
  approveRegistryChange,
  applyRegistryChange,
  proposeRegistryChange,
  type RegistryChangeRequest,
  registryChangeTtlMs,
  tendRegistryChanges,
} from './registry-change.ts';
export {
  type RegistryChangeKind,
  type RegistryChangeState,
  type RegistryChangeText,
  registryChangeText,
  type RegistryChangeView,
  registryChangeViews,
} from './registry-change-view.ts';
export { registryChangesAfter } from './registry-change-following.ts';
export { addressCertificate, addressCertificateOf, type AddressCertificateView } from './address-certificate.ts';
export {
  pullSignerRecords,
  type SignerLogView,
  signerLogView,
  type SignerRecordView,
  signerRecordViews,
  signerRefusalCounts,
} from './signer-record.ts';
export { auditSignerRecords, countedSignerLogView } from './signer-record-audit.ts';
export { type Followed, type Following, followRecovery } from './signer-recovery.ts';
export {
  advanceMove,
  confirmMove,
  moveViews,
  proposeMove,
  type SegregationMoveView,
  withdrawMove,
} from './segregation-move.ts';
export { sendDispatch, watchDispatch } from './send.ts';
export { requestSweep, sweepsMax, type SweepView, sweepViews } from './sweep.ts';
export {
  agreeVault,
  certifyVault,
  draftVault,
  receiptVault,
  type VaultChoice,
  type VaultDraft,
  type VaultSignature,
} from './vault-issue.ts';
export {
  approveRestriction,
  cancelRestriction,
  requestRestriction,
  type Restriction,
  restrictionText,
  type RestrictionView,
  restrictionViews,
} from './vault-restriction.ts';
export {
  approveKeyRecovery,
  cancelKeyRecovery,
  followKeyRecovery,
  keyRecoveryText,
  type KeyRecoveryView,
  keyRecoveryViews,
  type RecoveryRequest,
  requestKeyRecovery,
} from './key-recovery.ts';
export { keepSignerSet } from './signer-set-carrying.ts';
export {
  approveSetChange,
  cancelSetChange,
  requestSetChange,
  type SetChangeRequest,
  type SetChangeText,
  setChangeText,
} from './signer-set-change.ts';
export { type SetChangeView, setChangeViews } from './signer-set-view.ts';
export { signerSetNow } from './signer-set.ts';
export { checkVault } from './vault-code.ts';
export { signOneOff } from './vault-one-off.ts';
export { relayGasMax } from './vault-relay.ts';
export { liveVaultDispatches, sendVaultDispatch } from './vault-sending.ts';
export {
  type CertificateBackup,
  type CertifiedVault,
  type ChainVaults,
  type HouseTerms,
  type VaultSetup,
} from './vault-setup.ts';
export { type VaultFilter, type VaultView, vaultViews } from './vault-view.ts';
export {
  type ListedWalletView,
  type WalletProblem,
  type WalletPurpose,
  type WalletView,
  walletViews,
} from './wallet.ts';
export { type CompartmentWalletRequest, issueClientWallet, issueCompartmentWallet } from './wallet-issue.ts';
export { type SignedApproval } from './approval.ts';
export {
  approveWithdrawal,
  signWithdrawalRequest,
  type WithdrawalIntentText,
  withdrawalIntentText,
} from './withdrawal-approval.ts';
export { type ApprovalView, type WithdrawalView, withdrawalViews } from './withdrawal-view.ts';
export {
  cancelWithdrawal,
  expireWithdrawals,
  rejectWithdrawal,
  releaseWithdrawal,
  requestWithdrawal,
  screenWithdrawal,
} from './withdrawal.ts';
