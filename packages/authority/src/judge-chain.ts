import type { ChainId, KeyResidency } from '@bulkhead/domain';
import { refuse } from './judge-rule.ts';
import type { SignerRefusal } from './judgement.ts';
import type { Registry } from './registry.ts';

/** Whether a key may sign for a chain: it is listed, and one for development if the key is in software. */
export function objectionToKeyOfChain(
  { chains }: Registry,
  chain: ChainId,
  residency: KeyResidency,
): SignerRefusal | undefined {
  const entry = chains.get(chain);
  if (entry === undefined) {
    return refuse(
      'signer/unknown-chain',
      `The chain ${chain} is not in the registry. Have it listed by the root quorum.`,
      { chain },
    );
  }
  return residency === 'software' && !entry.development ? softwareKey(chain) : undefined;
}

export function softwareKey(chain: string): SignerRefusal {
  return refuse(
    'signer/chain-not-development',
    `The key is in software, and ${chain} is not a development chain: software keys may hold only coins that are worth nothing.`,
    { chain },
  );
}
