import { CustodyError, invariant } from '@bulkhead/domain';
import type { BlockRef, Hash } from '@bulkhead/domain';
import { agree, gather, type Quorum } from './agreement.ts';
import { readHeader } from './block-facts.ts';
import type { ProbedSource } from './probed-source.ts';
import { hexQuantity } from './shape.ts';

/** How far below the head an agreed block is looked for when the sources sit on different forks at the head. */
const headForkDepthMax = 8n;

type HeadReport = { readonly latest: BlockRef; readonly final: BlockRef };
type TipReport = { readonly source: ProbedSource; readonly tip: BlockRef };

/**
 * Newest and newest final block that k sources have reached with the same hash. A source that boasts of heights nobody else
 * has, or that lags, moves neither, as long as k others are there.
 */
export async function readHeads(quorum: Quorum<ProbedSource>): Promise<HeadReport> {
  const reports = await gather(quorum, { subject: 'the newest blocks', ask: readReport });
  const finals = reports.map(({ source, report }) => ({ source, tip: report.final }));
  const final = await highestAgreed(quorum, finals, []);
  invariant(final !== undefined, 'The search for the final block ends with a block or with a fault.');
  const latests = reports.map(({ source, report }) => ({ source, tip: report.latest }));
  const reached = reachedBy(quorum, latests);
  const below = Array.from({ length: Number(headForkDepthMax) }, (_, depth) => reached - BigInt(depth + 1));
  const latest = await newestAbove(quorum, { tips: latests, below, final });
  return { latest, final };
}

/** Falls back to the final block, which k sources do agree on, when the sources agree on nothing above it. */
async function newestAbove(
  quorum: Quorum<ProbedSource>,
  search: { readonly tips: readonly TipReport[]; readonly below: readonly bigint[]; readonly final: BlockRef },
): Promise<BlockRef> {
  const { tips, below, final } = search;
  const deeper = below.filter((height) => height > final.number);
  try {
    const latest = await highestAgreed(quorum, tips, deeper);
    return latest === undefined || latest.number < final.number ? final : latest;
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'chain/disagreement') return final;
    throw error;
  }
}

/** The hash of the canonical block at a height, or undefined when fewer than k sources have one. */
export async function readHashAt(quorum: Quorum<ProbedSource>, height: bigint): Promise<Hash | undefined> {
  const agreed = await agree(quorum, {
    subject: `the hash of block ${height}`,
    ask: async (source, signal) => await hashOf(source, height, signal),
    digest: (hash) => hash,
  });
  return agreed?.[0];
}

async function readReport(source: ProbedSource, signal: AbortSignal): Promise<HeadReport> {
  // The final block is read first: read second, it could be above a newest block that is old by then.
  const final = await readTip(source, 'finalized', signal);
  return { final, latest: await readTip(source, 'latest', signal) };
}

async function readTip(source: ProbedSource, tag: 'latest' | 'finalized', signal: AbortSignal): Promise<BlockRef> {
  const value = await source.read({ method: 'eth_getBlockByNumber', params: [tag, false] }, signal);
  if (value === null) throw new CustodyError('chain/unavailable', `The node has no ${tag} block yet.`);
  const { number, hash } = readHeader(value);
  return { number, hash };
}

async function hashOf(source: ProbedSource, height: bigint, signal: AbortSignal): Promise<Hash | undefined> {
  const params = [hexQuantity(height), false];
  const value = await source.read({ method: 'eth_getBlockByNumber', params }, signal);
  return value === null ? undefined : readHeader(value, height).hash;
}

/** The height that k sources have reached: the k-th highest of what they report. */
function reachedBy(quorum: Quorum, tips: readonly TipReport[]): bigint {
  const heights = tips.map(({ tip }) => tip.number).toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  const reached = heights[quorum.needed - 1];
  invariant(reached !== undefined, 'At least k sources have reported.');
  return reached;
}

/**
 * Tries the heights that sources reported, from the one that k have reached downwards, and then those below, until k
 * sources that have come that far name the same hash there.
 */
async function highestAgreed(
  quorum: Quorum<ProbedSource>,
  tips: readonly TipReport[],
  below: readonly bigint[],
): Promise<BlockRef | undefined> {
  const reached = reachedBy(quorum, tips);
  const reported = new Set(tips.map(({ tip }) => tip.number).filter((height) => height <= reached));
  const heights = [...new Set([...reported, ...below])].toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  let disagreement: CustodyError | undefined;
  for (const height of heights) {
    try {
      const hash = await agreedHash(quorum, tips, height);
      if (hash !== undefined) return { number: height, hash };
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== 'chain/disagreement') throw error;
      disagreement = error;
    }
  }
  if (disagreement !== undefined) throw disagreement;
  return undefined;
}

async function agreedHash(
  quorum: Quorum<ProbedSource>,
  tips: readonly TipReport[],
  height: bigint,
): Promise<Hash | undefined> {
  const tipOf = new Map(tips.map(({ source, tip }) => [source, tip]));
  const there = quorum.sources.filter((source) => (tipOf.get(source)?.number ?? -1n) >= height);
  const agreed = await agree(
    { sources: there, needed: quorum.needed },
    {
      subject: `the hash of block ${height}`,
      ask: async (source, signal) => {
        const tip = tipOf.get(source);
        return tip?.number === height ? tip.hash : await hashOf(source, height, signal);
      },
      digest: (hash) => hash,
    },
  );
  return agreed?.[0];
}
