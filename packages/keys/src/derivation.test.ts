import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checksumAddress, CustodyError, parseCompartment } from '@bulkhead/domain';
import { createBase58check } from '@scure/base';
import { HARDENED_OFFSET, HDKey } from '@scure/bip32';
import { mnemonicToSeedSync } from '@scure/bip39';
import { addressOfPublicKey, deriveAddress, hasAddress } from './derivation.ts';
import { secretOf } from './memory.ts';
import { entropyOfMnemonic } from './mnemonic.ts';
import { nativeModules } from './native.ts';
import { nativeArithmetic, pointArithmetic, portableArithmetic } from './point.ts';
import { addressIndexMax } from './address-index.ts';
import { type KeyTree, openTree } from './tree.ts';

type Bip32 = {
  readonly invalid: { readonly key: string; readonly why: string }[];
};
type Bip44 = {
  readonly groups: { readonly mnemonic: string; readonly compartment: number; readonly addresses: string[] }[];
};

const vectorFile = (name: string): string =>
  readFileSync(new URL(`../../../spec/vectors/${name}`, import.meta.url), 'utf8');
const bip32: Bip32 = JSON.parse(vectorFile('bip-32.json'));
const bip44: Bip44 = JSON.parse(vectorFile('bip-44.json'));

function treeOf(mnemonic: string): KeyTree {
  using entropy = secretOf(entropyOfMnemonic(mnemonic));
  return openTree(entropy);
}

/** `m/44'/60'` in a library of another hand, for what a tree does not give out. */
function coinOf(mnemonic: string): HDKey {
  return HDKey.fromMasterSeed(mnemonicToSeedSync(mnemonic)).derive("m/44'/60'");
}

const base58check = createBase58check((bytes: Uint8Array) => createHash('sha256').update(bytes).digest());
const junk = 'test test test test test test test test test test test junk';
const omnibus = parseCompartment(10_000);
const individual = parseCompartment(100_000);

test('the invalid keys of test vector 5 of BIP-32 give no address', () => {
  assert.equal(bip32.invalid.length, 16);
  for (const { key, why } of bip32.invalid) {
    assert.throws(
      () => deriveAddress({ compartment: parseCompartment(0), xpub: key }, 0),
      { code: 'key/derivation' },
      why,
    );
  }
});

test('addresses are those another implementation derives, from private keys and from the account xpub alike', () => {
  assert.ok(bip44.groups.length >= 6);
  for (const { mnemonic, compartment: number, addresses } of bip44.groups) {
    const compartment = parseCompartment(number);
    using tree = treeOf(mnemonic);
    const account = { compartment, xpub: tree.accountXpub(compartment) };
    for (const [index, address] of addresses.entries()) {
      assert.equal(addressOfPublicKey(tree.publicKey({ compartment, index })), address);
      assert.equal(deriveAddress(account, index), address);
      assert.ok(hasAddress(account, deriveAddress(account, index), index + 1));
      assert.ok(!hasAddress(account, deriveAddress(account, index), index));
    }
  }
});

test('the first addresses of two well-known mnemonics', () => {
  const first = (mnemonic: string): string => {
    const compartment = parseCompartment(0);
    using tree = treeOf(mnemonic);
    return checksumAddress(deriveAddress({ compartment, xpub: tree.accountXpub(compartment) }, 0));
  };
  assert.equal(first(junk), '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266');
  assert.equal(first(`${'abandon '.repeat(11)}about`), '0x9858EfFD232B4033E47d90003D41EC34EcaEda94');
});

