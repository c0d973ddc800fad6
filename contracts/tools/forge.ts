import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Forge counts paths from here, and finds the libraries below it. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));
const profilesPath = join(root, 'contracts', 'foundry.toml');

/** What runs the contracts: with the P-256 precompile of EIP-7951, and before it. */
export const evmVersions = ['prague', 'osaka'] as const;
type EvmVersion = (typeof evmVersions)[number];

type ForgeRun = {
  readonly evm: EvmVersion;
  /** A profile of foundry.toml. */
  readonly profile: 'default' | 'deep';
  /** Further arguments of `forge test`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** After this long it is ended. While this process is stopped, that time stands still. */
  readonly timeoutMs?: number;
};

/** What became of one test of Solidity. */
export type ForgeTest = {
  /** `contracts/test/Exit.t.sol:ExitTest testNobodyElseGets()`. */
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed, with the counterexample; how much it tried where it passed. */
  readonly words: string;
  /** What it measured, by group and name. */
  readonly figures: Figures;
};

export type Figures = ReadonlyMap<string, ReadonlyMap<string, bigint>>;

export class ForgeTookTooLong extends Error {
  override readonly name = 'ForgeTookTooLong';
}

/**
 * Runs `forge test` and reads what it says of each test.
 *
 * @throws ForgeTookTooLong after `timeoutMs`
 * @throws Error with forge's words when the sources do not compile or nothing ran
 */
export async function runForge(run: ForgeRun): Promise<readonly ForgeTest[]> {
  const { stdout, stderr, code } = await forge(run);
  const report = /^\{.*\}$/mu.exec(stdout)?.[0];
  if (report === undefined) throw new Error(`forge test ended with ${code} and no report:\n${stdout}\n${stderr}`);
  const tests = readReport(report);
  if (tests.length === 0) throw new Error(`forge test ran nothing:\n${stdout}\n${stderr}`);
  // Forge knows of failures that have no test of their own, and we may misread its report.
  if ((code === 0) !== tests.every((test) => test.passed)) {
    throw new Error(`forge test ended with ${code}, which is not what its report says:\n${stdout}\n${stderr}`);
  }
  return tests;
}

type Outcome = { readonly stdout: string; readonly stderr: string; readonly code: number | null };

async function forge(run: ForgeRun): Promise<Outcome> {
  const work = join(workFolder(), run.evm);
  const failures = join(work, 'failures');
  // A failure that is kept is tried again before all else, and fails for ever once the test has changed. The seed is
  // fixed, so nothing is lost with it.
  rmSync(failures, { recursive: true, force: true });
  const child = spawn(forgeBinary(), ['test', '--json', '--root', root, ...(run.args ?? [])], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      // The compiler is a script: it needs the node that runs us.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
      HOME: work,
      FOUNDRY_CONFIG: profilesPath,
      FOUNDRY_PROFILE: run.profile,
      FOUNDRY_EVM_VERSION: run.evm,
      FOUNDRY_OUT: join(work, 'out'),
      FOUNDRY_CACHE_PATH: join(work, 'cache'),
      FOUNDRY_FUZZ_FAILURE_PERSIST_DIR: failures,
      FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR: failures,
      // Figures are compared by snapshot.ts, and written by it alone.
      FORGE_SNAPSHOT_EMIT: 'false',
      ...run.env,
    },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const ended = Promise.withResolvers<number | null>();
  child.on('error', ended.reject);
  child.on('close', ended.resolve);
  const watch = watchTime(run.timeoutMs, () => {
    child.kill('SIGKILL');
    ended.reject(new ForgeTookTooLong(`forge test was ended after ${run.timeoutMs} ms.`));
  });
  let code: number | null;
  try {
    code = await ended.promise;
  } finally {
    clearInterval(watch);
  }
  return { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), code };
}

const tickMs = 1_000;

/** By ticks, not by the clock: a process that was stopped for an hour has missed them, and has not used its time up. */
function watchTime(timeoutMs: number | undefined, end: () => void): NodeJS.Timeout {
  let passedMs = 0;
  return setInterval(() => {
    passedMs += tickMs;
    if (timeoutMs !== undefined && passedMs >= timeoutMs) end();
  }, tickMs);
}

/** The program itself: the launcher that npm links answers 0 whatever happened. */
function forgeBinary(): string {
  const processors: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
  const name = `@foundry-rs/forge-${process.platform}-${processors[process.arch] ?? process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/forge`);
  } catch (cause) {
    throw new Error(`The package ${name} is not installed. Run "npm ci" without --omit=optional.`, { cause });
  }
}

let borrowedFolder: string | undefined;

/** Where forge keeps what it compiled: here, or in a passing folder where this one belongs to somebody else. */
function workFolder(): string {
  const own = join(root, 'contracts', '.bulkhead', 'forge');
  try {
    mkdirSync(own, { recursive: true });
    accessSync(own, constants.W_OK);
    return own;
  } catch {
    if (borrowedFolder === undefined) {
      const borrowed = mkdtempSync(join(tmpdir(), 'bulkhead-forge-'));
      process.on('exit', () => rmSync(borrowed, { recursive: true, force: true }));
      borrowedFolder = borrowed;
    }
    return borrowedFolder;
  }
}

function readReport(text: string): readonly ForgeTest[] {
  const report: unknown = JSON.parse(text);
  return entriesOf(report).flatMap(([suite, results]) =>
    entriesOf(fieldIn(results, 'test_results')).map(([test, result]) => {
      const passed = fieldIn(result, 'status') === 'Success';
      const details = passed
        ? [fieldIn(result, 'kind')]
        : [fieldIn(result, 'reason'), fieldIn(result, 'counterexample')];
      const words = details.filter((part) => part !== null && part !== undefined).map((part) => JSON.stringify(part));
      return { name: `${suite} ${test}`, passed, words: words.join(' '), figures: readFigures(result) };
    }),
  );
}

function readFigures(result: unknown): Figures {
  return new Map(
    entriesOf(fieldIn(result, 'gas_snapshots')).map(([group, figures]) => [
      group,
      new Map(entriesOf(figures).map(([name, figure]) => [name, BigInt(String(figure))])),
    ]),
  );
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function fieldIn(value: unknown, name: string): unknown {
  return entriesOf(value).find(([key]) => key === name)?.[1];
}

/** `node contracts/tools/forge.ts deep [arguments of forge test]`. */
async function main(args: readonly string[]): Promise<void> {
  const [profile, ...rest] = args;
  if (profile !== 'default' && profile !== 'deep') throw new Error('Say which profile: default or deep.');
  for (const evm of evmVersions) {
    const startedAt = performance.now();
    const tests = await runForge({ evm, profile, args: rest });
    const failed = tests.filter((test) => !test.passed);
    for (const test of failed) console.log(`FAIL ${test.name}\n     ${test.words}`);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.log(`${evm}: ${tests.length - failed.length} of ${tests.length} tests passed, ${seconds} s`);
    if (failed.length > 0) process.exitCode = 1;
  }
}

if (import.meta.main) await main(process.argv.slice(2));
