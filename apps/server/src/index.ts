export {
  type Configuration,
  configurationFile,
  type ConfigurationProblem,
  embeddedChainId,
  loadConfiguration,
} from './config.ts';
export { factViews } from './audit-log.ts';
export { conclude, type Demonstration, demonstrate, type LastAct, type Telling } from './demonstration/index.ts';
export { type DevelopmentToken, developmentTokens } from './development-secrets.ts';
export type { Environment } from './environment.ts';
export { examine, type Finding } from './examination.ts';
export { beginAnew } from './folder.ts';
export { signHeartbeat, type SignedHeartbeat } from './heartbeat.ts';
export { type Log, openLog } from './log.ts';
export { publishedLogKey } from './log-signer.ts';
export type { StartedPart } from './part.ts';
export { besideRunning } from './running.ts';
export { proofRegistryDeployment, type RegistryDeployment, type RegistryOrder } from './proof-deployment.ts';
export { publishProof } from './proofs.ts';
export type { ReachedSigner } from './reached-signer.ts';
export { makeOrderOf, type Ordered } from './make-order.ts';
export { evidenceFor } from './reserve-evidence.ts';
export { reserveMaker, type ReserveSettings } from './reserve-maker.ts';
export { openSigner } from './signer.ts';
export { compareWithSigner } from './signer-comparison.ts';
export { followSigner } from './signer-following.ts';
export { type DeploymentOrder, vaultDeployment, type VaultDeployment } from './vault-deployment.ts';
export {
  openCustody,
  type OpenedCustody,
  reachDatabase,
  type RunningServer,
  type StartOptions,
  startServer,
} from './wire.ts';
