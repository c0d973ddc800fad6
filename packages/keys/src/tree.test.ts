import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { parseCompartment } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { HDKey } from '@scure/bip32';
import { fingerprintOf, writeXpub } from './extended-key.ts';
import { createSecret, secretOf } from './memory.ts';
import { entropyOfMnemonic } from './mnemonic.ts';
import { nativeModules } from './native.ts';
import { checkedSignature } from './signature.ts';
import { addTweak, deskBytes, deskOf, masterFingerprint, openTree, stepDown, writeMaster } from './tree.ts';

type Bip32 = {
  readonly vectors: {
    readonly seed: string;
    readonly chains: { readonly path: string; readonly xpub: string; readonly xprv: string }[];
  }[];
};
const bip32: Bip32 = JSON.parse(readFileSync(new URL('../../../spec/vectors/bip-32.json', import.meta.url), 'utf8'));
const junk = 'test test test test test test test test test test test junk';
const compartment = parseCompartment(100_007);
const digestOf = (text: string): Uint8Array => createHash('sha256').update(text).digest();

test('test vectors 1 to 4 of BIP-32: keys, chain codes and texts', () => {
  assert.equal(bip32.vectors.length, 4);
  for (const { seed, chains } of bip32.vectors) {
    for (const { path, xpub, xprv } of chains) {
      const desk = deskOf(new Uint8Array(deskBytes));
      writeMaster(desk, Buffer.from(seed, 'hex'));
      let parentFingerprint: Uint8Array = new Uint8Array(4);
      let childNumber = 0;
      const levels = path.split('/').slice(1);
      const publicKey = (): Uint8Array => nativeModules().secp256k1.publicKeyCreate(desk.node.subarray(0, 32), true);
      for (const level of levels) {
        parentFingerprint = fingerprintOf(publicKey());
        childNumber = Number(level.replace("'", '')) + (level.endsWith("'") ? 2 ** 31 : 0);
        stepDown(desk, childNumber);
      }
      const { privateKey } = HDKey.fromExtendedKey(xprv);
      assert.ok(privateKey !== null);
      assert.equal(Buffer.from(desk.node.subarray(0, 32)).compare(privateKey), 0, path);
      const chainCode = desk.node.subarray(32);
      const text = writeXpub({
        depth: levels.length,
        parentFingerprint,
        childNumber,
        chainCode,
        publicKey: publicKey(),
      });
      assert.equal(text, xpub, path);
    }
  }
});

test('an index without a key is refused, not skipped, and a seed without a master key too', () => {
  const desk = deskOf(new Uint8Array(deskBytes));
  writeMaster(desk, Buffer.alloc(64, 1));
  desk.derived.fill(0xff);
  assert.throws(() => addTweak(desk, 7), { code: 'key/derivation', message: /no key at index 7/u });
  // The negative of the key: their sum is zero.
  writeMaster(desk, Buffer.alloc(64, 1));
  const order = secp256k1.Point.Fn.ORDER;
  const key = BigInt(`0x${Buffer.from(desk.node.subarray(0, 32)).toString('hex')}`);
  desk.derived.set(Buffer.from((order - key).toString(16).padStart(64, '0'), 'hex'));
  assert.throws(() => addTweak(desk, 8), { code: 'key/derivation' });
});

test('signatures are those of RFC 6979 with s in the lower half, and recover to the key of the path', () => {
  using entropy = secretOf(entropyOfMnemonic(junk));
  using tree = openTree(entropy);
  assert.equal(tree.fingerprint, '16a93ed0');
  assert.equal(masterFingerprint(entropy), '16a93ed0');
  const account = HDKey.fromExtendedKey(tree.accountXpub(compartment));
  const parities = new Set<number>();
  for (let index = 0; index < 32; index++) {
    const digest = digestOf(`message ${index}`);
    const { r, s, yParity } = tree.sign({ compartment, index }, digest);
    const child = account.deriveChild(0).deriveChild(index).publicKey;
    assert.ok(child !== null);
    const signature = new secp256k1.Signature(r, s, yParity);
    assert.ok(!signature.hasHighS());
    assert.deepEqual(signature.recoverPublicKey(digest).toBytes(true), child);
    assert.deepEqual(
      tree.sign({ compartment, index }, digest),
      { r, s, yParity },
      'the same request, the same signature',
    );
    parities.add(yParity);
  }
  assert.deepEqual(parities, new Set([0, 1]));
});

test('a signature equals that of another implementation of RFC 6979', () => {
  using entropy = secretOf(entropyOfMnemonic(junk));
  using tree = openTree(entropy);
  // The first key of the well-known mnemonic, public since years.
  const known = Buffer.from('ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80', 'hex');
  for (let count = 0; count < 16; count++) {
    const digest = digestOf(`${count}`);
    const expected = secp256k1.Signature.fromBytes(
      secp256k1.sign(digest, known, { prehash: false, lowS: true, extraEntropy: false, format: 'recovered' }),
      'recovered',
    );
    const { r, s, recovery } = expected;
    assert.deepEqual(tree.sign({ compartment: parseCompartment(0), index: 0 }, digest), { r, s, yParity: recovery });
  }
});

test('only 32 bytes are signed', () => {
  using entropy = secretOf(entropyOfMnemonic(junk));
  using tree = openTree(entropy);
  for (const length of [0, 31, 33, 64]) {
    assert.throws(() => tree.sign({ compartment, index: 0 }, new Uint8Array(length)), { code: 'hsm/digest-length' });
  }
});

test('a signature with s in the upper half is lowered; one of another key or digest is not given out', () => {
  const key = digestOf('a key');
  const digest = digestOf('a message');
  const publicKey = secp256k1.getPublicKey(key, false);
  const low = secp256k1.Signature.fromBytes(secp256k1.sign(digest, key, { prehash: false }));
  const high = new secp256k1.Signature(low.r, secp256k1.Point.Fn.ORDER - low.s).toBytes();
  for (const compact of [low.toBytes(), high]) {
    const { r, s } = checkedSignature({ compact, digest, publicKey });
    assert.deepEqual({ r, s }, { r: low.r, s: low.s });
  }
  const wrong = [
    { compact: low.toBytes(), digest: digestOf('another'), publicKey },
    { compact: low.toBytes(), digest, publicKey: secp256k1.getPublicKey(digestOf('another'), false) },
    { compact: new Uint8Array(64), digest, publicKey },
    { compact: Buffer.alloc(64, 0xff), digest, publicKey },
  ];
  for (const made of wrong) {
    assert.throws(() => checkedSignature(made), { code: 'hsm/signature-invalid' });
  }
});

test('a tree shows nothing of itself, and gives nothing after it was wiped', () => {
  using entropy = secretOf(entropyOfMnemonic(junk));
  const tree = openTree(entropy);
  assert.doesNotMatch(
    `${inspect(tree, { depth: 10, showHidden: true })}${JSON.stringify(tree)}`,
    /xpub|Buffer|Uint8Array/u,
  );
  tree.wipe();
  tree.wipe();
  assert.throws(() => tree.accountXpub(compartment), { code: 'invariant/broken' });
  assert.throws(() => tree.sign({ compartment, index: 0 }, digestOf('')), { code: 'invariant/broken' });
  using wrongLength = createSecret(15);
  assert.throws(() => openTree(wrongLength), { code: 'key/malformed-mnemonic' });
});
