import type { OperationName } from './operations.ts';
import type { Role } from './role.ts';

const reads: readonly Role[] = ['admin', 'operator', 'approver', 'auditor'];
/** What a client may read as well, of itself. */
const clientsToo: readonly Role[] = [...reads, 'client'];
const adminOnly: readonly Role[] = ['admin'];
const requests: readonly Role[] = ['admin', 'operator'];
const decisions: readonly Role[] = ['admin', 'approver'];
/** Stops that hurt nobody: whoever sees a danger may call them. */
const stops: readonly Role[] = ['admin', 'operator', 'approver'];
/** Whoever holds an approver key may hand in a signature; what it is worth, the signer's registry says. */
const signing: readonly Role[] = ['admin', 'operator', 'approver'];

/**
 * The roles that may call each operation; the only place that says so. The auditor reads everything and writes nothing,
 * the operator asks, the approver decides, the admin does all of it and alone changes what is allowed. A client reads proofs, and of what
 * is about a client its own alone: {@link clientsOwn}.
 */
export const allowedRoles: Readonly<Record<OperationName, readonly Role[]>> = {
  listClients: reads,
  getClient: reads,
  createClient: requests,
  listAgreements: reads,
  recordAgreement: requests,
  listSegregation: reads,
  setSegregation: requests,
  listClientWallets: reads,
  issueClientWallet: requests,
  listBalances: reads,
  listAssets: reads,
  allowAsset: adminOnly,
  listCompartments: reads,
  getCompartment: reads,
  listCompartmentWallets: reads,
  issueCompartmentWallet: adminOnly,
  certifyWallet: requests,
  listSegregationMoves: reads,
  getSegregationMove: reads,
  proposeSegregationMove: requests,
  confirmSegregationMove: decisions,
  withdrawSegregationMove: stops,
  listVaults: reads,
  getVault: reads,
  draftVault: requests,
  agreeVault: requests,
  certifyVault: requests,
  acknowledgeVault: requests,
  flushVault: requests,
  restrictVault: stops,
  listVaultRestrictions: reads,
  getVaultRestriction: reads,
  getVaultRestrictionIntent: reads,
  approveVaultRestriction: signing,
  cancelVaultRestriction: requests,
  recoverVaultKey: requests,
  listKeyRecoveries: reads,
  getKeyRecovery: reads,
  getKeyRecoveryIntent: reads,
  approveKeyRecovery: signing,
  cancelKeyRecovery: stops,
  changeSignerSet: requests,
  listSignerSetChanges: reads,
  getSignerSetChange: reads,
  getSignerSetChangeIntent: reads,
  approveSignerSetChange: signing,
  cancelSignerSetChange: stops,
  signOneOff: requests,
  listDeposits: reads,
  getDeposit: reads,
  releaseDeposit: decisions,
  freezeDeposit: stops,
  assignDeposit: decisions,
  returnDeposit: requests,
  listWithdrawals: reads,
  getWithdrawal: reads,
  requestWithdrawal: requests,
  releaseWithdrawal: decisions,
  listApprovals: reads,
  getWithdrawalIntent: reads,
  signWithdrawal: requests,
  approveWithdrawal: decisions,
  rejectWithdrawal: decisions,
  cancelWithdrawal: stops,
  listSweeps: reads,
  getSweep: reads,
  requestSweep: requests,
  cancelSweep: stops,
  retrySweep: requests,
  listDelegations: reads,
  revokeDelegation: stops,
  chargeFee: requests,
  listFeePayments: reads,
  getFeePayment: reads,
  payFees: requests,
  listReconciliations: reads,
  getReconciliation: reads,
  listReconciliationLines: reads,
  startReconciliation: requests,
  listBreaks: reads,
  getBreak: reads,
  resolveBreak: decisions,
  assignBreak: requests,
  listProofs: clientsToo,
  getProof: clientsToo,
  getClientProof: clientsToo,
  getSegregationProof: clientsToo,
  getAddressCertificate: clientsToo,
  listAccounts: reads,
  listTransfers: reads,
  listDispatches: reads,
  getDispatch: reads,
  listChains: reads,
  getChain: reads,
  resumeChain: adminOnly,
  getSigner: reads,
  listHeartbeats: reads,
  listSignerRecords: reads,
  listRegistryChanges: reads,
  getRegistryChange: reads,
  requestRegistryChange: requests,
  approveRegistryChange: signing,
  listReceipts: reads,
  getReceipt: reads,
};

/**
 * Whose each thing is that a client may read: of the client in the path, of the client in the answer, or everybody's. What is not here a client
 * does not get, whatever the table above says.
 */
export const clientsOwn: Readonly<Partial<Record<OperationName, 'path' | 'answer' | 'everybody'>>> = {
  listProofs: 'everybody',
  getProof: 'everybody',
  getClientProof: 'path',
  getSegregationProof: 'path',
  getAddressCertificate: 'answer',
};
