import type { OperationName } from './operations.ts';
import type { Role } from './role.ts';

const reads: readonly Role[] = ['admin', 'operator', 'approver', 'auditor'];
const adminOnly: readonly Role[] = ['admin'];
const requests: readonly Role[] = ['admin', 'operator'];
const decisions: readonly Role[] = ['admin', 'approver'];
/** Stops that hurt nobody: whoever sees a danger may call them. */
const stops: readonly Role[] = ['admin', 'operator', 'approver'];
/** Whoever holds an approver key may hand in a signature; what it is worth, the signer's registry says. */
const signing: readonly Role[] = ['admin', 'operator', 'approver'];

/**
 * The roles that may call each operation; the only place that says so. The auditor reads everything and writes nothing,
 * the operator asks, the approver decides, the admin does all of it and alone changes what is allowed.
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
  listVaults: reads,
  getVault: reads,
  draftVault: requests,
  agreeVault: requests,
  certifyVault: requests,
  acknowledgeVault: requests,
  flushVault: requests,
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
  listAccounts: reads,
  listTransfers: reads,
  listDispatches: reads,
  getDispatch: reads,
  listChains: reads,
  getChain: reads,
  resumeChain: adminOnly,
  getSigner: reads,
  listSignerRecords: reads,
  listRegistryChanges: reads,
  getRegistryChange: reads,
  requestRegistryChange: requests,
  approveRegistryChange: signing,
};
