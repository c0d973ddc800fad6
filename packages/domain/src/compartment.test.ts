import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compartmentMax, houseFees, houseGas, kindOf, parseCompartment } from './compartment.ts';

test('the kind of a compartment follows from the range of its number', () => {
  const kinds = [
    [0, 'house'],
    [4_999, 'house'],
    [5_000, 'group'],
    [9_999, 'group'],
    [10_000, 'omnibus'],
    [99_999, 'omnibus'],
    [100_000, 'individual'],
    [compartmentMax, 'individual'],
  ] as const;
  for (const [number, kind] of kinds) assert.equal(kindOf(parseCompartment(number)), kind, String(number));
});

test('the compartments with a fixed duty are the house and differ', () => {
  assert.equal(kindOf(houseGas), 'house');
  assert.equal(kindOf(houseFees), 'house');
  assert.notEqual(houseGas, houseFees);
});

test('only whole numbers of 31 bits are compartments', () => {
  assert.equal(compartmentMax, 2_147_483_647);
  for (const number of [-1, 0.5, 2 ** 31, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => parseCompartment(number), { code: 'compartment/out-of-range' }, String(number));
  }
});

test('there is one zero', () => {
  assert.ok(Object.is(parseCompartment(-0), 0));
});
