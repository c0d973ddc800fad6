import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import {
  type Clock,
  CustodyError,
  type Intent,
  houseFees,
  type KeyPath,
  nativeAsset,
  parseAddress,
  parseChainId,
  parseCompartment,
  parseIntent,
  type Signature,
  type SignRequest,
  tokenAsset,
} from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import {
  bytesOf,
  type Encodable,
  type Fields,
  integer,
  rlp,
  transactionBytes,
  transferData,
} from '../test/encoding.ts';
import { addressOfPublicKey, deriveAddress } from './derivation.ts';
import { createKeyFile } from './key-file.ts';
import { entropyOfMnemonic } from './mnemonic.ts';
import { openSoftwareSigner } from './software-signer.ts';

type Vectors = {
  readonly mnemonic: string;
  readonly vectors: {
    readonly name: string;
    readonly intent: string;
    readonly compartment: number;
    readonly index: number;
    readonly from: string;
    readonly unsigned: string;
    readonly signature: { readonly r: string; readonly s: string; readonly yParity: 0 | 1 };
  }[];
};
const { mnemonic, vectors }: Vectors = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/signing.json', import.meta.url), 'utf8'),
);

const folder = await mkdtemp(join(tmpdir(), 'bulkhead-signer-'));
after(async () => {
  await rm(folder, { recursive: true, force: true });
});
const path = join(folder, 'key.json');
const passphrase = 'correct horse battery staple';
const entropy = entropyOfMnemonic(mnemonic);
await createKeyFile({ path, passphrase, entropy, cost: { log2N: 4, r: 8, p: 1 } });

const chain = parseChainId('eip155:31337');
const expiresAt = 1_799_999_999n;
let nowMs = Number(expiresAt) * 1_000;
const clock: Clock = { now: () => new Date(nowMs) };
const signer = await openSoftwareSigner({ path, passphrase, developmentChains: [chain], clock });
after(() => {
  signer.close();
});

const client = parseCompartment(100_000);
const pool = parseCompartment(10_000);
const house = parseCompartment(1);
const key: KeyPath = { compartment: client, index: 3 };
const own = deriveAddress(await signer.accountXpub(client), key.index);
const poolWallet = deriveAddress(await signer.accountXpub(pool), 255);
const feeWallet = deriveAddress(await signer.accountXpub(houseFees), 0);
const destination = parseAddress('0x70997970c51812dc3a010c7d01b50e0d17dc79c8');
const other = parseAddress('0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc');
const contract = parseAddress('0x5fbdb2315678afecb367f032d93f642f64180aa3');

const effect = {
  id: 'wd_1',
  compartment: client,
  asset: nativeAsset(chain),
  to: destination,
  amount: 5n,
  feeMax: 42_000n,
};
const withdrawal: Intent = { ...effect, kind: 'withdrawal', client: 'cl_1', feePayer: 'client', expiresAt };
const tokenWithdrawal: Intent = { ...withdrawal, asset: tokenAsset(chain, contract) };
const cancel: Intent = { ...effect, kind: 'cancel', to: own, amount: 0n, cancels: 'wd_0', nonce: 9n };

const fees = { maxPriorityFeePerGas: 1n, maxFeePerGas: 2n, gasLimit: 21_000n };
const native: Fields = { chainId: 31_337n, nonce: 9n, ...fees, to: destination, value: 5n, data: '', accessList: [] };
const token: Fields = { ...native, to: contract, value: 0n, data: transferData(destination, 5n) };
const nothing: Fields = { ...native, to: own, value: 0n };

function recover(unsigned: Uint8Array, { r, s, yParity }: Signature): string {
  const signature = new secp256k1.Signature(r, s, yParity);
  return addressOfPublicKey(signature.recoverPublicKey(keccak_256(unsigned)).toBytes());
}

async function refused(request: SignRequest, difference: RegExp): Promise<void> {
  await assert.rejects(signer.sign(request), { code: 'signer/malformed-transaction', message: difference });
}

test('signatures are those another implementation gives for the same transactions', async () => {
  assert.equal(vectors.length, 3);
  for (const vector of vectors) {
    const keyPath = { compartment: parseCompartment(vector.compartment), index: vector.index };
    const intent = parseIntent(new TextEncoder().encode(vector.intent));
    const unsigned = bytesOf(vector.unsigned);
    const signature = await signer.sign({ intent, path: keyPath, unsigned });
    const { r, s, yParity } = vector.signature;
    assert.deepEqual(signature, { r: BigInt(r), s: BigInt(s), yParity }, vector.name);
    assert.equal(deriveAddress(await signer.accountXpub(keyPath.compartment), keyPath.index), vector.from);
  }
});

