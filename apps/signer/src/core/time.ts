import { type Clock, CustodyError } from '@bulkhead/domain';

/**
 * How far the clock may run ahead of the time that has passed since the start, in seconds; and one thousandth of that time, which is twice
 * what a time service slews. Both leave room for its steps, and none for a window or a cooling period.
 */
export const clockAheadSecondsMax: bigint = 120n;

/** How long after its newest record a state is started without a question, in seconds: 400 days. */
export const standstillSecondsMax: bigint = 400n * 86_400n;

/** Unix seconds that never go back: windows and expiry rest on it, and whoever sets the clock back gains nothing. */
export type SteadyTime = {
  /** @throws CustodyError `signer/not-ready` while the clock is further ahead than time has passed */
  now(): bigint;
};

export type TimeParts = {
  readonly clock: Clock;
  /** Seconds since any moment, which nobody can set; the kernel's by default. */
  readonly monotonic?: () => bigint;
  /** Time of the newest record, which outlives a restart. */
  readonly floor: () => bigint;
};

/** What is compared is the whole time since the start: many small steps are as good as one. */
export function steadyTime({ clock, monotonic = kernelSeconds, floor }: TimeParts): SteadyTime {
  const begin = { told: toldBy(clock), passed: monotonic() };
  let last = 0n;
  return {
    now() {
      const told = toldBy(clock);
      const passed = monotonic() - begin.passed;
      const ahead = told - begin.told - passed;
      if (ahead > clockAheadSecondsMax + passed / 1_000n) throw jumped(ahead);
      for (const candidate of [told, floor()]) if (candidate > last) last = candidate;
      return last;
    },
  };
}

/** @throws CustodyError `signer/not-ready` where the clock is so far after the newest record that it may be wrong */
export function assertPlausibleStart(clock: Clock, newest: bigint): void {
  const told = toldBy(clock);
  if (told - newest <= standstillSecondsMax) return;
  throw new CustodyError(
    'signer/not-ready',
    `The clock says ${told}, which is ${(told - newest) / 86_400n} days after the newest record (${newest}, Unix seconds). Nothing takes back the time of a record: look at the clock, and if it is right, start once with "acceptLongStandstill": true.`,
    { details: { clock: String(told), newest: String(newest) } },
  );
}

function toldBy(clock: Clock): bigint {
  return BigInt(Math.floor(clock.now().getTime() / 1_000));
}

function kernelSeconds(): bigint {
  return process.hrtime.bigint() / 1_000_000_000n;
}

function jumped(seconds: bigint): CustodyError {
  return new CustodyError(
    'signer/not-ready',
    `The clock went ${seconds} seconds further since the start than time has passed: somebody set it, or the machine slept. Nothing is decided by it. Set it right; if it is right now, start the signer again.`,
    { details: { ahead: String(seconds) } },
  );
}
