import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { inspect, isDeepStrictEqual } from 'node:util';
import { same } from './same.ts';
import { decodeValue, encodeValue } from './wire.ts';

class Named {
  name = 'a';
}

const values: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  Number.NaN,
  1n,
  2n,
  '',
  'a',
  '1',
  [],
  [1],
  [1, 2],
  [undefined],
  [[1n]],
  {},
  { a: 1 },
  { a: 1, b: undefined },
  { b: 1, a: 1 },
  { a: 1, b: 1 },
  { a: { b: [1n] } },
  new Uint8Array(),
  Uint8Array.of(1),
  Uint8Array.of(1, 2),
  Uint16Array.of(1),
  Buffer.of(1),
  new Map(),
  new Map([['a', 1]]),
  new Map([['a', 2]]),
  new Map([[{ a: 1 }, 1]]),
  new Set(),
  new Set(['a']),
  new Set([{ a: 1 }]),
  new Date(0),
  new Date(1),
  /a/u,
  /a/iu,
  new Error('a'),
  new Error('b'),
  new TypeError('a'),
  new Named(),
  { name: 'a' },
  Object.assign(Object.create(null), { a: 1 }),
  { [Symbol.for('s')]: 1 },
];

test('two values are alike in a page exactly where node:assert says so', () => {
  let alike = 0;
  for (const a of values) {
    for (const b of [...values, ...values.map((value) => copy(value))]) {
      const wanted = isDeepStrictEqual(a, b);
      assert.equal(same(a, b), wanted, `${inspect(a)} and ${inspect(b)}`);
      if (wanted && !Object.is(a, b)) alike += 1;
    }
  }
  assert.ok(alike >= 20, `${alike} pairs are alike and not one`);
});

function copy(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

test('what crosses between page and process arrives as it was', () => {
  const crossing = [
    undefined,
    null,
    1,
    'a',
    2n ** 200n,
    Uint8Array.of(1, 2),
    [1n, [undefined]],
    { a: { b: 1n } },
    new Map([['a', Uint8Array.of(9)]]),
    new Set([1n]),
  ];
  const none = (): never => assert.fail();
  for (const value of crossing) {
    assert.deepEqual(decodeValue(JSON.parse(JSON.stringify(encodeValue(value, none))), none), value);
  }
  const kept: object[] = [];
  const resource = { ask: () => 1, [Symbol.asyncDispose]: async () => await Promise.resolve() };
  const wire = JSON.parse(JSON.stringify(encodeValue(resource, (one) => kept.push(one) - 1)));
  const there: unknown = decodeValue(wire, ({ id }) => kept[id]);
  assert.ok(typeof there === 'object' && there !== null && Symbol.asyncDispose in there && 'ask' in there);
  assert.equal(kept.length, 2);
  const { privateKey } = generateKeyPairSync('ed25519');
  const keyWire = JSON.parse(JSON.stringify(encodeValue(privateKey, (one) => kept.push(one) - 1)));
  const key = decodeValue(keyWire, ({ kind, id }, methods) => (kind === 'instance' ? [kept[id], methods] : kept[id]));
  assert.ok(Array.isArray(key) && key[0] === privateKey);
  assert.equal(typeof Reflect.get(key[1], 'export'), 'function', 'an instance comes with its methods');
  assert.throws(() => encodeValue(Symbol.iterator, none), TypeError);
  assert.throws(() => decodeValue(['odd', 1], none), TypeError);
});
