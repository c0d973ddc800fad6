import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { HDKey } from '@scure/bip32';
import { createDirectory } from '../pkcs11/directory.ts';
import { cko } from '../pkcs11/cryptoki.ts';
import { createSlot } from '../pkcs11/slot.ts';
import { temporaryToken } from '../pkcs11/testing/softhsm.ts';
import { openToken } from '../pkcs11/token.ts';
import { deriveChild, derivationFault, deriveMaster, readNode } from './derivation.ts';
import { importLunaSeed, type LunaDriver, type LunaOptions, openLunaKeys } from './driver.ts';
import { buildLunaShim } from './testing/luna-shim.ts';

/** Seed of test vector 1 of BIP-32. */
const seed = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const hsm = temporaryToken({ label: 'luna' });
const code = (expected: string) => (error: unknown) => error instanceof CustodyError && error.code === expected;
const compartment = parseCompartment(7);
let options: LunaOptions;
let driver: LunaDriver;

before(async () => {
  options = { ...hsm.options(), library: buildLunaShim(hsm), seedLabel: 'bulkhead/seed' };
  await assert.rejects(openLunaKeys(options), code('hsm/key-missing'));
  // Held open, because the shim forgets its seeds with the library.
  holder = await openToken(options);
  await importLunaSeed(options, seed);
  driver = await openLunaKeys(options);
});
after(async () => {
  await driver[Symbol.asyncDispose]();
  await holder[Symbol.asyncDispose]();
  hsm[Symbol.dispose]();
});
let holder: Awaited<ReturnType<typeof openToken>>;

test('keys, chain codes and xpubs are those of BIP-32', async () => {
  const root = HDKey.fromMasterSeed(seed);
  assert.equal(await driver.accountXpub?.(compartment), root.derive("m/44'/60'/7'").publicExtendedKey);
  for (const index of [0, 3, 2 ** 31 - 1]) {
    const expected = root.derive(`m/44'/60'/7'/0/${index}`).publicKey;
    assert.ok(expected);
    const found = await driver.publicKey({ compartment, index });
    assert.deepEqual(Buffer.from(found), Buffer.from(secp256k1.Point.fromBytes(expected).toBytes(false)));
  }
});

test('test vector 1 of BIP-32, through the mechanisms themselves', async () => {
  const slot = createSlot({ ...options, environment: hsm.environment, sessionsMax: 1, timeoutMs: 5_000 });
  const directory = createDirectory(slot.label);
  const hardened = 2 ** 31;
  const vector = HDKey.fromExtendedKey(
    'xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy',
  );
  await slot.run(async (desk) => {
    const master = await deriveMaster(desk, await directory.need(desk, cko.SECRET_KEY, options.seedLabel));
    const child = await deriveChild(desk, master.privateKey, [hardened, 1, hardened + 2, 2, 1_000_000_000]);
    const { publicKey, chainCode } = await readNode(desk, child.publicKey);
    assert.deepEqual(
      Buffer.from(secp256k1.Point.fromBytes(publicKey).toBytes(true)),
      Buffer.from(vector.publicKey ?? []),
    );
    assert.deepEqual(chainCode, Buffer.from(vector.chainCode ?? []));
    await assert.rejects(deriveChild(desk, master.publicKey, [hardened]), code('key/derivation'));
    await assert.rejects(deriveChild(desk, master.privateKey, []), code('key/derivation'));
    await assert.rejects(deriveChild(desk, master.privateKey, [2 ** 33]), code('key/derivation'));
  });
  await slot.close();
});

test('derived keys sign, in the lower half and recoverable', async () => {
  const key = { compartment, index: 5 };
  const publicKey = await driver.publicKey(key);
  for (let count = 0; count < 8; count += 1) {
    const digest = randomBytes(32);
    const { r, s, yParity } = await driver.sign(key, digest);
    assert.ok(s <= secp256k1.Point.Fn.ORDER / 2n);
    const recovered = new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest).toBytes(false);
    assert.deepEqual(Buffer.from(recovered), Buffer.from(publicKey));
  }
  await assert.rejects(driver.sign(key, new Uint8Array(31)), code('hsm/digest-length'));
});

test('derived keys do not pile up in the partition', async () => {
  // The shim has room for 512.
  for (let index = 0; index < 300; index += 1) await driver.sign({ compartment, index }, new Uint8Array(32).fill(1));
});

test('a label, an index that is none and a readable seed are refused', async () => {
  await assert.rejects(driver.publicKey({ compartment, label: 'cold' }), code('hsm/key-missing'));
  await assert.rejects(driver.publicKey({ compartment, index: 2 ** 31 }), code('key/derivation'));
  await assert.rejects(importLunaSeed(options, seed), code('hsm/key-exists'));
});

test('a seed of a wrong length is named', async () => {
  const short = { ...options, seedLabel: 'bulkhead/short' };
  await importLunaSeed(short, randomBytes(8));
  const keys = await openLunaKeys(short);
  await assert.rejects(keys.publicKey({ compartment, index: 0 }), /16 to 64 bytes/u);
  await keys[Symbol.asyncDispose]();
});

test('every result of the mechanisms has its fault, and health says what was tested', async () => {
  const expected = {
    0x83: 'key/derivation',
    0x84: 'key/derivation',
    0x85: 'hsm/refused',
    0x86: 'hsm/refused',
    0x87: 'key/derivation',
  };
  for (const [low, fault] of Object.entries(expected)) {
    assert.equal(derivationFault(0x8000_0000 + Number(low))?.code, fault);
  }
  assert.equal(derivationFault(0), undefined);
  const [slot] = await driver.health();
  assert.equal(slot?.healthy, true);
  assert.match(slot.detail, /ABI-tested, not hardware-tested/u);
});

test('a module without the mechanisms is told apart', async () => {
  const plain = { ...options, library: hsm.library };
  await assert.rejects(openLunaKeys(plain), code('hsm/mechanism-missing'));
});
