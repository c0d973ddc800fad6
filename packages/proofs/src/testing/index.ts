export { textbookProof, textbookTask } from './textbook-prover.ts';
