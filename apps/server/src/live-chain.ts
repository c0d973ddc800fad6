import { type EvmChain, type EvmChainOptions, openEvmChain } from '@bulkhead/chain-evm';
import type { Asset, Chain } from '@bulkhead/domain';

export type LiveChain = Chain & {
  /** Looks at once whether an asset was allow-listed, instead of with the next block. */
  refresh(): Promise<void>;
};

/**
 * A chain whose list of assets may grow while it is followed. The adapter fixes its token contracts when it is opened, so it is
 * opened again when the list has changed; it keeps no state that matters.
 *
 * A block is answered only if the list was the same after it was fetched. Nobody is told that an asset is allowed before that
 * is committed, so what is paid in it then is in a block that is fetched with it: no deposit of it is passed over.
 */
export async function openLiveChain(
  options: Omit<EvmChainOptions, 'assets'>,
  assets: () => Promise<readonly Asset[]>,
): Promise<LiveChain> {
  let list = await assets();
  let inner: EvmChain = await openEvmChain({ ...options, assets: list });
  const refreshed = async (): Promise<boolean> => {
    const now = await assets();
    if (now.length === list.length) return false;
    inner = await openEvmChain({ ...options, assets: now });
    list = now;
    return true;
  };
  return {
    id: options.chain,
    heads: () => inner.heads(),
    block: async (height, watch) => {
      for (;;) {
        const block = await inner.block(height, watch);
        if (!(await refreshed())) return block;
      }
    },
    hashAt: (height) => inner.hashAt(height),
    balances: (queries, at) => inner.balances(queries, at),
    codeHash: (address, at) => inner.codeHash(address, at),
    read: (contract, data, at) => inner.read(contract, data, at),
    nonce: (address, at) => inner.nonce(address, at),
    estimate: (plan) => inner.estimate(plan),
    build: (plan, terms, nonce) => inner.build(plan, terms, nonce),
    assemble: (unsigned, signature) => inner.assemble(unsigned, signature),
    authorization: (delegate, nonce) => inner.authorization(delegate, nonce),
    authorizedBy: (authorization, signature) => inner.authorizedBy(authorization, signature),
    broadcast: (raw) => inner.broadcast(raw),
    sight: (hash) => inner.sight(hash),
    refresh: async () => {
      await refreshed();
    },
  };
}

/** Host and port of a source: what may be shown of an address that carries access keys. */
export function sourceName(url: string): string {
  return new URL(url).host;
}
