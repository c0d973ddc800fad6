import type { Custody, EpochMaker, EpochOrder } from '@bulkhead/custody';
import { type Asset, type AssetId, chainNumber, CustodyError, type ProofQuorum } from '@bulkhead/domain';
import { bundleEpoch, leafBits, makeEpoch, type MakeOrder } from '@bulkhead/reserves';
import { bytesOf } from '@bulkhead/vaults';
import { evidenceFor } from './reserve-evidence.ts';
import { reserveMaker, type ReserveSettings } from './reserve-maker.ts';

type MakerParts = {
  /** Asked when it is needed: custody has the maker in it. */
  readonly custody: () => Custody;
  readonly settings: ReserveSettings;
  readonly assets: readonly Asset[];
  readonly quorum: ProofQuorum;
};

/** Makes epochs from the books of this installation, with files in its own folder. */
export function epochMakerOver({ custody, settings, assets, quorum }: MakerParts): EpochMaker {
  return {
    make: async (order) => {
      const maker = await reserveMaker(custody(), order.asset, { settings });
      return (await makeEpoch(maker, makeOrderOf(order, assets))).epoch;
    },
    bundle: async ({ header, context }) => {
      const maker = await reserveMaker(custody(), header.asset, { settings });
      await bundleEpoch(maker, context, evidenceFor(custody(), header.asset, quorum));
    },
  };
}

/** What an epoch of an asset is to be, by how it is proven and by its decimals. @throws CustodyError `asset/unknown` */
export function makeOrderOf(
  { asset, registry: { chain, registry, settings }, tier, unitExponent }: Ordered,
  assets: readonly Asset[],
): MakeOrder {
  const decimals = decimalsOf(asset, assets);
  return {
    stream: { asset, registryChain: BigInt(chainNumber(chain)), registry: bytesOf(registry) },
    custodian: bytesOf(settings.custodian),
    tier,
    bits: leafBits({ tier, decimals, unitExponent }),
    unitExponent,
  };
}

type Ordered = Omit<EpochOrder, 'registry'> & {
  readonly registry: Pick<EpochOrder['registry'], 'chain' | 'registry' | 'settings'>;
};

function decimalsOf(asset: AssetId, assets: readonly Asset[]): number {
  const known = assets.find(({ id }) => id === asset);
  if (known !== undefined) return known.decimals;
  throw new CustodyError('asset/unknown', `${asset} is proven and is not among the assets of the configuration.`);
}
