import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCompartment } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { client, headerOf, workOf } from '../test/epoch.ts';
import { type Claim, liabilityUnits, makeSumTree, portableBlockHasher, reserveUnits } from './index.ts';
import { startKeccakMachine } from './machine/keccak-machine.ts';

test('the machine hashes what @noble hashes, for every length that a block has', () => {
  const machine = startKeccakMachine();
  for (let length = 0; length <= 135; length += 1) {
    const message = Uint8Array.from({ length }, (_, at) => at * 7 + length);
    machine.block.set(message);
    machine.run(length);
    assert.deepEqual(machine.hash, keccak_256(message), `${length}`);
  }
  assert.throws(() => machine.run(136), RangeError);
  assert.throws(() => portableBlockHasher().run(136), RangeError);
});

test('liabilities round up to the unit and reserves down, claim by claim', () => {
  const header = headerOf({ unitExponent: 9 });
  assert.deepEqual(
    [0n, 1n, 999_999_999n, 1_000_000_000n, 1_000_000_001n].map((amount) => liabilityUnits(header, amount)),
    [0n, 1n, 1n, 1n, 2n],
  );
  assert.deepEqual(
    [0n, 1n, 999_999_999n, 1_000_000_000n, 1_999_999_999n].map((amount) => reserveUnits(header, amount)),
    [0n, 0n, 0n, 1n, 1n],
  );
  assert.throws(() => liabilityUnits(header, -1n), { code: 'proof/malformed' });
  assert.throws(() => reserveUnits(header, -1n), { code: 'proof/malformed' });
  const claims = [client('ada', 1n), client('bob', 1n)];
  const tree = makeSumTree(workOf(header), { compartment: parseCompartment(10_000), claims, count: 2 });
  assert.equal(tree.liabilities, 2n);
});

test('claims may come one by one, and their number must be the one that was said', () => {
  function* many(count: number): Generator<Claim> {
    for (let at = 0; at < count; at += 1) yield client(String(at).padStart(5, '0'), BigInt(at));
  }
  const make = (count: number, of: number, depth?: number): unknown =>
    makeSumTree(workOf(headerOf()), {
      compartment: parseCompartment(10_000),
      claims: many(count),
      count: of,
      ...(depth === undefined ? {} : { depth }),
    });
  make(1_000, 1_000);
  make(1_000, 1_000, 12);
  const refused = { code: 'proof/malformed' };
  assert.throws(() => make(999, 1_000), refused);
  assert.throws(() => make(1_001, 1_000), refused);
  assert.throws(() => make(1_000, 1_000, 9), refused);
  assert.throws(() => make(1, 1, 33), refused);
  assert.throws(() => make(1, 1, 1.5), refused);
});

test('the places of leaves are a permutation, and every place is as likely as another', () => {
  const places = Array.from({ length: 8 }, () => 0);
  for (let epoch = 1n; epoch <= 400n; epoch += 1n) {
    const claims = Array.from({ length: 5 }, (_, at) => client(String(at), 1n));
    const tree = makeSumTree(workOf(headerOf({ epoch })), { compartment: parseCompartment(10_000), claims, count: 5 });
    const indexes = claims.map((_, at) => tree.path(at).index);
    assert.equal(new Set(indexes).size, 5);
    const first = indexes[0] ?? -1;
    places[first] = (places[first] ?? 0) + 1;
  }
  // 400 draws over 8 places: 50 expected, standard deviation 6.6. The draws are the same in every run.
  assert.ok(
    places.every((count) => count > 25 && count < 75),
    places.join(' '),
  );
});

test("a path is asked for by the place of a claim, not of a leaf that is nobody's", () => {
  const claims = [client('ada', 1n), client('bob', 1n), client('cleo', 1n)];
  const tree = makeSumTree(workOf(headerOf()), { compartment: parseCompartment(10_000), claims, count: 3 });
  assert.throws(() => tree.path(3), { code: 'proof/malformed' });
});
