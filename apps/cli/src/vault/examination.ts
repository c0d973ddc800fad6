import type { Address } from '@bulkhead/domain';
import { bytesOf, type Hex, hexOf, type Keccak } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import type { BlockHeader } from './block-header.ts';
import type { ChainQuestions } from './chain-questions.ts';
import { type ProvenAccount, provenAccount } from './state-proof.ts';

export const hashes: Keccak = { keccak256: keccak_256 };

/** One thing that was looked at. What could not be looked at is `unknown`, and is no reproach. */
export type Step = { readonly name: string; readonly result: 'ok' | 'wrong' | 'unknown'; readonly reason: string };

/** Everything that is said about one vault, at one block. */
export type Examination = {
  readonly questions: ChainQuestions;
  /** The block whose state counts. Its hash was worked out here. */
  readonly head: BlockHeader;
  readonly steps: Step[];
  /** What nobody could know from here. */
  readonly unknowns: string[];
};

export function report(
  examination: Pick<Examination, 'steps'>,
  name: string,
  { wrong, ok }: { readonly wrong: readonly string[]; readonly ok: string },
): void {
  const [first] = wrong;
  const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
  examination.steps.push(
    first === undefined ? { name, result: 'ok', reason: ok } : { name, result: 'wrong', reason: `${first}${more}` },
  );
}

/** An account with some of its storage and its code, as the state of the block proves them; or why it does not. */
export type ProvenContract = ProvenAccount & { readonly code: Uint8Array };

export async function provenContract(
  { questions, head }: Examination,
  address: Address,
  slots: readonly Hex[],
): Promise<ProvenContract | { readonly fault: string }> {
  const proof = await questions.proof(address, slots, head.height);
  const account = await provenAccount(head.stateRoot, address, proof);
  if (account === undefined) {
    return { fault: `the node's proof of ${address} does not lead to the state of block ${head.height}` };
  }
  const code = bytesOf(await questions.code(address, head.height));
  const codeHash = hexOf(keccak_256(code));
  if (codeHash !== account.codeHash) {
    return { fault: `the node's code of ${address} has the hash ${codeHash}, and the state says ${account.codeHash}` };
  }
  return { ...account, code };
}
