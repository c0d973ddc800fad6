export { type EvmChain, type EvmChainOptions, openEvmChain, sourcesMax } from './evm-chain.ts';
export type { EstimateOptions } from './sending.ts';
export { type SourceLimits, sourceLimits } from './source.ts';
export { readTransaction, transferCalldata, type TransactionReading } from './transaction.ts';
