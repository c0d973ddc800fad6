import { checkAssertions } from './assertions.ts';
import { checkBudget } from './budget.ts';
import { run } from './command.ts';
import type { Outcome } from './command.ts';
import { checkDependencies } from './dependencies.ts';
import { checkErrors } from './errors.ts';
import { checkImports } from './imports.ts';
import { checkLockfile } from './lockfile.ts';
import { checkNames } from './names.ts';
import { checkReadmes } from './readmes.ts';
import { formatFinding } from './report.ts';
import type { Finding, Tree } from './tree.ts';
import { readTree } from './tree.ts';
import { checkWords } from './words.ts';

type Program = { readonly name: string; readonly line: readonly [string, ...string[]] };
type Check = { readonly name: string; readonly check: (tree: Tree) => readonly Finding[] };

const programs: readonly Program[] = [
  { name: 'lint', line: ['oxlint'] },
  { name: 'types', line: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'types of packages', line: ['tsc', '-p', 'tsconfig.packages.json'] },
  { name: 'types of domain', line: ['tsc', '-p', 'tsconfig.domain.json'] },
  { name: 'types of approve', line: ['tsc', '-p', 'apps/approve/src/page/tsconfig.json'] },
  { name: 'types of verify', line: ['tsc', '-p', 'apps/verify/test/page/tsconfig.json'] },
  { name: 'format', line: ['oxfmt', '--check'] },
  { name: 'dead code', line: ['knip', '--no-progress', '--no-config-hints'] },
];

const checks: readonly Check[] = [
  { name: 'imports', check: (tree) => checkImports(tree) },
  { name: 'assertions', check: checkAssertions },
  { name: 'budget', check: (tree) => checkBudget(tree) },
  { name: 'names', check: checkNames },
  { name: 'errors', check: checkErrors },
  { name: 'dependencies', check: (tree) => checkDependencies(tree) },
  { name: 'lockfile', check: checkLockfile },
  { name: 'readmes', check: checkReadmes },
  { name: 'words', check: checkWords },
];

/** The machine this must be quick on has two cores. */
const concurrency = 2;

/** Runs every check, prints one line for each and the objections of those that fail. */
export async function checkRepository(): Promise<boolean> {
  const failures: string[] = [];
  const note = (name: string, outcome: Outcome): void => {
    const mark = outcome.code === 0 ? 'ok  ' : 'FAIL';
    console.log(`${mark} ${name.padEnd(18)} ${(outcome.durationMs / 1000).toFixed(1)} s`);
    if (outcome.code !== 0) failures.push(`--- ${name}\n${outcome.output}`);
  };
  const waiting = [...programs];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [program, ...args] = next.line;
      note(next.name, await run(program, args));
    }
  };
  const working = Array.from({ length: concurrency }, work);
  const tree = readTree();
  for (const { name, check } of checks) note(name, runOn(tree, check));
  await Promise.all(working);
  for (const failure of failures) console.log(`\n${failure}`);
  const count = programs.length + checks.length;
  console.log(failures.length === 0 ? `check: all ${count} passed` : `\ncheck: ${failures.length} of ${count} failed`);
  return failures.length === 0;
}

function runOn(tree: Tree, check: Check['check']): Outcome {
  const startedAt = performance.now();
  const findings = check(tree);
  return {
    code: findings.length === 0 ? 0 : 1,
    output: findings.map(formatFinding).join('\n'),
    durationMs: performance.now() - startedAt,
  };
}

if (import.meta.main && !(await checkRepository())) process.exitCode = 1;
