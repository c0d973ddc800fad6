import { CustodyError } from '@bulkhead/domain';
import type { CeremonyConsole } from '../console.ts';
import { planDigest } from '../plan.ts';

/** People who do what they are asked; `interrupt` ends the run at a question, once. */
export function people(plan: string, interrupt?: RegExp): CeremonyConsole & { readonly said: readonly string[] } {
  const said: string[] = [];
  let paper = '';
  const answers: readonly (readonly [RegExp, (found: RegExpExecArray) => string])[] = [
    [/^Last 8 digits/u, () => planDigest(plan).slice(-8)],
    [/^Performer/u, () => 'Petra'],
    [/^Witness/u, () => 'Wim'],
    [/^Anything/u, () => ''],
    [/is for (\w+)\. Alone/u, (found) => found[1] ?? ''],
    [
      /^Press Enter/u,
      () => {
        paper = [...said.slice(-12).join('\n').matchAll(/^ .*$/gmu)]
          .flatMap(([row]) => [...row.matchAll(/ \d+ ([a-z]+)/gu)].map(([, word]) => word))
          .join(' ');
        return '';
      },
    ],
    [/^1>$/u, () => paper],
    [/^Type "again"/u, () => 'stop'],
  ];
  return {
    said,
    say: (line) => void said.push(line),
    async ask(question) {
      if (interrupt?.test(question) === true) throw new CustodyError('ceremony/interrupted', 'The power is gone.');
      for (const [asked, answer] of answers) {
        const found = asked.exec(question);
        if (found !== null) return answer(found);
      }
      throw new Error(`Nobody knows what to answer to "${question}".`);
    },
    aside: (action) => action(),
  };
}
