import { type Address, parseAddress } from './address.ts';
import { CustodyError } from './fault.ts';

declare const chainBrand: unique symbol;
declare const assetBrand: unique symbol;

/** CAIP-2 id of an EVM chain, `eip155:1`. */
export type ChainId = `eip155:${string}` & { readonly [chainBrand]: true };

/** CAIP-19 id: `eip155:1/slip44:60` (native coin) or `eip155:1/erc20:0x…` with the address in lower case. */
export type AssetId = `${string}/${string}` & { readonly [assetBrand]: true };

/**
 * Fifteen digits at most: the largest number of that length is a safe integer, the largest of sixteen is not.
 *
 * @throws CustodyError `chain/malformed`
 */
export function parseChainId(text: string): ChainId {
  if (!/^eip155:[1-9][0-9]{0,14}$/u.test(text)) {
    throw new CustodyError(
      'chain/malformed',
      `"${text.slice(0, 60)}" is not a CAIP-2 id of an EVM chain such as "eip155:1".`,
    );
  }
  return text as ChainId;
}

/** The numeric chain id of EIP-155. A safe integer, because {@link parseChainId} admits at most 15 digits. */
export function chainNumber(chain: ChainId): number {
  return Number(chain.slice('eip155:'.length));
}

/** @throws CustodyError `asset/malformed`, `chain/malformed`, `address/malformed`, `address/checksum` */
export function parseAssetId(text: string): AssetId {
  const [chain, reference, ...rest] = text.split('/');
  if (chain !== undefined && reference !== undefined && rest.length === 0) {
    parseChainId(chain);
    if (reference === 'slip44:60') return text as AssetId;
    if (reference.startsWith('erc20:')) {
      return `${chain}/erc20:${parseAddress(reference.slice('erc20:'.length))}` as AssetId;
    }
  }
  throw new CustodyError(
    'asset/malformed',
    `"${text.slice(0, 120)}" is not a CAIP-19 id we know: "eip155:<chain>/slip44:60" or "eip155:<chain>/erc20:<address>".`,
  );
}

export function nativeAsset(chain: ChainId): AssetId {
  return `${chain}/slip44:60` as AssetId;
}

export function tokenAsset(chain: ChainId, contract: Address): AssetId {
  return `${chain}/erc20:${contract}` as AssetId;
}

export function chainOf(asset: AssetId): ChainId {
  return asset.slice(0, asset.indexOf('/')) as ChainId;
}

/** The token contract, or undefined for the native coin. */
export function contractOf(asset: AssetId): Address | undefined {
  const reference = asset.slice(asset.indexOf('/') + 1);
  return reference.startsWith('erc20:') ? parseAddress(reference.slice('erc20:'.length)) : undefined;
}

/**
 * How a token moves balances. The operator declares it when the asset is allow-listed.
 * - `standard`: what `Transfer` says is what arrives;
 * - `fee-on-transfer`: less may arrive than `Transfer` says; the balance decides.
 * Rebasing tokens change balances without any event and need share accounting; they cannot be allow-listed yet.
 */
export type TokenBehaviour = 'native' | 'standard' | 'fee-on-transfer';

/** An allow-listed asset. `dustMax` in base units: a deposit of at most this much is booked to suspense. */
export type Asset = {
  readonly id: AssetId;
  readonly symbol: string;
  readonly decimals: number;
  readonly behaviour: TokenBehaviour;
  readonly dustMax: bigint;
  /** ISO 24165 digital token identifier, where one is registered. */
  readonly dti?: string;
};
