import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { lineAt } from './tree.ts';

type Ban = {
  readonly pattern: RegExp;
  readonly why: string;
  /** Where it holds; everywhere if absent. */
  readonly where?: RegExp;
};

const bans: readonly Ban[] = [
  {
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/gu,
    why: 'work left over belongs in an issue, not in the tree',
  },
  {
    pattern: /\bregistry\.[a-z0-9-]+\.(?:com|dev|internal|io|local|net|org)\b|https?:\/\/[^\s"'`]*\.tgz\b/gu,
    why: 'where packages come from is the business of the machine that installs',
  },
  {
    pattern: /(?<![\w.@}-])\/(?:work\/|tmp\/bash_jobs|home\/\w|root\/\w)/gu,
    why: 'is a path of one machine',
  },
  {
    pattern: /\bshared\/(?:design|reference|notes)\b/gu,
    why: 'is not part of this repository',
  },
  {
    pattern: /^(?:<{7}|>{7}|={7}$)/gmu,
    why: 'is left over from a merge',
  },
  {
    pattern: /"resolved": "[^"]*:\/\/[^"]*"/gu,
    why: 'the lockfile names versions and hashes, not addresses: install with the settings of .npmrc',
    where: /^package-lock\.json$/u,
  },
  {
    pattern: /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b|[{,]\s*(?:only|skip|todo): *true/gu,
    why: 'a test that does not run proves nothing',
    where: /\.test\.ts$/u,
  },
  {
    pattern: /(?:oxlint|eslint)-disable(?!.* -- \S)/gu,
    why: 'an exception says why: "-- reason" after the name of the rule',
    where: /\.ts$/u,
  },
];

/** This file and its test have to spell what they forbid. */
const exempt = /^tools\/words(?:\.test)?\.ts$/u;

/** Text that must not be in the repository, with the reason. */
export function checkWords(tree: Tree): readonly Finding[] {
  const found: Finding[] = [];
  for (const [path, text] of tree) {
    if (exempt.test(path)) continue;
    for (const { pattern, why, where } of bans) {
      if (where?.test(path) === false) continue;
      for (const match of text.matchAll(pattern)) {
        found.push({
          path,
          line: lineAt(text, match.index),
          message: `"${match[0].trim()}": ${why}`,
        });
      }
    }
  }
  return found;
}

if (import.meta.main) runCheck('words', checkWords);