test('every kind of intent is signed, deterministically, with s in the lower half, by the key of the path', async () => {
  const cases: [Intent, Fields, KeyPath][] = [
    [withdrawal, native, key],
    [tokenWithdrawal, token, key],
    [{ ...tokenWithdrawal, kind: 'deposit-return' }, token, key],
    [
      { ...effect, kind: 'sweep', compartment: pool, to: poolWallet },
      { ...native, to: poolWallet },
      { compartment: pool, index: 9 },
    ],
    [
      { ...effect, kind: 'gas-grant', compartment: house, beneficiary: client },
      native,
      { compartment: house, index: 0 },
    ],
    [{ ...effect, kind: 'fee-payment', client: 'cl_1', to: feeWallet }, { ...native, to: feeWallet }, key],
    [cancel, nothing, key],
  ];
  for (const [intent, fields, keyPath] of cases) {
    const unsigned = transactionBytes(fields);
    const signature = await signer.sign({ intent, path: keyPath, unsigned });
    assert.deepEqual(await signer.sign({ intent, path: keyPath, unsigned }), signature);
    const from = deriveAddress(await signer.accountXpub(keyPath.compartment), keyPath.index);
    assert.equal(recover(unsigned, signature), from, intent.kind);
    assert.ok(signature.s <= secp256k1.Point.Fn.ORDER / 2n);
  }
});

test('a native transfer that differs from its intent is refused with the difference named', async () => {
  const cases: [Partial<Fields>, RegExp][] = [
    [{ to: other }, /\. recipient: wanted 0x7099.*found 0x3c44/u],
    [{ to: '' }, /\. recipient: wanted 0x7099.*found none/u],
    [{ value: 6n }, /value in wei: wanted 5, found 6/u],
    [{ value: 4n }, /value in wei: wanted 5, found 4/u],
    [{ data: '00' }, /data: wanted nothing, found 00/u],
    [{ gasLimit: 21_001n }, /highest network fee in wei: wanted at most 42000, found 42002/u],
    [{ maxFeePerGas: 3n }, /highest network fee in wei: wanted at most 42000, found 63000/u],
    [{ maxPriorityFeePerGas: 3n }, /priority fee/u],
    [{ accessList: [[bytesOf(contract), []]] }, /length of the access list: wanted 0, found 1/u],
  ];
  for (const [change, difference] of cases) {
    await refused({ intent: withdrawal, path: key, unsigned: transactionBytes({ ...native, ...change }) }, difference);
  }
});

test('a token transfer that differs from its intent is refused with the difference named', async () => {
  const cases: [Partial<Fields>, RegExp][] = [
    [{ to: other }, /contract called: wanted 0x5fbd.*found 0x3c44/u],
    [{ value: 1n }, /value in wei: wanted 0, found 1/u],
    [{ data: transferData(other, 5n) }, /recipient in the call data/u],
    [{ data: transferData(destination, 6n) }, /amount in the call data/u],
    [{ data: `${transferData(destination, 5n)}00` }, /length of the call data in bytes: wanted 68, found 69/u],
    [{ data: transferData(destination, 5n).slice(0, -2) }, /length of the call data in bytes: wanted 68, found 67/u],
    [
      { data: transferData(destination, 5n).replace('a9059cbb', '095ea7b3') },
      /selector of the call: wanted a9059cbb, found 095ea7b3/u,
    ],
    [{ data: transferData(destination, 5n).replace('a9059cbb00', 'a9059cbb01') }, /recipient in the call data/u],
    [{ data: '' }, /length of the call data/u],
  ];
  for (const [change, difference] of cases) {
    await refused(
      { intent: tokenWithdrawal, path: key, unsigned: transactionBytes({ ...token, ...change }) },
      difference,
    );
  }
  await refused({ intent: tokenWithdrawal, path: key, unsigned: transactionBytes(native) }, /contract called/u);
  await refused({ intent: withdrawal, path: key, unsigned: transactionBytes(token) }, /recipient/u);
});

