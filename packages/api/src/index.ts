export { apiLimits, createApi } from './api.ts';
export type { AnswerMeasure, ApiLimits, ApiOptions, Reading } from './api.ts';
export type * from './operations.ts';
export type * from './resource/approval.ts';
export type * from './resource/asset.ts';
export type * from './resource/chain.ts';
export type * from './resource/client.ts';
export type * from './resource/compartment.ts';
export type * from './resource/deposit.ts';
export type * from './resource/ledger.ts';
export type * from './resource/page.ts';
export type * from './resource/receipt.ts';
export type * from './resource/reconciliation.ts';
export type * from './resource/registry-change.ts';
export type * from './resource/signer.ts';
export type * from './resource/sweep.ts';
export type * from './resource/withdrawal.ts';
export { allowedAsset, assetAllowInput } from './resource/asset.ts';
export { attempt, chainView, dispatch, source } from './resource/chain.ts';
export {
  agreement,
  agreementInput,
  balance,
  client,
  clientInput,
  segregationInput,
  segregationVersion,
} from './resource/client.ts';
export { book, clientWalletInput, compartmentView, compartmentWalletInput, wallet } from './resource/compartment.ts';
export { assignmentInput, deposit, returnInput } from './resource/deposit.ts';
export { account, transfer } from './resource/ledger.ts';
export { formatCursor, page, pageItemsDefault, pageItemsMax, parseCursor } from './resource/page.ts';
export {
  breakView,
  ownerInput,
  reconciliation,
  reconciliationInput,
  reconciliationLine,
  resolutionInput,
} from './resource/reconciliation.ts';
export {
  fee,
  feeInput,
  feePayment,
  feePaymentInput,
  sweep,
  sweepBatch,
  sweepInput,
  sweepWalletsMax,
} from './resource/sweep.ts';
export type { Proof } from './resource/proof.ts';
export { idPrefixes } from './resource/wire.ts';
export type { IdNoun } from './resource/wire.ts';
export { approval, rejectionInput, withdrawal, withdrawalInput } from './resource/withdrawal.ts';
export { allowedRoles } from './permission.ts';
export { roles } from './role.ts';
export type { Role } from './role.ts';
export { problem } from './problem.ts';
export type { Problem } from './problem.ts';
export type { PublicLog } from './public-log.ts';
export type { PublicFile, PublicPlace, PublicReserves } from './public-reserves.ts';
export type { Readiness } from './system.ts';
export { tokenCharsMin } from './token.ts';
export type { Token } from './token.ts';
export { statusOf } from './status.ts';
export { routes } from './route/table.ts';
