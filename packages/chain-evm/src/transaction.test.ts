import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amountMax, nativeAsset, parseAddress, parseChainId, tokenAsset } from '@bulkhead/domain';
import type { TransactionPlan } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import {
  concatHex,
  hexToBigInt,
  hexToBytes,
  keccak256,
  parseTransaction,
  serializeTransaction,
  toHex,
  toRlp,
} from 'viem';
import type { TransactionSerializableEIP1559 } from 'viem';
import { privateKeyToAccount, sign } from 'viem/accounts';
import {
  assembleTransaction,
  authorizedBy,
  buildAuthorization,
  buildTransaction,
  readTransaction,
  unsignedBytesMax,
} from './transaction.ts';

const malformed = { code: 'signer/malformed-transaction' };
const chain = parseChainId('eip155:1');
const from = parseAddress(`0x${'11'.repeat(20)}`);
const to = parseAddress(`0x${'22'.repeat(20)}`);
const contract = parseAddress(`0x${'33'.repeat(20)}`);
const terms = { gasLimit: 60_000n, maxFeePerGas: 30n, maxPriorityFeePerGas: 2n };
const plan: TransactionPlan = { from, asset: nativeAsset(chain), to, amount: 5n };
const tokenPlan: TransactionPlan = { ...plan, asset: tokenAsset(chain, contract) };

const amount = fc.bigInt(0n, amountMax);
const fees = fc
  .record({ gasLimit: fc.bigInt(21_000n, 10n ** 9n), maxFeePerGas: amount, part: fc.bigInt(0n, 10n) })
  .map(({ gasLimit, maxFeePerGas, part }) => ({
    gasLimit,
    maxFeePerGas,
    maxPriorityFeePerGas: (maxFeePerGas / 10n) * part,
  }));

test('read(build(plan, terms, nonce)) is the plan, the terms and the nonce', () => {
  const nonces = fc.bigInt(0n, BigInt(Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(amount, fees, nonces, fc.boolean(), (value, fee, nonce, isToken) => {
      const asset = isToken ? tokenPlan.asset : plan.asset;
      const unsigned = buildTransaction({ ...plan, asset, amount: value }, fee, nonce);
      assert.ok(unsigned.length <= unsignedBytesMax);
      assert.deepEqual(readTransaction(unsigned), {
        chain,
        nonce,
        callee: isToken ? contract : to,
        value: isToken ? 0n : value,
        asset,
        to,
        amount: value,
        terms: fee,
      });
    }),
  );
});

test('the same input gives the same bytes, of the type of EIP-1559', () => {
  const unsigned = buildTransaction(tokenPlan, terms, 9n);
  assert.deepEqual(buildTransaction(tokenPlan, terms, 9n), unsigned);
  assert.equal(unsigned[0], 2);
});

const base: TransactionSerializableEIP1559 = {
  type: 'eip1559',
  chainId: 1,
  nonce: 1,
  to,
  value: 5n,
  gas: 21_000n,
  maxFeePerGas: 3n,
  maxPriorityFeePerGas: 1n,
};
const call = `0xa9059cbb${to.slice(2).padStart(64, '0')}${'5'.padStart(64, '0')}` as const;
const bytesOf = (change: Partial<TransactionSerializableEIP1559>): Uint8Array =>
  hexToBytes(serializeTransaction({ ...base, ...change }));

test('bytes that do anything but one transfer are refused', () => {
  const good = bytesOf({});
  assert.equal(readTransaction(good).amount, 5n);
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array()],
    ['garbage', new Uint8Array([2, 1, 2, 3])],
    ['a creation', bytesOf({ to: null, data: '0x60' })],
    ['another function', bytesOf({ value: 0n, data: call.replace('a9059cbb', '095ea7b3') as `0x${string}` })],
    ['coin and calldata', bytesOf({ data: call })],
    ['short calldata', bytesOf({ value: 0n, data: call.slice(0, -2) as `0x${string}` })],
    ['long calldata', bytesOf({ value: 0n, data: `${call}00` })],
    ['dirty address', bytesOf({ value: 0n, data: call.replace('a9059cbb00', 'a9059cbb01') as `0x${string}` })],
    ['an access list', bytesOf({ accessList: [{ address: contract, storageKeys: [] }] })],
    [
      'a leading zero',
      hexToBytes(concatHex(['0x02', toRlp(['0x01', '0x01', '0x01', '0x03', '0x5208', to, '0x0005', '0x', []])])),
    ],
    ['a trailing byte', new Uint8Array([...good, 0])],
    [
      'another type',
      hexToBytes(serializeTransaction({ type: 'legacy', chainId: 1, to, value: 1n, gas: 21_000n, gasPrice: 1n })),
    ],
    [
      'a signature',
      hexToBytes(serializeTransaction(base, { r: `0x${'1'.repeat(64)}`, s: `0x${'2'.repeat(64)}`, yParity: 0 })),
    ],
  ];
  for (const [what, bytes] of refused) assert.throws(() => readTransaction(bytes), malformed, what);
});

