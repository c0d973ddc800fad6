import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { buildFrom, buildSigner, outsidePackages } from '../src/process/build.ts';

const repository = resolve(import.meta.dirname, '../../..');

/** Another checkout: the sources, and the installed packages as a package manager would have put them there. */
function copyRepository(to: string): void {
  for (const folder of [
    'packages/domain',
    'packages/authority',
    'packages/keys',
    'packages/proofs',
    'packages/tlog',
    'packages/signer-client',
    'packages/vaults',
    'apps/signer',
  ]) {
    mkdirSync(join(to, dirname(folder)), { recursive: true });
    cpSync(join(repository, folder), join(to, folder), { recursive: true });
  }
  const packages = join(to, 'node_modules');
  mkdirSync(join(packages, '@bulkhead'), { recursive: true });
  for (const name of ['domain', 'authority', 'keys', 'proofs', 'signer-client', 'tlog', 'vaults']) {
    symlinkSync(join('../../packages', name), join(packages, '@bulkhead', name));
  }
  for (const name of ['zod', '@noble', '@scure', 'slip39']) {
    cpSync(join(repository, 'node_modules', name), join(packages, name), { recursive: true });
  }
}

test('the same sources give the same bytes, in whatever folder and whenever they are built', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  try {
    const first = await buildSigner(join(folder, 'one'));
    const second = await buildSigner(join(folder, 'two/deeper'));
    assert.equal(second.sha256, first.sha256);
    assert.equal(createHash('sha256').update(readFileSync(second.file)).digest('hex'), first.sha256);
    const elsewhere = join(folder, 'checkout of somebody else');
    copyRepository(elsewhere);
    const third = await buildFrom({ root: elsewhere, outDirectory: join(folder, 'three') });
    assert.equal(third.sha256, first.sha256);
    const text = readFileSync(first.file, 'utf8');
    for (const trace of [repository, folder, tmpdir() + '/', process.env['HOME'] ?? '/root']) {
      assert.ok(!text.includes(trace), `the program names ${trace}`);
    }
    assert.deepEqual(readdirSync(dirname(first.file)), ['signer.mjs']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a program that is there already is left alone, and another is replaced', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  try {
    const { file, sha256 } = await buildSigner(folder);
    const { ino } = statSync(file);
    await buildSigner(folder);
    assert.equal(statSync(file).ino, ino);
    cpSync(join(repository, 'package.json'), file);
    assert.equal((await buildSigner(folder)).sha256, sha256);
    assert.equal(createHash('sha256').update(readFileSync(file)).digest('hex'), sha256);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('native packages are asked for by name, and the silent way into JavaScript is not among them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  try {
    const { file } = await buildSigner(folder);
    const text = readFileSync(file, 'utf8');
    const asked = new Set(Array.from(text.matchAll(/module\.exports = __require\("([^"]+)"\)/gu), ([, name]) => name));
    assert.ok(asked.has('secp256k1/bindings.js') && asked.has('koffi') && asked.has('sodium-native'));
    assert.ok(!asked.has('secp256k1') && !asked.has('keccak'));
    for (const name of asked) {
      assert.ok(
        outsidePackages.some((each) => name === each || name?.startsWith(`${each}/`)),
        `${name} stays outside`,
      );
    }
    assert.ok(!/^import .* from "(?!node:)/mu.test(text), 'nothing else is imported');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
