import type { ReserveHeader } from '@bulkhead/proofs';
import { equalBytes } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import { chainsOf, type ChainView } from './chain-view.ts';
import type { Examination, PinnedRegistry } from './order.ts';
import { agreeOnBlock } from './pinned-block.ts';
import { isFresh, readRegistry, type RegistryEpoch } from './registry-state.ts';
import { fails, holds, type Step, unknown } from './report.ts';

/** An epoch as the registry pins it, and all that is needed to ask on. */
export type PinnedEpoch = {
  readonly registry: PinnedRegistry;
  readonly header: ReserveHeader;
  readonly epoch: RegistryEpoch;
  /** The newest final block of the registry's chain. */
  readonly view: ChainView;
  /** Nodes of the asset's chain. */
  readonly assetNodes: readonly ChainNode[];
};

/** Steps that were taken, and the epoch where they came so far. */
export type EpochAnswer = { readonly steps: readonly Step[]; readonly pinned?: PinnedEpoch };

/**
 * What the registry pins under the epoch and asset of a header, read out of the state of a final block. Nothing is taken from the header
 * but the question; that it is the one which is pinned is a step.
 */
export async function askRegistry(
  order: Examination,
  header: ReserveHeader,
  context: Uint8Array,
): Promise<EpochAnswer> {
  const { registry, staleAfterSeconds } = order.pins;
  if (registry === undefined) {
    const reason = 'You named no registry. Its chain and address stand in your agreement, or in the auditor’s report.';
    return { steps: [unknown('registry', reason)] };
  }
  const assetChain = assetChainOf(header);
  const sorted = await sortNodes(order.nodes, registry.chain, assetChain);
  if ('step' in sorted) return { steps: [sorted.step] };
  const block = await agreeOnBlock(sorted.ofRegistry, order.nowSeconds);
  if (block.header === undefined) return { steps: block.steps };
  const view = { nodes: sorted.ofRegistry, block: block.header };
  const { asset, epoch: number } = header;
  const epoch = await readRegistry(view, { registry, asset, epoch: number });
  if ('step' in epoch) return { steps: [...block.steps, epoch] };
  const fresh = await isFresh(view, { registry, asset, epoch: number });
  const pinned = { registry, header, epoch, view, assetNodes: sorted.ofAsset };
  return {
    pinned,
    steps: [
      ...block.steps,
      codeStep(registry),
      holds(
        'pinned',
        `The registry has epoch ${number} of ${asset}, proven out of the state of that block.${lapsesTold(epoch)}`,
      ),
      ...headerSteps(pinned, context),
      freshStep(fresh, pinned),
      ...ageStep(pinned, staleAfterSeconds),
    ],
  };
}

/** EIP-155 number of the chain that an asset is on; undefined for chains of another kind. */
export function assetChainOf({ asset }: ReserveHeader): bigint | undefined {
  const [, number] = /^eip155:([0-9]{1,18})\//u.exec(asset) ?? [];
  return number === undefined ? undefined : BigInt(number);
}

type Sorted = { readonly ofRegistry: readonly ChainNode[]; readonly ofAsset: readonly ChainNode[] };

async function sortNodes(
  nodes: readonly ChainNode[],
  registryChain: bigint,
  assetChain: bigint | undefined,
): Promise<Sorted | { readonly step: Step }> {
  const served = await chainsOf(nodes);
  const silent = served.find(({ chain }) => chain === undefined);
  if (silent !== undefined) return { step: unknown('nodes', `${silent.node.name} does not answer.`) };
  const stray = served.find(({ chain }) => chain !== registryChain && chain !== assetChain);
  if (stray !== undefined) return { step: fails('nodes', `${stray.node.name} serves chain ${stray.chain}.`) };
  if (served.every(({ chain }) => chain !== registryChain)) {
    return { step: unknown('nodes', `No node of chain ${registryChain} was given, which the registry is on.`) };
  }
  const of = (wanted: bigint | undefined): readonly ChainNode[] =>
    served.filter(({ chain }) => chain === wanted).map(({ node }) => node);
  return { ofRegistry: of(registryChain), ofAsset: of(assetChain) };
}

/** A custodian that lets epochs lapse shows that; why it did is for it to say. */
function lapsesTold({ lapses }: RegistryEpoch): string {
  if (lapses === 0n) return '';
  return lapses === 1n
    ? ' One epoch of this asset was signed and not committed in time.'
    : ` ${lapses} epochs of this asset were signed and not committed in time.`;
}

function codeStep({ codeHash }: PinnedRegistry): Step {
  return codeHash === undefined
    ? unknown(
        'registry',
        'You gave no hash of the registry’s code, so that its rules are those of this release is not known.',
      )
    : holds('registry', 'The code of the registry is the one that you pinned.');
}

function headerSteps({ header, registry, epoch }: PinnedEpoch, context: Uint8Array): readonly Step[] {
  const here = header.registryChain === registry.chain && equalBytes(header.registry, registry.address);
  if (!here) return [fails('header', 'The file is about another registry than the one that you pinned.')];
  if (!equalBytes(context, epoch.context)) {
    return [fails('header', 'The registry pins another proof under this epoch and asset.')];
  }
  return [
    holds('header', 'The file is about the proof that the registry pins.'),
    equalBytes(header.previous, epoch.previous)
      ? holds('chained', 'The epoch follows the one before it in the registry.')
      : fails('chained', 'The epoch follows another history than that of the registry.'),
  ];
}

function freshStep(fresh: boolean | undefined, { header, epoch: { newest } }: PinnedEpoch): Step {
  if (fresh === undefined) return unknown('fresh', 'A node does not say whether the proofs are fresh.');
  if (!fresh) {
    return fails(
      'fresh',
      'The registry calls the proofs of this asset stale: new epochs do not come, or the one that was drawn was not proven in time.',
    );
  }
  const reason =
    header.epoch === newest ? 'It is the newest epoch.' : `It is not the newest epoch, which is ${newest}.`;
  return holds('fresh', `Epochs go on coming and are proven in time. ${reason}`);
}

function ageStep({ epoch, view }: PinnedEpoch, limit: bigint | undefined): readonly Step[] {
  const age = view.block.time - epoch.takenAt;
  if (limit === undefined) return [];
  return [
    age <= limit
      ? holds('age', `The proof was taken ${age} seconds before that block; you accept ${limit}.`)
      : fails('age', `The proof was taken ${age} seconds before that block, and you accept at most ${limit}.`),
  ];
}
