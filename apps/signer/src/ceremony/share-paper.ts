import { CustodyError } from '@bulkhead/domain';
import { assertReadBack, combineShares, type Secret, shareFacts, splitEntropy } from '@bulkhead/keys';
import type { CeremonyConsole } from './console.ts';

/** Words of one row on the screen. */
const wordsPerRow = 4;

export type SharesMade = {
  /** Number that all shares of this splitting have in common. */
  readonly set: string;
  readonly threshold: string;
  /** `1: name of the holder`. */
  readonly members: readonly string[];
};

/**
 * Splits the entropy, and takes each share to paper: shown to its holder alone, typed back whole from the paper. What was typed is
 * combined again at the end, so that the papers are proven, not only what was printed.
 *
 * @throws CustodyError `ceremony/interrupted`, `ceremony/wrong-share`
 */
export async function sharesToPaper(
  console: CeremonyConsole,
  of: {
    readonly entropy: Secret;
    readonly fingerprint: string;
    readonly threshold: number;
    readonly holders: readonly string[];
  },
): Promise<SharesMade> {
  const { entropy, threshold, holders } = of;
  const shares = await splitEntropy({ entropy, threshold, count: holders.length });
  const members: string[] = [];
  const papers: string[] = [];
  for (const [at, share] of shares.entries()) {
    const holder = holders[at] ?? '';
    const { member } = await shareFacts(share);
    papers.push(await toPaper(console, { share, holder, place: `Share ${at + 1} of ${holders.length}` }));
    members.push(`${member}: ${holder}`);
  }
  const [first] = shares;
  using again = await combineShares({ shares: papers, fingerprint: of.fingerprint });
  if (first === undefined || again.byteLength !== entropy.byteLength) {
    throw new CustodyError('ceremony/wrong-share', 'What was typed back gives another seed. Split it again.');
  }
  return { set: String((await shareFacts(first)).set), threshold: String(threshold), members };
}

async function toPaper(
  console: CeremonyConsole,
  of: { readonly share: string; readonly holder: string; readonly place: string },
): Promise<string> {
  const { share, holder, place } = of;
  await askName(console, { name: holder, question: `${place} is for ${holder}. Alone at the screen? Type your name:` });
  const wordCount = share.split(' ').length;
  let notice = '';
  for (let show = true; ;) {
    if (show) await showShare(console, { share, title: `${place}, for ${holder}` });
    const typed = await console.aside(async () => askWords(console, { wordCount, notice }));
    show = typed === 'show';
    if (show) continue;
    try {
      assertReadBack(share, typed);
      console.say(`${place} was read back and is right. ${holder} takes the paper.`);
      return typed;
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== 'ceremony/wrong-share') throw error;
      notice = `${error.message} Type it again, or "show" to see it once more.`;
      console.say(error.message);
    }
  }
}

async function showShare(
  console: CeremonyConsole,
  { share, title }: { readonly share: string; readonly title: string },
): Promise<void> {
  await console.aside(async () => {
    console.say(`${title}. Write ${share.split(' ').length} words down, with their numbers.\n`);
    for (const row of rowsOf(share)) console.say(row);
    console.say('');
    await console.ask('Press Enter when they are on paper. The screen is emptied.');
  });
}

/** The words of a share, on one line or several; a line with one word that is a command ends it. */
async function askWords(
  console: CeremonyConsole,
  { wordCount, notice }: { readonly wordCount: number; readonly notice: string },
): Promise<string> {
  // What was wrong is said here again: the other screen is not in sight.
  if (notice !== '') console.say(`${notice}\n`);
  console.say(`Type the ${wordCount} words from the paper, on one line or several; an empty line ends.`);
  const words: string[] = [];
  while (words.length < wordCount) {
    const line = await console.ask(`${words.length + 1}>`);
    if (line === '') break;
    if (words.length === 0 && line === 'show') return line;
    words.push(...line.split(/\s+/u));
  }
  return words.join(' ');
}

export async function askName(
  console: CeremonyConsole,
  of: { readonly name: string; readonly question: string },
): Promise<void> {
  for (;;) {
    const typed = await console.ask(of.question);
    if (sameName(typed, of.name)) return;
    console.say(`That is not ${of.name}.`);
  }
}

export function sameName(typed: string, name: string): boolean {
  return typed.normalize('NFC').toLowerCase() === name.toLowerCase();
}

function rowsOf(share: string): readonly string[] {
  const cells = share.split(' ').map((word, at) => `${String(at + 1).padStart(3)} ${word.padEnd(9)}`);
  const rows = Math.ceil(cells.length / wordsPerRow);
  return Array.from({ length: rows }, (_, row) => cells.slice(row * wordsPerRow, (row + 1) * wordsPerRow).join('  '));
}

export type WantedShares = {
  readonly set: string;
  readonly threshold: number;
  readonly fingerprint: string;
  /** Words of one share; undefined where a paper does not say. */
  readonly wordCount: number;
};

/**
 * Asks for shares until enough are there, and combines them. Whatever is wrong with one is said, and the same one is asked for again;
 * where they do not fit together, all are.
 *
 * @throws CustodyError `ceremony/interrupted`
 */
export async function sharesFromPaper(console: CeremonyConsole, wanted: WantedShares): Promise<Secret> {
  const { threshold, fingerprint } = wanted;
  let notice = '';
  for (;;) {
    const shares: string[] = [];
    const members = new Map<number, number>();
    while (shares.length < threshold) {
      const position = shares.length + 1;
      console.say(`Share ${position} of the ${threshold} that are needed. Its holder alone is at the screen.`);
      const typed = await console.aside(async () => askWords(console, { wordCount: wanted.wordCount, notice }));
      try {
        members.set(await assertWanted(typed, { position, wanted, members }), position);
        shares.push(typed);
        notice = '';
        console.say(`Share ${position} is one of the set.`);
      } catch (error) {
        if (!(error instanceof CustodyError) || error.code !== 'ceremony/wrong-share') throw error;
        notice = `${error.message} Type share ${position} again.`;
        console.say(notice);
      }
    }
    try {
      return await combineShares({ shares, fingerprint });
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== 'ceremony/wrong-share') throw error;
      notice = `${error.message} All ${threshold} are asked for again.`;
      console.say(notice);
    }
  }
}

async function assertWanted(
  typed: string,
  of: { readonly position: number; readonly wanted: WantedShares; readonly members: ReadonlyMap<number, number> },
): Promise<number> {
  const { position, wanted, members } = of;
  if (typed === '') {
    throw wrongShare(`${members.size} shares were given and ${wanted.threshold} are needed.`);
  }
  const facts = await shareFacts(typed, position);
  if (String(facts.set) !== wanted.set || facts.threshold !== wanted.threshold) {
    throw wrongShare(
      `Share ${position} is of set ${facts.set} (${facts.threshold} needed), the shares of this seed are of set ${wanted.set} (${wanted.threshold} needed): it belongs to another seed, or to an earlier splitting.`,
    );
  }
  const earlier = members.get(facts.member);
  if (earlier !== undefined) {
    throw wrongShare(`Share ${position} was given already, as share ${earlier}: both are member ${facts.member}.`);
  }
  return facts.member;
}

function wrongShare(fact: string): CustodyError {
  return new CustodyError('ceremony/wrong-share', `${fact} Nothing was restored.`);
}
