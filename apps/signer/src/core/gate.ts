/**
 * Lets decisions run side by side, a bounded number of them, and a change of the registry alone: what was decided by one version has
 * left, or failed, before the next one is written.
 */
export type Gate = {
  shared<T>(work: () => Promise<T>): Promise<T>;
  alone<T>(work: () => Promise<T>): Promise<T>;
};

type Turn = { readonly alone: boolean; readonly begin: () => void };

export function openGate(sharedMax: number): Gate {
  const waiting: Turn[] = [];
  let running = 0;
  let aloneRuns = false;

  const admit = (): void => {
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      if (aloneRuns || (next.alone ? running > 0 : running >= sharedMax)) return;
      waiting.shift();
      running += 1;
      aloneRuns = next.alone;
      next.begin();
    }
  };

  const inTurn = async <T>(alone: boolean, work: () => Promise<T>): Promise<T> => {
    // Whoever may begin at once does, without a turn of the event loop: threads get work while the next request is read.
    if (!alone && waiting.length === 0 && !aloneRuns && running < sharedMax) running += 1;
    else {
      await new Promise<void>((begin) => {
        waiting.push({ alone, begin });
        admit();
      });
    }
    try {
      return await work();
    } finally {
      running -= 1;
      if (alone) aloneRuns = false;
      admit();
    }
  };

  return {
    shared: async (work) => inTurn(false, work),
    alone: async (work) => inTurn(true, work),
  };
}
