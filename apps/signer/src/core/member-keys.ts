import type { Registry } from '@bulkhead/authority';
import { type Address, CustodyError, houseSigners, type KeyRef } from '@bulkhead/domain';
import { type Addresses, walletsOf } from './addresses.ts';

/** A key of this signer that is for sets of signers. */
export type MemberKey = { readonly key: KeyRef; readonly address: Address };

/**
 * The keys that the registry lists for sets of signers, as this signer has them. All signers of an installation share one registry, and
 * each has its own key behind the same entry; an entry that is for another one is left out.
 */
export async function memberKeys(addresses: Addresses, registry: Registry): Promise<readonly MemberKey[]> {
  const keys: MemberKey[] = [];
  for (const { compartment, key: name, purpose } of walletsOf(registry, houseSigners)) {
    if (purpose !== 'vault-signer') continue;
    const key: KeyRef = /^[0-9]/u.test(name) ? { compartment, index: Number(name) } : { compartment, label: name };
    const address = await addressOrNone(addresses, key);
    if (address !== undefined) keys.push({ key, address });
  }
  return keys;
}

async function addressOrNone(addresses: Addresses, key: KeyRef): Promise<Address | undefined> {
  try {
    return await addresses.of(key);
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'hsm/key-missing') return undefined;
    throw error;
  }
}
