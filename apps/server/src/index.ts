export { type Configuration, configurationFile, type ConfigurationProblem, embeddedChainId, loadConfiguration } from './config.ts';
export { type DevelopmentToken, developmentTokens } from './development-secrets.ts';
export type { Environment } from './environment.ts';
export { type Log, openLog } from './log.ts';
export type { StartedPart } from './part.ts';
export { type RunningServer, type StartOptions, startServer } from './wire.ts';
