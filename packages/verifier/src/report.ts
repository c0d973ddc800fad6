/**
 * One thing that was looked at.
 * - `holds`: checked, and so;
 * - `fails`: checked, and not so: something is wrong, or somebody lies;
 * - `unknown`: could not be checked with what is there, and why.
 */
export type Step = {
  /** Stable name, for programs. */
  readonly step: StepName;
  readonly result: 'holds' | 'fails' | 'unknown';
  /** For a person: what was checked, or what is wrong or missing. */
  readonly reason: string;
};

export type StepName =
  | 'nodes'
  | 'block'
  | 'registry'
  | 'pinned'
  | 'chained'
  | 'package'
  | 'header'
  | 'own-claim'
  | 'record'
  | 'balance'
  | 'solvent'
  | 'fresh'
  | 'reserves';

/** What a check found: every step that was taken, in order. It holds where something was checked and nothing failed. */
export type Report = { readonly holds: boolean; readonly steps: readonly Step[] };

export function reportOf(steps: readonly Step[]): Report {
  return {
    holds: steps.some(({ result }) => result === 'holds') && steps.every(({ result }) => result !== 'fails'),
    steps,
  };
}
