import { type Custody, type EpochOrder, findAsset } from '@bulkhead/custody';
import { chainNumber, CustodyError } from '@bulkhead/domain';
import { leafBits, type MakeOrder } from '@bulkhead/reserves';
import { bytesOf } from '@bulkhead/vaults';

/** An asset and how it is proven; of a registry what stands in a header. */
export type Ordered = Omit<EpochOrder, 'registry'> & {
  readonly registry: Pick<EpochOrder['registry'], 'chain' | 'registry' | 'settings'>;
};

/**
 * What an epoch of an asset is to be: by how it is proven, and by its decimals as they were allowed. @throws CustodyError `asset/unknown`
 */
export async function makeOrderOf({ db }: Pick<Custody, 'db'>, of: Ordered): Promise<MakeOrder> {
  const { asset, registry, tier, unitExponent } = of;
  const known = await findAsset(db, asset);
  if (known === undefined) {
    throw new CustodyError('asset/unknown', `${asset} is not on the allow-list: allow it, or prove another one.`);
  }
  return {
    stream: { asset, registryChain: BigInt(chainNumber(registry.chain)), registry: bytesOf(registry.registry) },
    custodian: bytesOf(registry.settings.custodian),
    tier,
    bits: leafBits({ tier, decimals: known.decimals, unitExponent }),
    unitExponent,
  };
}
