import assert from 'node:assert/strict';
import { verify, createPublicKey, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { CustodyError, type KeyLabel, parseCompartment } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { tokenHeadStore } from './head.ts';
import { createTokenIdentity, openTokenIdentity } from './identity.ts';
import { openPkcs11Keys, walletKeyLabel } from './key-driver.ts';
import { temporaryToken } from './testing/softhsm.ts';
import { openToken, type Token } from './token.ts';

const hsm = temporaryToken({ label: 'key-driver' });
let token: Token;
const key: KeyLabel = { compartment: parseCompartment(10_000), label: 'cold-1' };
const code = (expected: string) => (error: unknown) => error instanceof CustodyError && error.code === expected;

before(async () => {
  token = await openToken(hsm.options());
});
after(async () => {
  await token[Symbol.asyncDispose]();
  hsm[Symbol.dispose]();
});

test('a wallet key signs in the lower half, with the recovery id of its public key', async () => {
  const driver = openPkcs11Keys(token);
  const publicKey = await driver.create(key);
  assert.equal(publicKey.length, 65);
  assert.deepEqual(await driver.publicKey(key), publicKey);
  const half = secp256k1.Point.Fn.ORDER / 2n;
  let high = 0;
  for (let count = 0; count < 24; count += 1) {
    const digest = randomBytes(32);
    const { r, s, yParity } = await driver.sign(key, digest);
    assert.ok(s <= half);
    const recovered = new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest).toBytes(false);
    assert.deepEqual(Buffer.from(recovered), Buffer.from(publicKey));
    const raw = await token.signEcdsa(walletKeyLabel(key), digest);
    if (BigInt(`0x${Buffer.from(raw.subarray(32)).toString('hex')}`) > half) high += 1;
  }
  // The token itself gives both halves, so the lower one above is the driver's doing.
  assert.ok(high > 0 && high < 24, `${high} of 24 raw signatures were high`);
  await assert.rejects(driver.create(key), code('hsm/key-exists'));
});

test('a key is found for its own compartment alone, and there is no tree', async () => {
  const driver = openPkcs11Keys(token);
  const elsewhere = { ...key, compartment: parseCompartment(10_001) };
  await assert.rejects(driver.publicKey(elsewhere), code('hsm/key-missing'));
  await assert.rejects(
    driver.sign({ compartment: key.compartment, index: 0 }, new Uint8Array(32)),
    code('hsm/key-missing'),
  );
});

test('a digest of 31 or 64 bytes is refused', async () => {
  const driver = openPkcs11Keys(token);
  for (const length of [0, 31, 33, 64]) {
    await assert.rejects(driver.sign(key, new Uint8Array(length)), code('hsm/digest-length'));
    await assert.rejects(token.signEcdsa(walletKeyLabel(key), new Uint8Array(length)), code('hsm/digest-length'));
  }
});

test('a public key that is not of the private key is found out before it gives an address', async () => {
  await token.generateSecp256k1('bulkhead/wallet/1/stranger');
  const stranger = await token.publicKey('bulkhead/wallet/1/stranger');
  const swapped: Token = { ...token, publicKey: () => Promise.resolve(stranger) };
  await assert.rejects(openPkcs11Keys(swapped).publicKey(key), code('hsm/signature-invalid'));
});

test('the identity key signs messages that OpenSSL verifies', async () => {
  const identity = await createTokenIdentity(token);
  assert.equal(identity.residency, 'hsm');
  const message = Buffer.from('bulkhead-statement-v1\n{}');
  const signature = await identity.sign(message);
  const spki = Buffer.from(`302a300506032b6570032100${identity.publicKey}`, 'hex');
  assert.ok(verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature));
  assert.equal((await openTokenIdentity(token)).publicKey, identity.publicKey);
  const faulty: Token = { ...token, signEddsa: () => Promise.resolve(new Uint8Array(64)) };
  await assert.rejects((await openTokenIdentity(faulty)).sign(message), code('hsm/signature-invalid'));
});

test('who works with the token is remembered, and what is no claim is none', async () => {
  const [store, same] = [tokenHeadStore(token, 'bulkhead/claimed'), tokenHeadStore(token, 'bulkhead/claimed')];
  assert.equal(await store.readClaim(), undefined);
  for (const claim of ['ab'.repeat(16), 'cd'.repeat(16)]) {
    await store.writeClaim(claim);
    assert.equal(await same.readClaim(), claim);
  }
  await assert.rejects(store.writeClaim('mine'), { code: 'invariant/broken' });
  await token.writeData('bulkhead/claimed-claim', Buffer.from('torn'));
  assert.equal(await store.readClaim(), undefined);
});

test('the head of the log is remembered, by turns in two objects', async () => {
  const store = tokenHeadStore(token);
  assert.equal(await store.read(), undefined);
  const head = (sequence: bigint) => ({ sequence, hash: sequence.toString(16).padStart(64, '0') });
  for (let sequence = 1n; sequence <= 5n; sequence += 1n) {
    await store.write(head(sequence));
    assert.deepEqual(await store.read(), head(sequence));
  }
  // Two writes at once do not take the same object.
  await Promise.all([store.write(head(6n)), store.write(head(7n))]);
  // The fifth went into the first object, the sixth into the second, the seventh into the first.
  await token.writeData('bulkhead/head-a', Buffer.from('torn'));
  assert.deepEqual(await store.read(), head(6n));
  await token.destroy('bulkhead/head-a');
  assert.deepEqual(await tokenHeadStore(token).read(), head(6n));
  await store.write(head(8n));
  assert.deepEqual(await store.read(), head(8n));
  assert.equal(store.protects, true);
  // A recovery goes on from an older record: what is remembered then is that one, also by the next process.
  await store.write(head(3n));
  assert.deepEqual(await store.read(), head(3n));
  await store.write(head(4n));
  assert.deepEqual(await tokenHeadStore(token).read(), head(4n));
  const sameNumber = { sequence: 4n, hash: 'ab'.repeat(32) };
  await store.write(sameNumber);
  assert.deepEqual(await tokenHeadStore(token).read(), sameNumber);
});
