import type { ChainId, Compartment, Refused } from '@bulkhead/domain';
import type { ApprovalInput } from './resource/approval.ts';
import type { AllowedAsset, AssetAllowInput, AssetListQuery } from './resource/asset.ts';
import type { ChainListQuery, ChainResumption, ChainView, Dispatch, DispatchListQuery } from './resource/chain.ts';
import type {
  Agreement,
  AgreementInput,
  Balance,
  BalanceListQuery,
  Client,
  ClientInput,
  ClientListQuery,
  SegregationInput,
  SegregationListQuery,
  SegregationVersion,
} from './resource/client.ts';
import type {
  ClientWalletInput,
  CompartmentListQuery,
  CompartmentView,
  CompartmentWalletInput,
  ListedWallet,
  Wallet,
  WalletCertificate,
  WalletListQuery,
} from './resource/compartment.ts';
import type { AssignmentInput, Deposit, DepositListQuery, ReturnInput } from './resource/deposit.ts';
import type { Account, AccountListQuery, Transfer, TransferListQuery } from './resource/ledger.ts';
import type { Page, PageInput } from './resource/page.ts';
import type { LoggedFact, Receipt } from './resource/receipt.ts';
import type {
  AddressCertificate,
  CertificatePath,
  CertificateQuery,
  ClientProof,
  ClientProofQuery,
  Proof,
  ProofDetail,
  ProofListQuery,
  ProofPath,
  SegregationProof,
} from './resource/proof.ts';
import type {
  Break,
  BreakListQuery,
  OwnerInput,
  Reconciliation,
  ReconciliationInput,
  ReconciliationLineListQuery,
  ReconciliationLineView,
  ReconciliationListQuery,
  ResolutionInput,
} from './resource/reconciliation.ts';
import type {
  RegistryChange,
  RegistryChangeDetail,
  RegistryChangeInput,
  RegistryChangeListQuery,
} from './resource/registry-change.ts';
import type { SegregationMove, SegregationMoveInput, SegregationMoveListQuery } from './resource/segregation-move.ts';
import type {
  HeartbeatListQuery,
  HeartbeatView,
  SignerRecordListQuery,
  SignerRecordView,
  SignerView,
  WithdrawalIntentView,
} from './resource/signer.ts';
import type {
  Delegation,
  DelegationListQuery,
  Fee,
  FeeInput,
  FeePayment,
  FeePaymentInput,
  FeePaymentListQuery,
  Sweep,
  SweepBatch,
  SweepInput,
  SweepListQuery,
} from './resource/sweep.ts';
import type {
  Approval,
  RejectionInput,
  Withdrawal,
  WithdrawalInput,
  WithdrawalListQuery,
} from './resource/withdrawal.ts';
import type {
  FlushInput,
  RestrictionInput,
  RestrictionListQuery,
  Vault,
  VaultInput,
  VaultListQuery,
  VaultRestriction,
  VaultRestrictionIntent,
  VaultSignatureInput,
} from './resource/vault.ts';
import type {
  KeyRecovery,
  KeyRecoveryInput,
  KeyRecoveryIntent,
  KeyRecoveryListQuery,
  SignerSetChange,
  SignerSetChangeInput,
  SignerSetChangeIntent,
  SignerSetChangeListQuery,
} from './resource/vault-authority.ts';
import type { Role } from './role.ts';

/** Who calls. Two actors with different names are two people. `clientId` of a client alone: whose proofs it may read. */
export type Actor = { readonly name: string; readonly role: Role; readonly clientId?: string };

/**
 * What makes a write happen once. The key belongs to the actor: two actors may use the same one.
 * `fingerprint` is 64 hex digits over what was asked for: the same key with another fingerprint is refused.
 */
export type Idempotency = { readonly key: string; readonly fingerprint: string };

export type ReadCall = { readonly actor: Actor };
export type WriteCall = { readonly actor: Actor; readonly idempotency: Idempotency };

/**
 * The answer of a write, stored under the key in the transaction of the work.
 * - `done`, `refused`: what was stored; `hit` says that it was stored by an earlier call and nothing was done now;
 * - `key-reused`: the key is taken by a request with another fingerprint; nothing was done and nothing stored.
 */
export type Written<View> = {
  readonly hit: boolean;
  readonly outcome: { readonly status: 'done'; readonly view: View } | Refused | { readonly status: 'key-reused' };
  /** Places of the facts that the call wrote, for receipts of the audit log; the same for the same key. */
  readonly facts: readonly bigint[];
};

/** Reads are never stored. A thrown `CustodyError` is a fault; anything else thrown is a bug. */
export type Read<Input, View> = (call: ReadCall, input: Input) => Promise<View | Refused>;

/**
 * Writes answer the same to the same key and fingerprint, for ever, also when a thousand come at once. A thrown fault
 * consumes no key: the transaction of the work did not commit.
 */
export type Write<Input, View> = (call: WriteCall, input: Input) => Promise<Written<View>>;

