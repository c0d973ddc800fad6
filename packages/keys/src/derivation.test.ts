import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checksumAddress, CustodyError, parseCompartment } from '@bulkhead/domain';
import { HARDENED_OFFSET, HDKey } from '@scure/bip32';
import { accountNode, addressIndexMax, addressNode, addressOf, coinNode, deriveAddress } from './derivation.ts';
import { entropyOfMnemonic, seedOfEntropy } from './mnemonic.ts';

type Bip32 = {
  readonly vectors: {
    readonly seed: string;
    readonly chains: { readonly path: string; readonly xpub: string; readonly xprv: string }[];
  }[];
  readonly invalid: { readonly key: string; readonly why: string }[];
};
type Bip44 = {
  readonly groups: { readonly mnemonic: string; readonly compartment: number; readonly addresses: string[] }[];
};

const vectorFile = (name: string): string =>
  readFileSync(new URL(`../../../spec/vectors/${name}`, import.meta.url), 'utf8');
const bip32: Bip32 = JSON.parse(vectorFile('bip-32.json'));
const bip44: Bip44 = JSON.parse(vectorFile('bip-44.json'));

async function coinOf(mnemonic: string): Promise<HDKey> {
  return coinNode(await seedOfEntropy(entropyOfMnemonic(mnemonic)));
}

const junk = 'test test test test test test test test test test test junk';
const omnibus = parseCompartment(10_000);
const individual = parseCompartment(100_000);

test('test vectors 1 to 4 of BIP-32, by private and by public derivation', () => {
  assert.equal(bip32.vectors.length, 4);
  for (const { seed, chains } of bip32.vectors) {
    const master = HDKey.fromMasterSeed(Buffer.from(seed, 'hex'));
    for (const { path, xpub, xprv } of chains) {
      const node = master.derive(path);
      assert.equal(node.publicExtendedKey, xpub, path);
      assert.equal(node.privateExtendedKey, xprv, path);
      const last = path.lastIndexOf('/');
      const parent = chains.find((chain) => chain.path === path.slice(0, last));
      if (parent === undefined || path.endsWith("'")) continue;
      const child = HDKey.fromExtendedKey(parent.xpub).deriveChild(Number(path.slice(last + 1)));
      assert.equal(child.publicExtendedKey, xpub, path);
    }
  }
});

test('the invalid keys of test vector 5 of BIP-32 give no address', () => {
  assert.equal(bip32.invalid.length, 16);
  for (const { key, why } of bip32.invalid) {
    assert.throws(() => HDKey.fromExtendedKey(key), why);
    assert.throws(
      () => deriveAddress({ compartment: parseCompartment(0), xpub: key }, 0),
      { code: 'key/derivation' },
      why,
    );
  }
});

test('addresses are those another implementation derives, from private keys and from the account xpub alike', async () => {
  assert.ok(bip44.groups.length >= 6);
  for (const { mnemonic, compartment: number, addresses } of bip44.groups) {
    const compartment = parseCompartment(number);
    const account = accountNode(await coinOf(mnemonic), compartment);
    const xpub = account.publicExtendedKey;
    for (const [index, address] of addresses.entries()) {
      assert.equal(addressOf(addressNode(account, index)), address);
      assert.equal(deriveAddress({ compartment, xpub }, index), address);
    }
  }
});

test('the first addresses of two well-known mnemonics', async () => {
  const first = async (mnemonic: string): Promise<string> => {
    const compartment = parseCompartment(0);
    const xpub = accountNode(await coinOf(mnemonic), compartment).publicExtendedKey;
    return checksumAddress(deriveAddress({ compartment, xpub }, 0));
  };
  assert.equal(await first(junk), '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266');
  assert.equal(await first(`${'abandon '.repeat(11)}about`), '0x9858EfFD232B4033E47d90003D41EC34EcaEda94');
});

test('an xpub of another compartment is refused, also when it was good for its own', async () => {
  const xpub = accountNode(await coinOf(junk), omnibus).publicExtendedKey;
  assert.match(deriveAddress({ compartment: omnibus, xpub }, 0), /^0x/u);
  assert.throws(() => deriveAddress({ compartment: individual, xpub }, 0), {
    code: 'key/derivation',
    message: /compartment 100000 belongs to account 10000'/u,
  });
});

test('an xpub whose account level is not hardened, or that is no account, is refused', async () => {
  const coin = await coinOf(junk);
  const soft = coin.deriveChild(omnibus).publicExtendedKey;
  assert.throws(() => deriveAddress({ compartment: omnibus, xpub: soft }, 0), {
    code: 'key/derivation',
    message: /account 10000\./u,
  });
  const shallow = coin.publicExtendedKey;
  const deep = accountNode(coin, omnibus).deriveChild(HARDENED_OFFSET + omnibus).publicExtendedKey;
  for (const xpub of [shallow, deep]) {
    assert.throws(() => deriveAddress({ compartment: omnibus, xpub }, 0), {
      code: 'key/derivation',
      message: /depth/u,
    });
  }
});

test('an extended private key is refused, and no fault quotes what it was given', async () => {
  const account = accountNode(await coinOf(junk), omnibus);
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

test('address indices are whole numbers of 31 bits', async () => {
  const account = accountNode(await coinOf(junk), omnibus);
  const xpub = account.publicExtendedKey;
  const last = deriveAddress({ compartment: omnibus, xpub }, addressIndexMax);
  assert.equal(last, addressOf(addressNode(account, addressIndexMax)));
  for (const index of [-1, 0.5, addressIndexMax + 1, HARDENED_OFFSET, Number.NaN]) {
    assert.throws(
      () => deriveAddress({ compartment: omnibus, xpub }, index),
      { code: 'key/derivation' },
      String(index),
    );
    assert.throws(() => addressNode(account, index), { code: 'key/derivation' }, String(index));
  }
});

test('an index that BIP-32 skips is refused instead of sharing the address of the next one', async () => {
  const seed = await seedOfEntropy(entropyOfMnemonic(junk));
  const source = HDKey.fromMasterSeed(seed);
  const { privateKey, chainCode } = source;
  assert.ok(privateKey !== null && chainCode !== null);
  // What the library does for one index in 2^127, made to happen for account 7.
  class SkippingNode extends HDKey {
    override deriveChild(index: number): HDKey {
      return super.deriveChild(index === HARDENED_OFFSET + 7 ? index + 1 : index);
    }
  }
  const node = new SkippingNode({ privateKey, chainCode });
  assert.throws(() => accountNode(node, parseCompartment(7)), { code: 'key/derivation', message: /no key at index/u });
  assert.equal(accountNode(node, parseCompartment(8)).index, HARDENED_OFFSET + 8);
});
