export { audit, auditTimeoutMs, type Violation, type ViolationKind, violationKinds } from './audit.ts';
export { batchTransfersMax, referenceLengthMax } from './batch.ts';
export {
  type ClaimPosition,
  claimsAt,
  lastMarker,
  mark,
  type Marker,
  markerAt,
  type WalletPosition,
  walletPositionsAt,
} from './coverage.ts';
export { ledgerMigrations } from './migrations.ts';
export { expireHolds, expireHoldsMax, openBook, postTransfers } from './posting.ts';
export {
  LedgerQueue,
  type LedgerQueueOptions,
  queueBatchMax,
  queueLanes,
  queueShareMin,
  queueWaitingMax,
} from './queue.ts';
export {
  type AccountEntry,
  accountEntries,
  type AccountReference,
  type Book,
  books,
  type BookTotals,
  bookTotals,
  type OpenHold,
  openHolds,
  type Page,
  pageRowsDefault,
  pageRowsMax,
  type PositionFilter,
  positions,
  type StoredTransfer,
  type TransferFilter,
  transfers,
  type TransferType,
} from './reading.ts';
