import { type Custody, type EpochMaker, keepProof, type Kept, type ProofSetup, provenAsset } from '@bulkhead/custody';
import { type AssetId, CustodyError, type ProofQuorum } from '@bulkhead/domain';
import { bundleEpoch, makeEpoch } from '@bulkhead/reserves';
import type { Configuration } from './config.ts';
import { makeOrderOf } from './make-order.ts';
import type { ReachedSigners } from './reached-signer.ts';
import { evidenceFor } from './reserve-evidence.ts';
import { reserveMaker } from './reserve-maker.ts';

/** Everything that custody needs for proofs. Undefined where no chain has a registry. */
export function proofsOver(
  { proofs }: Pick<Configuration, 'proofs'>,
  of: {
    readonly registries: ReachedSigners['proofRegistries'];
    readonly quorum: ProofQuorum;
    readonly custody: () => Custody;
  },
): ProofSetup | undefined {
  const { registries, quorum, custody } = of;
  if (registries.length === 0) return undefined;
  return { registries, quorum, maker: epochMaker({ proofs }, { quorum, custody }) };
}

/** Makes epochs in this process and its threads, in the configured folder. */
function epochMaker(
  { proofs }: Pick<Configuration, 'proofs'>,
  { quorum, custody }: { readonly quorum: ProofQuorum; readonly custody: () => Custody },
): EpochMaker {
  return {
    make: async (order) => {
      const maker = await reserveMaker(custody(), order.asset, { settings: proofs });
      const { epoch } = await makeEpoch(maker, await makeOrderOf(custody(), order));
      return epoch;
    },
    bundle: async ({ context, header }) => {
      const { asset } = header;
      const maker = await reserveMaker(custody(), asset, { settings: proofs });
      await bundleEpoch(maker, context, evidenceFor(custody(), asset, quorum));
    },
  };
}

/**
 * Brings the proofs of an asset as far as they can be brought now.
 *
 * @throws CustodyError `config/invalid` where it is proven in no configured registry, and what the books and the chains throw
 */
export async function publishProof(
  custody: Custody,
  asset: AssetId,
  order: { readonly asked: boolean },
): Promise<Kept> {
  if (provenAsset(custody, asset) === undefined) {
    const message = `${asset} is proven in no registry: list it in /chains/…/proofRegistry/assets.`;
    throw new CustodyError('config/invalid', message);
  }
  return keepProof(custody, asset, order);
}
