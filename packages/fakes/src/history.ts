import { type Address, type AssetId, invariant } from '@bulkhead/domain';

type Version = { readonly height: bigint; readonly value: bigint };

/** Balances and nonces at every height, so that the past can be asked and a reorg can take the newest part back. */
export class History {
  readonly #versions = new Map<string, Version[]>();

  balance(asset: AssetId, address: Address, height: bigint): bigint {
    return this.#at(balanceKey(asset, address), height);
  }

  nonce(address: Address, height: bigint): bigint {
    return this.#at(nonceKey(address), height);
  }

  /** Changes a balance in the block at `height`, which must be the newest one. */
  add(entry: {
    readonly asset: AssetId;
    readonly address: Address;
    readonly height: bigint;
    readonly change: bigint;
  }): void {
    const key = balanceKey(entry.asset, entry.address);
    const value = this.#at(key, entry.height) + entry.change;
    invariant(value >= 0n, 'A balance on the fake chain fell below zero.', {
      address: entry.address,
      asset: entry.asset,
    });
    this.#set(key, entry.height, value);
  }

  countNonce(address: Address, height: bigint): void {
    const key = nonceKey(address);
    this.#set(key, height, this.#at(key, height) + 1n);
  }

  /** A word of a contract's storage at a height. */
  word(address: Address, slot: string, height: bigint): bigint {
    return this.#at(wordKey(address, slot), height);
  }

  store(entry: {
    readonly address: Address;
    readonly slot: string;
    readonly height: bigint;
    readonly value: bigint;
  }): void {
    this.#set(wordKey(entry.address, entry.slot), entry.height, entry.value);
  }

  /** Forgets what happened above a height. */
  rewind(height: bigint): void {
    for (const versions of this.#versions.values()) {
      while ((versions.at(-1)?.height ?? 0n) > height) versions.pop();
    }
  }

  #at(key: string, height: bigint): bigint {
    return this.#versions.get(key)?.findLast((version) => version.height <= height)?.value ?? 0n;
  }

  #set(key: string, height: bigint, value: bigint): void {
    const versions = this.#versions.get(key) ?? [];
    const newest = versions.at(-1);
    invariant(newest === undefined || newest.height <= height, 'The past of the fake chain does not change.');
    if (newest?.height === height) versions.pop();
    versions.push({ height, value });
    this.#versions.set(key, versions);
  }
}

function balanceKey(asset: AssetId, address: Address): string {
  return `${asset} ${address}`;
}

function wordKey(address: Address, slot: string): string {
  return `word ${address} ${slot}`;
}

function nonceKey(address: Address): string {
  return `nonce ${address}`;
}
