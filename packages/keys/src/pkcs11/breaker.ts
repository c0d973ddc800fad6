/** Failures in a row after which a module is left alone for a while. */
export const breakerFailuresMax: number = 3;
/** For how long, in milliseconds. Then one operation tries again; the others wait for how it ends by failing at once. */
export const breakerRestMs: number = 1_000;

/** Keeps requests from queueing up before a module that does not answer, so that the other slot is asked at once. */
export type Breaker = {
  /** Whether the module may be asked now. */
  closed(): boolean;
  succeeded(): void;
  failed(): void;
};

/** @param now milliseconds of a clock that only goes forward */
export function createBreaker(now: () => number = () => performance.now()): Breaker {
  let failures = 0;
  let restUntil = 0;
  return {
    closed() {
      if (failures < breakerFailuresMax) return true;
      if (now() < restUntil) return false;
      // The one that tries; the next must wait for another rest unless this one succeeds.
      restUntil = now() + breakerRestMs;
      return true;
    },
    succeeded() {
      failures = 0;
    },
    failed() {
      failures += 1;
      if (failures >= breakerFailuresMax) restUntil = now() + breakerRestMs;
    },
  };
}
