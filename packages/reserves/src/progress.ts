/** What a maker is at, in the order in which it comes. */
export type Phase = 'reading' | 'trees' | 'packages' | 'proving' | 'checking' | 'writing';

export type Progress = {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
  /** Milliseconds that the rest takes at the speed so far; undefined before there is one. */
  readonly leftMs: number | undefined;
};

export type Tell = (progress: Progress) => void;

export type Steps = {
  /** One more is done. */
  readonly one: () => void;
  /** One more was done by an earlier run: it says nothing about the speed. */
  readonly before: () => void;
};

/** Least milliseconds between two reports of a phase. */
const reportEveryMs = 250;

/** Counts the steps of a phase and tells of them now and then. */
export function stepsOf(tell: Tell, phase: Phase, total: number): Steps {
  const start = performance.now();
  let reported = 0;
  let ours = 0;
  let earlier = 0;
  const report = (): void => {
    const now = performance.now();
    const done = ours + earlier;
    // The first one of our own is always told: until then nobody knew how long it takes.
    if (done < total && ours !== 1 && now - reported < reportEveryMs) return;
    reported = now;
    tell({ phase, done, total, leftMs: ours === 0 ? undefined : ((now - start) / ours) * (total - done) });
  };
  report();
  return {
    one: () => {
      ours += 1;
      report();
    },
    before: () => {
      earlier += 1;
      report();
    },
  };
}