test('a cancellation that does more than take the nonce is refused', async () => {
  const cases: [Partial<Fields>, RegExp][] = [
    [{ to: other }, /\. recipient: /u],
    [{ value: 1n }, /value in wei/u],
    [{ data: '00' }, /data/u],
    [{ nonce: 10n }, /nonce: wanted 9, found 10/u],
    [{ gasLimit: 21_001n }, /network fee/u],
  ];
  for (const [change, difference] of cases) {
    await refused({ intent: cancel, path: key, unsigned: transactionBytes({ ...nothing, ...change }) }, difference);
  }
  const elsewhere: Intent = { ...cancel, to: other };
  await refused(
    { intent: elsewhere, path: key, unsigned: transactionBytes({ ...nothing, to: other }) },
    /recipient of the intent/u,
  );
});

test('a sweep pays its own compartment and a fee payment the house, or nobody', async () => {
  const beyond = deriveAddress(await signer.accountXpub(pool), 256);
  const sweep: Intent = { ...effect, kind: 'sweep', compartment: pool };
  const poolKey: KeyPath = { compartment: pool, index: 9 };
  for (const to of [destination, own, feeWallet, beyond]) {
    const unsigned = transactionBytes({ ...native, to });
    await refused(
      { intent: { ...sweep, to }, path: poolKey, unsigned },
      /recipient of the intent: wanted one of the first 256/u,
    );
  }
  const payment: Intent = { ...effect, kind: 'fee-payment', client: 'cl_1' };
  for (const to of [destination, own, poolWallet]) {
    const unsigned = transactionBytes({ ...native, to });
    await refused(
      { intent: { ...payment, to }, path: key, unsigned },
      /recipient of the intent: wanted.*compartment 2/u,
    );
  }
  const elsewhere = transactionBytes({ ...native, to: destination });
  await refused({ intent: { ...sweep, to: poolWallet }, path: poolKey, unsigned: elsewhere }, /\. recipient: /u);
  await refused({ intent: { ...payment, to: feeWallet }, path: key, unsigned: elsewhere }, /\. recipient: /u);
});

test('a key of another compartment never signs, whatever the kind', async () => {
  const foreign: KeyPath = { compartment: parseCompartment(100_001), index: 3 };
  const intents: Intent[] = [
    withdrawal,
    { ...withdrawal, kind: 'deposit-return' },
    { ...effect, kind: 'sweep' },
    { ...effect, kind: 'gas-grant', compartment: house, beneficiary: foreign.compartment },
    { ...effect, kind: 'fee-payment', client: 'cl_1' },
    cancel,
  ];
  for (const intent of intents) {
    await refused({ intent, path: foreign, unsigned: transactionBytes(native) }, /compartment of the key/u);
  }
});

test('only listed chains are signed for, in the transaction as in the intent', async () => {
  const main = transactionBytes({ ...native, chainId: 1n });
  const onMain: Intent = { ...withdrawal, asset: nativeAsset(parseChainId('eip155:1')) };
  for (const intent of [withdrawal, onMain]) {
    await assert.rejects(signer.sign({ intent, path: key, unsigned: main }), { code: 'signer/chain-not-development' });
  }
  await assert.rejects(signer.sign({ intent: onMain, path: key, unsigned: transactionBytes(native) }), {
    code: 'signer/chain-not-development',
  });
  const none = await openSoftwareSigner({ path, passphrase, developmentChains: [], clock });
  await assert.rejects(none.sign({ intent: withdrawal, path: key, unsigned: transactionBytes(native) }), {
    code: 'signer/chain-not-development',
  });
  const second = parseChainId('eip155:31338');
  const both = await openSoftwareSigner({ path, passphrase, developmentChains: [chain, second], clock });
  const onSecond = transactionBytes({ ...native, chainId: 31_338n });
  await assert.rejects(both.sign({ intent: withdrawal, path: key, unsigned: onSecond }), {
    code: 'signer/malformed-transaction',
    message: /chain: wanted eip155:31337, found eip155:31338/u,
  });
  none.close();
  both.close();
});

test('nothing that carries an expiry is signed after it', async () => {
  const unsigned = transactionBytes(native);
  const atMs = Number(expiresAt) * 1_000;
  try {
    nowMs = atMs + 1;
    for (const kind of ['withdrawal', 'deposit-return'] as const) {
      const intent: Intent = { ...withdrawal, kind };
      await assert.rejects(signer.sign({ intent, path: key, unsigned }), { code: 'signer/intent-expired' });
    }
    // A cancellation must be possible exactly then.
    assert.ok((await signer.sign({ intent: cancel, path: key, unsigned: transactionBytes(nothing) })).r > 0n);
    nowMs = atMs;
    assert.ok((await signer.sign({ intent: withdrawal, path: key, unsigned })).r > 0n);
  } finally {
    nowMs = atMs;
  }
});

