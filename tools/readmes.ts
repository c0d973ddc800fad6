import { readManifests } from './manifests.ts';
import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { countLines } from './tree.ts';

export const rootReadmeLinesMax = 60;
export const workspaceReadmeLinesMax = 30;

/** The root and every workspace have a README, short enough to be read. */
export function checkReadmes(tree: Tree): readonly Finding[] {
  return readManifests(tree).manifests.flatMap(({ folder }) => {
    const path = folder === '' ? 'README.md' : `${folder}/README.md`;
    const linesMax = folder === '' ? rootReadmeLinesMax : workspaceReadmeLinesMax;
    const text = tree.get(path);
    if (text === undefined || text.trim() === '') {
      return [
        {
          path,
          message: 'is missing: say what this is, what it must never do, where to start reading',
        },
      ];
    }
    const lines = countLines(text);
    return lines <= linesMax ? [] : [{ path, message: `has ${lines} lines, ${linesMax} are allowed` }];
  });
}

if (import.meta.main) runCheck('readmes', checkReadmes);
