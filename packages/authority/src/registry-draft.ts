import type { AssetId, ChainId, Compartment } from '@bulkhead/domain';
import type { Hashes } from './hashes.ts';
import { draftOf, type MapDraft, PersistentMap } from './persistent-map.ts';
import type {
  AssetEntry,
  ChainEntry,
  ClientEntry,
  DestinationEntry,
  Person,
  PolicyDocument,
  Registry,
  WalletEntry,
} from './registry.ts';
import type { ProofRegistryEntry } from './registry-proof.ts';
import type { VaultEntry, VaultSystemEntry } from './registry-vault.ts';

/** A list in the middle of being applied. It is thrown away whole when one of its lines is refused. */
export type RegistryDraft = {
  readonly hashes: Hashes;
  /** Unix seconds. */
  readonly now: bigint;
  /** Cooling period of destinations that this list brings. */
  readonly coolingSeconds: bigint;
  readonly chains: MapDraft<ChainId, ChainEntry>;
  readonly assets: MapDraft<AssetId, AssetEntry>;
  readonly wallets: MapDraft<string, WalletEntry>;
  readonly clients: MapDraft<string, ClientEntry>;
  readonly destinations: MapDraft<string, DestinationEntry>;
  readonly people: MapDraft<string, Person>;
  readonly systems: MapDraft<ChainId, VaultSystemEntry>;
  readonly vaults: MapDraft<string, VaultEntry>;
  readonly proofRegistries: MapDraft<ChainId, ProofRegistryEntry>;
  readonly holders: MapDraft<Compartment, string>;
  readonly vaultClients: MapDraft<string, Compartment>;
  readonly likenesses: MapDraft<string, readonly string[]>;
  readonly policy: () => PolicyDocument;
  /** False where this list has set one already. */
  readonly setPolicy: (policy: PolicyDocument) => boolean;
  /** False where this list has named one already. */
  readonly setAuditLog: (origin: string) => boolean;
  readonly identities: () => readonly string[];
  /** False where this list has set them already. */
  readonly setIdentities: (identities: readonly string[]) => boolean;
  readonly peopleNow: () => readonly Person[];
  readonly finish: (next: Pick<Registry, 'version' | 'hash'>) => Registry;
};

export function registryDraft(
  before: Registry,
  at: Pick<RegistryDraft, 'hashes' | 'now' | 'coolingSeconds'>,
): RegistryDraft {
  const maps = {
    chains: draftOf(PersistentMap.of(before.chains)),
    assets: draftOf(PersistentMap.of(before.assets)),
    wallets: draftOf(PersistentMap.of(before.wallets)),
    clients: draftOf(PersistentMap.of(before.clients)),
    destinations: draftOf(PersistentMap.of(before.destinations)),
    people: draftOf(PersistentMap.of(before.people)),
    systems: draftOf(PersistentMap.of(before.systems)),
    vaults: draftOf(PersistentMap.of(before.vaults)),
    proofRegistries: draftOf(PersistentMap.of(before.proofRegistries)),
    holders: draftOf(PersistentMap.of(before.holders)),
    vaultClients: draftOf(PersistentMap.of(before.vaultClients)),
    likenesses: draftOf(PersistentMap.of(before.likenesses)),
  };
  let identities: readonly string[] | undefined;
  let policy: PolicyDocument | undefined;
  let auditLog: string | undefined;
  return {
    ...at,
    ...maps,
    policy: () => policy ?? before.policy,
    setPolicy: (next) => {
      const first = policy === undefined;
      policy = next;
      return first;
    },
    setAuditLog: (origin) => {
      const first = auditLog === undefined;
      auditLog = origin;
      return first;
    },
    identities: () => identities ?? before.identities,
    setIdentities: (next) => {
      const first = identities === undefined;
      identities = next;
      return first;
    },
    peopleNow: () => [...maps.people.finish().values()],
    finish: (next) => ({
      ...next,
      ...auditLogOf(auditLog ?? before.auditLog),
      deployment: before.deployment,
      identities: identities ?? before.identities,
      chains: maps.chains.finish(),
      assets: maps.assets.finish(),
      wallets: maps.wallets.finish(),
      clients: maps.clients.finish(),
      destinations: maps.destinations.finish(),
      people: maps.people.finish(),
      systems: maps.systems.finish(),
      vaults: maps.vaults.finish(),
      proofRegistries: maps.proofRegistries.finish(),
      policy: policy ?? before.policy,
      holders: maps.holders.finish(),
      vaultClients: maps.vaultClients.finish(),
      likenesses: maps.likenesses.finish(),
    }),
  };
}

function auditLogOf(origin: string | undefined): Pick<Registry, 'auditLog'> {
  return origin === undefined ? {} : { auditLog: origin };
}
