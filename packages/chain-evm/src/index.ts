export { type EvmChain, type EvmChainOptions, openEvmChain, sourcesMax } from './evm-chain.ts';
export type { EstimateOptions } from './sending.ts';
export { hexQuantity, readAddress, readData, readFields, readHash, readList, readQuantity } from './shape.ts';
export { openSource, type RpcCall, type Source, type SourceLimits, sourceLimits } from './source.ts';
export { readTransaction, transferCalldata, type TransactionReading } from './transaction.ts';
