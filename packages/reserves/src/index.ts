export { type BookedClaim, claimsBehind, nobodys } from './claim-reading.ts';
export {
  advanceEpoch,
  beginEpoch,
  type EpochFilter,
  epochs,
  epochsMax,
  type EpochState,
  type EpochStep,
  findEpoch,
  isInRegistry,
  newestEpoch,
  type PinnedIn,
  provenCount,
  recordBundle,
  type ReserveStream,
  stateOf,
  type StoredEpoch,
} from './epoch.ts';
export { leafBits } from './leaf-bits.ts';
export { reservesMigrations } from './migrations.ts';
export {
  blockTime,
  bookedReserves,
  type CompartmentPosition,
  differing,
  expectOnChain,
  expectSolvent,
  type HeldWallet,
  heldWallets,
  pinnedMarker,
  type ReserveWallet,
  type WalletSource,
} from './position.ts';
export { type ArchiveEntry, archived } from './archive.ts';
export { archives } from './book-work.ts';
export { type BundledEpoch, bundleEpoch } from './bundle.ts';
export { type EvidenceQuestion, type EvidenceSource, type WalletEvidence } from './evidence.ts';
export { assetFolder, type EpochFolders, epochFolders } from './folders.ts';
export { type MadeEpoch, makeEpoch, type MakeOrder, type Maker } from './maker.ts';
export { type Phase, type Progress, type Tell } from './progress.ts';
