import { createHash } from 'node:crypto';
import type { ProofRegistryEntry } from '@bulkhead/authority';
import { openEvmChain } from '@bulkhead/chain-evm';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import type { ProofRegistrySetup, ProvenTerms } from '@bulkhead/custody';
import { type AssetId, type ChainId, chainOf, contractOf, CustodyError, invariant } from '@bulkhead/domain';
import type { ProofRegistrySettings } from '@bulkhead/vaults';
import { foundRegistry, planRegistry, type RegistryPlan } from '../proof-registry.ts';

const daySeconds = 86_400n;

/** Of every registry for development: each epoch is drawn, a few blocks after it is there. */
const settings: Omit<ProofRegistrySettings, 'signers' | 'custodian'> = {
  window: 1n,
  drawDelay: 2n,
  commitWithin: daySeconds,
  cadence: daySeconds,
  proveWithin: daySeconds,
};

/** More than the registry takes. */
const gasMax = 6_000_000n;

/** Who the custodian of an installation for development is. */
function custodianOf(deployment: string): `0x${string}` {
  return `0x${createHash('sha256').update(`bulkhead custodian ${deployment}`).digest('hex')}`;
}

export function developmentPlan(
  deployment: string,
  { signerSet }: Pick<ProofRegistryEntry, 'signerSet'>,
): RegistryPlan {
  return planRegistry({ ...settings, signers: signerSet, custodian: custodianOf(deployment) });
}

/** What the signers are told of the registry of each chain with vaults. The addresses follow from the signer sets. */
export function developmentRegistries(
  deployment: string,
  systems: readonly Pick<ProofRegistryEntry, 'chain' | 'signerSet'>[],
): readonly ProofRegistryEntry[] {
  return systems.map(({ chain, signerSet }) => {
    const { registry } = developmentPlan(deployment, { signerSet });
    return { chain, registry, custodian: custodianOf(deployment).slice(2), signerSet };
  });
}

/**
 * The registries on the embedded chains, deployed where they are missing. Nobody schedules epochs: they are asked for.
 *
 * @throws CustodyError `chain/unavailable`, and what the sources throw
 */
export async function standingRegistries(
  nodes: ReadonlyMap<ChainId, string>,
  of: { readonly deployment: string; readonly entries: readonly ProofRegistryEntry[] },
): Promise<readonly ProofRegistrySetup[]> {
  const setups: ProofRegistrySetup[] = [];
  for (const { chain, registry, signerSet } of of.entries) {
    const url = nodes.get(chain);
    const plan = developmentPlan(of.deployment, { signerSet });
    // A release that makes another contract leaves the one that the signers know alone.
    if (url === undefined || plan.registry !== registry) continue;
    setups.push(developmentRegistry(chain, { plan, codeHash: await standing(url, chain, plan) }));
  }
  return setups;
}

export function developmentRegistry(
  chain: ChainId,
  { plan, codeHash }: { readonly plan: RegistryPlan; readonly codeHash: string },
): ProofRegistrySetup {
  const { registry, settings: made } = plan;
  return { chain, registry, codeHash, settings: made, everySeconds: 0n, termsOf: termsOn(chain) };
}

/** Both tiers, so that both can be looked at: the coin with all sums shown, tokens with none. */
function termsOn(chain: ChainId): (asset: AssetId) => ProvenTerms | undefined {
  return (asset) => {
    if (chainOf(asset) !== chain) return undefined;
    if (contractOf(asset) === undefined) return { tier: 'plain', unitExponent: 0 };
    // The balances of OpenZeppelin's ERC20 stand first in it.
    return { tier: 'confidential', unitExponent: 0, balances: { form: 'key-slot', slot: 0n } };
  };
}

/** Sent by the last account that the node signs for: addresses of the demonstration depend on what the first ones have sent. */
async function standing(url: string, chain: ChainId, plan: RegistryPlan): Promise<string> {
  const port = await openEvmChain({ chain, sources: [url], agreement: { k: 1 }, assets: [] });
  const before = await foundRegistry(port, plan, (await port.heads()).latest);
  if (before !== undefined) return before;
  const node = openDevelopmentNode(url);
  const from = (await node.accounts()).at(-1);
  invariant(from !== undefined, 'A development chain has accounts with coin.');
  const { succeeded } = await node.send({ from, ...plan.transaction, gas: gasMax });
  const found = await foundRegistry(port, plan, (await port.heads()).latest);
  if (succeeded && found !== undefined) return found;
  throw new CustodyError(
    'chain/unavailable',
    `The development chain ${chain} does not take the registry of proofs. Begin anew with --fresh.`,
  );
}
