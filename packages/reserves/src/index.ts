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
  newestEpoch,
  type PinnedIn,
  recordBundle,
  type ReserveStream,
  stateOf,
  type StoredEpoch,
} from './epoch.ts';
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
