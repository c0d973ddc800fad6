import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import solc from 'solc';
import { readSources } from '../src/compile.ts';
import { root } from './forge.ts';

const proofPath = 'test/VaultPolicyProof.sol';

/** How long z3 may think about one assertion, in seconds. It needs a few; a busy machine takes longer. */
const proofSecondsMax = 240;
const answerBytesMax = 1 << 28;

/** What became of the assertions of one contract, by their places: file, line, column. */
export type Proof = {
  readonly proved: ReadonlySet<string>;
  /** There are inputs that break them. */
  readonly broken: ReadonlySet<string>;
  /** The solver does not know, or did not answer in time. */
  readonly open: ReadonlySet<string>;
};

/** The contracts of VaultPolicyProof.sol. */
export function listProofs(): readonly string[] {
  const text = readFileSync(join(root, 'contracts', proofPath), 'utf8');
  return [...text.matchAll(/^contract (\w+)/gmu)].map((match) => match[1] ?? '');
}

/** Every assertion of VaultPolicyProof.sol and of the policy itself, with the line it is on. */
export function listAssertions(): readonly string[] {
  const files = [proofPath, 'sources/vault/VaultPolicy.sol'];
  return files.flatMap((path) =>
    readFileSync(join(root, 'contracts', path), 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        [...line.matchAll(/\bassert\(/gu)].map((match) => placeOf(path, index + 1, match.index + 1)),
      ),
  );
}

/**
 * Has SMTChecker prove the assertions of one proof with z3, for all inputs.
 *
 * @param policy the text of VaultPolicy.sol, or of one with a fault in it
 */
export function prove(contract: string, policy: string = policyText()): Proof {
  const input = {
    language: 'Solidity',
    sources: {
      [proofPath]: { content: readFileSync(join(root, 'contracts', proofPath), 'utf8') },
      'sources/vault/VaultPolicy.sol': { content: policy },
    },
    settings: {
      modelChecker: {
        contracts: { [proofPath]: [contract] },
        engine: 'chc',
        targets: ['assert'],
        solvers: ['smtlib2'],
        showProvedSafe: true,
        showUnproved: true,
      },
      outputSelection: { '*': { '*': [] } },
    },
  };
  const compile: unknown = solc.compile;
  if (typeof compile !== 'function') throw new Error('The solc package has no compile function.');
  const output: unknown = JSON.parse(
    String(Reflect.apply(compile, solc, [JSON.stringify(input), { smtSolver: askZ3 }])),
  );
  return readAnswer(output);
}

export function policyText(): string {
  const text = readSources().get('vault/VaultPolicy.sol');
  if (text === undefined) throw new Error('There is no contracts/sources/vault/VaultPolicy.sol.');
  return text;
}

/** Horn clauses as Spacer wants them: the settings with which solc itself calls z3. */
const spacer = [
  'rewriter.pull_cheap_ite=true',
  'fp.spacer.q3.use_qgen=true',
  'fp.spacer.mbqi=false',
  'fp.spacer.ground_pobs=false',
];

function askZ3(query: string): { readonly contents: string } | { readonly error: string } {
  const solver = spawnSync('z3', ['-smt2', ...spacer, `-T:${proofSecondsMax}`, '-in'], {
    input: query,
    encoding: 'utf8',
    maxBuffer: answerBytesMax,
  });
  if (solver.error !== undefined) return { error: solver.error.message };
  return solver.stdout === '' ? { error: solver.stderr } : { contents: solver.stdout };
}

/** Codes of the compiler: an assertion is proved; it is broken, or might be; the solver did not answer. */
const provedCode = '9576';
const brokenCode = '6328';
const silentCode = '1218';

function readAnswer(output: unknown): Proof {
  const proved = new Set<string>();
  const broken = new Set<string>();
  const open = new Set<string>();
  for (const issue of listIn(output, 'errors')) {
    const code = String(fieldIn(issue, 'errorCode'));
    const words = String(fieldIn(issue, 'formattedMessage'));
    if (fieldIn(issue, 'severity') === 'error') throw new Error(words);
    const at = /--> ([^:\s]+):(\d+):(\d+):/u.exec(words);
    if (at === null) continue;
    const place = placeOf(at[1] ?? '', Number(at[2]), Number(at[3]));
    if (code === provedCode) proved.add(place);
    if (code === brokenCode && words.includes('happens here')) broken.add(place);
    else if (code === brokenCode || code === silentCode) open.add(place);
  }
  return { proved, broken, open };
}

function placeOf(path: string, line: number, column: number): string {
  return `${path}:${line}:${column}`;
}

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = fieldIn(value, name);
  return Array.isArray(list) ? list : [];
}

function fieldIn(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

if (import.meta.main) {
  for (const contract of listProofs()) {
    const { proved, broken, open } = prove(contract);
    console.log(`${contract}: ${proved.size} assertions proved, ${broken.size} broken, ${open.size} open`);
    if (proved.size === 0 || broken.size + open.size > 0) process.exitCode = 1;
  }
}
