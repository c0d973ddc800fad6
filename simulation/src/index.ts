export { reproduction, type Run, runWorld } from './run.ts';
