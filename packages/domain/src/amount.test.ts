import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { amountMax, formatDecimal, parseAmount, parseDecimal, parsePositiveAmount } from './amount.ts';

const amounts = fc.bigInt({ min: 0n, max: amountMax });
const decimals = fc.integer({ min: 0, max: 77 });

test('an amount survives the way to its decimal text and back, whatever the decimals', () => {
  fc.assert(
    fc.property(amounts, decimals, (amount, digits) => {
      assert.equal(parseDecimal(formatDecimal(amount, digits), digits), amount);
    }),
  );
});

test('an amount survives the way to base units as text and back', () => {
  fc.assert(
    fc.property(amounts, (amount) => {
      assert.equal(parseAmount(amount.toString()), amount);
    }),
  );
});

test('digits that the asset does not have are refused, even when they are zeros', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 20 }), (digits, extra) => {
      const text = `1.${'0'.repeat(digits + extra)}`;
      assert.throws(() => parseDecimal(text, digits), { code: 'amount/malformed' });
    }),
  );
  assert.throws(() => parseDecimal('1.0000019', 6), { code: 'amount/malformed', message: /7 digits.*has 6/u });
});

test('2^256 - 1 is the largest amount, in base units and in decimals', () => {
  assert.equal(parseAmount(amountMax.toString()), 2n ** 256n - 1n);
  assert.throws(() => parseAmount((amountMax + 1n).toString()), { code: 'amount/out-of-range' });
  assert.equal(parseDecimal(formatDecimal(amountMax, 18), 18), amountMax);
  assert.throws(() => parseDecimal(formatDecimal(amountMax + 1n, 18), 18), { code: 'amount/out-of-range' });
  assert.throws(() => parseDecimal('9'.repeat(78), 18), { code: 'amount/out-of-range' });
});

test('signs, exponents, points, leading zeros, separators, spaces and foreign digits are no amount', () => {
  const wrong = [
    '',
    ' ',
    '+1',
    '-1',
    '-0',
    '1e3',
    '1E3',
    '0x10',
    '1.',
    '.5',
    '1.5',
    '00',
    '01',
    '1_000',
    '1,000',
    '1 ',
    ' 1',
    '1\n',
  ];
  const foreign = ['١٢', '１２', '१', '²', 'NaN', 'Infinity', 'null', '9'.repeat(79)];
  for (const text of [...wrong, ...foreign]) {
    assert.throws(() => parseAmount(text), { code: 'amount/malformed' }, JSON.stringify(text));
  }
  for (const text of [
    '',
    '+1',
    '-1',
    '1e3',
    '1.',
    '.5',
    '00.5',
    '01',
    '1,5',
    '1.5.0',
    '1.-5',
    '1.5 ',
    '１.５',
    '1.٥',
  ]) {
    assert.throws(() => parseDecimal(text, 18), { code: 'amount/malformed' }, JSON.stringify(text));
  }
});

test('zero is an amount, but nothing to move', () => {
  assert.equal(parseAmount('0'), 0n);
  assert.equal(parseDecimal('0.00', 2), 0n);
  assert.throws(() => parsePositiveAmount('0'), { code: 'amount/out-of-range' });
  assert.equal(parsePositiveAmount('1'), 1n);
});

test('people read amounts without trailing zeros, and with a sign where there is one', () => {
  assert.equal(formatDecimal(1_500_000n, 6), '1.5');
  assert.equal(formatDecimal(1n, 18), '0.000000000000000001');
  assert.equal(formatDecimal(100n, 2), '1');
  assert.equal(formatDecimal(100n, 0), '100');
  assert.equal(formatDecimal(0n, 18), '0');
  assert.equal(formatDecimal(-5n, 1), '-0.5');
});
