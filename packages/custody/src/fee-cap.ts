import { type AssetId, CustodyError, chainOf, contractOf } from '@bulkhead/domain';
import type { Custody } from './custody.ts';

/** Most that one transaction in this asset may burn, in wei, by the policy of the chain. */
export function feeCap(custody: Custody, asset: AssetId): bigint {
  const chain = chainOf(asset);
  const caps = custody.policy.feeCaps.get(chain);
  if (caps === undefined) throw new CustodyError('chain/unknown', `No fee caps are configured for ${chain}.`);
  return caps.maxFeePerGas * (contractOf(asset) === undefined ? caps.nativeGas : caps.tokenGas);
}
