import { CustodyError, kindOf } from '@bulkhead/domain';
import { assertVaultTerms, vaultAddress } from '@bulkhead/vaults';
import { assertSignerSet } from './registry-proof-step.ts';
import type { RegistryDraft } from './registry-draft.ts';
import { clientKey } from './registry.ts';
import {
  assertOfSystem,
  sameSystem,
  sameVault,
  type VaultItem,
  vaultKey,
  type VaultSystemEntry,
} from './registry-vault.ts';

/** Bounds of what the registry holds of vaults. */
export const vaultsMax: number = 200_000;

/** Contracts stay what they are once a vault refers to them; who signs, and the receiver of fees of later vaults, may change. */
export function listVaultSystem(draft: RegistryDraft, entry: VaultSystemEntry): void {
  if (draft.chains.get(entry.chain) === undefined) throw wrong(`the chain ${entry.chain} is not listed`);
  const before = draft.systems.get(entry.chain);
  if (before !== undefined && draft.vaults.size() > 0 && !sameSystem(before, entry)) {
    throw wrong(`the contracts of ${entry.chain} cannot be replaced: vaults refer to them for ever`);
  }
  draft.systems.set(entry.chain, entry);
  const proofs = draft.proofRegistries.get(entry.chain);
  if (proofs !== undefined) assertSignerSet(draft, entry.chain, proofs.signerSet);
}

/** The signature of the client is verified by whoever takes the list: see {@link agreementClaims}. */
export function listVault(draft: RegistryDraft, item: VaultItem): void {
  const { chain, compartment, config, policy } = item;
  const system = draft.systems.get(chain);
  if (system === undefined) throw wrong(`${chain} has no system of vaults; it comes before them`);
  assertHolder(draft, item);
  const development = draft.chains.get(chain)?.development === true;
  assertVaultTerms(draft.hashes, { config, policy }, development ? 'contract' : 'production');
  assertOfSystem(config, system);
  const address = vaultAddress(draft.hashes, system, config);
  const key = vaultKey({ chain, address });
  const before = draft.vaults.get(key);
  if (before !== undefined && !sameVault(before, item)) {
    throw wrong(`the vault ${address} is listed on ${chain} already, as something else`);
  }
  const holder = draft.vaultClients.get(config.clientId) ?? compartment;
  if (holder !== compartment) {
    throw wrong(
      `the client whom the vault calls ${config.clientId} is of compartment ${holder}, not of ${compartment}`,
    );
  }
  draft.vaultClients.set(config.clientId, compartment);
  draft.vaults.set(key, { ...item, address });
  if (draft.vaults.size() > vaultsMax) {
    throw wrong(`the registry would hold ${draft.vaults.size()} vaults, at most ${vaultsMax}`);
  }
}

function assertHolder(draft: RegistryDraft, { compartment, client, config }: VaultItem): void {
  const kind = kindOf(compartment);
  if (kind !== config.kind) {
    throw wrong(`compartment ${compartment} is of the kind ${kind}, and the vault of the kind ${config.kind}`);
  }
  if (kind === 'omnibus') {
    if (client !== undefined) throw wrong('an omnibus belongs to no client alone');
    return;
  }
  if (client === undefined) throw wrong('the vault names no client');
  if (draft.clients.get(clientKey({ client, compartment })) === undefined) {
    throw wrong(`${client} is not enrolled in compartment ${compartment}; a client comes before its vaults`);
  }
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
