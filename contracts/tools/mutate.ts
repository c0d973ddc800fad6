import { fork } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { artifactDirectory, compileQuickly, readSources } from '../src/compile.ts';
import { equivalentMutants } from './equivalent-mutants.ts';
import { root, runForge } from './forge.ts';
import { listMutants } from './mutants.ts';
import type { Mutant } from './mutants.ts';

/** At the least so much of all mutants must be noticed by a test, in percent. */
const scoreMin = 85;
const workers = 2;
const forgeTimeoutMs = 120_000;
const wanted = ['vault/VaultFactory.sol', 'vault/SignerSet.sol', 'vault/SweepDelegate.sol'];

type Verdict = 'killed' | 'survived' | 'does not compile';
type Report = { readonly index: number; readonly verdict: Verdict };

/** What was asked for: a word that the path contains, and every how many mutants one is tried. */
function choose(args: readonly string[]): readonly Mutant[] {
  const option = (name: string): string | undefined =>
    args.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
  const word = option('only') ?? '';
  const every = Number(option('every') ?? 1);
  return listMutants().filter((mutant, index) => mutant.path.includes(word) && index % every === 0);
}

/**
 * Puts each mutant in place of the vault's code, not of its sources, and runs the tests in Solidity: one that fails has
 * noticed. Prints those that nobody noticed, and the score.
 */
async function main(args: readonly string[]): Promise<void> {
  const mutants = choose(args);
  if (!(await passes({ slot: 'none', sources: readSources() }))) {
    throw new Error('The tests fail without any mutant: mend them first.');
  }
  console.log(`${mutants.length} mutants`);
  const verdicts = new Map<number, Verdict>();
  await Promise.all(
    Array.from({ length: workers }, async (_, slot) => {
      const worker = fork(import.meta.filename, [...args, `--slot=${slot}`], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const ended = Promise.withResolvers<void>();
      worker.on('message', (message: Report) => {
        verdicts.set(message.index, message.verdict);
        if (message.verdict === 'survived') console.log(wordsOf(mutants[message.index]));
      });
      worker.on('close', (code) => {
        if (code === 0) ended.resolve();
        else ended.reject(new Error(`A worker ended with ${code}.`));
      });
      await ended.promise;
    }),
  );
  summarise(mutants, verdicts);
}

function summarise(mutants: readonly Mutant[], verdicts: ReadonlyMap<number, Verdict>): void {
  const count = (wish: (mutant: Mutant, verdict: Verdict | undefined) => boolean): number =>
    mutants.filter((mutant, index) => wish(mutant, verdicts.get(index))).length;
  const broken = count((_, verdict) => verdict === 'does not compile');
  const same = count((mutant, verdict) => verdict === 'survived' && reasonOf(mutant) !== undefined);
  const killed = count((_, verdict) => verdict === 'killed');
  const counted = mutants.length - broken - same;
  const score = (100 * killed) / Math.max(1, counted);
  console.log(
    `${killed} of ${counted} mutants noticed: ${score.toFixed(1)} % (wanted ${scoreMin} %); ` +
      `${same} make no difference, ${broken} do not compile`,
  );
  if (score < scoreMin) process.exitCode = 1;
}

async function work(mutants: readonly Mutant[], slot: number): Promise<void> {
  for (const [index, mutant] of mutants.entries()) {
    if (index % workers !== slot) continue;
    const sources = new Map(readSources()).set(mutant.path, mutant.text);
    const verdict = await judge({ slot: String(slot), sources });
    process.send?.({ index, verdict } satisfies Report);
  }
  process.disconnect();
}

type Trial = { readonly slot: string; readonly sources: ReadonlyMap<string, string> };

async function judge(trial: Trial): Promise<Verdict> {
  let compiled: ReadonlyMap<string, string>;
  try {
    compiled = await compileQuickly(trial.sources, wanted);
  } catch {
    return 'does not compile';
  }
  return (await passesWith(compiled, trial.slot)) ? 'survived' : 'killed';
}

async function passes(trial: Trial): Promise<boolean> {
  return await passesWith(await compileQuickly(trial.sources, wanted), trial.slot);
}

async function passesWith(compiled: ReadonlyMap<string, string>, slot: string): Promise<boolean> {
  const folder = join(root, 'contracts', '.bulkhead', 'mutants', slot);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(artifactDirectory)) copyFileSync(join(artifactDirectory, name), join(folder, name));
  for (const [name, text] of compiled) writeFileSync(join(folder, name), text);
  try {
    const tests = await runForge({
      evm: 'prague',
      profile: 'default',
      args: ['--fail-fast', '--no-match-contract', 'GasTest|DemoToken|Invariants'],
      env: {
        BULKHEAD_ARTIFACTS: relative(root, folder),
        FOUNDRY_FUZZ_RUNS: '16',
        // Without the optimiser the code is longer than a chain would take.
        FOUNDRY_CODE_SIZE_LIMIT: '200000',
      },
      timeoutMs: forgeTimeoutMs,
    });
    return tests.every((test) => test.passed);
  } catch {
    // Ended by time, or broken so badly that forge had no report.
    return false;
  }
}

function reasonOf(mutant: Mutant): string | undefined {
  return equivalentMutants.find(({ path, faulty }) => path === mutant.path && faulty === mutant.faulty)?.why;
}

function wordsOf(mutant: Mutant | undefined): string {
  if (mutant === undefined) return '';
  const became = mutant.became === '' ? 'left out' : `"${mutant.became}"`;
  const words = `${mutant.path}:${mutant.line} "${mutant.was}" ${became}: ${mutant.context}`;
  const why = reasonOf(mutant);
  return why === undefined ? `NOT NOTICED ${words}` : `the same    ${words} (${why})`;
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const slot = args.find((argument) => argument.startsWith('--slot='))?.slice('--slot='.length);
  if (slot === undefined) await main(args);
  else await work(choose(args), Number(slot));
}
