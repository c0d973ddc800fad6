export { type Anchor, anchorDigest } from './anchor.ts';
export { eraseOpenings, erasedAtOnceMax, type ErasureOrder, lengthenRetention, openedLeaves } from './erasure.ts';
export { type Fact, type FactView, readFacts } from './fact.ts';
export {
  type CheckpointOrder,
  type CheckpointSigner,
  newKeyPem,
  type NoteSigner,
  softwareSigner,
  verifyEd25519,
} from './log-key.ts';
export {
  committedHead,
  readTile,
  shownCheckpoint,
  signedSize,
  type StoredCheckpoint,
  storedNodes,
} from './log-reading.ts';
export { logMigrations } from './migrations.ts';
export { askWitness, signHead, type Witness, type WitnessAnswer, witnessTimeoutMs } from './publishing.ts';
export { provenReceipts, receiptAt, receiptsMax, receiptsOf, type ReceiptState } from './receipts.ts';
export { leaseMsDefault, leavesAtOnce, Sequencer, type SequencerOptions, type SequencerStep } from './sequencer.ts';
export { findingsMax, type LogFinding, type LogReport, type LogVerification, verifyLog } from './verification.ts';
export { requestLengthMax, WitnessDesk, type WitnessEvent, type WitnessOrder, witnessServer } from './witness.ts';
