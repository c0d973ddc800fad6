import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { createKeyFile, openKeyFile, scryptCostDefault, scryptMemoryBytesMax } from './key-file.ts';
import { keyFileBytesMax } from './key-file-format.ts';
import { entropyOfMnemonic } from './mnemonic.ts';

const folder = await mkdtemp(join(tmpdir(), 'bulkhead-keys-'));
after(async () => {
  await rm(folder, { recursive: true, force: true });
});

const cost = { log2N: 4, r: 8, p: 1 };
const passphrase = 'correct horse battery staple';
const entropy = entropyOfMnemonic('test test test test test test test test test test test junk');

let count = 0;
function fresh(): string {
  count += 1;
  return join(folder, `key-${count}.json`);
}

async function created(): Promise<string> {
  const path = fresh();
  await createKeyFile({ path, passphrase, entropy, cost });
  return path;
}

type Draft = {
  header: {
    format: string;
    version: number;
    fingerprint: string;
    kdf: { log2N: number; r: number; p: number; salt: string };
    cipher: { name: string; nonce: string };
  };
  ciphertext: string;
  tag: string;
  checksum: string;
};

/** Changes a file as somebody who knows the format would: the checksum fits again. */
async function forge(path: string, change: (draft: Draft) => void): Promise<void> {
  const draft: Draft = JSON.parse(await readFile(path, 'utf8'));
  change(draft);
  const { header, ciphertext, tag } = draft;
  draft.checksum = createHash('sha256').update(JSON.stringify({ header, ciphertext, tag })).digest('hex');
  await writeFile(path, `${JSON.stringify(draft, null, 2)}\n`);
}

const flipped = (hex: string): string => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);

test('a key file gives back the entropy it was made of, and names it by its fingerprint', async () => {
  const path = fresh();
  const { fingerprint } = await createKeyFile({ path, passphrase, entropy, cost });
  const opened = await openKeyFile(path, passphrase);
  assert.deepEqual(
    opened.entropy.read((bytes) => Buffer.from(bytes)),
    Buffer.from(entropy),
  );
  assert.equal(opened.fingerprint, fingerprint);
  assert.equal(fingerprint, '16a93ed0');
});

