import { openEvmChain } from '@bulkhead/chain-evm';
import type { ChainView } from '@bulkhead/api';
import { type Cursor, type Custody, findCursor } from '@bulkhead/custody';
import { type BlockRef, type Chain, type ChainId, CustodyError } from '@bulkhead/domain';
import { type LiveChain, sourceName } from './live-chain.ts';

/** A chain counts as followed while it is at most this many blocks behind; a little lag is what polling means. */
export const lagBlocksFollowing = 5n;
/** A chain that lags more makes the process unready. */
export const lagBlocksReadyMax = 50n;
/** Faults in a row until a chain is said to stand still: one alone is weather. */
export const faultsUntilStalled = 3;
/** What sources say is asked for at most this often. */
const lookMs = 2_000;
/** How long a view waits for sources that do not answer. */
const lookMsMax = 3_000;

/** Faults that do not go away by trying again soon. */
const lasting: ReadonlySet<string> = new Set([
  'chain/stopped',
  'chain/finality-violated',
  'chain/behind-books',
  'invariant/broken',
]);

/** One chain as the composition root opened it. */
export type BoardChain = { readonly port: LiveChain; readonly urls: readonly string[]; readonly required: number };

/** What is known of the chains beside the books: how their followers fare and what their sources say. */
export type ChainBoard = {
  readonly ids: readonly ChainId[];
  /** @throws CustodyError `chain/unknown` */
  known(chain: ChainId): BoardChain;
  refresh(chain: ChainId): Promise<void>;
  view(chain: ChainId): Promise<ChainView>;
  /** Why the chain stands still, undefined while it does not. */
  stalled(chain: ChainId): string | undefined;
  noteProgress(chain: ChainId): void;
  noteFault(chain: ChainId, error: unknown): void;
  /** The follower ended and nobody will start it again in this process. */
  noteEnd(chain: ChainId, error: unknown): void;
  /** Faults of the follower since the start. */
  faults(chain: ChainId): number;
};

type Heads = { readonly latest: BlockRef; readonly final: BlockRef };
type SourceView = ChainView['sources'][number];
type Look = { readonly heads: Heads | undefined; readonly sources: readonly SourceView[] };
type State = {
  faultsInRow: number;
  faults: number;
  reason: string | undefined;
  look: Look;
  lookedAt: number;
  looking: Promise<void> | undefined;
};

export function chainBoard(
  custody: Pick<Custody, 'db' | 'clock'>,
  chains: ReadonlyMap<ChainId, BoardChain>,
): ChainBoard {
  const states = new Map([...chains].map(([id, chain]) => [id, newState(chain)]));
  const known = (chain: ChainId): BoardChain => found(chains, chain);
  const stalled = (chain: ChainId): string | undefined => {
    const state = found(states, chain);
    return state.faultsInRow >= faultsUntilStalled ? state.reason : undefined;
  };
  return {
    ids: [...chains.keys()],
    known,
    refresh: (chain) => known(chain).port.refresh(),
    stalled,
    faults: (chain) => found(states, chain).faults,
    noteProgress: (chain) => {
      const state = found(states, chain);
      state.faultsInRow = 0;
      state.reason = undefined;
    },
    noteFault: (chain, error) => {
      const state = found(states, chain);
      const forGood = error instanceof CustodyError && lasting.has(error.code);
      state.faults += 1;
      state.faultsInRow = forGood ? Math.max(state.faultsInRow + 1, faultsUntilStalled) : state.faultsInRow + 1;
      state.reason =
        error instanceof CustodyError
          ? error.message
          : 'The follower met a fault that it was not made for; see the log.';
    },
    noteEnd: (chain) => {
      const state = found(states, chain);
      state.faults += 1;
      state.faultsInRow = Number.MAX_SAFE_INTEGER;
      state.reason =
        'The follower ended by a fault that it was not made for. See the log, and start the process again.';
    },
    view: async (chain) => {
      const { port, urls, required } = known(chain);
      const state = found(states, chain);
      await lookAgain(state, { port, urls, clock: custody.clock });
      return viewOf({
        chain,
        required,
        look: state.look,
        cursor: await findCursor(custody.db, chain),
        stalled: stalled(chain),
      });
    },
  };
}

