export * from '../src/pkcs11/testing/softhsm.ts';
export { type Needle, needlesOf, type Scan, scanMemory } from './memory-scan.ts';
