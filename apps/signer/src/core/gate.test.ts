import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGate } from './gate.ts';

test('decisions begin at once while there is room, and none overtakes a change that waits', async () => {
  const gate = openGate(2);
  const began: string[] = [];
  const work = (name: string, end?: Promise<void>): (() => Promise<void>) => {
    return async () => {
      began.push(name);
      await end;
    };
  };
  const first = Promise.withResolvers<void>();
  const change = Promise.withResolvers<void>();
  const all = [
    gate.shared(work('first', first.promise)),
    gate.alone(work('change', change.promise)),
    gate.shared(work('second')),
    gate.shared(work('third')),
  ];
  assert.deepEqual(began, ['first']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(began, ['first']);
  first.resolve();
  await all[0];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(began, ['first', 'change']);
  change.resolve();
  await Promise.all(all);
  assert.deepEqual(began, ['first', 'change', 'second', 'third']);
});

test('nothing is decided beside a change', async () => {
  const gate = openGate(2);
  const change = Promise.withResolvers<void>();
  let decided = false;
  const changing = gate.alone(async () => change.promise);
  const deciding = gate.shared(async () => {
    decided = true;
    return Promise.resolve();
  });
  assert.equal(decided, false);
  change.resolve();
  await Promise.all([changing, deciding]);
  assert.equal(decided, true);
});
