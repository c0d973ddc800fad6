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

export function verdictOf({ steps }: Pick<Report, 'steps'>): Verdict {
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
  const sentence =
    holds === 1
      ? 'The one thing that there is was checked, and holds.'
      : `All ${holds} things were checked, and each holds.`;
  return { outcome: 'holds', title: 'This holds', sentence };
}

function things(count: number): string {
  return count === 1 ? '1 thing' : `${count} things`;
}

/** What a step is about, as a heading. */
export const stepTitles: Readonly<Record<StepName, string>> = {
  file: 'What the file is',
  nodes: 'The nodes you named',
  block: 'A final block of the chain',
  age: 'How old that block is',
  registry: 'The registry’s code',
  pinned: 'What the registry has',
  header: 'Which proof this is',
  chained: 'One history of proofs',
  fresh: 'Proofs go on coming',
  signers: 'Who signs for the custodian',
  manifest: 'The list of files',
  files: 'All files are there',
  publication: 'Every compartment, whole',
  leaves: 'Every claim, hidden and counted',
  totals: 'The totals',
  window: 'The whole time, and not one day',
  'pinned-block': 'The block of the proof',
  wallets: 'The list of addresses',
  excluded: 'Nobody else’s addresses',
  'token-layout': 'Where the token keeps balances',
  'token-answers': 'The token answers the same',
  reserves: 'The coins are there',
  control: 'The custodian controls them',
  'vault-code': 'The vaults’ code',
  certificates: 'Whose the addresses are',
  package: 'The form of the file',
  'own-claim': 'It is about you',
  record: 'Your place in the proof',
  balance: 'Your whole balance is counted',
  solvent: 'What is held covers what is owed',
  statement: 'The statement of your balance',
  'statement-signed': 'The custodian signed it',
  amounts: 'The amounts agree',
  segregation: 'Nobody else is in your compartment',
  certificate: 'What the signers certified',
  derived: 'The address follows from it',
  vault: 'The vault behind it',
  halves: 'Both halves of the move',
  checkpoint: 'The log signed it',
  witnesses: 'Others saw the same log',
  receipt: 'It stands in the log',
  content: 'What it is about',
  fork: 'One log for everybody',
  consistent: 'One history, going on',
  anchor: 'The chain says the same',
};
