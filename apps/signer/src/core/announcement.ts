import type { Arrivals } from './arrivals.ts';
import type { Refusals, Refused } from './refusals.ts';

type Announced<Ready, Answer> = {
  /** Everything that has to be waited for: keys, verification of signatures. */
  readonly prepare: () => Promise<Ready>;
  /** Decides, and calls `arrived` once nothing keeps it from the log: waiting for its own group is what it must not do. */
  readonly decide: (ready: Ready, arrived: () => void) => Promise<Answer>;
  readonly refused: Refused;
};

/** One decision, announced from its first look until it comes to the log, is refused, or fails. */
export async function announced<Ready, Answer>(
  { arrivals, refusals }: { readonly arrivals: Arrivals; readonly refusals: Refusals },
  { prepare, decide, refused }: Announced<Ready, Answer>,
): Promise<Answer> {
  const arrived = arrivals.expect();
  try {
    const ready = await prepare();
    return await refusals.recorded(refused, async () => {
      try {
        return await decide(ready, arrived);
      } finally {
        // Before its refusal is written, which would wait for it otherwise.
        arrived();
      }
    });
  } finally {
    arrived();
  }
}
