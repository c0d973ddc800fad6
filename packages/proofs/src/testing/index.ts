export { textbookProof } from './textbook-prover.ts';
