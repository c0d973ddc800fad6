import { chainOf, type Compartment, CustodyError, houseFees, houseGas, houseSigners, kindOf } from '@bulkhead/domain';
import { likeness } from './look-alike.ts';
import { listVault, listVaultSystem } from './registry-vault-step.ts';
import { listProofRegistry } from './registry-proof-step.ts';
import type { RegistryDraft } from './registry-draft.ts';
import {
  clientKey,
  type DestinationEntry,
  destinationKey,
  type DestinationName,
  type RegistryItem,
  walletKey,
  type WalletEntry,
} from './registry.ts';

/** Bounds of what the registry holds, so that it fits the memory of the signer and the time of its start. */
export const clientsMax: number = 1_000_000;
export const destinationsMax: number = 1_000_000;
export const walletsMax: number = 10_000;
export const peopleMax: number = 500;
export const chainsMax: number = 100;
export const assetsMax: number = 1_000;

/**
 * Applies one item to a draft.
 *
 * @throws CustodyError `signer/registry-list` for an item that contradicts what the registry holds by then
 */
export function applyItem(draft: RegistryDraft, item: RegistryItem): void {
  switch (item.item) {
    case 'client':
      return enrolClient(draft, item);
    case 'destination':
      return enrolDestination(draft, item);
    case 'destination-removed':
      return removeDestination(draft, item);
    case 'person-suspended':
      return suspend(draft, item.person);
    case 'person-removed':
      if (draft.people.get(item.person) === undefined) throw wrong(`there is no person "${item.person}"`);
      return draft.people.set(item.person, undefined);
    case 'person': {
      const { id, name, roles, keys } = item;
      draft.people.set(id, { id, name, roles, keys, suspended: false });
      return bounded('people', draft.people.size(), peopleMax);
    }
    case 'chain': {
      const { item: _, ...entry } = item;
      draft.chains.set(entry.chain, entry);
      return bounded('chains', draft.chains.size(), chainsMax);
    }
    case 'asset': {
      const { item: _, ...entry } = item;
      if (draft.chains.get(chainOf(entry.asset)) === undefined) {
        throw wrong(`the chain of ${entry.asset} is not listed`);
      }
      draft.assets.set(entry.asset, entry);
      return bounded('assets', draft.assets.size(), assetsMax);
    }
    case 'asset-removed':
      if (draft.assets.get(item.asset) === undefined) throw wrong(`${item.asset} is not listed`);
      return draft.assets.set(item.asset, undefined);
    case 'wallet': {
      const { item: _, ...entry } = item;
      return listWallet(draft, entry);
    }
    case 'vault-system': {
      const { item: _, ...entry } = item;
      return listVaultSystem(draft, entry);
    }
    case 'vault': {
      const { item: _, ...entry } = item;
      return listVault(draft, entry);
    }
    case 'proof-registry': {
      const { item: _, ...entry } = item;
      return listProofRegistry(draft, entry);
    }
    case 'audit-log':
      if (!draft.setAuditLog(item.origin)) throw wrong('the list names an audit log already');
      return;
    case 'identities':
      return followIdentities(draft, item.publicKeys);
    case 'policy': {
      const { item: _, ...policy } = item;
      if (!draft.setPolicy(policy)) throw wrong('the list has a policy already');
      return;
    }
  }
}

type ItemOf<K extends RegistryItem['item']> = Extract<RegistryItem, { readonly item: K }>;

/** To enrol somebody again changes nothing, so that two lists may overlap. */
function enrolClient(draft: RegistryDraft, { client, compartment }: ItemOf<'client'>): void {
  const kind = kindOf(compartment);
  if (kind === 'house' || kind === 'group') {
    throw wrong(`compartment ${compartment} is of the ${kind} and has no clients`);
  }
  if (kind === 'individual') {
    const holder = draft.holders.get(compartment);
    if (holder !== undefined && holder !== client) throw wrong(`compartment ${compartment} belongs to ${holder} alone`);
    draft.holders.set(compartment, client);
  }
  draft.clients.set(clientKey({ client, compartment }), { client, compartment });
  bounded('clients', draft.clients.size(), clientsMax);
}

/** A destination that is there keeps its time: neither shortens a second enrolment the cooling, nor stops it a running payment. */
function enrolDestination(draft: RegistryDraft, item: ItemOf<'destination'>): void {
  const { client, compartment, chain, address, label } = item;
  if (draft.clients.get(clientKey(item)) === undefined) {
    throw wrong(`${client} is not enrolled in compartment ${compartment}; a client comes before its destinations`);
  }
  if (draft.chains.get(chain) === undefined) throw wrong(`the chain ${chain} is not listed`);
  if (/^0x0+$/u.test(address)) throw wrong('the zero address is nobody');
  const key = destinationKey(item);
  const before = draft.destinations.get(key);
  const usableFrom = before?.usableFrom ?? draft.now + draft.coolingSeconds;
  const entry: DestinationEntry = { client, compartment, chain, address, label, usableFrom };
  draft.destinations.set(key, entry);
  if (before !== undefined) return;
  const looks = likeness(address);
  draft.likenesses.set(looks, [...(draft.likenesses.get(looks) ?? []), key]);
  bounded('destinations', draft.destinations.size(), destinationsMax);
}

function removeDestination(draft: RegistryDraft, name: DestinationName): void {
  const key = destinationKey(name);
  if (draft.destinations.get(key) === undefined) {
    throw wrong(`${name.address} is no destination of ${name.client} there`);
  }
  draft.destinations.set(key, undefined);
  const looks = likeness(name.address);
  const left = (draft.likenesses.get(looks) ?? []).filter((other) => other !== key);
  draft.likenesses.set(looks, left.length === 0 ? undefined : left);
}

function suspend(draft: RegistryDraft, id: string): void {
  const person = draft.people.get(id);
  if (person === undefined) throw wrong(`there is no person "${id}"`);
  draft.people.set(id, { ...person, suspended: true });
}

/** One of the keys of before stays: the head over this very list is signed by it, so nobody has to believe a key that came alone. */
function followIdentities(draft: RegistryDraft, publicKeys: readonly string[]): void {
  const before = draft.identities();
  if (!publicKeys.some((key) => before.includes(key))) {
    throw wrong(
      `none of the identity keys of before (${before.join(', ') || 'none is known'}) stays; replace them one after another`,
    );
  }
  if (!draft.setIdentities(publicKeys)) throw wrong('the list names the identity keys already');
}

function listWallet(draft: RegistryDraft, entry: WalletEntry): void {
  const { compartment, purpose } = entry;
  const place = placeOf(purpose);
  if (place !== undefined && compartment !== place) {
    throw wrong(`a wallet for ${purpose} is in compartment ${place}, not in ${compartment}`);
  }
  if (compartment === houseSigners && purpose !== 'vault-signer') {
    throw wrong(`compartment ${houseSigners} has keys for the set of signers, and none for ${purpose}`);
  }
  draft.wallets.set(walletKey(entry), entry);
  bounded('wallets', draft.wallets.size(), walletsMax);
}

/** The one compartment of a purpose of the house. */
function placeOf(purpose: WalletEntry['purpose']): Compartment | undefined {
  if (purpose === 'gas') return houseGas;
  if (purpose === 'fees') return houseFees;
  return purpose === 'vault-signer' ? houseSigners : undefined;
}

function bounded(name: string, count: number, max: number): void {
  if (count > max) throw wrong(`the registry would hold ${count} ${name}, at most ${max}`);
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
