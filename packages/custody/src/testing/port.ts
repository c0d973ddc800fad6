import type { Chain } from '@bulkhead/domain';

/** A port to the same chain with some of its methods replaced. */
export function withPort(chain: Chain, replaced: Partial<Chain>): Chain {
  return {
    id: chain.id,
    heads: () => chain.heads(),
    block: (height, watch) => chain.block(height, watch),
    hashAt: (height) => chain.hashAt(height),
    balances: (queries, at) => chain.balances(queries, at),
    codeHash: (address, at) => chain.codeHash(address, at),
    read: (contract, data, at) => chain.read(contract, data, at),
    nonce: (address, at) => chain.nonce(address, at),
    estimate: (plan) => chain.estimate(plan),
    build: (plan, terms, nonce) => chain.build(plan, terms, nonce),
    assemble: (unsigned, signature) => chain.assemble(unsigned, signature),
    authorization: (delegate, nonce) => chain.authorization(delegate, nonce),
    authorizedBy: (authorization, signature) => chain.authorizedBy(authorization, signature),
    broadcast: (raw) => chain.broadcast(raw),
    sight: (hash) => chain.sight(hash),
    ...replaced,
  };
}

/** A source of the same chain that can fall behind: then its newest final block is the first one. */
export function behindAtTimes(): { isBehind: boolean; readonly port: (chain: Chain) => Chain } {
  const source = {
    isBehind: false,
    port: (chain: Chain): Chain =>
      withPort(chain, {
        heads: async () => {
          const heads = await chain.heads();
          const old = await chain.hashAt(1n);
          return source.isBehind && old !== undefined ? { ...heads, final: { number: 1n, hash: old } } : heads;
        },
      }),
  };
  return source;
}
