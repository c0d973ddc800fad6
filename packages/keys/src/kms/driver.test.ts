import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { CustodyError, type KeyLabel, parseCompartment } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { readDerSignature, readSpki } from './der.ts';
import { kmsAlias, kmsAttemptsMax, type KmsKeyDriver, openKmsKeys } from './driver.ts';
import { type KmsEndpoint, startKmsEndpoint } from './testing/kms-endpoint.ts';

const key: KeyLabel = { compartment: parseCompartment(10_000), label: 'warm-1' };
const code = (expected: string) => (error: unknown) => error instanceof CustodyError && error.code === expected;
let endpoint: KmsEndpoint;
let driver: KmsKeyDriver;

before(async () => {
  endpoint = await startKmsEndpoint(kmsAlias(key));
  driver = await openKmsKeys({
    region: 'eu-central-1',
    endpoint: endpoint.url,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'of no account' },
  });
});
after(async () => {
  await driver[Symbol.asyncDispose]();
  await endpoint[Symbol.asyncDispose]();
});

test('signatures of both halves come out in the lower one, recoverable to the public key', async () => {
  assert.deepEqual(await driver.publicKey(key), endpoint.publicKey);
  for (let count = 0; count < 16; count += 1) {
    const digest = randomBytes(32);
    const { r, s, yParity } = await driver.sign(key, digest);
    assert.ok(s <= secp256k1.Point.Fn.ORDER / 2n);
    const recovered = new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest).toBytes(false);
    assert.deepEqual(recovered, endpoint.publicKey);
  }
  assert.equal(endpoint.seen.high, 8);
});

test('a key that was imported, lies elsewhere or is switched off is refused before it is used', async () => {
  const options = {
    region: 'eu-central-1',
    endpoint: endpoint.url,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'of no account' },
  };
  for (const said of [
    { Origin: 'EXTERNAL' },
    { Origin: 'EXTERNAL_KEY_STORE' },
    { Origin: '' },
    { KeyState: 'Disabled' },
  ]) {
    endpoint.describe(said);
    await using fresh = await openKmsKeys(options);
    const [wrong = ''] = Object.values(said);
    await assert.rejects(fresh.publicKey(key), (error) => code('hsm/refused')(error) && String(error).includes(wrong));
    const before = endpoint.seen.high;
    await assert.rejects(fresh.sign(key, randomBytes(32)), code('hsm/refused'));
    assert.equal(endpoint.seen.high, before);
    endpoint.describe({ Origin: 'AWS_KMS', KeyState: 'Enabled' });
    assert.deepEqual(await fresh.publicKey(key), endpoint.publicKey);
  }
});

test('throttling is waited out, and only so often', async () => {
  endpoint.throttle(kmsAttemptsMax - 1);
  await driver.sign(key, randomBytes(32));
  endpoint.throttle(kmsAttemptsMax);
  const before = endpoint.seen.calls;
  await assert.rejects(driver.sign(key, randomBytes(32)), code('hsm/unavailable'));
  assert.equal(endpoint.seen.calls - before, kmsAttemptsMax);
});

test('a signature of another key is not given out', async () => {
  const stranger = secp256k1.sign(randomBytes(32), secp256k1.utils.randomSecretKey(), {
    prehash: false,
    format: 'der',
  });
  endpoint.spoil(stranger);
  await assert.rejects(driver.sign(key, randomBytes(32)), code('hsm/signature-invalid'));
});

test('a key that is not there, a path and a digest of another length are refused', async () => {
  await assert.rejects(driver.publicKey({ ...key, label: 'unknown' }), code('hsm/key-missing'));
  await assert.rejects(driver.publicKey({ compartment: key.compartment, index: 0 }), code('hsm/key-missing'));
  await assert.rejects(driver.sign(key, new Uint8Array(31)), code('hsm/digest-length'));
  assert.throws(() => kmsAlias({ ...key, label: 'a b' }), code('invariant/broken'));
});

test('an endpoint that does not answer is unavailable, and health says what was tested', async () => {
  const away = await openKmsKeys({
    region: 'eu-central-1',
    endpoint: 'http://127.0.0.1:1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'of no account' },
  });
  await assert.rejects(away.publicKey(key), code('hsm/unavailable'));
  await away[Symbol.asyncDispose]();
  assert.match((await driver.health())[0]?.detail ?? '', /not against AWS/u);
});

test('DER is read strictly', () => {
  const good = '3006020101020102';
  assert.equal(
    Buffer.from(readDerSignature(Buffer.from(good, 'hex'))).toString('hex'),
    `${'01'.padStart(64, '0')}${'02'.padStart(64, '0')}`,
  );
  const bad = {
    'a byte behind it': '300602010102010200',
    'a length that is wrong': '3007020101020102',
    'a superfluous zero': '300702020001020102',
    'a negative number': '3006020181020102',
    'an empty number': '30050200020102',
    'no second number': '3003020101',
    'another tag': '3106020101020102',
    'a number of 33 bytes': `3026022101${'00'.repeat(32)}020102`,
    nothing: '',
  };
  for (const [what, hex] of Object.entries(bad)) {
    assert.throws(() => readDerSignature(Buffer.from(hex, 'hex')), code('hsm/signature-invalid'), what);
  }
  assert.throws(() => readSpki(new Uint8Array(88)), code('hsm/refused'));
});
