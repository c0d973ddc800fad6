import { type Custody, followChain } from '@bulkhead/custody';
import type { ChainId } from '@bulkhead/domain';
import type { ChainBoard } from './chain-board.ts';
import type { ChainConfiguration } from './config.ts';
import type { Events } from './events.ts';

export type Followers = {
  /** Returns when every follower has ended its transaction at hand. */
  stop(): Promise<void>;
};

/** Follows every chain until it is stopped. A follower survives every fault; what it met is on the board and in the log. */
export function startFollowers(
  custody: Custody,
  chains: readonly ChainConfiguration[],
  { board, events }: { readonly board: ChainBoard; readonly events: Events },
): Followers {
  const stopping = new AbortController();
  const { signal } = stopping;
  const follow = async ({ id, pollMs, startBlock }: ChainConfiguration): Promise<void> => {
    let faulted = false;
    await followChain(custody, id, {
      signal,
      pollMs,
      ...(startBlock === undefined ? {} : { fromHeight: startBlock }),
      onTick: (tick) => {
        board.noteProgress(id);
        if (faulted) events.chainRecovered(id);
        faulted = false;
        events.chainProgressed(id, tick);
      },
      onFault: (error, pauseMs) => {
        board.noteFault(id, error);
        faulted = true;
        events.chainFaulted(id, { error, pauseMs, stalled: board.stalled(id) !== undefined });
      },
    });
  };
  const running = chains.map((chain) => guarded(() => follow(chain), { chain: chain.id, board, events }));
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** A follower that ends by itself met a bug: the board says so for as long as the process lives. */
async function guarded(
  work: () => Promise<void>,
  { chain, board, events }: { readonly chain: ChainId; readonly board: ChainBoard; readonly events: Events },
): Promise<void> {
  try {
    await work();
  } catch (error) {
    board.noteEnd(chain, error);
    events.chainFaulted(chain, { error, pauseMs: 0, stalled: true });
  }
}
