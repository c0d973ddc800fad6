import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, faultCodes, invariant } from './fault.ts';

test('fault codes are sorted, different, and of the form noun/reason', () => {
  assert.deepEqual([...faultCodes], [...new Set(faultCodes)].sort());
  for (const code of faultCodes) assert.match(code, /^[a-z-]+\/[a-z0-9-]+$/u);
});

test('a fault carries its code, its values and its cause', () => {
  const cause = new Error('socket closed');
  const fault = new CustodyError('chain/unavailable', 'No source answered.', { details: { sources: 3 }, cause });
  assert.equal(fault.code, 'chain/unavailable');
  assert.deepEqual(fault.details, { sources: 3 });
  assert.equal(fault.cause, cause);
  assert.ok(!('cause' in new CustodyError('chain/unavailable', 'No source answered.')));
});

test('an invariant that holds says nothing, a broken one stops the work with its values', () => {
  invariant(true, 'One is one.');
  assert.throws(() => invariant(false, 'A balance is below zero.', { account: 7 }), {
    name: 'CustodyError',
    code: 'invariant/broken',
    message: 'A balance is below zero.',
    details: { account: 7 },
  });
});
