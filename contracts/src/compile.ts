import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sourceDirectory = fileURLToPath(new URL('../sources', import.meta.url));

/** Where the committed artifacts lie, one JSON file per contract. */
export const artifactDirectory: string = fileURLToPath(new URL('../artifacts', import.meta.url));

/** The oldest EVM that the code runs on. */
export const evmVersion = 'cancun';

const resolve = createRequire(import.meta.url).resolve;

/** Text of each source by its path below sources/. */
export type Sources = ReadonlyMap<string, string>;

/**
 * Compiles every source of this package. The settings pin all that reaches the bytes: the same compiler gives the same
 * bytes on every machine. No metadata is appended, because it would bind the bytes to the whitespace of the sources.
 *
 * @returns file name of the artifact to its text, for concrete contracts of our own sources
 * @throws Error with the compiler's words when a source does not compile
 */
export async function compileContracts(sources: Sources = readSources()): Promise<ReadonlyMap<string, string>> {
  return artifactsOf(await compile(sources, { outputs: ['abi', 'evm.bytecode.object'] }));
}

/** The same, without the optimiser and of these sources alone: quick, for code that only tests will run. */
export async function compileQuickly(
  sources: Sources,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  return artifactsOf(await compile(sources, { outputs: ['abi', 'evm.bytecode.object'], optimise: false, wanted }));
}

/** Where each contract of ours keeps its state, by its name. */
export async function compileLayouts(): Promise<ReadonlyMap<string, unknown>> {
  const contracts = entriesOf(await compile(readSources(), { outputs: ['storageLayout'] })).filter(
    ([source]) => !isDependency(source),
  );
  return new Map(
    contracts.flatMap(([, named]) =>
      entriesOf(named).map(([name, one]) => [name, fieldIn(one, 'storageLayout')] as const),
    ),
  );
}

export function readSources(): Sources {
  const names = readdirSync(sourceDirectory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sol'))
    .map((name) => name.replaceAll('\\', '/'));
  return new Map(names.map((name) => [name, readFileSync(join(sourceDirectory, name), 'utf8')]));
}

/** The arithmetic of P-256 does not fit on the stack where the compiler moves nothing to memory. */
const unoptimised = {
  enabled: false,
  details: { yul: true, yulDetails: { stackAllocation: true, optimizerSteps: ':' } },
};

type Wish = { readonly outputs: readonly string[]; readonly optimise?: boolean; readonly wanted?: readonly string[] };

async function compile(sources: Sources, { outputs, optimise = true, wanted = ['*'] }: Wish): Promise<unknown> {
  const { default: solc } = await import('solc');
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries([...sources].map(([name, content]) => [name, { content }])),
    settings: {
      evmVersion,
      optimizer: optimise ? { enabled: true, runs: 200 } : unoptimised,
      metadata: { appendCBOR: false, bytecodeHash: 'none' },
      outputSelection: Object.fromEntries(wanted.map((path) => [path, { '*': outputs }])),
    },
  };
  const compiler: unknown = solc.compile;
  if (typeof compiler !== 'function') throw new Error('The solc package has no compile function.');
  const text: unknown = Reflect.apply(compiler, solc, [JSON.stringify(input), { import: readDependency }]);
  const output: unknown = JSON.parse(String(text));
  const failures = listIn(output, 'errors').filter((issue) => textIn(issue, 'severity') === 'error');
  if (failures.length > 0) {
    throw new Error(failures.map((issue) => textIn(issue, 'formattedMessage')).join('\n'));
  }
  return fieldIn(output, 'contracts');
}

function readDependency(path: string): { contents: string } | { error: string } {
  if (!isDependency(path)) {
    return { error: `"${path}" is neither a source of ours nor of @openzeppelin/contracts or solady.` };
  }
  return { contents: readFileSync(resolve(path), 'utf8') };
}

function isDependency(path: string): boolean {
  return path.startsWith('@openzeppelin/contracts/') || path.startsWith('solady/src/');
}

function artifactsOf(sources: unknown): ReadonlyMap<string, string> {
  const artifacts = new Map<string, string>();
  for (const [source, contracts] of entriesOf(sources)) {
    if (isDependency(source)) continue;
    for (const [name, contract] of entriesOf(contracts)) {
      const abi = listIn(contract, 'abi');
      const code = textIn(fieldIn(fieldIn(contract, 'evm'), 'bytecode'), 'object');
      // An interface or an abstract contract has no code of its own, and a library of inner functions none to deploy.
      if (code === '' || !abi.some(isEntrance)) continue;
      const artifact = { name, abi, bytecode: `0x${code}` };
      artifacts.set(`${name}.json`, `${JSON.stringify(artifact, null, 1)}\n`);
    }
  }
  return artifacts;
}

function isEntrance(entry: unknown): boolean {
  return ['function', 'constructor', 'receive'].includes(textIn(entry, 'type'));
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function fieldIn(value: unknown, name: string): unknown {
  return entriesOf(value).find(([key]) => key === name)?.[1];
}

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = fieldIn(value, name);
  return Array.isArray(list) ? list : [];
}

function textIn(value: unknown, name: string): string {
  const text = fieldIn(value, name);
  return typeof text === 'string' ? text : '';
}

if (import.meta.main) {
  for (const [file, text] of await compileContracts()) {
    writeFileSync(join(artifactDirectory, file), text);
  }
}
