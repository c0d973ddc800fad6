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
  /** What it is about, where there are several: the name of a file. */
  readonly about?: string;
};

/** In the order in which they are taken. */
export const stepNames = [
  /** What the files are. */
  'file',
  /** Nodes of the chain, and a final block that they agree on. */
  'nodes',
  'block',
  'age',
  /** The registry: its code, what it has of the epoch, and who signs for it. */
  'registry',
  'pinned',
  'header',
  'chained',
  'fresh',
  'signers',
  /** The files of a whole proof. */
  'manifest',
  'files',
  'publication',
  'leaves',
  'totals',
  'window',
  'pinned-block',
  'wallets',
  'excluded',
  /** Of a token: whose word its place of balances is, and whether it answers the same itself. */
  'token-layout',
  'token-answers',
  'reserves',
  'control',
  'vault-code',
  'certificates',
  /** What a client has of its own. */
  'package',
  'own-claim',
  'record',
  'balance',
  'solvent',
  'statement',
  'statement-signed',
  'amounts',
  'segregation',
  /** Certificates and records of signers. */
  'certificate',
  'derived',
  'vault',
  'halves',
  /** The audit log. */
  'checkpoint',
  'witnesses',
  'receipt',
  'content',
  'fork',
  'consistent',
  'anchor',
] as const;

export type StepName = (typeof stepNames)[number];

/** What a check found: every step that was taken, in order. It holds where something was checked and nothing failed. */
export type Report = {
  readonly holds: boolean;
  readonly steps: readonly Step[];
  /** What no proof of this kind can show, in sentences: to be shown beside whatever the result is. */
  readonly limits: readonly string[];
};

export function reportOf(steps: readonly Step[], limits: readonly string[] = []): Report {
  return {
    holds: steps.some(({ result }) => result === 'holds') && steps.every(({ result }) => result !== 'fails'),
    steps,
    limits,
  };
}

export const holds = (step: StepName, reason: string): Step => ({ step, result: 'holds', reason });
export const fails = (step: StepName, reason: string): Step => ({ step, result: 'fails', reason });
export const unknown = (step: StepName, reason: string): Step => ({ step, result: 'unknown', reason });

/** The same steps, said to be about a file. */
export function about(name: string, steps: readonly Step[]): readonly Step[] {
  return steps.map((step) => ({ ...step, about: name }));
}

/** The first few of a list, and how many more there are: what stands in a sentence. */
export function few(items: readonly string[]): string {
  const shown = items.slice(0, 3).join(', ');
  return items.length > 3 ? `${shown} and ${items.length - 3} more` : shown;
}
