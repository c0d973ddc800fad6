import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FeeTerms, feeMax } from './chain.ts';
import { bumpFeeTerms, bumpPercentMin } from './fees.ts';

const wei = fc.oneof(fc.bigInt({ min: 0n, max: 30n }), fc.bigInt({ min: 0n, max: 10n ** 15n }));
/** A tip is never above the fee: chains refuse that. */
const terms: fc.Arbitrary<FeeTerms> = fc
  .tuple(fc.bigInt({ min: 21_000n, max: 10n ** 7n }), wei, wei)
  .map(([gasLimit, a, b]) => ({ gasLimit, maxFeePerGas: a > b ? a : b, maxPriorityFeePerGas: a > b ? b : a }));
const plenty = 2n ** 256n;

test('a replacement pays at least a tenth more in both fields, at least what the chain asks, and more than before', () => {
  fc.assert(
    fc.property(terms, terms, (previous, current) => {
      const next = bumpFeeTerms(previous, current, plenty);
      assert.ok(next !== undefined);
      for (const field of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
        assert.ok(next[field] * 100n >= previous[field] * (100n + bumpPercentMin));
        assert.ok(next[field] > previous[field], 'nodes refuse a replacement that pays the same');
        assert.ok(next[field] >= current[field]);
      }
      assert.ok(next.maxPriorityFeePerGas <= next.maxFeePerGas);
      assert.ok(next.gasLimit >= previous.gasLimit && next.gasLimit >= current.gasLimit);
    }),
  );
});

test('no replacement pays more than is needed', () => {
  fc.assert(
    fc.property(terms, terms, (previous, current) => {
      const next = bumpFeeTerms(previous, current, plenty);
      assert.ok(next !== undefined);
      for (const field of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
        const less = next[field] - 1n;
        const enough =
          less * 100n >= previous[field] * (100n + bumpPercentMin) && less > previous[field] && less >= current[field];
        assert.ok(!enough, `${less} would do`);
      }
    }),
  );
});

test('a tenth is rounded up', () => {
  const same = (fee: bigint): FeeTerms => ({ gasLimit: 21_000n, maxFeePerGas: fee, maxPriorityFeePerGas: fee });
  for (const [before, after] of [
    [0n, 1n],
    [1n, 2n],
    [9n, 10n],
    [10n, 11n],
    [11n, 13n],
    [100n, 110n],
    [101n, 112n],
  ] as const) {
    assert.deepEqual(bumpFeeTerms(same(before), same(0n), plenty), same(after));
  }
});

test('the cap is for the whole transaction, to the wei', () => {
  fc.assert(
    fc.property(terms, terms, (previous, current) => {
      const next = bumpFeeTerms(previous, current, plenty);
      assert.ok(next !== undefined);
      assert.deepEqual(bumpFeeTerms(previous, current, feeMax(next)), next);
      assert.equal(bumpFeeTerms(previous, current, feeMax(next) - 1n), undefined);
    }),
  );
});
