export * from './core/index.ts';
export { type BuiltSigner, buildSigner, signerFileName } from './process/build.ts';
export {
  checkConfiguration,
  readConfiguration,
  type SignerConfiguration,
  type SignerConfigurationFile,
} from './process/configuration.ts';
export { type OpenedKeys, openKeys } from './process/keys.ts';
export { type RunningSigner, type SignerOrder, startSigner } from './process/launch.ts';
export { nativeHashes } from './process/native-hashes.ts';