test('every single changed byte is refused, or read as what it then says', () => {
  const unsigned = buildTransaction(tokenPlan, terms, 9n);
  const original = readTransaction(unsigned);
  for (let place = 0; place < unsigned.length; place++) {
    const changed = unsigned.with(place, (unsigned[place] ?? 0) ^ 1);
    try {
      assert.notDeepEqual(readTransaction(changed), original, `byte ${place}`);
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error, String(error));
    }
  }
});

test('assembling recovers the signer, and refuses signatures that are none or have a twin', async () => {
  const privateKey = `0x${'42'.repeat(32)}` as const;
  const unsigned = buildTransaction(plan, terms, 0n);
  const { r, s, yParity } = await sign({ hash: keccak256(unsigned), privateKey });
  const signature = { r: hexToBigInt(r), s: hexToBigInt(s), yParity: yParity === 0 ? 0 : 1 } as const;
  const { raw, hash, from: signer } = assembleTransaction(unsigned, signature);
  assert.equal(signer, parseAddress(privateKeyToAccount(privateKey).address));
  assert.equal(hash, keccak256(toHex(raw)));
  const twin = {
    r: signature.r,
    s: secp256k1.Point.CURVE().n - signature.s,
    yParity: signature.yParity === 0 ? 1 : 0,
  } as const;
  assert.throws(() => assembleTransaction(unsigned, twin), malformed);
  assert.throws(() => assembleTransaction(unsigned, { ...signature, r: 0n }), malformed);
  assert.throws(() => assembleTransaction(raw, signature), malformed);
  const other = { ...signature, yParity: signature.yParity === 0 ? 1 : 0 } as const;
  assert.notEqual(assembleTransaction(unsigned, other).from, signer);
});

test('an amount or nonce that does not fit is a mistake of the caller', () => {
  assert.throws(() => buildTransaction(plan, terms, -1n), { code: 'invariant/broken' });
  assert.throws(() => buildTransaction(plan, terms, 2n ** 60n), { code: 'invariant/broken' });
  assert.throws(() => buildTransaction(plan, { ...terms, maxPriorityFeePerGas: 31n }, 0n), {
    code: 'invariant/broken',
  });
});

test('an authorisation is the bytes of EIP-7702, and says who signed it', async () => {
  const secret = `0x${'42'.repeat(32)}` as const;
  const account = privateKeyToAccount(secret);
  for (const nonce of [0n, 1n, 300n]) {
    const bytes = buildAuthorization(chain, contract, nonce);
    const signed = await account.signAuthorization({ address: contract, chainId: 1, nonce: Number(nonce) });
    const { r, s, yParity = 0 } = signed;
    const signature = { r: hexToBigInt(r), s: hexToBigInt(s), yParity: yParity === 1 ? 1 : 0 } as const;
    assert.equal(authorizedBy(bytes, signature), parseAddress(account.address.toLowerCase()));
    assert.notEqual(authorizedBy(buildAuthorization(chain, contract, nonce + 1n), signature), account.address);
  }
});

test('a transaction that carries authorisations is of EIP-7702, the same each time, and signed as it is', async () => {
  const signature = { r: 1n, s: 2n, yParity: 1 } as const;
  const carrying: TransactionPlan = {
    ...plan,
    amount: 0n,
    data: '0x',
    authorizations: [{ delegate: contract, nonce: 7n, signature }],
  };
  const unsigned = buildTransaction(carrying, terms, 3n);
  assert.equal(unsigned[0], 4);
  assert.deepEqual(buildTransaction(carrying, terms, 3n), unsigned);
  assert.throws(() => readTransaction(unsigned), malformed, 'it is no payment');
  const secret = `0x${'42'.repeat(32)}` as const;
  const { r, s, yParity = 0 } = await sign({ hash: keccak256(unsigned), privateKey: secret });
  const made = assembleTransaction(unsigned, {
    r: hexToBigInt(r),
    s: hexToBigInt(s),
    yParity: yParity === 1 ? 1 : 0,
  });
  assert.equal(made.from, parseAddress(privateKeyToAccount(secret).address.toLowerCase()));
  const parsed = parseTransaction(toHex(made.raw));
  assert.equal(parsed.type, 'eip7702');
  assert.deepEqual(
    parsed.authorizationList?.map(({ address, nonce, chainId }) => [address.toLowerCase(), nonce, chainId]),
    [[contract, 7, 1]],
  );
});
