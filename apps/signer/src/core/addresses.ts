import { type IsOwn, type Registry, tierOf, type WalletEntry } from '@bulkhead/authority';
import { type Address, type Compartment, CustodyError, type KeyRef, type KeyResidency } from '@bulkhead/domain';
import { addressOfPublicKey, deriveAddress, hasAddress, type KeyDriver } from '@bulkhead/keys';
import { boundedCache } from './bounded-cache.ts';
import type { CoreDrivers, CoreLimits } from './options.ts';

/** Addresses as the keys give them. Nothing here was told by anybody. */
export type Addresses = {
  /** Address of a key. @throws CustodyError `hsm/…`, `key/derivation` */
  of(key: KeyRef): Promise<Address>;
  xpub(compartment: Compartment): Promise<string | undefined>;
  /** Fetches what {@link Addresses.isOwn} needs about a compartment; the judgement itself does not wait for hardware. */
  prepare(registry: Registry, compartments: readonly Compartment[]): Promise<void>;
  /** Whether an address is one of a compartment's. `certified` are addresses that the log has of it. */
  isOwn(registry: Registry, certified: (compartment: Compartment, address: Address) => boolean): IsOwn;
  residencyOf(key: KeyRef): KeyResidency;
  driverOf(key: KeyRef): KeyDriver;
};

export function openAddresses(drivers: CoreDrivers, limits: CoreLimits): Addresses {
  const addresses = boundedCache<string, Address>(limits.derivationsCachedMax);
  const xpubs = boundedCache<Compartment, string>(limits.derivationsCachedMax);
  const held = boundedCache<string, true>(limits.derivationsCachedMax);

  const driverOf = (key: KeyRef): KeyDriver => {
    const driver = 'label' in key ? drivers.labelled : drivers.tree;
    if (driver !== undefined) return driver;
    throw new CustodyError(
      'hsm/key-missing',
      `This signer has no driver for ${'label' in key ? 'keys with a label' : 'keys of a seed'}, and ${keyText(key)} is one.`,
    );
  };

  const of = async (key: KeyRef): Promise<Address> => {
    const name = `${key.compartment}/${keyName(key)}`;
    const known = addresses.peek(name);
    if (known !== undefined) return known;
    const address = addressOfPublicKey(await driverOf(key).publicKey(key));
    addresses.set(name, address);
    return address;
  };

  const xpub = async (compartment: Compartment): Promise<string | undefined> => {
    const known = xpubs.peek(compartment);
    if (known !== undefined) return known;
    const found = await drivers.tree?.accountXpub?.(compartment);
    if (found !== undefined) xpubs.set(compartment, found);
    return found;
  };

  const holds = (compartment: Compartment, address: Address): boolean => {
    const name = `${compartment}/${address}`;
    if (held.peek(name) === true) return true;
    const account = xpubs.peek(compartment);
    if (account === undefined) return false;
    if (!hasAddress({ compartment, xpub: account }, address, limits.recipientIndexCount)) return false;
    held.set(name, true);
    return true;
  };

  const listedAddress = ({ compartment, key }: WalletEntry): Address | undefined => {
    const name = `${compartment}/${key}`;
    const known = addresses.peek(name);
    if (known !== undefined || !isIndex(key)) return known;
    const account = xpubs.peek(compartment);
    if (account === undefined) return undefined;
    const address = deriveAddress({ compartment, xpub: account }, Number(key));
    addresses.set(name, address);
    return address;
  };

  return {
    of,
    xpub,
    driverOf,
    residencyOf: (key) => driverOf(key).residency,
    async prepare(registry, compartments) {
      for (const compartment of compartments) {
        await xpub(compartment);
        for (const { key } of walletsOf(registry, compartment)) {
          if (!isIndex(key)) await of({ compartment, label: key });
        }
      }
    },
    isOwn: (registry, certified) => (compartment, address, among) => {
      const listed = walletsOf(registry, compartment).some(
        (wallet) => (among === 'derived' || wallet.purpose !== 'deposit') && listedAddress(wallet) === address,
      );
      if (listed || among === 'listed') return listed;
      return certified(compartment, address) || holds(compartment, address);
    },
  };
}

/** `m/44'/60'/7'/0/3`, or the label. */
export function keyText(key: KeyRef): string {
  return 'label' in key ? key.label : `m/44'/60'/${key.compartment}'/0/${key.index}`;
}

/** As the registry names it inside a compartment. */
export function keyName(key: KeyRef): string {
  return 'label' in key ? key.label : String(key.index);
}

/**
 * A key with a label is used only where the registry lists it: the label alone says nothing about its compartment.
 *
 * @throws CustodyError `signer/unknown-wallet`
 */
export function tierOfKey(registry: Registry, key: KeyRef): NonNullable<ReturnType<typeof tierOf>> {
  const tier = tierOf(registry, key);
  if (tier !== undefined) return tier;
  throw new CustodyError(
    'signer/unknown-wallet',
    `The registry lists no wallet "${keyName(key)}" in compartment ${key.compartment}. Have it listed by the root quorum.`,
    { details: { compartment: key.compartment, key: keyName(key) } },
  );
}

function isIndex(key: string): boolean {
  return /^[0-9]/u.test(key);
}

const byCompartment = new WeakMap<Registry, ReadonlyMap<Compartment, readonly WalletEntry[]>>();

/** Wallets that the registry lists for a compartment. A version never changes, so it is sorted once. */
export function walletsOf(registry: Registry, compartment: Compartment): readonly WalletEntry[] {
  let sorted = byCompartment.get(registry);
  if (sorted === undefined) {
    const made = new Map<Compartment, WalletEntry[]>();
    for (const wallet of registry.wallets.values()) {
      const list = made.get(wallet.compartment);
      if (list === undefined) made.set(wallet.compartment, [wallet]);
      else list.push(wallet);
    }
    sorted = made;
    byCompartment.set(registry, sorted);
  }
  return sorted.get(compartment) ?? [];
}
