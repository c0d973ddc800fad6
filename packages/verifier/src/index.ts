export { headerFields } from './block-header.ts';
export { type ChainNode, httpNode } from './chain-node.ts';
export { checkClaim, type ClaimQuestion } from './claim-check.ts';
export { type PinnedRegistry } from './registry-state.ts';
export { type Report, type Step, type StepName } from './report.ts';
