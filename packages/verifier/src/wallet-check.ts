import { type Address, parseAddress } from '@bulkhead/domain';
import { reserveUnits } from '@bulkhead/proofs';
import { hexOf } from '@bulkhead/vaults';
import { equalBytes } from './bytes.ts';
import { readBalances } from './balance-check.ts';
import { certifiedStep } from './certified-wallet.ts';
import { type ChainView, readBlock } from './chain-view.ts';
import { controlSteps } from './control-check.ts';
import type { Examination } from './order.ts';
import { agreeOnBlock, timeText } from './pinned-block.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { readSigners, unreadStep } from './registry-state.ts';
import { fails, few, holds, type Step, unknown } from './report.ts';
import { publishedBuild } from './vault-build.ts';
import type { WalletsQuestion } from './wallets-question.ts';

/** Whether the coins lie where the custodian says, under its control, in the compartments that they are counted in. */
export async function walletSteps(question: WalletsQuestion): Promise<readonly Step[]> {
  const { order, pinned, compartments } = question;
  const named = [excludedStep(question), certifiedStep(question)];
  const block = await pinnedBlock(order, pinned);
  if ('step' in block) return [...named, block.step];
  const { at, head } = block;
  const found = holds(
    'pinned-block',
    `Block ${at.block.height} of ${timeText(at.block.time)} is final, with the hash that the proof names.`,
  );
  const addresses = compartments.flatMap(({ wallets }) => wallets.map(({ address }) => address));
  const balances = await readBalances(at, {
    header: pinned.header,
    declared: question.declared,
    tokens: order.pins.tokens ?? [],
    addresses,
    progress: order.progress ?? ((): void => undefined),
  });
  const shown = [
    ...balances.steps,
    'unread' in balances.of ? unreadStep('reserves', balances.of) : reservesStep(question, balances.of),
  ];
  const signers = await readSigners(pinned.view, pinned.registry);
  const control = await controlSteps({
    pinned,
    at,
    head,
    compartments,
    build: order.pins.build ?? publishedBuild,
    signers: 'unread' in signers ? undefined : parseAddress(hexOf(signers)),
  });
  return [...named, found, ...shown, ...control];
}

/** The block that the proof names, with its state, and the newest final one of the same chain. */
async function pinnedBlock(
  order: Examination,
  { header, registry, view, assetNodes }: PinnedEpoch,
): Promise<{ readonly at: ChainView; readonly head: ChainView } | { readonly step: Step }> {
  if (assetNodes.length === 0) {
    return {
      step: unknown(
        'pinned-block',
        `No node of the chain of ${header.asset} was given, so its coins cannot be looked at.`,
      ),
    };
  }
  const onRegistry = assetNodes.every((node) => view.nodes.includes(node)) && header.registryChain === registry.chain;
  const agreed = onRegistry ? { header: view.block, steps: [] } : await agreeOnBlock(assetNodes, order.nowSeconds);
  if (agreed.header === undefined) return { step: agreed.steps[0] ?? unknown('pinned-block', 'No block was found.') };
  if (agreed.header.height < header.blockNumber) {
    return { step: fails('pinned-block', `Block ${header.blockNumber}, which the proof names, is not final.`) };
  }
  const block = await readBlock(assetNodes, header.blockNumber);
  if (block === undefined) {
    return { step: unknown('pinned-block', `The nodes do not show block ${header.blockNumber} alike.`) };
  }
  if (!equalBytes(block.hash, header.blockHash)) {
    return {
      step: fails('pinned-block', `Block ${header.blockNumber} of the chain is another one than the proof names.`),
    };
  }
  return { at: { nodes: assetNodes, block }, head: { nodes: assetNodes, block: agreed.header } };
}

/** What a row says must be there, rounded down to units. */
function reservesStep({ pinned, compartments, rows }: WalletsQuestion, balances: ReadonlyMap<Address, bigint>): Step {
  const missing: string[] = [];
  let wallets = 0;
  for (const { compartment, reserves } of rows) {
    const own = compartments.find((each) => each.compartment === compartment)?.wallets ?? [];
    wallets += own.length;
    const held = own.reduce((sum, { address }) => sum + (balances.get(address) ?? 0n), 0n);
    const units = reserveUnits(pinned.header, held);
    if (units < reserves) {
      missing.push(`compartment ${compartment} says ${reserves} units, and its wallets had ${units}`);
    }
  }
  return missing.length === 0
    ? holds(
        'reserves',
        `${wallets} wallets of ${rows.length} compartments had at least what the proof says, at the pinned block.`,
      )
    : fails('reserves', `${few(missing)}.`);
}

function excludedStep({ order, compartments }: WalletsQuestion): Step {
  const excluded = order.pins.excluded ?? [];
  const others = new Set<string>(excluded);
  const found = compartments.flatMap(({ wallets }) => wallets.filter(({ address }) => others.has(address)));
  if (found.length > 0) {
    return fails(
      'excluded',
      `These are not addresses of its clients, as you say: ${few(found.map(({ address }) => address))}.`,
    );
  }
  if (excluded.length > 0) {
    return holds('excluded', `None of ${excluded.length} addresses that you exclude is counted, and none twice.`);
  }
  return holds(
    'excluded',
    'No address is counted twice, and no compartment of the custodian itself is. You excluded no address.',
  );
}
