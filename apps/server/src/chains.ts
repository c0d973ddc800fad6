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

type Order = { readonly db: Database; readonly parts: AsyncDisposableStack; readonly tell: Tell };

/** Opens every configured chain, starting the node of an embedded one first. */
export async function openChains(
  configuration: Configuration,
  order: Order,
): Promise<ReadonlyMap<ChainId, OpenedChain>> {
  const opened = new Map<ChainId, OpenedChain>();
  for (const chain of configuration.chains) opened.set(chain.id, await openChain(configuration, chain, order));
  return opened;
}

async function openChain(
  configuration: Configuration,
  chain: ChainConfiguration,
  { db, parts, tell }: Order,
): Promise<OpenedChain> {
  const { id, source, required, fees } = chain;
  let embeddedUrl: string | undefined;
  if (source.kind === 'embedded') {
    const directory = join(configuration.dataDirectory, `chain-${id.replace(':', '-')}`);
    const { port, blockTimeSeconds } = source;
    const node = parts.use(await startEmbeddedChain({ id, directory, port, blockTimeSeconds }));
    embeddedUrl = node.url;
    tell({
      part: 'chain',
      what: `${id}: embedded anvil, a real EVM node for development`,
      where: `${node.url}, state in ${directory}`,
    });
  }
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