test('native code and JavaScript compute the same, also where there is no result', () => {
  const native = nativeArithmetic(nativeModules());
  assert.equal(
    pointArithmetic.tweakAdd.toString(),
    native.tweakAdd.toString(),
    'the native one is used where it loads',
  );
  const tweak = Buffer.alloc(32, 0x11);
  const out = Buffer.from('ff'.repeat(32), 'hex');
  for (let index = 0; index < 16; index++) {
    const point = treeOf(junk).publicKey({ compartment: omnibus, index });
    const compressed = Buffer.concat([Buffer.of(2 + ((point[64] ?? 0) & 1)), point.subarray(1, 33)]);
    for (const each of [native, portableArithmetic]) {
      assert.deepEqual(each.uncompressed(compressed), Uint8Array.from(point));
      assert.equal(each.tweakAdd(point, out), undefined, 'beyond the order');
      assert.deepEqual(each.tweakAdd(point, new Uint8Array(32)), Uint8Array.from(point));
    }
    const [left, right] = [native, portableArithmetic].map((each) => [
      Buffer.from(each.tweakAdd(point, tweak) ?? []).toString('hex'),
      Buffer.from(each.hmacSha512(tweak, compressed)).toString('hex'),
      each.keccak256(compressed).toString('hex'),
    ]);
    assert.deepEqual(left, right);
  }
  const noPoint = Buffer.from(`02${'00'.repeat(31)}07`, 'hex');
  for (const each of [native, portableArithmetic]) {
    assert.equal(each.uncompressed(noPoint), undefined);
    assert.equal(each.uncompressed(Buffer.alloc(33, 4)), undefined);
  }
});

test('an xpub of another compartment is refused, also when it was good for its own', () => {
  const xpub = treeOf(junk).accountXpub(omnibus);
  assert.match(deriveAddress({ compartment: omnibus, xpub }, 0), /^0x/u);
  assert.throws(() => deriveAddress({ compartment: individual, xpub }, 0), {
    code: 'key/derivation',
    message: /compartment 100000 belongs to account 10000'/u,
  });
});

test('an xpub whose account level is not hardened, or that is no account, is refused', () => {
  const coin = coinOf(junk);
  const soft = coin.deriveChild(omnibus).publicExtendedKey;
  assert.throws(() => deriveAddress({ compartment: omnibus, xpub: soft }, 0), {
    code: 'key/derivation',
    message: /account 10000\./u,
  });
  const shallow = coin.publicExtendedKey;
  const deep = coin.deriveChild(HARDENED_OFFSET + omnibus).deriveChild(HARDENED_OFFSET + omnibus).publicExtendedKey;
  for (const xpub of [shallow, deep]) {
    assert.throws(() => deriveAddress({ compartment: omnibus, xpub }, 0), {
      code: 'key/derivation',
      message: /depth/u,
    });
  }
});

test('an extended private key is refused, and no fault quotes what it was given', () => {
  const account = coinOf(junk).deriveChild(HARDENED_OFFSET + omnibus);
  const given = [account.privateExtendedKey, account.publicExtendedKey.slice(0, -1), 'not a key at all'];
  for (const xpub of given) {
    assert.throws(
      () => deriveAddress({ compartment: omnibus, xpub }, 0),
      (error) => {
        assert.ok(error instanceof CustodyError);
        assert.equal(error.code, 'key/derivation');
        assert.equal(error.cause, undefined);
        assert.ok(!`${error.stack ?? ''}${JSON.stringify(error.details)}`.includes(xpub.slice(0, 20)));
        return true;
      },
    );
  }
});

test('address indices are whole numbers of 31 bits', () => {
  using tree = treeOf(junk);
  const account = { compartment: omnibus, xpub: tree.accountXpub(omnibus) };
  const last = { compartment: omnibus, index: addressIndexMax };
  assert.equal(deriveAddress(account, addressIndexMax), addressOfPublicKey(tree.publicKey(last)));
  for (const index of [-1, 0.5, addressIndexMax + 1, HARDENED_OFFSET, Number.NaN]) {
    assert.throws(() => deriveAddress(account, index), { code: 'key/derivation' }, String(index));
    assert.throws(() => tree.publicKey({ compartment: omnibus, index }), { code: 'key/derivation' }, String(index));
  }
});

test('an xpub without its checksum, of another network or of another length is refused', () => {
  const xpub = treeOf(junk).accountXpub(omnibus);
  const tpub = base58check.encode(
    Buffer.concat([Buffer.from('043587cf', 'hex'), base58check.decode(xpub).subarray(4)]),
  );
  const long = base58check.encode(Buffer.concat([base58check.decode(xpub), Buffer.of(0)]));
  for (const text of [
    '',
    'xpub',
    `${xpub.slice(0, -1)}1`,
    `${xpub} `,
    xpub.repeat(2),
    tpub,
    long,
    'x'.repeat(100_000),
  ]) {
    assert.throws(() => deriveAddress({ compartment: omnibus, xpub: text }, 0), {
      code: 'key/derivation',
      message: /is no BIP-32 extended public key/u,
    });
  }
});
