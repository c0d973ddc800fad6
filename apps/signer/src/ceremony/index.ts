export { type Bundle, bundleBytesMax, parseBundle } from './bundle.ts';
export { type CeremonyPins, type CeremonyTokens, openCeremonyToken, type TokenPlace } from './ceremony-token.ts';
export { runCeremony } from './conductor.ts';
export type { CeremonyConsole } from './console.ts';
export { denyCoreFiles } from './core-files.ts';
export { type DrillOrder, recordDrill } from './drill.ts';
export {
  drillAgeDaysMax,
  drillLines,
  type DrillRecord,
  otherSlot,
  type SlotIdentities,
  verifyDrills,
} from './drill-record.ts';
export { diceRollsNeeded, parsePlan, type Plan, planDigest, type PlanOrder, type PlanSlot, planText } from './plan.ts';
export {
  addressesMax,
  certifiedAddresses,
  type ListedAddress,
  type Restored,
  restoredAddresses,
  type RestoreOrder,
  restoreSeed,
} from './restoration.ts';
export { type Resealed, type ResealOrder, resealSlot } from './reseal.ts';
export { ceremonyFiles, type CeremonyOrder } from './stage.ts';
export {
  type Finding,
  identitiesOf,
  type RecordFact,
  recordFacts,
  type Trusted,
  verifyBundle,
} from './verification.ts';
export { readSecret } from '../process/secret-file.ts';
