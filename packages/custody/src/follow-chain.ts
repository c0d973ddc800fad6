import { setTimeout as pause } from 'node:timers/promises';
import { type ChainId, CustodyError } from '@bulkhead/domain';
import { sweepBalances, sweepDue, type Swept } from './balance-sweep.ts';
import { stopChain } from './cursor.ts';
import type { Custody } from './custody.ts';
import { finalize, type Finalized } from './finality.ts';
import { observe, type Observed, startChain } from './follower.ts';
import { followedOn } from './vault-system.ts';
import { AddressWatch } from './watch.ts';

/** Pause between two looks at a chain that has nothing new. */
export const pollMsDefault = 1_000;
/** Longest pause after faults in a row; the first is one poll, each further one twice the one before. */
export const faultPauseMsMax = 60_000;

export type FollowOptions = {
  readonly signal: AbortSignal;
  readonly fromHeight?: bigint;
  readonly pollMs?: number;
  /** After each round that met no fault. */
  readonly onTick?: (tick: { readonly observed: Observed; readonly finalized: Finalized }) => void;
  readonly onSwept?: (swept: Swept) => void;
  /** Each fault, with the pause that follows it. The follower goes on by itself. */
  readonly onFault?: (error: unknown, pauseMs: number) => void;
};

/**
 * Follows a chain until the signal: observes, books what is final, looks at all balances when that is due, and sleeps when there
 * is nothing to do. A fault ends the round at hand and nothing else: the same block is tried again after a pause that grows with
 * every further fault, for ever. A broken invariant stops the chain until people have looked, because to repeat a step that
 * contradicts the books would be to guess.
 *
 * Returns when the signal fires, after the transaction at hand.
 */
export async function followChain(custody: Custody, chain: ChainId, options: FollowOptions): Promise<void> {
  const { signal } = options;
  await rounds(custody, chain, {
    ...options,
    round: async () => {
      await startChain(custody, chain, options.fromHeight);
      return 'over';
    },
  });
  await Promise.all([
    rounds(custody, chain, { ...options, round: observing(custody, chain, options) }),
    // Beside the rounds, because looking at a million balances must not hold up a deposit.
    rounds(custody, chain, {
      ...options,
      round: async () => {
        if (!(await sweepDue(custody, chain))) return 'idle';
        options.onSwept?.(await sweepBalances(custody, chain, signal));
        return 'idle';
      },
    }),
  ]);
}

type Round = () => Promise<'idle' | 'busy' | 'over'>;

function observing(custody: Custody, chain: ChainId, { signal, onTick }: FollowOptions): Round {
  const watch = new AddressWatch(chain, followedOn(custody, chain));
  return async () => {
    const observed = await observe(custody, chain, { watch, signal });
    const finalized = await finalize(custody, chain, { signal });
    onTick?.({ observed, finalized });
    return observed.atHead && finalized.atFinal ? 'idle' : 'busy';
  };
}

async function rounds(
  custody: Custody,
  chain: ChainId,
  options: FollowOptions & { readonly round: Round },
): Promise<void> {
  const { signal, round } = options;
  const pollMs = options.pollMs ?? pollMsDefault;
  for (let faults = 0; !signal.aborted;) {
    try {
      const state = await round();
      faults = 0;
      if (state === 'over') return;
      if (state === 'idle') await sleep(pollMs, signal);
    } catch (error) {
      const pauseMs = Math.min(faultPauseMsMax, pollMs * 2 ** Math.min(faults, 20));
      faults += 1;
      options.onFault?.(error, pauseMs);
      await stopIfBroken(custody, chain, error);
      await sleep(pauseMs, signal);
    }
  }
}

/** A reason that cannot be stored now is met again in the next round. */
async function stopIfBroken(custody: Custody, chain: ChainId, error: unknown): Promise<void> {
  if (!(error instanceof CustodyError) || error.code !== 'invariant/broken') return;
  try {
    await stopChain(custody.db, chain, { reason: error.message, now: custody.clock.now() });
  } catch (failure) {
    if (!(failure instanceof CustodyError)) throw failure;
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
