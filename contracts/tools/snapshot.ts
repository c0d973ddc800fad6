import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileLayouts } from '../src/compile.ts';
import { root, runForge } from './forge.ts';
import type { ForgeTest } from './forge.ts';

const folder = join(root, 'contracts', 'snapshots');

/** What no operation may cost more than, in gas. */
export const gasLimits: Readonly<Record<string, number>> = {
  create: 82_000,
  'create, ten at once': 650_000,
  'pay ETH, 2 of 3': 80_000,
  'pay ERC-20, 2 of 3': 86_000,
  'pay ten times ERC-20': 220_000,
};

/** Contracts that keep state, whose layout is as final as their code. */
const stateful = ['ClientVault', 'SignerSet', 'VaultFactory', 'DepositForwarder', 'SweepDelegate', 'ProofRegistry'];

/** The text of each file in snapshots/, by its name: figures of a run on prague, and where state lies. */
export async function takeSnapshots(tests: readonly ForgeTest[]): Promise<ReadonlyMap<string, string>> {
  const layouts = [...(await compileLayouts())].filter(([contract]) => stateful.includes(contract));
  const hex = (figure: bigint): string => `0x${figure.toString(16).padStart(64, '0')}`;
  const code = new Map([
    ['runtimeBytes', objectOf(figuresOf(tests, 'sizes'), Number)],
    ['initCodeHash', objectOf(figuresOf(tests, 'init code'), hex)],
  ]);
  return new Map([
    ['gas.json', textOf(objectOf(figuresOf(tests, 'vault'), Number))],
    ['code.json', textOf(objectOf([...code], (group) => group))],
    ['storage.json', textOf(objectOf(layouts, withoutNumbers))],
  ]);
}

/** What is committed under that name; nothing if there is no such file. */
export function readSnapshot(name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch {
    return '';
  }
}

/** All figures of a group, by name. */
export function figuresOf(tests: readonly ForgeTest[], group: string): readonly (readonly [string, bigint])[] {
  return tests.flatMap((test) => [...(test.figures.get(group) ?? [])]).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
}

/** Slot, offset and type of each variable. Numbers of the compiler's syntax tree, which every edit moves, are left out. */
function withoutNumbers(layout: unknown): unknown {
  const text = JSON.stringify(layout, (key: string, value: unknown) =>
    key === 'astId' || key === 'contract' ? undefined : value,
  );
  return JSON.parse(text.replaceAll(/(t_(?:struct|enum|contract|userDefinedValueType)\([^)]*\))\d+/gu, '$1'));
}

function objectOf<T>(entries: readonly (readonly [string, T])[], convert: (value: T) => unknown): object {
  return Object.fromEntries(entries.map(([name, value]): [string, unknown] => [name, convert(value)]));
}

function textOf(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

if (import.meta.main) {
  mkdirSync(folder, { recursive: true });
  const tests = await runForge({ evm: 'prague', profile: 'default', args: ['--match-contract', 'GasTest'] });
  for (const [name, text] of await takeSnapshots(tests)) writeFileSync(join(folder, name), text);
}
