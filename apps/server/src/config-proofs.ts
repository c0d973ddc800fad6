import { isAbsolute, join } from 'node:path';
import type { ProofRegistrySetup, ProvenTerms } from '@bulkhead/custody';
import { type AssetId, type ChainId, chainOf, contractOf } from '@bulkhead/domain';
import type { ProofRegistrySettings } from '@bulkhead/vaults';
import type { ProofRegistrySection, Section, SystemSection } from './config-schema.ts';

export type ProofsConfiguration = {
  /** Absolute: files of all epochs. Below `public` is what everybody may read. */
  readonly folder: string;
  /** Absolute. Every salt and blinding follows from what is in it. */
  readonly secretFile: string;
  /** Threads that prove; one for each core where nothing is said. */
  readonly threads: number | undefined;
  readonly registries: readonly ProofRegistrySetup[];
};

type Problem = { readonly place: string; readonly sentence: string };

type ProofsOrder = {
  readonly folder: string;
  readonly dataDirectory: string;
  /** Undefined where something in it is wrong and was told. */
  readonly section: Section<'proofs'> | undefined;
  readonly chains: readonly {
    readonly id: ChainId;
    readonly vaults?: SystemSection | undefined;
    readonly proofRegistry?: ProofRegistrySection | undefined;
  }[];
};

/** What is proven where, how often, and where the files are. */
export function proofsOf(
  { folder, dataDirectory, section, chains }: ProofsOrder,
  problems: Problem[],
): ProofsConfiguration {
  const absolute = (path: string): string => (isAbsolute(path) ? path : join(folder, path));
  const ids = new Set(chains.map(({ id }) => id));
  const registries = chains.flatMap(({ id, vaults, proofRegistry }, at) =>
    proofRegistry === undefined
      ? []
      : registryOf({ chain: id, section: proofRegistry, vaults, ids, place: `/chains/${at}/proofRegistry` }, problems),
  );
  const twice = twiceProven(chains);
  if (twice !== undefined) {
    const sentence = `${twice} is proven in two registries: an asset has one line of epochs. Remove it from one of them.`;
    problems.push({ place: '/chains', sentence });
  }
  return {
    folder: absolute(section?.folder ?? join(dataDirectory, 'proofs')),
    secretFile: absolute(section?.secretFile ?? join(dataDirectory, 'proofs-secret')),
    threads: section?.threads,
    registries,
  };
}

/** An asset that another chain's registry has as well. */
function twiceProven(chains: ProofsOrder['chains']): AssetId | undefined {
  const all = chains.flatMap(({ proofRegistry }) => [...new Set(proofRegistry?.assets.map(({ asset }) => asset))]);
  return all.find((asset, at) => all.indexOf(asset) !== at);
}

type RegistryOrder = {
  readonly chain: ChainId;
  readonly section: ProofRegistrySection;
  readonly vaults: SystemSection | undefined;
  readonly ids: ReadonlySet<ChainId>;
  readonly place: string;
};

/** Epochs that the cadence of a registry has room for at least, where nobody says how often one is made. */
const epochsOfCadence = 2n;

function registryOf(
  { chain, section, vaults, ids, place }: RegistryOrder,
  problems: Problem[],
): readonly ProofRegistrySetup[] {
  if (vaults === undefined) {
    const sentence = `The registry believes the signer set of ${chain}, and none is configured there. Configure vaults of this chain first.`;
    problems.push({ place, sentence });
    return [];
  }
  for (const [at, { asset, balances }] of section.assets.entries()) {
    if (!ids.has(chainOf(asset))) {
      const sentence = `${chainOf(asset)} is not among the chains. Add the chain, or remove the asset.`;
      problems.push({ place: `${place}/assets/${at}/asset`, sentence });
    }
    if (section.assets.findIndex((other) => other.asset === asset) !== at) {
      problems.push({ place: `${place}/assets/${at}/asset`, sentence: `${asset} is listed twice. Keep one of them.` });
    }
    if (balances !== undefined && contractOf(asset) === undefined) {
      const sentence = `${asset} is the coin of its chain, whose balances stand in accounts. Remove it.`;
      problems.push({ place: `${place}/assets/${at}/balances`, sentence });
    }
  }
  const { custodian, window, drawDelay, commitWithinSeconds, cadenceSeconds, proveWithinSeconds } = section;
  const everySeconds = section.epochSeconds ?? cadenceSeconds / epochsOfCadence;
  if (everySeconds >= cadenceSeconds) {
    const sentence = `An epoch each ${everySeconds} s comes too late for a cadence of ${cadenceSeconds} s: assets would be stale. Give less, or 0 where "bulkhead proof publish" is run.`;
    problems.push({ place: `${place}/epochSeconds`, sentence });
  }
  const settings: ProofRegistrySettings = {
    signers: vaults.signerSet,
    custodian,
    window: BigInt(window),
    drawDelay: BigInt(drawDelay),
    commitWithin: commitWithinSeconds,
    cadence: cadenceSeconds,
    proveWithin: proveWithinSeconds,
  };
  const assets = new Map(section.assets.map(({ asset, ...terms }) => [asset, terms]));
  const { address: registry, codeHash } = section;
  const termsOf = (asset: AssetId): ProvenTerms | undefined => assets.get(asset);
  return [{ chain, registry, codeHash: codeHash.slice(2), settings, everySeconds, termsOf }];
}
