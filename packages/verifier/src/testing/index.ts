export {
  asset,
  cadence,
  claimOf,
  type CommittedEpoch,
  compartment,
  type HeaderWish,
  openReserveWorld,
  type ReserveWorld,
} from './reserve-world.ts';
export {
  controlDigestOf,
  type Deviation,
  gil,
  identity,
  makeWholeProof,
  poolAddress,
  type WholeFiles,
  type Wish,
} from './whole-proof.ts';