test('the file holds neither passphrase nor entropy, and only its owner may use it', async () => {
  const path = await created();
  const text = await readFile(path, 'utf8');
  assert.ok(!text.includes(Buffer.from(entropy).toString('hex')));
  assert.ok(!text.includes(passphrase));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('the key file that the specification shows is opened', async () => {
  const specification = await readFile(new URL('../../../spec/key-file.md', import.meta.url), 'utf8');
  const text = /```json\n(.*?\n)```/su.exec(specification)?.[1];
  assert.ok(text !== undefined);
  const path = fresh();
  await writeFile(path, text, { mode: 0o600 });
  assert.deepEqual(
    (await openKeyFile(path, passphrase)).entropy.read((bytes) => Buffer.from(bytes)),
    Buffer.from(entropy),
  );
});

test('the default cost of scrypt is the one the format promises', async () => {
  assert.deepEqual(scryptCostDefault, { log2N: 17, r: 8, p: 1 });
  const path = fresh();
  await createKeyFile({ path, passphrase });
  const draft: Draft = JSON.parse(await readFile(path, 'utf8'));
  assert.equal(draft.header.kdf.log2N, 17);
  assert.equal((await openKeyFile(path, passphrase)).entropy.byteLength, 32);
});

test('two files of the same key share neither salt nor nonce nor ciphertext, and fresh keys differ', async () => {
  const drafts: Draft[] = [];
  for (const path of [await created(), await created()]) drafts.push(JSON.parse(await readFile(path, 'utf8')));
  const [a, b] = drafts;
  assert.ok(a !== undefined && b !== undefined);
  assert.notEqual(a.header.kdf.salt, b.header.kdf.salt);
  assert.notEqual(a.header.cipher.nonce, b.header.cipher.nonce);
  assert.notEqual(a.ciphertext, b.ciphertext);
  const fresh1 = await createKeyFile({ path: fresh(), passphrase, cost });
  const fresh2 = await createKeyFile({ path: fresh(), passphrase, cost });
  assert.notEqual(fresh1.fingerprint, fresh2.fingerprint);
});

test('a wrong passphrase is told apart from damage, and another spelling of the same letters opens', async () => {
  const path = fresh();
  await createKeyFile({ path, passphrase: 'Zu\u0308rich am See', entropy, cost });
  for (const same of ['Z\u00fcrich am See', 'Zu\u0308rich am See']) {
    assert.equal((await openKeyFile(path, same)).entropy.byteLength, 16);
  }
  for (const wrong of ['', 'zürich am see', 'Zürich am See ', passphrase]) {
    await assert.rejects(openKeyFile(path, wrong), { code: 'key/wrong-passphrase' });
  }
});

test('every damaged byte is found before the passphrase is tried', async () => {
  const path = await created();
  const whole = await readFile(path);
  for (let at = 0; at < whole.length; at += 7) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 0x01;
    await writeFile(path, damaged);
    await assert.rejects(openKeyFile(path, passphrase), { code: 'key/damaged-file' }, `byte ${at}`);
  }
  for (const text of [
    '',
    '{}',
    'null',
    '[]',
    whole.toString().slice(0, -2),
    `${whole.toString()} `,
    'x'.repeat(20_000),
  ]) {
    await writeFile(path, text);
    await assert.rejects(openKeyFile(path, passphrase), { code: 'key/damaged-file' }, text.slice(0, 20));
  }
});

test('no part of the file can be exchanged, even with a checksum that fits', async () => {
  const changes: [string, (draft: Draft) => void, RegExp][] = [
    ['fingerprint', (draft) => void (draft.header.fingerprint = 'deadbeef'), /wrong-passphrase/u],
    ['salt', (draft) => void (draft.header.kdf.salt = flipped(draft.header.kdf.salt)), /wrong-passphrase/u],
    ['cost', (draft) => void (draft.header.kdf.log2N = 5), /wrong-passphrase/u],
    ['nonce', (draft) => void (draft.header.cipher.nonce = flipped(draft.header.cipher.nonce)), /wrong-passphrase/u],
    ['ciphertext', (draft) => void (draft.ciphertext = flipped(draft.ciphertext)), /wrong-passphrase/u],
    ['tag', (draft) => void (draft.tag = flipped(draft.tag)), /wrong-passphrase/u],
    ['short tag', (draft) => void (draft.tag = draft.tag.slice(0, 8)), /damaged-file/u],
    ['version', (draft) => void (draft.header.version = 2), /damaged-file/u],
    ['format', (draft) => void (draft.header.format = 'other'), /damaged-file/u],
    ['cipher', (draft) => void (draft.header.cipher.name = 'aes-256-ctr'), /damaged-file/u],
    ['cost of terabytes', (draft) => void (draft.header.kdf.log2N = 40), /damaged-file/u],
    ['cost of centuries', (draft) => void (draft.header.kdf.p = 1_000_000), /damaged-file/u],
    ['cost of nothing', (draft) => void (draft.header.kdf.log2N = 0), /damaged-file/u],
  ];
  for (const [what, change, code] of changes) {
    const path = await created();
    await forge(path, change);
    await assert.rejects(openKeyFile(path, passphrase), { name: 'CustodyError', code }, what);
  }
});

test('a cost that no machine should be asked for makes no file', async () => {
  const path = fresh();
  const huge = { log2N: Math.log2(scryptMemoryBytesMax / 1024) + 1, r: 8, p: 1 };
  await assert.rejects(createKeyFile({ path, passphrase, cost: huge }), { name: 'CustodyError' });
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

test('a missing file or folder is one clear fault, for opening and for creating', async () => {
  await assert.rejects(openKeyFile(join(folder, 'nowhere.json'), passphrase), { code: 'key/missing-file' });
  const path = join(folder, 'no-folder', 'key.json');
  await assert.rejects(createKeyFile({ path, passphrase, cost }), { code: 'key/missing-file' });
});

test('a file that its group or the world may use is not opened', async () => {
  const path = await created();
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777]) {
    await chmod(path, mode);
    await assert.rejects(openKeyFile(path, passphrase), { code: 'key/file-access' }, mode.toString(8));
  }
  for (const mode of [0o600, 0o400]) {
    await chmod(path, mode);
    assert.equal((await openKeyFile(path, passphrase)).entropy.byteLength, 16);
  }
});

test('what a link points to is judged, not the link; a folder is no key file', async () => {
  const target = await created();
  const path = fresh();
  await symlink(target, path);
  assert.equal((await openKeyFile(path, passphrase)).fingerprint, '16a93ed0');
  await chmod(target, 0o644);
  await assert.rejects(openKeyFile(path, passphrase), { code: 'key/file-access' });
  const directory = fresh();
  await mkdir(directory, { mode: 0o700 });
  await assert.rejects(openKeyFile(directory, passphrase), { code: 'key/file-access' });
});

test('an existing file is never replaced, and nothing is left beside it', async () => {
  const own = await mkdtemp(join(folder, 'own-'));
  const path = join(own, 'key.json');
  await writeFile(path, 'precious');
  await assert.rejects(createKeyFile({ path, passphrase, cost }), { code: 'key/file-exists' });
  assert.equal(await readFile(path, 'utf8'), 'precious');
  const dangling = join(own, 'link.json');
  await symlink(join(own, 'elsewhere'), dangling);
  await assert.rejects(createKeyFile({ path: dangling, passphrase, cost }), { code: 'key/file-exists' });
  assert.deepEqual((await readdir(own)).sort(), ['key.json', 'link.json']);
});

test('of many that create the same file at once, one makes it and the others learn of it', async () => {
  const own = await mkdtemp(join(folder, 'race-'));
  const path = join(own, 'key.json');
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, async () => await createKeyFile({ path, passphrase, cost })),
  );
  const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.fingerprint] : []));
  const codes = results.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    const reason: unknown = result.reason;
    assert.ok(reason instanceof CustodyError);
    return [reason.code];
  });
  assert.equal(made.length, 1);
  assert.deepEqual(new Set(codes), new Set(['key/file-exists']));
  assert.deepEqual(await readdir(own), ['key.json']);
  assert.equal((await openKeyFile(path, passphrase)).fingerprint, made[0]);
});

