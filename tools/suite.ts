import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { checkRepository } from './check.ts';
import { ensure } from './softhsm.ts';
import { readTree, root } from './tree.ts';

/** One test file may start servers of its own; more than two at once do not fit on two cores. */
const concurrency = 2;
/** For one test and for one file, so that a hang names itself instead of stopping everything. */
const timeoutMs = 600_000;

/** The test files whose path contains one of the words, all of them without a word. */
export function selectTests(paths: Iterable<string>, words: readonly string[]): readonly string[] {
  return [...paths].filter(
    (path) => path.endsWith('.test.ts') && (words.length === 0 || words.some((word) => path.includes(word))),
  );
}

/**
 * `npm test` checks the repository and runs every test. `npm test -- ledger` runs only the test files
 * whose path contains a word; what begins with a dash goes to node's test runner. The summary of
 * the runner is the last thing printed, and the exit code speaks for check and tests together.
 */
async function main(args: readonly string[]): Promise<void> {
  const options = args.filter((argument) => argument.startsWith('-'));
  const words = args.filter((argument) => !argument.startsWith('-'));
  const files = selectTests(readTree().keys(), words);
  if (files.length === 0) {
    console.error(`No test file has ${words.map((word) => `"${word}"`).join(' or ')} in its path.`);
    process.exitCode = 1;
    return;
  }
  const lacking = ensure(files);
  if (lacking !== undefined) {
    console.error(lacking);
    process.exitCode = 1;
    return;
  }
  const checked = args.length > 0 || (await checkRepository());
  if (!checked) console.log('The tests run all the same; the exit code will be 1.');
  console.log('');
  const flags = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`, '--test-reporter=spec'];
  const runner = spawn(process.execPath, [...flags, ...options, ...files], {
    cwd: root,
    stdio: 'inherit',
  });
  await once(runner, 'close');
  process.exitCode = runner.exitCode === 0 && checked ? 0 : 1;
}

if (import.meta.main) await main(process.argv.slice(2));