function found<Value>(map: ReadonlyMap<ChainId, Value>, chain: ChainId): Value {
  const value = map.get(chain);
  if (value !== undefined) return value;
  throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${[...map.keys()].join(', ')}.`);
}

function newState({ urls }: BoardChain): State {
  const unseen = urls.map((url) => ({
    name: sourceName(url),
    healthy: false,
    latest: null,
    reason: 'Not asked yet.',
    checkedAt: null,
  }));
  return {
    faultsInRow: 0,
    faults: 0,
    reason: undefined,
    look: { heads: undefined, sources: unseen },
    lookedAt: 0,
    looking: undefined,
  };
}

type Looking = { readonly port: Chain; readonly urls: readonly string[]; readonly clock: Custody['clock'] };

/** Asks the sources unless they were asked just now. Somebody who waits for a view is not kept longer than a moment by a slow one. */
async function lookAgain(state: State, looking: Looking): Promise<void> {
  const now = looking.clock.now().getTime();
  if (state.looking === undefined && now - state.lookedAt < lookMs) return;
  state.looking ??= look(looking).then((seen) => {
    state.look = seen;
    state.lookedAt = looking.clock.now().getTime();
    state.looking = undefined;
  });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, lookMsMax);
  });
  await Promise.race([state.looking, patience]);
  clearTimeout(timer);
}

async function look({ port, urls, clock }: Looking): Promise<Look> {
  const asked = urls.map((url) => sourceView(port.id, url, clock));
  const [heads, sources] = await Promise.all([headsOf(port), Promise.all(asked)]);
  return { heads, sources };
}

async function headsOf(port: Chain): Promise<Heads | undefined> {
  try {
    return await port.heads();
  } catch (error) {
    if (error instanceof CustodyError) return undefined;
    throw error;
  }
}

/** What one source alone says. Only its name is shown; faults of the adapter name no more either. */
async function sourceView(chain: ChainId, url: string, clock: Custody['clock']): Promise<SourceView> {
  const seen = { name: sourceName(url), checkedAt: clock.now().toISOString() };
  try {
    const limits = { callTimeoutMs: lookMsMax, readRetries: 0 };
    const alone = await openEvmChain({ chain, sources: [url], agreement: { k: 1 }, assets: [], limits });
    const { latest } = await alone.heads();
    return { ...seen, healthy: true, latest: latest.number.toString(), reason: null };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { ...seen, healthy: false, latest: null, reason: error.message };
  }
}

type Seen = {
  readonly chain: ChainId;
  readonly required: number;
  readonly look: Look;
  readonly cursor: Cursor | undefined;
  readonly stalled: string | undefined;
};

function viewOf({ chain, required, look: { heads, sources }, cursor, stalled }: Seen): ChainView {
  const reason = cursor?.stoppedReason ?? stalled ?? null;
  const lag = heads === undefined || cursor === undefined ? undefined : heads.latest.number - cursor.tip.number;
  const behind = cursor === undefined || (lag !== undefined && lag > lagBlocksFollowing);
  return {
    id: chain,
    state: reason === null ? (behind ? 'catching-up' : 'following') : 'stalled',
    reason,
    covered: cursor === undefined ? null : blockView(cursor.tip),
    booked: cursor?.final.number.toString() ?? null,
    tip: heads === undefined ? null : blockView(heads.latest),
    final: heads === undefined ? null : blockView(heads.final),
    lagBlocks: lag === undefined ? null : (lag < 0n ? 0n : lag).toString(),
    required,
    sources,
  };
}

function blockView(block: BlockRef): { readonly number: string; readonly hash: string } {
  return { number: block.number.toString(), hash: block.hash };
}