test('a short passphrase and entropy of a strange length make no file', async () => {
  const path = fresh();
  await assert.rejects(createKeyFile({ path, passphrase: '1234567', cost }), { code: 'key/weak-passphrase' });
  const strange = new Uint8Array(31);
  await assert.rejects(createKeyFile({ path, passphrase, cost, entropy: strange }), { code: 'key/malformed-mnemonic' });
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

test("the caller's entropy is left to the caller", async () => {
  // A Buffer too, whose `slice` would be the same memory.
  for (const mine of [Uint8Array.from(entropy), Buffer.from(entropy)]) {
    await createKeyFile({ path: fresh(), passphrase, entropy: mine, cost });
    assert.equal(Buffer.compare(mine, entropy), 0);
  }
});

test('a file of a later version, and one that is far too large, are said to be just that', async () => {
  const later = await created();
  await forge(later, (draft) => void (draft.header.version = 2));
  await assert.rejects(openKeyFile(later, passphrase), { code: 'key/damaged-file', message: /its version is not 1/u });
  const large = await created();
  await writeFile(large, `${await readFile(large, 'utf8')}${' '.repeat(keyFileBytesMax)}`);
  await assert.rejects(openKeyFile(large, passphrase), { code: 'key/damaged-file', message: /at most 16384/u });
});

test('a passphrase given as bytes opens the same file, and is zeros afterwards', async () => {
  const path = await created();
  const bytes = Buffer.from(passphrase, 'utf8');
  assert.equal((await openKeyFile(path, bytes)).fingerprint, '16a93ed0');
  assert.deepEqual(bytes, Buffer.alloc(bytes.length));
  const accented = fresh();
  await createKeyFile({ path: accented, passphrase: Buffer.from('Zu\u0308rich am See', 'utf8'), entropy, cost });
  const given = Buffer.from('Z\u00fcrich am See', 'utf8');
  assert.equal((await openKeyFile(accented, given)).fingerprint, '16a93ed0');
  assert.deepEqual(given, Buffer.alloc(given.length));
  await assert.rejects(openKeyFile(path, Buffer.alloc(0)), { code: 'key/wrong-passphrase' });
  await assert.rejects(openKeyFile(path, Buffer.alloc(10_000, 0x61)), { code: 'key/wrong-passphrase' });
  await assert.rejects(createKeyFile({ path: fresh(), passphrase: Buffer.from('short'), cost }), {
    code: 'key/weak-passphrase',
  });
});
