export {
  asset,
  cadence,
  claimOf,
  type CommittedEpoch,
  compartment,
  openReserveWorld,
  type ReserveWorld,
} from './reserve-world.ts';
