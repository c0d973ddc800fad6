import { runCheck } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { countLines } from './tree.ts';

/** More than this in one file and the reader loses the thread. */
export const fileLinesMax = 500;

/**
 * Files that are longer, with the lines they have. The list may only shrink: a file that became
 * shorter lowers its number here, and one within the budget leaves.
 */
export const longFiles: Readonly<Record<string, number>> = {};

/** Written by a program and compared with its source by a test. */
const generated = /(?:^|\/)schema\.sql$/u;

/** Source files keep to {@link fileLinesMax} lines, apart from the named exceptions. */
export function checkBudget(tree: Tree, exceptions: Readonly<Record<string, number>> = longFiles): readonly Finding[] {
  const found: Finding[] = [];
  for (const [path, text] of tree) {
    if (!/\.(?:ts|sql|sol)$/u.test(path) || generated.test(path)) continue;
    const lines = countLines(text);
    const exception = exceptions[path];
    if (lines <= fileLinesMax) {
      if (exception === undefined) continue;
      found.push({ path, message: `has ${lines} lines: take it off the list in tools/budget.ts` });
    } else if (exception === undefined) {
      const message = `has ${lines} lines, ${fileLinesMax} are allowed: split it by the nouns it is about`;
      found.push({ path, message });
    } else if (lines !== exception) {
      const todo = lines > exception ? 'shorten it' : 'lower the number in tools/budget.ts';
      found.push({ path, message: `has ${lines} lines, listed with ${exception}: ${todo}` });
    }
  }
  for (const path of Object.keys(exceptions)) {
    if (!tree.has(path)) found.push({ path, message: 'is gone: take it off the list in tools/budget.ts' });
  }
  return found;
}

if (import.meta.main) runCheck('budget', (tree) => checkBudget(tree));
