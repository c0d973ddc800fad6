import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const proofs = 'contracts/test/VaultPolicyProof.sol';
const policy = 'contracts/sources/vault/VaultPolicy.sol';
const answerBytesMax = 1 << 28;

/** What SMTChecker says of one contract of proofs: how many assertions hold for all inputs, and its words on the others. */
type Proof = { readonly proved: number; readonly doubts: readonly string[] };

/** Asks SMTChecker, with z3 behind it, whether every assertion that a contract reaches holds for all inputs. */
function prove(contract: string): Proof {
  const settings = {
    outputSelection: { '*': { '*': ['abi'] } },
    modelChecker: {
      contracts: { [proofs]: [contract] },
      engine: 'chc',
      targets: ['assert'],
      solvers: ['smtlib2'],
      showProvedSafe: true,
      showUnproved: true,
    },
  };
  const sources = Object.fromEntries([proofs, policy].map((path) => [path, { content: textOf(path) }]));
  const compiler = spawnSync(process.execPath, [join(root, 'contracts/tools/solc.ts'), '--standard-json'], {
    input: JSON.stringify({ language: 'Solidity', sources, settings }),
    encoding: 'utf8',
    maxBuffer: answerBytesMax,
  });
  if (compiler.status !== 0) throw new Error(`The compiler ended with ${compiler.status}:\n${compiler.stderr}`);
  const answer: unknown = JSON.parse(compiler.stdout);
  const words = entriesOf(fieldIn(answer, 'errors')).map(([, issue]) => String(fieldIn(issue, 'formattedMessage')));
  const safe = words.filter((text) => text.includes('CHC: Assertion violation check is safe!'));
  const doubts = words.filter((text) => /^Error|CHC: (?!Assertion violation check is safe!)/u.test(text));
  return { proved: safe.length, doubts };
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function fieldIn(value: unknown, name: string): unknown {
  return entriesOf(value).find(([key]) => key === name)?.[1];
}

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Fails unless every contract of proofs has assertions, and all of them are proved. */
function main(): void {
  const contracts = [...textOf(proofs).matchAll(/^contract (\w+) \{$/gmu)].map(([, name]) => name ?? '');
  if (contracts.length === 0) throw new Error(`There are no contracts in ${proofs}.`);
  for (const contract of contracts) {
    const startedAt = performance.now();
    const { proved, doubts } = prove(contract);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    for (const doubt of doubts) console.log(doubt);
    console.log(`${contract}: ${proved} assertions proved, ${doubts.length} doubts, ${seconds} s`);
    if (proved === 0 || doubts.length > 0) process.exitCode = 1;
  }
  if (process.exitCode !== undefined) {
    console.log('Not everything is proved. It takes z3 in the path: apt-get install z3.');
  }
}

main();
