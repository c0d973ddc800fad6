import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ristretto255 } from '@noble/curves/ed25519.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { seeded } from '../test/tamper.ts';
import { type Combination, portableGroup } from './group.ts';
import { extendedBytes, fieldBytes, fieldPrime, startCurveMachine } from './machine/curve-machine.ts';
import { machineGroup } from './machine-group.ts';
import { recode } from './recode.ts';
import { decodePoint, encodePoint } from './ristretto.ts';
import { groupOrder, littleEndian, reduced } from './scalar.ts';

const below = seeded(5);
const wide = (): bigint =>
  Array.from({ length: 20 }, () => below(2 ** 16)).reduce((sum, part) => (sum << 16n) + BigInt(part), 0n);
const scalar = (): bigint => wide() % groupOrder;
const edges = [
  0n,
  1n,
  2n,
  19n,
  2n ** 26n - 1n,
  2n ** 51n,
  2n ** 252n,
  2n ** 255n - 20n,
  fieldPrime - 2n,
  fieldPrime - 1n,
];

test('products, squares and powers modulo 2^255 - 19 are those of whole numbers', () => {
  const machine = startCurveMachine();
  const [a, b, c] = [machine.take(fieldBytes), machine.take(fieldBytes), machine.take(fieldBytes)];
  const values = [...edges, ...Array.from({ length: 40 }, () => wide() % fieldPrime)];
  for (const x of values) {
    machine.writeField(a, x);
    assert.equal(machine.readField(a), x);
    machine.square(c, a, a);
    assert.equal(machine.readField(c), (x * x) % fieldPrime);
    for (const y of values) {
      machine.writeField(b, y);
      machine.multiply(c, a, b);
      assert.equal(machine.readField(c), (x * y) % fieldPrime);
    }
    // x^(2^252 - 3), eight times over and times x^3, is 1/x.
    machine.power(a);
    const eighth = machine.readField(a) ** 8n % fieldPrime;
    assert.equal((((eighth * x ** 3n) % fieldPrime) * x) % fieldPrime, x === 0n ? 0n : 1n);
  }
});

test('points have the one form of RFC 9496, and bytes that are none are refused as @noble refuses them', () => {
  const machine = startCurveMachine();
  const at = machine.take(extendedBytes);
  const again = (bytes: Uint8Array): string | undefined => {
    if (!decodePoint(machine, bytes, at)) return undefined;
    const [x, y] = [machine.readField(at), machine.readField(at + fieldBytes)];
    machine.writeField(at + 2 * fieldBytes, 1n);
    machine.writeField(at + 3 * fieldBytes, (x * y) % fieldPrime);
    return bytesToHex(encodePoint(machine, at));
  };
  const noble = (bytes: Uint8Array): string | undefined => {
    try {
      return ristretto255.Point.fromBytes(bytes).toHex();
    } catch {
      return undefined;
    }
  };
  // RFC 9496, appendix A.1: multiples of the generator from 0, and A.2: bytes that are no point.
  const multiples = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76',
    '6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919',
  ];
  for (const hex of multiples) assert.equal(again(hexToBytes(hex)), hex);
  const none = [
    '00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];
  for (const hex of none) assert.equal(again(hexToBytes(hex)), undefined, hex);
  assert.equal(decodePoint(machine, new Uint8Array(31), at), false);
  let points = 0;
  for (let tried = 0; tried < 400; tried += 1) {
    const bytes = littleEndian((wide() % 2n ** 255n) & ~1n);
    const expected = noble(bytes);
    if (expected !== undefined) points += 1;
    assert.equal(again(bytes), expected, bytesToHex(bytes));
  }
  assert.ok(points > 50 && points < 350);
});

test('digits add up to the number, for every width of a digit', () => {
  const numbers = [...edges, -1n, -(2n ** 255n), groupOrder - 1n, scalar(), scalar()];
  for (let bits = 2; bits <= 14; bits += 1) {
    const { windows, count, at } = recode(numbers, bits);
    numbers.forEach((number, index) => {
      let sum = 0n;
      for (let window = windows - 1; window >= 0; window -= 1) {
        const digit = at[window * count + index] ?? 0;
        assert.ok(Math.abs(digit) <= 2 ** (bits - 1));
        sum = (sum << BigInt(bits)) + BigInt(digit);
      }
      assert.equal(sum, number, `${bits}`);
    });
  }
});

test('the machine adds up what @noble adds up: commitments, generators, points, small and negative multiples', () => {
  const [machine, portable] = [machineGroup(), portableGroup()];
  const openings: readonly (readonly [bigint, bigint])[] = [
    [0n, 0n],
    [1n, 0n],
    [0n, 1n],
    [groupOrder - 1n, groupOrder - 1n],
    [groupOrder, 1n],
    [2n ** 256n + 5n, 3n],
    [-7n, -groupOrder - 3n],
    [2n ** 64n - 1n, scalar()],
    [2n ** 128n - 1n, scalar()],
  ];
  for (const [value, blinding] of openings) {
    assert.deepEqual(machine.commit(value, blinding), portable.commit(value, blinding));
  }
  const points = openings.slice(1).map(([value, blinding]) => machine.commit(value, blinding));
  assert.deepEqual(machine.sum(points), portable.sum(points));
  for (const bits of [8, 16]) {
    for (const scalars of [points.map(scalar), points.map((_, at) => BigInt(at) - 3n), points.map(() => 0n)]) {
      const left = Array.from({ length: 2 * bits }, (_, at) => (at % 3 === 0 ? 0n : scalar()));
      const right = Array.from({ length: 2 * bits }, (_, at) => BigInt((at % 3) - 1));
      const some: Combination = { value: scalar(), blinding: -1n, left, right, bits, points, scalars };
      assert.deepEqual(machine.combine(some), portable.combine(some));
      const none = { ...some, points: [], scalars: [] };
      assert.deepEqual(machine.combine(none), portable.combine(none));
      assert.deepEqual(machine.combine(none), portable.combine(none));
    }
  }
  const nothing = { value: 0n, blinding: 0n, left: [], right: [], bits: 8, points: [], scalars: [] };
  assert.deepEqual(machine.combine(nothing), new Uint8Array(32));
  const opposite = { ...nothing, points: points.slice(0, 2), scalars: [reduced(5n), 0n] };
  assert.deepEqual(
    machine.combine({
      ...opposite,
      points: [points[1] ?? new Uint8Array(), points[1] ?? new Uint8Array()],
      scalars: [5n, -5n],
    }),
    new Uint8Array(32),
  );
  for (const by of [machine, portable]) {
    assert.equal(by.combine({ ...opposite, points: [new Uint8Array(32).fill(0xff)], scalars: [1n] }), undefined);
    assert.equal(by.sum([points[0] ?? new Uint8Array(), new Uint8Array(32).fill(1)]), undefined);
  }
});
