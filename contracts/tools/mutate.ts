import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join, relative } from 'node:path';
import { artifactDirectory, compileQuickly, readSources } from '../src/compile.ts';
import { equivalentMutants } from './equivalent-mutants.ts';
import { ForgeTookTooLong, root, runForge } from './forge.ts';
import { listMutants } from './mutants.ts';
import type { Mutant } from './mutants.ts';

/** At the least so much of all mutants must be noticed by a test, in percent. */
const scoreMin = 85;
const workers = 2;
/** A hundred times what the tests take. */
const forgeTimeoutMs = 180_000;
const wanted = ['vault/VaultFactory.sol', 'vault/SignerSet.sol', 'vault/SweepDelegate.sol'];
const folder = join(root, 'contracts', '.bulkhead', 'mutants');

/** A line each: what became of which mutant. A run that was ended goes on from here. */
const verdictsPath = join(folder, 'verdicts.tsv');

const outcomes = ['killed', 'took too long', 'no report', 'survived', 'does not compile'] as const;
type Outcome = (typeof outcomes)[number];
/** What became of a mutant, and the test that noticed it. */
type Verdict = { readonly outcome: Outcome; readonly by: string };
type Report = Verdict & { readonly index: number };

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
 *
 * What was noticed is kept and not tried again, for as long as the source of the mutant is the same; `--anew` tries all.
 */
async function main(args: readonly string[]): Promise<void> {
  const mutants = choose(args);
  if (!(await passes({ slot: 'none', sources: readSources() }))) {
    throw new Error('The tests fail without any mutant: mend them first.');
  }
  if (args.includes('--anew')) rmSync(verdictsPath, { force: true });
  const verdicts = recall(mutants);
  console.log(`${mutants.length} mutants, ${verdicts.size} of them noticed before`);
  const open = mutants.map((_, index) => index).filter((index) => !verdicts.has(index));
  const startedAt = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: workers }, async (_, slot) => {
      const mine = open.filter((_, at) => at % workers === slot);
      await runWorker(args, { slot, indexes: mine }, (report) => {
        verdicts.set(report.index, report);
        keep(mutants[report.index], report);
        if (report.outcome === 'survived') console.log(wordsOf(mutants[report.index]));
        done += 1;
        if (done % 20 === 0) console.log(progressOf({ done, open: open.length, startedAt }));
      });
    }),
  );
  summarise(mutants, verdicts);
}

type Share = { readonly slot: number; readonly indexes: readonly number[] };

