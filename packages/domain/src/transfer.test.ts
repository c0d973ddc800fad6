import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { transferKey } from './transfer.ts';

type Vectors = { readonly vectors: readonly { readonly parts: string[]; readonly key: string }[] };

const { vectors }: Vectors = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/transfer-key.json', import.meta.url), 'utf8'),
);

test('transfer keys are those of the specification', () => {
  assert.ok(vectors.length >= 9);
  for (const { parts, key } of vectors) assert.equal(transferKey(...parts), key, JSON.stringify(parts));
});

test('a transfer key is a UUID of version 8 and RFC 9562 variant', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (parts) => {
      assert.match(transferKey(...parts), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
    }),
  );
});

test('a key begins with the time of the first id among its parts, and differs by all of them', () => {
  const id = 'dep_01985f3c-7a10-7cc3-98c4-dc0c0c07398f';
  const keys = [transferKey('deposit', id, 'final'), transferKey('deposit', id, 'release'), transferKey('fee', id)];
  for (const key of keys) assert.ok(key.startsWith('01985f3c-7a10-8'), key);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(!transferKey('deposit', id.toUpperCase()).startsWith('01985f3c-7a10'));
});

test('parts that are cut differently give different keys', () => {
  const text = fc.string({ unit: 'grapheme-ascii', minLength: 2 });
  fc.assert(
    fc.property(text, fc.nat(), fc.nat(), (whole, a, b) => {
      const [i, j] = [a % (whole.length + 1), b % (whole.length + 1)];
      fc.pre(i !== j);
      assert.notEqual(transferKey(whole.slice(0, i), whole.slice(i)), transferKey(whole.slice(0, j), whole.slice(j)));
    }),
  );
});

test('a key made of nothing is refused', () => {
  assert.throws(() => transferKey(), { code: 'invariant/broken' });
});
