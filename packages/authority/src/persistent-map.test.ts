import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { draftOf, PersistentMap } from './persistent-map.ts';

const change = fc.tuple(
  fc.integer({ min: 0, max: 40 }).map((n) => `key ${n}`),
  fc.option(fc.nat(9), { nil: undefined }),
);

test('it holds what an ordinary map would, and every earlier map stays as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 8 }), (rounds) => {
      let map = PersistentMap.empty<string, number>();
      const plain = new Map<string, number>();
      const before: [PersistentMap<string, number>, Map<string, number>][] = [];
      for (const round of rounds) {
        before.push([map, new Map(plain)]);
        const draft = draftOf(map);
        for (const [key, value] of round) {
          draft.set(key, value);
          if (value === undefined) plain.delete(key);
          else plain.set(key, value);
          assert.equal(draft.get(key), value);
          assert.equal(draft.size(), plain.size);
        }
        map = draft.finish();
      }
      for (const [one, other] of [...before, [map, plain] as const]) {
        assert.deepEqual(new Map(one), other);
        assert.equal(one.size, other.size);
        for (let n = 0; n <= 40; n++) {
          assert.equal(one.get(`key ${n}`), other.get(`key ${n}`));
          assert.equal(one.has(`key ${n}`), other.has(`key ${n}`));
        }
      }
    }),
  );
});

test('it is walked like a map', () => {
  const map = PersistentMap.of(
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  );
  assert.deepEqual([...map.keys()].sort(), ['a', 'b']);
  assert.deepEqual(new Set(map.values()), new Set([1, 2]));
  let sum = 0;
  map.forEach((value) => (sum += value));
  assert.equal(sum, 3);
  assert.equal(PersistentMap.of(map), map);
  assert.equal(map.with(new Map()), map);
});

test('entries spread over the shelves, and numbers are keys too', () => {
  const many = PersistentMap.of(new Map(Array.from({ length: 5_000 }, (_, n) => [n, n])));
  assert.equal(many.size, 5_000);
  assert.equal(many.get(4_999), 4_999);
});