async function runWorker(args: readonly string[], share: Share, take: (report: Report) => void): Promise<void> {
  const worker = fork(import.meta.filename, [...args, `--slot=${share.slot}`], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = Promise.withResolvers<void>();
  worker.on('message', take);
  worker.on('close', (code) => {
    if (code === 0) ended.resolve();
    else ended.reject(new Error(`A worker ended with ${code}.`));
  });
  worker.send(share.indexes);
  await ended.promise;
}

function progressOf(run: { readonly done: number; readonly open: number; readonly startedAt: number }): string {
  const minutes = (performance.now() - run.startedAt) / 60_000;
  const left = (minutes * (run.open - run.done)) / run.done;
  return `${run.done} of ${run.open} tried in ${minutes.toFixed(0)} minutes, about ${left.toFixed(0)} to go`;
}

/** Verdicts of earlier runs on these mutants. What survived is open again: there may be a new test. */
function recall(mutants: readonly Mutant[]): Map<number, Verdict> {
  const lines = existsSync(verdictsPath) ? readFileSync(verdictsPath, 'utf8').split('\n') : [];
  const known = new Map(
    lines.flatMap((line) => {
      const [key, outcome, by] = line.split('\t');
      const found = outcomes.find((one) => one === outcome);
      if (key === undefined || by === undefined || found === undefined || found === 'survived') return [];
      return [[key, { outcome: found, by }] as const];
    }),
  );
  const verdicts = new Map<number, Verdict>();
  for (const [index, mutant] of mutants.entries()) {
    const verdict = known.get(keyOf(mutant));
    if (verdict !== undefined) verdicts.set(index, verdict);
  }
  return verdicts;
}

function keep(mutant: Mutant | undefined, verdict: Verdict): void {
  if (mutant === undefined) return;
  appendFileSync(verdictsPath, `${keyOf(mutant)}\t${verdict.outcome}\t${verdict.by}\t${placeOf(mutant)}\n`);
}

function keyOf(mutant: Mutant): string {
  return createHash('sha256').update(`${mutant.path}\n${mutant.text}`).digest('hex').slice(0, 32);
}

function summarise(mutants: readonly Mutant[], verdicts: ReadonlyMap<number, Verdict>): void {
  const count = (wish: (mutant: Mutant, outcome: Outcome | undefined) => boolean): number =>
    mutants.filter((mutant, index) => wish(mutant, verdicts.get(index)?.outcome)).length;
  const broken = count((_, outcome) => outcome === 'does not compile');
  const same = count((mutant, outcome) => outcome === 'survived' && reasonOf(mutant) !== undefined);
  const survived = count((_, outcome) => outcome === 'survived') - same;
  const counted = mutants.length - broken - same;
  const killed = counted - survived;
  const score = (100 * killed) / Math.max(1, counted);
  console.log(
    `${killed} of ${counted} mutants noticed: ${score.toFixed(1)} % (wanted ${scoreMin} %); ` +
      `${same} make no difference, ${broken} do not compile; of those noticed ` +
      `${count((_, outcome) => outcome === 'took too long')} took too long, ` +
      `${count((_, outcome) => outcome === 'no report')} left forge without a report`,
  );
  if (score < scoreMin) process.exitCode = 1;
}

async function work(mutants: readonly Mutant[], slot: number): Promise<void> {
  for (const index of indexesIn(await once(process, 'message'))) {
    const mutant = mutants[index];
    if (mutant === undefined) throw new Error(`There is no mutant ${index}.`);
    const sources = new Map(readSources()).set(mutant.path, mutant.text);
    const verdict = await judge({ slot: String(slot), sources });
    process.send?.({ index, ...verdict } satisfies Report);
  }
  process.disconnect();
}

/** A message comes as a list of what was sent, which is one list here, and of a handle that there is none of. */
function indexesIn(message: unknown): readonly number[] {
  return Array.isArray(message) ? message.slice(0, 1).flat().map(Number) : [];
}

type Trial = { readonly slot: string; readonly sources: ReadonlyMap<string, string> };

async function judge(trial: Trial): Promise<Verdict> {
  let compiled: ReadonlyMap<string, string>;
  try {
    compiled = await compileQuickly(trial.sources, wanted);
  } catch {
    return { outcome: 'does not compile', by: '' };
  }
  try {
    const failed = await failedWith(compiled, trial.slot);
    return failed === undefined ? { outcome: 'survived', by: '' } : { outcome: 'killed', by: failed };
  } catch (error) {
    // Ended by time, or broken so badly that forge had no report.
    return { outcome: error instanceof ForgeTookTooLong ? 'took too long' : 'no report', by: '' };
  }
}

async function passes(trial: Trial): Promise<boolean> {
  return (await failedWith(await compileQuickly(trial.sources, wanted), trial.slot)) === undefined;
}

/** The name of a test that fails with this code. */
async function failedWith(compiled: ReadonlyMap<string, string>, slot: string): Promise<string | undefined> {
  const artifacts = join(folder, slot);
  mkdirSync(artifacts, { recursive: true });
  for (const name of readdirSync(artifactDirectory)) copyFileSync(join(artifactDirectory, name), join(artifacts, name));
  for (const [name, text] of compiled) writeFileSync(join(artifacts, name), text);
  const tests = await runForge({
    evm: 'prague',
    profile: 'default',
    // Registry and feed of reserves are no part of a vault.
    args: ['--fail-fast', '--no-match-contract', 'GasTest|DemoToken|Invariants|ProofRegistry'],
    env: {
      BULKHEAD_ARTIFACTS: relative(root, artifacts),
      FOUNDRY_FUZZ_RUNS: '16',
      // Without the optimiser the code is longer than a chain would take.
      FOUNDRY_CODE_SIZE_LIMIT: '200000',
    },
    timeoutMs: forgeTimeoutMs,
  });
  return tests.find((test) => !test.passed)?.name;
}

function reasonOf(mutant: Mutant): string | undefined {
  return equivalentMutants.find(({ path, faulty }) => path === mutant.path && faulty === mutant.faulty)?.why;
}

function wordsOf(mutant: Mutant | undefined): string {
  if (mutant === undefined) return '';
  const why = reasonOf(mutant);
  return why === undefined ? `NOT NOTICED ${placeOf(mutant)}` : `the same    ${placeOf(mutant)} (${why})`;
}

function placeOf(mutant: Mutant): string {
  const became = mutant.became === '' ? 'left out' : `"${mutant.became}"`;
  return `${mutant.path}:${mutant.line} "${mutant.was}" ${became}: ${mutant.context}`;
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const slot = args.find((argument) => argument.startsWith('--slot='))?.slice('--slot='.length);
  if (slot === undefined) await main(args);
  else await work(choose(args), Number(slot));
}
