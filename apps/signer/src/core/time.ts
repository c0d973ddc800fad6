import type { Clock } from '@bulkhead/domain';

/** Unix seconds that never go back: windows and expiry rest on it, and whoever sets the clock back gains nothing. */
export type SteadyTime = { now(): bigint };

/** `floor` answers the time of the newest record, which outlives a restart. */
export function steadyTime(clock: Clock, floor: () => bigint): SteadyTime {
  let last = 0n;
  return {
    now() {
      const told = BigInt(Math.floor(clock.now().getTime() / 1_000));
      for (const candidate of [told, floor()]) if (candidate > last) last = candidate;
      return last;
    },
  };
}
