import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { createSecret, secretOf } from './memory.ts';
import { entropyOfMnemonic } from './mnemonic.ts';
import { temporaryToken } from './pkcs11/testing/softhsm.ts';
import { openToken } from './pkcs11/token.ts';
import { openSealedSeed, type SealedSeedOptions } from './sealed-seed-driver.ts';
import {
  envelopeAad,
  parseSealedSeed,
  type SealedSeedFile,
  type SlotName,
  writeSealedSeed,
} from './sealed-seed-file.ts';
import { drillSlot, rotateSlot, sealSeed, unsealEntropy } from './sealed-seed.ts';
import { openTree } from './tree.ts';

const folder = await mkdtemp(join(tmpdir(), 'bulkhead-seed-'));
const store1 = temporaryToken({ label: 'site-a' });
const store2 = temporaryToken({ label: 'site-b' });
const token1 = await openToken(store1.options());
const token2 = await openToken(store2.options());
after(async () => {
  await token1[Symbol.asyncDispose]();
  await token2[Symbol.asyncDispose]();
  store1[Symbol.dispose]();
  store2[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});
const kek = 'bulkhead-seal';
await token1.generateSealingKey(kek);
await token2.generateSealingKey(kek);
const slots = { hsm_slot_1: { token: token1, kek }, hsm_slot_2: { token: token2, kek } };
const tokens = { hsm_slot_1: async () => token1, hsm_slot_2: async () => token2 };

const entropy = secretOf(entropyOfMnemonic('test test test test test test test test test test test junk'));
const path = join(folder, 'seed.json');
await sealSeed({ path, entropy, slots });
const whole = await readFile(path, 'utf8');
const key = { compartment: parseCompartment(100_000), index: 0 };
const digest = new Uint8Array(32).fill(5);
const expected = ((): unknown => {
  using tree = openTree(entropy);
  return tree.sign(key, digest);
})();

let count = 0;
/** A file with something changed, as somebody who can write the disk would. */
async function changed(change: (file: SealedSeedFile) => unknown): Promise<string> {
  const copy = join(folder, `changed-${++count}.json`);
  await writeFile(copy, `${JSON.stringify(change(parseSealedSeed(whole, path)), null, 2)}\n`, { mode: 0o600 });
  return copy;
}
const opened = (options: Partial<SealedSeedOptions> = {}): ReturnType<typeof openSealedSeed> =>
  openSealedSeed({ path, tokens, ...options });
const away: () => Promise<never> = () =>
  Promise.reject(new CustodyError('hsm/unavailable', 'The token does not answer.'));

test('a seed that is sealed to two tokens signs as it did before, from either of them', async () => {
  for (const sources of [tokens, { ...tokens, hsm_slot_2: away }, { ...tokens, hsm_slot_1: away }]) {
    await using driver = await opened({ tokens: sources });
    assert.equal(driver.name, 'pkcs11-sealed-seed');
    assert.equal(driver.residency, 'hsm-sealed');
    assert.equal(driver.fingerprint, '16a93ed0');
    assert.deepEqual(await driver.sign(key, digest), expected);
    const shown = `${inspect(driver, { depth: 10, showHidden: true })}${JSON.stringify(driver)}`;
    assert.doesNotMatch(shown, /xprv|xpub|<Buffer/u);
  }
  await assert.rejects(opened({ tokens: { hsm_slot_1: away, hsm_slot_2: away } }), {
    code: 'hsm/unavailable',
    message: /hsm_slot_1: .* hsm_slot_2: /u,
  });
});

test('the file holds no secret, only its owner may use it, and each envelope has a nonce of its own', async () => {
  const file = parseSealedSeed(whole, path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.ok(!whole.includes(entropy.read((bytes) => Buffer.from(bytes).toString('hex'))));
  assert.notEqual(file.slots[0].iv, file.slots[1].iv);
  assert.notEqual(file.slots[0].ciphertext, file.slots[1].ciphertext);
  assert.deepEqual([file.slots[0].serial, file.slots[1].label], [(await token1.describe()).serial, 'site-b']);
  assert.equal(
    envelopeAad(file, file.slots[0]).toString(),
    `{"fingerprint":"16a93ed0","kek":"bulkhead-seal","seedId":"${file.seedId}","slot":"hsm_slot_1","v":1}`,
  );
  await assert.rejects(sealSeed({ path, entropy, slots }), { code: 'key/file-exists' });
});

test('the store of a token goes away and comes back while signing goes on', async () => {
  await using driver = await opened({ idleMs: 30 });
  const signs = async (): Promise<void> => assert.deepEqual(await driver.sign(key, digest), expected);
  const health = async (): Promise<unknown> => (await driver.health()).map(({ name, healthy }) => [name, healthy]);
  const idle = async (): Promise<void> => {
    for (let tries = 0; driver.isOpen() && tries < 100; tries++) await sleep(10);
    assert.ok(!driver.isOpen(), 'keys that nobody uses are wiped');
  };
  await signs();
  store1.vanish();
  try {
    await signs();
    await idle();
    await signs();
    assert.deepEqual(await health(), [
      ['hsm_slot_1', false],
      ['hsm_slot_2', true],
    ]);
    store2.vanish();
    try {
      await idle();
      await assert.rejects(driver.sign(key, digest), { code: 'hsm/unavailable' });
    } finally {
      store2.restore();
    }
    // A module that failed is left alone for a moment before it is asked again.
    for (let tries = 0; !(await driver.health())[1]?.healthy && tries < 100; tries++) await sleep(50);
    await signs();
  } finally {
    store1.restore();
  }
  for (let tries = 0; !(await driver.health())[0]?.healthy && tries < 100; tries++) await sleep(50);
  assert.deepEqual(await health(), [
    ['hsm_slot_1', true],
    ['hsm_slot_2', true],
  ]);
  await idle();
  await signs();
});

test('while the keys are in memory neither token is needed', async () => {
  await using driver = await opened({ tokens });
  store1.vanish();
  store2.vanish();
  try {
    assert.deepEqual(await driver.sign(key, digest), expected);
  } finally {
    store1.restore();
    store2.restore();
  }
});

test('an envelope that was changed in any part, or of another slot or seed, is not opened', async () => {
  const other = join(folder, 'other.json');
  await sealSeed({ path: other, entropy, slots });
  const foreign = parseSealedSeed(await readFile(other, 'utf8'), other);
  const flip = (hex: string): string => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);
  const first = (file: SealedSeedFile, change: object): unknown => ({
    ...file,
    slots: [{ ...file.slots[0], ...change }, file.slots[1]],
  });
  const changes: [string, (file: SealedSeedFile) => unknown][] = [
    ['ciphertext', (file) => first(file, { ciphertext: flip(file.slots[0].ciphertext) })],
    [
      'tag',
      (file) =>
        first(file, {
          ciphertext: `${file.slots[0].ciphertext.slice(0, -2)}${file.slots[0].ciphertext.endsWith('00') ? '01' : '00'}`,
        }),
    ],
    ['nonce', (file) => first(file, { iv: flip(file.slots[0].iv) })],
    ['seed id', (file) => ({ ...file, seedId: flip(file.seedId) })],
    ['fingerprint', (file) => ({ ...file, fingerprint: 'deadbeef' })],
    [
      'swapped',
      ({ slots: [a, b], ...rest }) => ({
        ...rest,
        slots: [
          { ...b, slot: a.slot },
          { ...a, slot: b.slot },
        ],
      }),
    ],
    ['of another sealing', (file) => first(file, foreign.slots[0])],
  ];
  for (const [what, change] of changes) {
    const copy = await changed(change);
    await assert.rejects(opened({ path: copy }), { code: 'hsm/tampered-envelope' }, what);
  }
  const renamed = await changed((file) => first(file, { kek: 'no-such-key' }));
  const { finding, passed } = await drillSlot({ path: renamed, slot: 'hsm_slot_1', token: token1 });
  assert.ok(!passed);
  assert.match(finding, /^hsm\/key-missing/u);
});

test('the same envelope does not open under another key of the same token', async () => {
  await token1.generateSealingKey('another-seal');
  const copy = await changed((file) => ({
    ...file,
    slots: [{ ...file.slots[0], kek: 'another-seal' }, file.slots[1]],
  }));
  await assert.rejects(opened({ path: copy }), { code: 'hsm/tampered-envelope' });
});

test('a seed that opens and is not the one of the file is wiped, not used', async () => {
  // Sealed by somebody who may use the token, under the identity of this file.
  const file = parseSealedSeed(whole, path);
  const plaintext = Buffer.alloc(16, 9);
  const { iv, ciphertext } = await token1.seal(kek, { plaintext, aad: envelopeAad(file, file.slots[0]) });
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const copy = await changed(() => ({
    ...file,
    slots: [{ ...file.slots[0], iv: hex(iv), ciphertext: hex(ciphertext) }, file.slots[1]],
  }));
  await assert.rejects(opened({ path: copy }), { code: 'hsm/tampered-envelope', message: /fingerprint 16a93ed0/u });
});

test('text that the format does not write is refused', async () => {
  const slotless = ({ slots: [only], ...rest }: SealedSeedFile): unknown => ({ ...rest, slots: [only] });
  const changes: ((file: SealedSeedFile) => unknown)[] = [
    slotless,
    ({ slots: [a, b], ...rest }) => ({ ...rest, slots: [b, a] }),
    ({ slots: [a], ...rest }) => ({ ...rest, slots: [a, a] }),
    ({ slots: [a, b], ...rest }) => ({ ...rest, slots: [a, b, b] }),
    (file) => ({ ...file, v: 2 }),
    (file) => ({ ...file, more: 1 }),
    (file) => ({ ...file, seedId: file.seedId.slice(2) }),
    (file) => ({ ...file, fingerprint: file.fingerprint.toUpperCase() }),
    () => null,
    () => [],
  ];
  for (const change of changes) {
    await assert.rejects(opened({ path: await changed(change) }), { code: 'key/damaged-file' }, change.toString());
  }
  const copy = await changed((file) => file);
  for (const text of ['', 'x'.repeat(20_000), whole.trimEnd(), JSON.stringify(JSON.parse(whole))]) {
    await writeFile(copy, text);
    await assert.rejects(opened({ path: copy }), { code: 'key/damaged-file' });
  }
  assert.equal(writeSealedSeed(parseSealedSeed(whole, path)), whole);
});

test('the file and the additional data that the specification shows are those of the code', async () => {
  const specification = await readFile(new URL('../../../spec/sealed-seed.md', import.meta.url), 'utf8');
  const text = /```json\n(.*?\n)```/su.exec(specification)?.[1] ?? '';
  const file = parseSealedSeed(text, 'spec/sealed-seed.md');
  assert.ok(specification.includes(`\`${envelopeAad(file, file.slots[0]).toString()}\``));
});

test('nothing is written unless both slots are sealed, each to a token of its own', async () => {
  const target = join(folder, 'half', 'seed.json');
  const before = await readdir(folder);
  const fresh = join(folder, 'fresh.json');
  await assert.rejects(
    sealSeed({ path: fresh, entropy, slots: { ...slots, hsm_slot_2: { token: token2, kek: 'no-such-key' } } }),
    { code: 'hsm/key-missing' },
  );
  await assert.rejects(sealSeed({ path: fresh, entropy, slots: { ...slots, hsm_slot_2: slots.hsm_slot_1 } }), {
    code: 'hsm/refused',
    message: /Both slots are the token "site-a"/u,
  });
  store2.vanish();
  try {
    await assert.rejects(sealSeed({ path: fresh, entropy, slots }), { code: 'hsm/unavailable' });
  } finally {
    store2.restore();
  }
  await assert.rejects(sealSeed({ path: target, entropy, slots }), { code: 'key/missing-file' });
  assert.deepEqual(await readdir(folder), before, 'no file and no rest of one');
});

test('a sealing key that could be read out, or that unwraps, seals nothing', async () => {
  // What a careless hand would make: the default of the tool.
  const tool = ['--module', store1.library, '--login', '--pin', store1.pinText, '--token-label', store1.label];
  execFileSync('pkcs11-tool', [...tool, '--keygen', '--key-type', 'AES:32', '--label', 'careless', '--extractable'], {
    env: { ...process.env, ...store1.environment },
    stdio: 'pipe',
  });
  const careless = { ...slots, hsm_slot_1: { token: token1, kek: 'careless' } };
  await assert.rejects(sealSeed({ path: join(folder, 'careless.json'), entropy, slots: careless }), {
    code: 'hsm/refused',
    message: /"careless" .* must not seal a seed: .*extractable true/u,
  });
});

test('a drill restores from one slot, compares and records; it fails with the reason', async () => {
  for (let tries = 0; !(await token2.health()).healthy && tries < 100; tries++) await sleep(50);
  for (const [slot, token] of [
    ['hsm_slot_1', token1],
    ['hsm_slot_2', token2],
  ] as const) {
    const { finding, ...result } = await drillSlot({ path, slot, token });
    const { seedId } = parseSealedSeed(whole, path);
    const tokenFacts = { tokenLabel: token.label, tokenSerial: (await token.describe()).serial };
    assert.deepEqual(result, { slot, seedId, fingerprint: '16a93ed0', ...tokenFacts, passed: true });
    assert.match(finding, /was restored/u);
  }
  const { passed, finding } = await drillSlot({ path, slot: 'hsm_slot_1', token: token2 });
  assert.ok(!passed);
  assert.match(finding, /^hsm\/tampered-envelope: /u);
});

test('a slot is sealed to another token, from the seed of the other slot', async () => {
  const copy = await changed((file) => file);
  using store3 = temporaryToken({ label: 'site-c' });
  await using token3 = await openToken(store3.options());
  await token3.generateSealingKey(kek);
  const to = { token: token3, kek };
  await assert.rejects(rotateSlot({ path: copy, slot: 'hsm_slot_1', to, other: token3 }), { code: 'hsm/refused' });
  await assert.rejects(rotateSlot({ path: copy, slot: 'hsm_slot_1', to, other: token1 }), {
    code: 'hsm/tampered-envelope',
  });
  assert.equal(await readFile(copy, 'utf8'), whole, 'a rotation that fails changes nothing');
  // A driver that runs finds the new envelope at its next unsealing.
  const current: Record<SlotName, () => Promise<typeof token1>> = { ...tokens };
  await using driver = await opened({ path: copy, tokens: current, idleMs: 1 });
  await rotateSlot({ path: copy, slot: 'hsm_slot_1', to, other: token2 });
  current.hsm_slot_1 = async () => token3;
  current.hsm_slot_2 = away;
  for (let tries = 0; driver.isOpen() && tries < 100; tries++) await sleep(5);
  assert.deepEqual(await driver.sign(key, digest), expected);
  const file = parseSealedSeed(await readFile(copy, 'utf8'), copy);
  assert.equal(file.slots[0].serial, (await token3.describe()).serial);
  assert.deepEqual(file.slots[1], parseSealedSeed(whole, path).slots[1]);
  assert.ok(!(await drillSlot({ path: copy, slot: 'hsm_slot_1', token: token1 })).passed);
  using restored = await unsealEntropy({ file, slot: 'hsm_slot_1', token: token3 });
  assert.ok(entropy.read((left) => restored.read((right) => Buffer.compare(left, right) === 0)));
});

test('many that ask at once share one unsealing, and a slot that refused its PIN is not asked again', async () => {
  let asked = 0;
  const refusing = (): Promise<never> => {
    asked += 1;
    return Promise.reject(new CustodyError('hsm/pin-refused', 'The token refused its PIN.'));
  };
  let unsealings = 0;
  const counting = async (): Promise<typeof token2> => {
    unsealings += 1;
    return token2;
  };
  await using driver = await opened({ tokens: { hsm_slot_1: refusing, hsm_slot_2: counting }, idleMs: 1 });
  for (let tries = 0; driver.isOpen() && tries < 100; tries++) await sleep(5);
  const before = unsealings;
  const made = await Promise.all(Array.from({ length: 20 }, () => driver.sign(key, digest)));
  assert.equal(unsealings, before + 1);
  for (const signature of made) assert.deepEqual(signature, expected);
  await driver.health();
  assert.equal(asked, 1);
});

test('a closed driver gives nothing any more, also to who asked before', async () => {
  const driver = await opened({ idleMs: 1 });
  for (let tries = 0; driver.isOpen() && tries < 100; tries++) await sleep(5);
  const waiting = driver.sign(key, digest);
  await driver[Symbol.asyncDispose]();
  await assert.rejects(waiting, { code: 'invariant/broken' });
  await assert.rejects(driver.sign(key, digest), { code: 'invariant/broken' });
  assert.ok(!driver.isOpen());
  await assert.rejects(opened({ path: join(folder, 'nowhere.json') }), { code: 'key/missing-file' });
  using wrong = createSecret(15);
  await assert.rejects(sealSeed({ path: join(folder, 'wrong.json'), entropy: wrong, slots }), {
    code: 'key/malformed-mnemonic',
  });
});
