import { type AssetId, type ChainId, CustodyError } from '@bulkhead/domain';
import { chainHash, type Hashes, isHex, zeroHash } from './hashes.ts';
import { PersistentMap } from './persistent-map.ts';
import { assertPeople, assertPolicy } from './registry-invariant.ts';
import { atLine, listDigest, listText, parseList } from './registry-list.ts';
import { type RegistryDraft, registryDraft } from './registry-draft.ts';
import { applyItem } from './registry-step.ts';
import type { Registry, RegistryItem } from './registry.ts';

/** Who stands behind a list: the operational quorum, the root quorum, or the ceremony that opens the registry. */
export type ListAuthority = 'operational' | 'root' | 'opening';

export type ListChange = {
  /** The text of the list, or its items. */
  readonly list: string | readonly RegistryItem[];
  /** Unix seconds. */
  readonly now: bigint;
  readonly authority: ListAuthority;
};

/** What the operational quorum may do: enrol, and take rights away. */
const operationalItems: ReadonlySet<RegistryItem['item']> = new Set([
  'client',
  'destination',
  'destination-removed',
  'person-suspended',
  'vault',
]);

/**
 * Version 0: it knows nothing and allows nothing. Only a list of the ceremony follows it. The identity keys are those that the first
 * record of the log names; without them, lists that replace identity keys cannot be applied.
 *
 * @throws CustodyError `signer/registry-list` for a deployment that is no 32 lower-case hex digits
 */
export function emptyRegistry(deployment: string, identities: readonly string[] = []): Registry {
  if (!isHex(deployment, 16)) {
    throw new CustodyError(
      'signer/registry-list',
      `"${deployment.slice(0, 60)}" is no deployment: 32 lower-case hex digits.`,
    );
  }
  return {
    deployment,
    version: 0n,
    hash: zeroHash,
    identities,
    chains: PersistentMap.empty<ChainId, never>(),
    assets: PersistentMap.empty<AssetId, never>(),
    wallets: PersistentMap.empty<string, never>(),
    clients: PersistentMap.empty<string, never>(),
    destinations: PersistentMap.empty<string, never>(),
    people: PersistentMap.empty<string, never>(),
    systems: PersistentMap.empty<ChainId, never>(),
    vaults: PersistentMap.empty<string, never>(),
    proofRegistries: PersistentMap.empty<ChainId, never>(),
    policy: { coolingSeconds: 0n, operationalQuorum: 0, rootQuorum: 0, rules: [] },
    holders: PersistentMap.empty(),
    vaultClients: PersistentMap.empty(),
    likenesses: PersistentMap.empty(),
  };
}

/**
 * The registry after a list: one version on, its hash chained to the one before. The list applies whole or not at all; the registry
 * before stays as it was. Who approved the list is for the caller to have checked.
 *
 * @throws CustodyError `signer/registry-list` naming the line and the reason
 */
export function applyList(hashes: Hashes, registry: Registry, change: ListChange): Registry {
  const { list, authority, now } = change;
  if ((authority === 'opening') !== (registry.version === 0n)) {
    throw new CustodyError(
      'signer/registry-list',
      `The registry has version ${registry.version}: the first list, and no other, is the one of the ceremony.`,
    );
  }
  const text = typeof list === 'string' ? list : listText(list);
  const items = parseList(text);
  const draft = registryDraft(registry, { hashes, now, coolingSeconds: longestCooling(registry, items) });
  for (const [at, item] of items.entries()) {
    atLine(at, () => {
      assertEntitled(item, authority);
      applyItem(draft, item);
    });
  }
  assertWhole(draft, items, authority);
  const hash = chainHash(hashes, registry.hash, listDigest(hashes, text));
  return draft.finish({ version: registry.version + 1n, hash });
}

/** A list that shortens the cooling period does not shorten it for the destinations it brings along. */
function longestCooling(registry: Registry, items: readonly RegistryItem[]): bigint {
  const policy = items.find((item) => item.item === 'policy');
  const { coolingSeconds: before } = registry.policy;
  return policy !== undefined && policy.coolingSeconds > before ? policy.coolingSeconds : before;
}

function assertEntitled(item: RegistryItem, authority: ListAuthority): void {
  if (authority === 'opening' && item.item === 'identities') {
    throw new CustodyError(
      'signer/registry-list',
      'the ceremony names the identity keys in its first record, not in its list',
    );
  }
  if (authority === 'operational' && !operationalItems.has(item.item)) {
    throw new CustodyError('signer/registry-list', `"${item.item}" needs the root quorum, not the operational one`);
  }
}

/**
 * What must hold of the whole. Whoever suspends takes rights away and may leave a quorum of everyday work out of reach, which
 * stops work and harms nothing; the root quorum must stay within reach, because nobody else can bring people back.
 */
function assertWhole(draft: RegistryDraft, items: readonly RegistryItem[], authority: ListAuthority): void {
  if (authority !== 'operational') {
    assertPolicy(draft);
    assertPeople(draft.peopleNow(), draft.policy(), 'all');
  } else if (items.some((item) => item.item === 'person-suspended')) {
    assertPeople(draft.peopleNow(), draft.policy(), 'root');
  }
}
