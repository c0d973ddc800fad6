import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feeMax } from '@bulkhead/domain';
import fc from 'fast-check';
import { bumpTerms } from './fee-bump.ts';

const previous = { gasLimit: 21_000n, maxFeePerGas: 101n, maxPriorityFeePerGas: 11n };
const plenty = 10n ** 30n;

test('both fees rise by a tenth at least, rounded up', () => {
  assert.deepEqual(bumpTerms(previous, previous, plenty), {
    gasLimit: 21_000n,
    maxFeePerGas: 112n,
    maxPriorityFeePerGas: 13n,
  });
});

test('a fee of nothing rises too', () => {
  const nothing = { gasLimit: 21_000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
  assert.deepEqual(bumpTerms(nothing, nothing, plenty), { ...nothing, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n });
});

test('what the market asks now is offered where it is more', () => {
  const market = { gasLimit: 30_000n, maxFeePerGas: 900n, maxPriorityFeePerGas: 90n };
  assert.deepEqual(bumpTerms(previous, market, plenty), market);
  assert.deepEqual(bumpTerms(previous, market, 30_000n * 500n), { ...market, maxFeePerGas: 500n });
});

test('a cap below the smallest bump forbids it', () => {
  assert.notEqual(bumpTerms(previous, previous, 21_000n * 112n), undefined);
  assert.equal(bumpTerms(previous, previous, 21_000n * 112n - 1n), undefined);
});

const terms = fc
  .record({
    gasLimit: fc.bigInt(21_000n, 10n ** 7n),
    maxFeePerGas: fc.bigInt(0n, 10n ** 14n),
    share: fc.bigInt(0n, 100n),
  })
  .map(({ gasLimit, maxFeePerGas, share }) => ({
    gasLimit,
    maxFeePerGas,
    maxPriorityFeePerGas: (maxFeePerGas * share) / 100n,
  }));

test('a bump is acceptable to nodes and within the cap, or there is none', () => {
  fc.assert(
    fc.property(terms, terms, fc.bigInt(0n, 10n ** 22n), (before, market, cap) => {
      const bumped = bumpTerms(before, market, cap);
      const gasLimit = before.gasLimit > market.gasLimit ? before.gasLimit : market.gasLimit;
      if (bumped === undefined) {
        assert.ok(gasLimit * ((before.maxFeePerGas * 11n) / 10n + 1n) > cap || cap < gasLimit);
        return;
      }
      assert.ok(feeMax(bumped) <= cap);
      assert.ok(bumped.maxFeePerGas * 10n >= before.maxFeePerGas * 11n);
      assert.ok(bumped.maxPriorityFeePerGas * 10n >= before.maxPriorityFeePerGas * 11n);
      assert.ok(bumped.maxFeePerGas > before.maxFeePerGas);
      assert.ok(bumped.maxPriorityFeePerGas <= bumped.maxFeePerGas);
    }),
  );
});
