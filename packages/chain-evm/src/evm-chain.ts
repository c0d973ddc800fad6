import { contractOf, CustodyError, invariant } from '@bulkhead/domain';
import type { Asset, Chain, ChainId, ObservedBlock } from '@bulkhead/domain';
import { agree, gather, type Quorum } from './agreement.ts';
import { checkQueries, readBalances } from './balances.ts';
import { readBlock } from './block-reader.ts';
import { readCodeHash, readContract } from './code-reader.ts';
import { readHashAt, readHeads } from './heads.ts';
import type { Interest } from './observation.ts';
import { type ProbedSource, probeSource } from './probed-source.ts';
import { broadcast, estimate, estimateDefaults, type EstimateOptions, readNonce, sight } from './sending.ts';
import { openSource, type SourceLimits, sourceLimits } from './source.ts';
import { assembleTransaction, authorizedBy, buildAuthorization, buildTransaction } from './transaction.ts';

/** Most sources one chain takes: every read is asked of each of them. */
export const sourcesMax = 9;

export type EvmChainOptions = {
  readonly chain: ChainId;
  /** JSON-RPC endpoints over HTTP or HTTPS, in any order. They may carry access keys; no message repeats them. */
  readonly sources: readonly string[];
  /** How many sources must say the same, from 1 to the number of sources. */
  readonly agreement: { readonly k: number };
  /** Allow-listed assets; those of other chains and the native coin are passed over. */
  readonly assets: readonly Asset[];
  readonly limits?: Partial<SourceLimits>;
  readonly estimates?: Partial<EstimateOptions>;
};

/** The port, and what this adapter knows of its own coverage. */
export interface EvmChain extends Chain {
  /**
   * Whether value of inner calls is part of `block`: `agreed` when at least k of the sources offer traces and k of them
   * agree on each block, `none` otherwise. With `none` only the balance sweep finds such value.
   */
  readonly innerCalls: () => 'agreed' | 'none';
}

/**
 * Opens the chain at its sources. Sources that do not answer now may join later, as long as k are there.
 *
 * @throws CustodyError `config/invalid`, `chain/nonsense` when a source serves another chain, `chain/unavailable` when fewer
 * than k sources answer
 */
export async function openEvmChain(options: EvmChainOptions): Promise<EvmChain> {
  const { chain: id, agreement } = options;
  checkSources(options);
  const limits = { ...sourceLimits, ...options.limits };
  const sources = options.sources.map((url) => probeSource(openSource(url, limits), id));
  const quorum = { sources, needed: agreement.k };
  await openSources(quorum);

  const estimates = { ...estimateDefaults, ...options.estimates };
  const tokens = new Set(
    options.assets.filter((asset) => asset.id.startsWith(`${id}/`)).flatMap((asset) => contractOf(asset.id) ?? []),
  );
  return {
    id,
    innerCalls: () => (tracesAgreed(quorum) ? 'agreed' : 'none'),
    heads: async () => await readHeads(quorum),
    block: async (height, watch) => await agreedBlock(quorum, height, { chain: id, watch, tokens }),
    hashAt: async (height) => await readHashAt(quorum, height),
    balances: async (queries, at) => {
      checkQueries(queries, id);
      return await readBalances(quorum, queries, at);
    },
    codeHash: async (address, at) => await readCodeHash(quorum, address, at),
    read: async (contract, data, at) => await readContract(quorum, { contract, data }, at),
    nonce: async (address, at) => await readNonce(quorum, address, at),
    estimate: async (plan) => await estimate(quorum, plan, estimates),
    build: (plan, terms, nonce) => {
      checkQueries([{ asset: plan.asset, address: plan.from }], id);
      return buildTransaction(plan, terms, nonce);
    },
    assemble: (unsigned, signature) => assembleTransaction(unsigned, signature),
    authorization: (delegate, nonce) => buildAuthorization(id, delegate, nonce),
    authorizedBy: (authorization, signature) => authorizedBy(authorization, signature),
    broadcast: async (raw) => await broadcast(sources, raw),
    sight: async (hash) => await sight(quorum, hash),
  };
}

function checkSources(options: EvmChainOptions): void {
  const { sources, agreement, chain } = options;
  const count = sources.length;
  if (count === 0 || count > sourcesMax || new Set(sources).size !== count) {
    throw new CustodyError(
      'config/invalid',
      `${chain} needs from 1 to ${sourcesMax} different sources, and has ${count}.`,
    );
  }
  if (!Number.isInteger(agreement.k) || agreement.k < 1 || agreement.k > count) {
    throw new CustodyError(
      'config/invalid',
      `${agreement.k} of ${count} sources of ${chain} cannot agree: give a whole number from 1 to ${count}.`,
    );
  }
}

/** A source of another chain is a mistake of the configuration and is reported at once, however many others are right. */
async function openSources(quorum: Quorum<ProbedSource>): Promise<void> {
  const wrong: CustodyError[] = [];
  await gather(quorum, {
    subject: 'which chain they serve',
    ask: async (source) => {
      try {
        return await source.ready();
      } catch (error) {
        if (error instanceof CustodyError && error.code === 'chain/nonsense') wrong.push(error);
        throw error;
      }
    },
  });
  const [first] = wrong;
  if (first !== undefined) throw first;
}

function tracesAgreed(quorum: Quorum<ProbedSource>): boolean {
  return quorum.sources.filter((source) => source.known()?.traces === true).length >= quorum.needed;
}

async function agreedBlock(
  quorum: Quorum<ProbedSource>,
  height: bigint,
  interest: Interest,
): Promise<ObservedBlock | undefined> {
  invariant(height >= 0n, `${height} is not a height.`);
  const traced = tracesAgreed(quorum);
  const agreed = await agree(quorum, {
    subject: `block ${height}`,
    ask: async (source, signal) => await readBlock(source, { height, interest, traced, signal }),
    digest: blockDigest,
  });
  return agreed?.[0];
}

/** The hash of a block covers all of it, but a source can name a right hash beside wrong contents. */
function blockDigest(block: ObservedBlock): string {
  const movements = block.movements.map((movement) => JSON.stringify(movement, bigintText)).toSorted();
  const { movements: _, ...rest } = block;
  return JSON.stringify([rest, movements], bigintText);
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
