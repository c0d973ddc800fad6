import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BreakType, breakFreezes, classifyBreak, type ReconciliationLine } from './reconciliation.ts';

const nothing: Omit<ReconciliationLine, 'books' | 'chain'> = {
  unbookedOut: 0n,
  unbookedFees: 0n,
  pendingIn: 0n,
  pendingOut: 0n,
  unbookedIn: 0n,
};

/** A line whose chain differs from the books by what was seen and by `unseen`. */
function line(seen: Partial<typeof nothing>, unseen = 0n): ReconciliationLine {
  const sums = { ...nothing, ...seen };
  const books = 1_000n;
  const chain =
    books + sums.pendingIn - sums.pendingOut + sums.unbookedIn - sums.unbookedOut - sums.unbookedFees + unseen;
  return { books, chain, ...sums };
}

test('what was seen names the break, and what is on its way into the books hides none', () => {
  for (const pending of [{}, { pendingIn: 500n }, { pendingOut: 400n }, { pendingIn: 1n, pendingOut: 7n }]) {
    const of = (seen: Partial<typeof nothing>, unseen = 0n): BreakType | undefined =>
      classifyBreak(line({ ...pending, ...seen }, unseen));
    assert.equal(of({ unbookedFees: 3n }), 'fee');
    assert.equal(of({ unbookedFees: 3n, unbookedIn: 2n }), 'fee');
    assert.equal(of({ unbookedIn: 5n }), 'unknown-deposit');
    assert.equal(of({ unbookedIn: 5n, unbookedFees: 3n }), 'unknown-deposit');
    assert.equal(of({ unbookedOut: 5n }), 'missing-movement');
    assert.equal(of({ unbookedOut: 5n, unbookedFees: 3n }), 'missing-movement');
    assert.equal(of({ unbookedOut: 5n, unbookedIn: 9n }), 'missing-movement');
    assert.equal(of({}, -2n), 'shortfall');
    assert.equal(of({}, 2n), 'excess');
    assert.equal(of({ unbookedOut: 5n }, -1n), 'shortfall', 'seen, and not the whole of it');
  }
  assert.equal(classifyBreak(line({ pendingIn: 5n })), 'pending');
  assert.equal(classifyBreak(line({ pendingOut: 5n })), 'pending');
  assert.equal(classifyBreak(line({})), undefined);
});

test('a theft that a larger pending deposit covers is a theft, not an excess', () => {
  assert.equal(
    classifyBreak({ ...nothing, books: 100n, chain: 140n, pendingIn: 50n, unbookedOut: 10n }),
    'missing-movement',
  );
  assert.equal(classifyBreak({ ...nothing, books: 100n, chain: 140n, pendingIn: 50n }), 'shortfall');
});

const sum = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }));
const sums = fc.record({
  books: sum,
  chain: sum,
  unbookedOut: sum,
  unbookedFees: sum,
  pendingIn: sum,
  pendingOut: sum,
  unbookedIn: sum,
});

test('tolerance is zero, every difference has a type, and every type that a line can have is reached', () => {
  const seen = new Set<BreakType>();
  fc.assert(
    fc.property(sums, (found) => {
      assert.equal(
        classifyBreak({ ...found, chain: found.books }),
        undefined,
        'no difference is no break, whatever was seen',
      );
      const type = classifyBreak(found);
      assert.equal(type === undefined, found.chain === found.books);
      if (type !== undefined) seen.add(type);
    }),
    { numRuns: 5_000, seed: 20 },
  );
  // A reorg is of the chain as a whole: it has no line.
  const lines: readonly BreakType[] = ['excess', 'fee', 'missing-movement', 'pending', 'shortfall', 'unknown-deposit'];
  assert.deepEqual([...seen].toSorted(), lines);
});

test('a line that what was seen does not explain is a shortfall or an excess, and no other', () => {
  const seen = fc.record({ unbookedOut: sum, unbookedFees: sum, pendingIn: sum, pendingOut: sum, unbookedIn: sum });
  fc.assert(
    fc.property(seen, fc.bigInt({ min: -9n, max: 9n }), (found, unseen) => {
      const type = classifyBreak(line(found, unseen));
      if (type === undefined || type === 'pending') return;
      assert.equal(type === 'shortfall' || type === 'excess', unseen !== 0n);
    }),
  );
});

test('only what is on its way into the books leaves withdrawals alone', () => {
  const freezes: Readonly<Record<BreakType, boolean>> = {
    pending: false,
    fee: true,
    'unknown-deposit': true,
    'missing-movement': true,
    shortfall: true,
    excess: true,
    reorg: true,
    'token-code': false,
    'vault-code': true,
  };
  const types: readonly BreakType[] = [
    'pending',
    'fee',
    'unknown-deposit',
    'missing-movement',
    'shortfall',
    'excess',
    'reorg',
    'token-code',
    'vault-code',
  ];
  for (const type of types) assert.equal(breakFreezes(type), freezes[type], type);
});
