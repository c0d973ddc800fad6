export {
  type CoreDrivers,
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
