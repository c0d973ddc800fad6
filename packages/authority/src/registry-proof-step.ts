import { type Address, type ChainId, CustodyError } from '@bulkhead/domain';
import type { RegistryDraft } from './registry-draft.ts';
import type { ProofRegistryEntry } from './registry-proof.ts';

/** One for each chain. A later list may name another contract; what was pinned in the one before stays pinned there. */
export function listProofRegistry(draft: RegistryDraft, entry: ProofRegistryEntry): void {
  const { chain, signerSet } = entry;
  if (draft.systems.get(chain) === undefined) {
    throw wrong(`${chain} has no set of signers; the contracts of its vaults come before its proof registry`);
  }
  assertSignerSet(draft, chain, signerSet);
  draft.proofRegistries.set(chain, entry);
}

/** The quorum that a proof registry asks is the one whose members are known. */
export function assertSignerSet(draft: Pick<RegistryDraft, 'systems'>, chain: ChainId, signerSet: Address): void {
  const known = draft.systems.get(chain)?.signerSet;
  if (known === signerSet) return;
  throw wrong(`the proof registry of ${chain} asks the set of signers ${signerSet}, and that of the chain is ${known}`);
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
