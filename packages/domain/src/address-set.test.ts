import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import type { Address } from './address.ts';
import { AddressSet } from './address-set.ts';

/** Spreads numbers over the space of addresses as key derivation does. */
function scattered(number: number): Address {
  let state = BigInt(number) * 0x9e3779b97f4a7c15n + 0x632be59bd9b4e019n;
  let digits = '';
  for (let word = 0; word < 3; word++) {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & (2n ** 64n - 1n);
    digits += state.toString(16).padStart(16, '0');
  }
  return parseAddress(`0x${digits.slice(0, 40)}`);
}

test('a million addresses stay well under 300 MB, and each is found', () => {
  const count = 1_000_000;
  const before = process.memoryUsage();
  const set = new AddressSet();
  for (let number = 0; number < count; number++) set.add(scattered(number));
  const after = process.memoryUsage();
  assert.equal(set.size, count);
  // The table lives outside the heap; what it took is measured there, so that garbage of the loop does not count.
  const table = after.arrayBuffers - before.arrayBuffers;
  assert.ok(table < 150 * 1024 * 1024, `${table} bytes`);
  for (let number = 0; number < count; number += 97) assert.ok(set.has(scattered(number)));
  for (let number = count; number < count + 10_000; number++) assert.ok(!set.has(scattered(number)));
});

test('adding an address again changes nothing', () => {
  const set = new AddressSet([scattered(1), scattered(2), scattered(1)]);
  set.add(scattered(2));
  assert.equal(set.size, 2);
});

test('the zero address is a member only when it was added', () => {
  const zero = parseAddress(`0x${'0'.repeat(40)}`);
  const set = new AddressSet();
  assert.equal(set.has(zero), false);
  set.add(zero);
  set.add(zero);
  assert.equal(set.has(zero), true);
  assert.equal(set.size, 1);
});

test('addresses that differ in one digit are told apart, wherever it is', () => {
  const base = scattered(5);
  const set = new AddressSet([base]);
  for (let place = 2; place < 42; place++) {
    const digit = base.charAt(place) === '0' ? '1' : '0';
    const other = parseAddress(base.slice(0, place) + digit + base.slice(place + 1));
    assert.equal(set.has(other), false);
  }
});

test('a set that has grown many times has lost nothing', () => {
  const set = new AddressSet();
  for (let number = 0; number < 5_000; number++) {
    set.add(scattered(number));
    if (number % 613 === 0) {
      for (let earlier = 0; earlier <= number; earlier++) assert.ok(set.has(scattered(earlier)));
    }
  }
});
