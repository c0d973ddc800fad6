import { type ChainId, CustodyError } from '@bulkhead/domain';
import type { Custody } from './custody.ts';
import type { ChainVaults, VaultSetup } from './vault-setup.ts';

export type OfChain = { readonly setup: VaultSetup; readonly system: ChainVaults };

/** The vaults of a chain, or undefined where its configuration has none. */
export function vaultsOn(custody: Custody, chain: ChainId): OfChain | undefined {
  const setup = custody.vaults;
  const system = setup?.systems.get(chain);
  return setup === undefined || system === undefined ? undefined : { setup, system };
}

/** As {@link vaultsOn}, where something depends on them already. @throws CustodyError `vault/system-differs` */
export function expectVaultsOn(custody: Custody, chain: ChainId): OfChain {
  const found = vaultsOn(custody, chain);
  if (found !== undefined) return found;
  throw new CustodyError(
    'vault/system-differs',
    `There are vaults on ${chain}, and the configuration names no contracts of theirs there any more: give it back the ones that the registry of the signers lists.`,
  );
}
