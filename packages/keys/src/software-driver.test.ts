import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, hkdfSync, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { deriveAddress, addressOfPublicKey } from './derivation.ts';
import { openHeadFile } from './head-file.ts';
import { identityLabel } from './identity.ts';
import { createKeyFile } from './key-file.ts';
import { entropyOfMnemonic } from './mnemonic.ts';
import { openSoftwareKeys } from './software-driver.ts';

const folder = await mkdtemp(join(tmpdir(), 'bulkhead-keys-'));
after(async () => {
  await rm(folder, { recursive: true, force: true });
});
const passphrase = 'correct horse battery staple';
const entropy = entropyOfMnemonic('test test test test test test test test test test test junk');
const path = join(folder, 'key.json');
await createKeyFile({ path, passphrase, entropy, cost: { log2N: 4, r: 8, p: 1 } });
const client = parseCompartment(100_000);
const digest = new Uint8Array(32).fill(3);

test('the driver signs with the key whose address its xpub gives', async () => {
  await using keys = await openSoftwareKeys({ path, passphrase });
  const { driver } = keys;
  assert.equal(keys.fingerprint, '16a93ed0');
  assert.equal(driver.name, 'software');
  assert.equal(driver.residency, 'software');
  const xpub = await driver.accountXpub?.(client);
  assert.ok(xpub !== undefined);
  const key = { compartment: client, index: 4 };
  const publicKey = await driver.publicKey(key);
  assert.equal(addressOfPublicKey(publicKey), deriveAddress({ compartment: client, xpub }, 4));
  const { r, s, yParity } = await driver.sign(key, digest);
  const recovered = new secp256k1.Signature(r, s, yParity).recoverPublicKey(digest);
  assert.deepEqual(recovered.toBytes(false), Uint8Array.from(publicKey));
  assert.deepEqual(
    (await driver.health()).map(({ name, healthy }) => ({ name, healthy })),
    [{ name: 'software', healthy: true }],
  );
});

test('a key with a label, a strange digest and a path beyond the levels are refused', async () => {
  await using keys = await openSoftwareKeys({ path, passphrase });
  const { driver } = keys;
  const labelled = { compartment: client, label: 'treasury-1' };
  await assert.rejects(driver.sign(labelled, digest), { code: 'hsm/key-missing', message: /treasury-1/u });
  await assert.rejects(driver.publicKey(labelled), { code: 'hsm/key-missing' });
  await assert.rejects(driver.sign({ compartment: client, index: 0 }, digest.subarray(1)), {
    code: 'hsm/digest-length',
  });
  for (const index of [-1, 2 ** 31, 1.5]) {
    await assert.rejects(driver.sign({ compartment: client, index }, digest), { code: 'key/derivation' });
  }
});

test('the identity key is Ed25519 over HKDF of the entropy, the same at each start', async () => {
  await using keys = await openSoftwareKeys({ path, passphrase });
  const { identity } = keys;
  const seed = Buffer.from(hkdfSync('sha256', entropy, new Uint8Array(0), identityLabel, 32));
  // The frame of a private key of Ed25519 (RFC 8410).
  const frame = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const expected = createPublicKey(createPrivateKey({ key: frame, format: 'der', type: 'pkcs8' }));
  assert.equal(identity.publicKey, expected.export({ format: 'der', type: 'spki' }).subarray(12).toString('hex'));
  assert.equal(identity.residency, 'software');
  const message = Buffer.from('bulkhead-statement-v1\n{}');
  assert.ok(verify(null, message, expected, await identity.sign(message)));
  assert.ok(!verify(null, Buffer.from('another'), expected, await identity.sign(message)));
});

test('neither the keys nor their faults show a secret, and closed keys give nothing any more', async () => {
  const keys = await openSoftwareKeys({ path, passphrase });
  const shown = `${inspect(keys, { depth: 10, showHidden: true })}${JSON.stringify(keys)}`;
  assert.doesNotMatch(shown, /xprv|xpub|test test|correct horse/u);
  await assert.rejects(openSoftwareKeys({ path, passphrase: 'battery horse' }), (error) => {
    assert.ok(error instanceof CustodyError);
    assert.equal(error.code, 'key/wrong-passphrase');
    assert.doesNotMatch(inspect(error, { depth: 10 }), /battery horse|test test/u);
    return true;
  });
  await keys[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
  await assert.rejects(keys.driver.sign({ compartment: client, index: 0 }, digest), { code: 'invariant/broken' });
  await assert.rejects(keys.identity.sign(digest), { code: 'invariant/broken' });
});

test('a head file remembers the last head that was written, and is not taken for protection', async () => {
  const headPath = join(folder, 'head.json');
  const store = openHeadFile(headPath);
  assert.equal(store.protects, false);
  assert.equal(await store.read(), undefined);
  for (const sequence of [0n, 1n, 10n ** 18n]) {
    const head = { sequence, hash: 'ab'.repeat(32) };
    await store.write(head);
    assert.deepEqual(await store.read(), head);
    assert.deepEqual(await openHeadFile(headPath).read(), head);
  }
  assert.equal((await stat(headPath)).mode & 0o777, 0o600);
});

test('a damaged head file is not taken for a new one', async () => {
  const headPath = join(folder, 'damaged.json');
  const store = openHeadFile(headPath);
  await store.write({ sequence: 7n, hash: '00'.repeat(32) });
  const whole = await readFile(headPath, 'utf8');
  for (const text of [
    '',
    '{}',
    whole.slice(0, -2),
    whole.replace('"7"', '7'),
    whole.replace('"7"', '"07"'),
    `${whole}x`,
  ]) {
    await writeFile(headPath, text);
    await assert.rejects(store.read(), { code: 'signer/state-damaged' }, text);
  }
  await writeFile(headPath, whole);
  await chmod(headPath, 0o644);
  await assert.rejects(store.read(), { code: 'key/file-access' });
  await assert.rejects(openHeadFile(join(folder, 'no', 'head.json')).write({ sequence: 1n, hash: '00'.repeat(32) }), {
    code: 'key/missing-file',
  });
});
