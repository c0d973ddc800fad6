import { join } from 'node:path';
import { listAssets } from '@bulkhead/custody';
import type { ChainId } from '@bulkhead/domain';
import type { Database } from '@bulkhead/postgres';
import type { BoardChain } from './chain-board.ts';
import type { ChainConfiguration, Configuration } from './config.ts';
import { startEmbeddedChain } from './embedded-chain.ts';
import { openLiveChain, sourceName } from './live-chain.ts';
import type { Tell } from './part.ts';

export type OpenedChain = BoardChain & {
  /** Names of the sources, without access keys. */
  readonly names: readonly string[];
  /** Address of the node that we started ourselves. */
  readonly embeddedUrl: string | undefined;
};

type NodeOrder = { readonly parts: AsyncDisposableStack; readonly tell: Tell };

/** Starts the node of each embedded chain, and says where they answer. */
export async function startNodes(
  { chains, dataDirectory }: Configuration,
  { parts, tell }: NodeOrder,
): Promise<ReadonlyMap<ChainId, string>> {
  const nodes = new Map<ChainId, string>();
  for (const { id, source } of chains) {
    if (source.kind !== 'embedded') continue;
    const directory = join(dataDirectory, `chain-${id.replace(':', '-')}`);
    const { port, blockTimeSeconds } = source;
    const { url } = parts.use(await startEmbeddedChain({ id, directory, port, blockTimeSeconds }));
    nodes.set(id, url);
    tell({
      part: 'chain',
      what: `${id}: embedded anvil, a real EVM node for development`,
      where: `${url}, state in ${directory}`,
    });
  }
  return nodes;
}

type Order = { readonly db: Database; readonly nodes: ReadonlyMap<ChainId, string>; readonly tell: Tell };

/** Opens every configured chain; nodes of embedded ones run already. */
export async function openChains({ chains }: Configuration, order: Order): Promise<ReadonlyMap<ChainId, OpenedChain>> {
  const opened = new Map<ChainId, OpenedChain>();
  for (const chain of chains) opened.set(chain.id, await openChain(chain, order));
  return opened;
}

async function openChain(chain: ChainConfiguration, { db, nodes, tell }: Order): Promise<OpenedChain> {
  const { id, source, required, fees } = chain;
  const embeddedUrl = source.kind === 'embedded' ? nodes.get(id) : undefined;
  const urls = source.kind === 'rpc' ? source.urls : [embeddedUrl ?? ''];
  const port = await openLiveChain(
    { chain: id, sources: urls, agreement: { k: required }, estimates: { maxFeePerGasMax: fees.maxFeePerGas } },
    () => listAssets(db, id),
  );
  const names = urls.map(sourceName);
  if (source.kind === 'rpc') {
    tell({ part: 'chain', what: `${id}: ${required} of ${names.length} sources must agree`, where: names.join(', ') });
  }
  return { port, urls, required, names, embeddedUrl };
}
