import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { root } from './tree.ts';

/** The configuration of the compiler and the linter, tried on a repository of one file at a time. */
const folder = mkdtempSync(join(tmpdir(), 'rules-'));
after(() => {
  rmSync(folder, { recursive: true });
});
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
const configurations = [
  '.oxlintrc.json',
  'tsconfig.base.json',
  'tsconfig.json',
  'tsconfig.packages.json',
  'tsconfig.domain.json',
];
for (const name of configurations) copyFileSync(join(root, name), join(folder, name));
mkdirSync(join(folder, 'tools/ambient'), { recursive: true });
copyFileSync(join(root, 'tools/ambient/text-encoding.d.ts'), join(folder, 'tools/ambient/text-encoding.d.ts'));
writeFileSync(join(folder, 'package.json'), '{ "name": "fixture", "type": "module" }');

function outputOf(program: string, args: readonly string[], files: Readonly<Record<string, string>>): string {
  rmSync(join(folder, 'packages'), { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const script = join(root, 'node_modules/.bin', program);
  const { stdout, stderr } = spawnSync(script, args, { cwd: folder, encoding: 'utf8' });
  return stdout + stderr;
}

const lint = (path: string, text: string): string => outputOf('oxlint', ['packages'], { [path]: text });
const compile = (project: string, path: string, text: string): string =>
  outputOf('tsc', ['-p', project, '--pretty', 'false'], { [path]: text });

const source = 'packages/a/src/a.ts';
const domain = 'packages/domain/src/a.ts';

const linted: readonly (readonly [rule: string, text: string])[] = [
  ['no-floating-promises', 'export async function a(): Promise<void> {}\na();\n'],
  ['no-misused-promises', 'export function a(b: Promise<boolean>): number {\n  return b ? 1 : 2;\n}\n'],
  [
    'switch-exhaustiveness-check',
    "export function a(b: 'x' | 'y'): void {\n  switch (b) {\n    case 'x':\n      break;\n  }\n}\n",
  ],
  ['no-explicit-any', 'export const a = (b: any): boolean => b === 1;\n'],
  ['no-unsafe-member-access', "export const a = (): boolean => JSON.parse('{}').b === 1;\n"],
  ['no-non-null-assertion', 'export const a = (b?: string): string => b!;\n'],
  ['no-console', "console.log('x');\n"],
  ['max-params', 'export const a = (b: 1, c: 1, d: 1, e: 1): number => b + c + d + e;\n'],
  ['max-lines-per-function', `export function a(): void {\n${'  void 0;\n'.repeat(70)}}\n`],
  ['no-default-export', 'export default 1;\n'],
  ['no-restricted-properties', 'export const a = (): number => Math.random();\n'],
  ['no-restricted-globals', "export const a = (): number => parseFloat('1');\n"],
  ['ban-ts-comment', '// @ts-ignore\nexport const a = 1;\n'],
];

for (const [rule, text] of linted) {
  test(`the linter refuses ${rule}`, () => {
    assert.ok(lint(source, text).includes(`(${rule}):`), lint(source, text));
  });
}

test('imports that lost money or hid a fault are refused with the reason', () => {
  const reasons: readonly (readonly [string, RegExp])[] = [
    ["import { parseUnits } from 'viem';\nparseUnits('1', 1);\n", /round excess digits/u],
    ["import { parseEther } from 'viem';\nparseEther('1');\n", /round excess digits/u],
    ["import { getAddress } from 'viem';\ngetAddress('0x');\n", /wrong checksum/u],
    ["import * as Value from 'ox/Value';\nValue.from('1');\n", /rounds amounts silently/u],
    ["import { parseUnits } from 'viem/utils';\nparseUnits('1', 1);\n", /where the restrictions/u],
    ["import { mock } from 'node:test';\nmock.reset();\n", /No mocks of our own code/u],
    ["import assert from 'node:assert';\nassert(true);\n", /loose/u],
    ["import { a } from '@bulkhead/domain/src/a.ts';\na();\n", /one entrance/u],
  ];
  for (const [text, reason] of reasons) {
    assert.match(lint(source, text), reason);
    assert.match(lint('packages/a/src/a.test.ts', text), reason);
  }
  assert.match(lint(domain, "import { parseUnits } from 'viem';\nparseUnits('1', 1);\n"), reasons[0]?.[1] ?? /never/u);
});

test('files that import each other in a circle are refused', () => {
  const files = {
    'packages/a/src/a.ts': "import { b } from './b.ts';\nexport const a = (): number => b() + 1;\n",
    'packages/a/src/b.ts': "import { a } from './a.ts';\nexport const b = (): number => a() + 1;\n",
  };
  assert.match(outputOf('oxlint', ['packages'], files), /no-cycle/u);
});

test('the tests of node:test are no floating promises', () => {
  const text = "import { test } from 'node:test';\ntest('x', () => {});\n";
  assert.doesNotMatch(lint('packages/a/src/a.test.ts', text), /no-floating-promises/u);
});

test('the domain has no clock and no randomness', () => {
  assert.match(lint(domain, 'export const a = (): number => Date.now();\n'), /no clock/u);
  assert.match(lint(domain, 'export const a = (): Date => new Date();\n'), /no clock/u);
  assert.match(lint(domain, 'export const a = (): number => Math.random();\n'), /no randomness/u);
});

test('the globals and modules of node and of browsers do not compile in the domain', () => {
  const uses = ['process.pid', "Buffer.from('')", "fetch('')", "console.log('')", 'document.title', 'crypto.subtle'];
  for (const use of uses) {
    assert.match(compile('tsconfig.domain.json', domain, `${use};\n`), /error TS2\d{3}: Cannot find name/u, use);
  }
  assert.match(compile('tsconfig.domain.json', domain, "import 'node:fs';\n"), /error TS2/u);
  assert.equal(
    compile('tsconfig.domain.json', domain, "export const a: number = new TextEncoder().encode('').length;\n"),
    '',
  );
});

const compiled: readonly (readonly [code: string, text: string])[] = [
  ['TS2532', 'export const a = (b: readonly string[]): number => b[0].length;\n'],
  ['TS2375', 'export const a: { b?: string } = { b: undefined };\n'],
  ['TS4111', 'export const a = (b: Record<string, string>): unknown => b.c;\n'],
  ['TS1294', 'export enum A {\n  B,\n}\n'],
  ['TS1484', "import { NetConnectOpts } from 'node:net';\nexport type A = NetConnectOpts;\n"],
  ['TS7030', 'export function a(b: boolean): number | undefined {\n  if (b) return 1;\n}\n'],
];

for (const [code, text] of compiled) {
  test(`the compiler refuses ${code}`, () => {
    assert.match(compile('tsconfig.json', source, text), new RegExp(`error ${code}:`, 'u'));
  });
}

test('an export of a package states its type, except in api', () => {
  const text = 'export const a = () => Math.max(1, 2);\n';
  assert.match(compile('tsconfig.packages.json', source, text), /error TS90\d\d:/u);
  assert.doesNotMatch(compile('tsconfig.packages.json', 'packages/api/src/a.ts', text), /TS90\d\d/u);
});
