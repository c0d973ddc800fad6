import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { checkRepository } from './check.ts';
import { folderInMemory } from './memory.ts';
import { ensure } from './softhsm.ts';
import { readTree, root } from './tree.ts';

/** A test that has servers of its own waits for them about half of its time: with one file more than cores none of these rests. */
const concurrency = availableParallelism() + 1;
/** For one test and for one file, so that a hang names itself instead of stopping everything. */
const timeoutMs = 600_000;
/**
 * Where node keeps what it made of each module: the hundreds of processes of a run load the same ones. An entry counts for one text of
 * one file. The folder belongs to the checkout, because what lies in it is run.
 */
const compiledFolder = join(root, 'node_modules', '.cache', 'node-compile');

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
  process.exitCode = (await runTests(options, files)) === 0 && checked ? 0 : 1;
}

/** @returns the exit code of node's runner */
async function runTests(options: readonly string[], files: readonly string[]): Promise<number> {
  const flags = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`, '--test-reporter=spec'];
  const memory = folderInMemory();
  const runner = spawn(process.execPath, [...flags, ...options, ...files], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: compiledFolder,
      ...(memory === undefined ? {} : { TMPDIR: memory }),
    },
  });
  await once(runner, 'close');
  return runner.exitCode ?? 1;
}

if (import.meta.main) await main(process.argv.slice(2));