test('bytes that are not exactly one canonical unsigned EIP-1559 transaction are refused', async () => {
  const good = Buffer.from(transactionBytes(native)).toString('hex');
  const encoded = (list: Encodable): string => Buffer.from(rlp(list)).toString('hex');
  const numbers = [native.chainId, native.nonce, 1n, 2n, native.gasLimit].map((value) => integer(value));
  const eight = [...numbers, bytesOf(native.to), integer(native.value), bytesOf('')];
  assert.equal(`02${encoded([...eight, []])}`, good);
  const wrong: [string, RegExp][] = [
    ['', /first byte/u],
    [good.slice(2), /first byte/u],
    [`01${good.slice(2)}`, /first byte/u],
    [`${good}00`, /1 bytes follow/u],
    [good.slice(0, -2), /beyond the end/u],
    [`02c0`, /0 fields/u],
    [`0280`, /not a list/u],
    [`02${encoded(eight)}`, /8 fields/u],
    [`02${encoded([...eight, [], []])}`, /10 fields/u],
    [`02${encoded([...eight.slice(0, 1), bytesOf('0009'), ...eight.slice(2), []])}`, /nonce has a leading zero/u],
  ];
  for (const [hex, message] of wrong) {
    await refused({ intent: withdrawal, path: key, unsigned: bytesOf(hex) }, message);
  }
  const cases: [Partial<Fields>, RegExp][] = [
    [{ chainId: 0n }, /chainId is 0/u],
    [{ chainId: 10n ** 15n }, /more than 15 digits/u],
    [{ chainId: 2n ** 64n }, /chainId is longer/u],
    [{ nonce: 2n ** 64n }, /nonce is longer/u],
    [{ gasLimit: 2n ** 64n }, /gasLimit is longer/u],
    [{ value: 2n ** 256n }, /value is longer/u],
    [{ to: destination.slice(0, -2) }, /recipient has 19 bytes/u],
    [{ accessList: bytesOf('') }, /accessList is not a list/u],
  ];
  for (const [change, message] of cases) {
    await refused({ intent: withdrawal, path: key, unsigned: transactionBytes({ ...native, ...change }) }, message);
  }
});

test('an intent that is none at run time, or a path beyond the levels, is refused', async () => {
  const unsigned = transactionBytes(native);
  await assert.rejects(signer.sign({ intent: { ...withdrawal, id: 'no id' }, path: key, unsigned }), {
    code: 'intent/malformed',
  });
  await assert.rejects(signer.sign({ intent: { ...withdrawal, amount: 0n }, path: key, unsigned }), {
    code: 'intent/malformed',
  });
  for (const index of [-1, 2 ** 31, 1.5]) {
    await assert.rejects(signer.sign({ intent: withdrawal, path: { compartment: client, index }, unsigned }), {
      code: 'key/derivation',
    });
  }
});

test('neither the signer nor its faults show a secret', async () => {
  const shown = `${inspect(signer, { depth: 10, showHidden: true })}${JSON.stringify(signer)}`;
  assert.doesNotMatch(shown, /xprv|xpub|test test|correct horse/u);
  assert.equal(signer.residency, 'software');
  assert.match(signer.fingerprint, /^[0-9a-f]{8}$/u);
  await assert.rejects(
    openSoftwareSigner({ path, passphrase: 'battery horse', developmentChains: [chain], clock }),
    (error) => {
      assert.ok(error instanceof CustodyError);
      assert.equal(error.code, 'key/wrong-passphrase');
      assert.doesNotMatch(inspect(error, { depth: 10 }), /battery horse|test test/u);
      return true;
    },
  );
});

test('a closed signer gives nothing any more', async () => {
  const closing = await openSoftwareSigner({ path, passphrase, developmentChains: [chain], clock });
  closing.close();
  closing.close();
  await assert.rejects(closing.accountXpub(client), { code: 'invariant/broken' });
  await assert.rejects(closing.sign({ intent: withdrawal, path: key, unsigned: transactionBytes(native) }), {
    code: 'invariant/broken',
  });
});