type ClientPath = { readonly clientId: string };
type CompartmentPath = { readonly compartment: Compartment };
type DepositPath = { readonly depositId: string };
type WithdrawalPath = { readonly withdrawalId: string };
type SweepPath = { readonly sweepId: string };
type SegregationMovePath = { readonly segregationMoveId: string };
type VaultPath = { readonly vaultId: string };
type VaultRestrictionPath = { readonly vaultRestrictionId: string };
type KeyRecoveryPath = { readonly keyRecoveryId: string };
type SignerSetChangePath = { readonly signerSetChangeId: string };
type WalletPath = { readonly walletId: string };
type RegistryChangePath = { readonly registryChangeId: string };
type BreakPath = { readonly breakId: string };
type List<Query, View> = Read<Query, Page<View>>;

/**
 * Everything the product can be asked to do, as plain functions. Protocols (REST here, others beside it) authenticate, parse
 * and render; they decide nothing.
 */
export type Operations = {
  readonly listClients: List<ClientListQuery, Client>;
  readonly getClient: Read<ClientPath, Client>;
  readonly createClient: Write<ClientInput, Client>;
  readonly listAgreements: List<ClientPath & PageInput, Agreement>;
  readonly recordAgreement: Write<ClientPath & AgreementInput, Agreement>;
  readonly listSegregation: List<ClientPath & SegregationListQuery, SegregationVersion>;
  readonly setSegregation: Write<ClientPath & SegregationInput, SegregationVersion>;
  readonly listClientWallets: List<ClientPath & WalletListQuery, ListedWallet>;
  readonly issueClientWallet: Write<ClientPath & ClientWalletInput, Wallet>;
  readonly listBalances: List<ClientPath & BalanceListQuery, Balance>;

  readonly listAssets: List<AssetListQuery, AllowedAsset>;
  readonly allowAsset: Write<AssetAllowInput, AllowedAsset>;

  readonly listCompartments: List<CompartmentListQuery, CompartmentView>;
  readonly getCompartment: Read<CompartmentPath, CompartmentView>;
  readonly listCompartmentWallets: List<CompartmentPath & WalletListQuery, ListedWallet>;
  readonly issueCompartmentWallet: Write<CompartmentPath & CompartmentWalletInput, Wallet>;
  readonly certifyWallet: Write<WalletPath, WalletCertificate>;

  readonly listSegregationMoves: List<SegregationMoveListQuery, SegregationMove>;
  readonly getSegregationMove: Read<SegregationMovePath, SegregationMove>;
  readonly proposeSegregationMove: Write<ClientPath & SegregationMoveInput, SegregationMove>;
  readonly confirmSegregationMove: Write<SegregationMovePath, SegregationMove>;
  readonly withdrawSegregationMove: Write<SegregationMovePath, SegregationMove>;

  readonly listVaults: List<VaultListQuery, Vault>;
  readonly getVault: Read<VaultPath, Vault>;
  readonly draftVault: Write<VaultInput, Vault>;
  readonly agreeVault: Write<VaultPath & VaultSignatureInput, Vault>;
  readonly certifyVault: Write<VaultPath, Vault>;
  readonly acknowledgeVault: Write<VaultPath & VaultSignatureInput, Vault>;
  readonly flushVault: Write<VaultPath & FlushInput, Dispatch>;
  readonly restrictVault: Write<VaultPath & RestrictionInput, VaultRestriction>;
  readonly listVaultRestrictions: List<RestrictionListQuery, VaultRestriction>;
  readonly getVaultRestriction: Read<VaultRestrictionPath, VaultRestriction>;
  readonly getVaultRestrictionIntent: Read<VaultRestrictionPath, VaultRestrictionIntent>;
  readonly approveVaultRestriction: Write<VaultRestrictionPath & ApprovalInput, VaultRestriction>;
  readonly cancelVaultRestriction: Write<VaultRestrictionPath, VaultRestriction>;
  readonly recoverVaultKey: Write<VaultPath & KeyRecoveryInput, KeyRecovery>;
  readonly listKeyRecoveries: List<KeyRecoveryListQuery, KeyRecovery>;
  readonly getKeyRecovery: Read<KeyRecoveryPath, KeyRecovery>;
  readonly getKeyRecoveryIntent: Read<KeyRecoveryPath, KeyRecoveryIntent>;
  readonly approveKeyRecovery: Write<KeyRecoveryPath & ApprovalInput, KeyRecovery>;
  readonly cancelKeyRecovery: Write<KeyRecoveryPath, KeyRecovery>;
  readonly changeSignerSet: Write<SignerSetChangeInput, SignerSetChange>;
  readonly listSignerSetChanges: List<SignerSetChangeListQuery, SignerSetChange>;
  readonly getSignerSetChange: Read<SignerSetChangePath, SignerSetChange>;
  readonly getSignerSetChangeIntent: Read<SignerSetChangePath, SignerSetChangeIntent>;
  readonly approveSignerSetChange: Write<SignerSetChangePath & ApprovalInput, SignerSetChange>;
  readonly cancelSignerSetChange: Write<SignerSetChangePath, SignerSetChange>;
  readonly signOneOff: Write<WithdrawalPath & VaultSignatureInput, Withdrawal>;

  readonly listDeposits: List<DepositListQuery, Deposit>;
  readonly getDeposit: Read<DepositPath, Deposit>;
  readonly releaseDeposit: Write<DepositPath, Deposit>;
  readonly freezeDeposit: Write<DepositPath, Deposit>;
  readonly assignDeposit: Write<DepositPath & AssignmentInput, Deposit>;
  readonly returnDeposit: Write<DepositPath & ReturnInput, Deposit>;

  readonly listWithdrawals: List<WithdrawalListQuery, Withdrawal>;
  readonly getWithdrawal: Read<WithdrawalPath, Withdrawal>;
  readonly requestWithdrawal: Write<WithdrawalInput, Withdrawal>;
  readonly releaseWithdrawal: Write<WithdrawalPath, Withdrawal>;
  readonly listApprovals: List<WithdrawalPath & PageInput, Approval>;
  readonly getWithdrawalIntent: Read<WithdrawalPath, WithdrawalIntentView>;
  readonly signWithdrawal: Write<WithdrawalPath & ApprovalInput, Withdrawal>;
  readonly approveWithdrawal: Write<WithdrawalPath & ApprovalInput, Withdrawal>;
  readonly rejectWithdrawal: Write<WithdrawalPath & RejectionInput, Withdrawal>;
  readonly cancelWithdrawal: Write<WithdrawalPath, Withdrawal>;

  readonly listSweeps: List<SweepListQuery, Sweep>;
  readonly getSweep: Read<SweepPath, Sweep>;
  readonly requestSweep: Write<SweepInput, SweepBatch>;
  readonly cancelSweep: Write<SweepPath, Sweep>;
  readonly retrySweep: Write<SweepPath, Sweep>;

  readonly listDelegations: List<DelegationListQuery, Delegation>;
  readonly revokeDelegation: Write<WalletPath, Delegation>;

  readonly chargeFee: Write<FeeInput, Fee>;
  readonly listFeePayments: List<FeePaymentListQuery, FeePayment>;
  readonly getFeePayment: Read<{ readonly feePaymentId: string }, FeePayment>;
  readonly payFees: Write<FeePaymentInput, FeePayment>;

  readonly listReconciliations: List<ReconciliationListQuery, Reconciliation>;
  readonly getReconciliation: Read<{ readonly reconciliationId: string }, Reconciliation>;
  readonly listReconciliationLines: List<
    { readonly reconciliationId: string } & ReconciliationLineListQuery,
    ReconciliationLineView
  >;
  readonly startReconciliation: Write<ReconciliationInput, Reconciliation>;
  readonly listBreaks: List<BreakListQuery, Break>;
  readonly getBreak: Read<BreakPath, Break>;
  readonly resolveBreak: Write<BreakPath & ResolutionInput, Break>;
  readonly assignBreak: Write<BreakPath & OwnerInput, Break>;

  readonly listProofs: List<ProofListQuery, Proof>;
  readonly getProof: Read<ProofPath, ProofDetail>;
  readonly getClientProof: Read<ClientPath & ClientProofQuery, ClientProof>;
  readonly getSegregationProof: Read<ClientPath & ClientProofQuery, SegregationProof>;
  readonly getAddressCertificate: Read<CertificatePath & CertificateQuery, AddressCertificate>;

  readonly listAccounts: List<AccountListQuery, Account>;
  readonly listTransfers: List<TransferListQuery, Transfer>;

  readonly listDispatches: List<DispatchListQuery, Dispatch>;
  readonly getDispatch: Read<{ readonly dispatchId: string }, Dispatch>;
  readonly listChains: List<ChainListQuery, ChainView>;
  readonly getChain: Read<{ readonly chain: ChainId }, ChainView>;
  readonly resumeChain: Write<{ readonly chain: ChainId }, ChainResumption>;

  readonly getSigner: Read<object, SignerView>;
  readonly listHeartbeats: List<HeartbeatListQuery, HeartbeatView>;
  readonly listSignerRecords: List<SignerRecordListQuery, SignerRecordView>;
  readonly listRegistryChanges: List<RegistryChangeListQuery, RegistryChange>;
  readonly getRegistryChange: Read<RegistryChangePath, RegistryChangeDetail>;
  readonly requestRegistryChange: Write<RegistryChangeInput, RegistryChangeDetail>;
  readonly approveRegistryChange: Write<RegistryChangePath & ApprovalInput, RegistryChange>;

  readonly listReceipts: List<{ readonly subject: string } & PageInput, LoggedFact>;
  readonly getReceipt: Read<{ readonly fact: bigint }, Receipt>;
};

export type OperationName = keyof Operations;
