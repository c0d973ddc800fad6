export { createState } from './genesis.ts';
export {
  type CoreDrivers,
  type LogKey,
  coreLimitDefaults,
  type CoreLimits,
  type CoreMode,
  type CreateStateOptions,
  type Genesis,
  groupRecordsMax,
  type ReplayReport,
  type SignerCore,
  type SignerCoreOptions,
} from './options.ts';
export { openSignerCore } from './signer-core.ts';
export { openStateFile, type StateFile } from './state-file.ts';
