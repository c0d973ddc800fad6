import type { Report, StepName } from '@bulkhead/verifier';

/**
 * What a report comes to.
 * - `fails`: something that was checked is not so;
 * - `holds`: everything was checked, and is so;
 * - `holds-so-far`: what could be checked is so, and something could not be known;
 * - `nothing-known`: nothing could be checked.
 */
export type Outcome = 'fails' | 'holds' | 'holds-so-far' | 'nothing-known';

export type Verdict = {
  readonly outcome: Outcome;
  /** A few words that need no explanation. */
  readonly title: string;
  readonly sentence: string;
};

export function verdictOf({ steps }: Report): Verdict {
  const count = (result: 'holds' | 'fails' | 'unknown'): number =>
    steps.filter((step) => step.result === result).length;
  const [holds, fails, unknown] = [count('holds'), count('fails'), count('unknown')];
  if (fails > 0) {
    const sentence = `${things(fails)} of ${steps.length} ${fails === 1 ? 'is' : 'are'} not so. Keep the files and this report, and ask the custodian in writing what happened.`;
    return { outcome: 'fails', title: 'This does not hold', sentence };
  }
  if (holds === 0) {
    const sentence = 'What was missing stands below. Nothing here speaks for or against the custodian.';
    return { outcome: 'nothing-known', title: 'Nothing could be checked', sentence };
  }
  if (unknown > 0) {
    const sentence = `${things(holds)} ${holds === 1 ? 'was' : 'were'} checked and ${holds === 1 ? 'holds' : 'hold'}. ${things(unknown)} could not be known from here.`;
    return { outcome: 'holds-so-far', title: 'What could be checked holds', sentence };
  }
  return { outcome: 'holds', title: 'This holds', sentence: `All ${holds} things were checked, and each holds.` };
}

function things(count: number): string {
  return count === 1 ? '1 thing' : `${count} things`;
}

/** What a step is about, as a heading. */
export const stepTitles: Readonly<Record<StepName, string>> = {
  nodes: 'The nodes you named',
  block: 'A final block of the chain',
  registry: 'The registry’s code',
  pinned: 'What the registry has',
  chained: 'One history of proofs',
  package: 'The form of the file',
  header: 'Which proof this is',
  'own-claim': 'It is about you',
  record: 'Your place in the proof',
  balance: 'Your whole balance is counted',
  solvent: 'What is held covers what is owed',
  fresh: 'Proofs go on coming',
  reserves: 'Where the coins are',
};
