import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { needleMask, needlesOf } from '../test/memory-scan.ts';
import type { Answer, Task } from '../test/scanned-process.ts';
import { createKeyFile } from './key-file.ts';
import { secretOf } from './memory.ts';
import { temporaryToken } from './pkcs11/testing/softhsm.ts';
import { openToken } from './pkcs11/token.ts';
import { sealSeed } from './sealed-seed.ts';

const folder = await mkdtemp(join(tmpdir(), 'bulkhead-scan-'));
after(async () => {
  await rm(folder, { recursive: true, force: true });
});
const entropy = randomBytes(32);
const compartment = 100_007;
const needles = needlesOf(entropy, `m/44'/60'/${compartment}'/0/0`);

function scanned(keys: Task['keys']): Answer {
  const script = new URL('../test/scanned-process.ts', import.meta.url).pathname;
  const task: Task = { needles, compartment, keys };
  const child = spawnSync(process.execPath, [script], { input: JSON.stringify(task), encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const answer: Answer = JSON.parse(child.stdout);
  return answer;
}

/** Nothing before and after, nothing in text ever; while keys are open what is kept, each in one place that is closed. */
function assertClean({ scans, lockedBeforeKb, lockedLiveKb }: Answer, kept: readonly string[]): void {
  const { before, live, wiped } = scans;
  assert.ok(before.bytes > 10_000_000, `only ${before.bytes} bytes were searched`);
  assert.deepEqual(before.hits, []);
  const places = live.hits.map(({ name, form, where }) => `${name} ${form} ${where}`);
  assert.deepEqual(places.toSorted(), kept.map((name) => `${name} raw ---p`).toSorted());
  assert.deepEqual(wiped.hits, []);
  assert.ok(lockedLiveKb >= lockedBeforeKb + 4, `${lockedBeforeKb} kB locked before, ${lockedLiveKb} kB with keys`);
}

test('the scan finds what a careless process keeps, as bytes and as text', () => {
  const masked = Buffer.from(entropy.map((byte) => byte ^ needleMask)).toString('hex');
  const { scans } = scanned({ kind: 'careless', masked, mask: needleMask });
  assert.deepEqual(scans.before.hits, []);
  const forms = new Set(scans.live.hits.map(({ name, form }) => `${name} ${form}`));
  assert.ok(forms.has('entropy raw') && forms.has('entropy hex'), [...forms].join(', '));
});

test('keys of a file: one copy while they are open, none after', async () => {
  const path = join(folder, 'key.json');
  const passphrase = 'correct horse battery staple';
  await createKeyFile({ path, passphrase, entropy, cost: { log2N: 4, r: 8, p: 1 } });
  assertClean(scanned({ kind: 'software', path, passphrase }), ['identity', "m/44'/60'"]);
});

test('a sealed seed: one copy while it is open, also the second time, none after', async () => {
  using store1 = temporaryToken({ label: 'scan-a' });
  using store2 = temporaryToken({ label: 'scan-b' });
  const path = join(folder, 'seed.json');
  {
    await using token1 = await openToken(store1.options());
    await using token2 = await openToken(store2.options());
    await token1.generateSealingKey('seal');
    await token2.generateSealingKey('seal');
    using secret = secretOf(Uint8Array.from(entropy));
    const slots = { hsm_slot_1: { token: token1, kek: 'seal' }, hsm_slot_2: { token: token2, kek: 'seal' } };
    await sealSeed({ path, entropy: secret, slots });
  }
  assertClean(scanned({ kind: 'sealed', path, tokens: [store1, store2] }), ["m/44'/60'"]);
});
