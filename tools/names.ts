import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';

const empty = [
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'shared',
  'misc',
  'manager',
  'service',
  'services',
  'types',
];

/** Folders and files are nouns of custody: a name that fits everything says nothing. */
export function checkNames(tree: Tree): readonly Finding[] {
  const found: Finding[] = [];
  for (const path of tree.keys()) {
    if (!/\.(?:ts|sql|sol)$/u.test(path)) continue;
    const parts = path.split('/').flatMap((part) => part.replace(/\.[a-z.]+$/u, '').split(/[-_.]/u));
    const word = parts.find((part) => empty.includes(part));
    if (word !== undefined) {
      found.push({
        path,
        message: `"${word}" names nothing: name the file after the noun it defines`,
      });
    }
  }
  return found;
}

if (import.meta.main) runCheck('names', checkNames);
