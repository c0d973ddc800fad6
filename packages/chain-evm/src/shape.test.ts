import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAddress, readData, readFields, readHash, readList, readQuantity } from './shape.ts';

const readers: readonly (readonly [
  (value: unknown, what: string) => unknown,
  readonly unknown[],
  readonly unknown[],
])[] = [
  [
    readQuantity,
    ['0x0', '0x00ff', `0x${'f'.repeat(64)}`],
    ['0x', '', '12', 12, null, '0xg', '-0x1', `0x1${'0'.repeat(64)}`, ['0x1']],
  ],
  [readHash, [`0x${'a'.repeat(64)}`, `0x${'A'.repeat(64)}`], [`0x${'a'.repeat(63)}`, null, 5, `0x${'a'.repeat(65)}`]],
  [readAddress, [`0x${'a'.repeat(40)}`, `0x${'A'.repeat(40)}`], [`0x${'a'.repeat(39)}`, null, {}, `${'a'.repeat(42)}`]],
  [readData, ['0x', '0xAb'], ['0xa', null, 'ab', 7]],
  [readFields, [{}], [[], null, 'text', 3]],
  [readList, [[]], [{}, null, 'text']],
];

test('each reader takes its shape and nothing else', () => {
  for (const [read, good, bad] of readers) {
    for (const value of good) assert.doesNotThrow(() => read(value, 'it'), `${read.name} ${JSON.stringify(value)}`);
    for (const value of bad) {
      assert.throws(() => read(value, 'it'), { code: 'chain/nonsense' }, `${read.name} ${JSON.stringify(value)}`);
    }
  }
});

test('hashes, addresses and data have one spelling inside', () => {
  assert.equal(readHash(`0x${'A'.repeat(64)}`, 'it'), `0x${'a'.repeat(64)}`);
  assert.equal(readAddress(`0x${'A'.repeat(40)}`, 'it'), `0x${'a'.repeat(40)}`);
  assert.equal(readData('0xAB', 'it'), '0xab');
});

test('a message repeats only the beginning of what came', () => {
  assert.throws(
    () => readQuantity('x'.repeat(10_000), 'the value'),
    (error: unknown) => error instanceof Error && error.message.includes('the value') && error.message.length < 300,
  );
});
