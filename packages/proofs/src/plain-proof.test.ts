import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAssetId, parseCompartment } from '@bulkhead/domain';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { client, headerOf, plainEpoch, pools, workOf } from '../test/epoch.ts';
import { forged, plainParts, type PlainParts, recordOf } from '../test/plain-forger.ts';
import { tamperedCopies } from '../test/tamper.ts';
import { unsignedBytes } from './fixed-width.ts';
import {
  type Claim,
  contextOf,
  fastBlockHasher,
  makePlainBook,
  type OwnClaim,
  type Pin,
  plainPackage,
  portableBlockHasher,
  type Refutation,
  verifyPlainPackage,
  verifyPlainPublication,
} from './index.ts';

const { work, trees, plain } = plainEpoch();
const pin: Pin = { context: work.context, record: plain.book.record };

function packageAt(pool: number, at: number, of = { work, trees, plain }): { bytes: Uint8Array; own: OwnClaim } {
  const tree = of.trees[pool];
  const claim = pools[pool]?.claims[at];
  assert.ok(tree !== undefined && claim !== undefined);
  return {
    bytes: plainPackage(of.work, of.plain, { tree, claim, at }),
    own: { ...claim, compartment: tree.compartment },
  };
}

function refutation(bytes: Uint8Array, own: OwnClaim, pinned: Pin = pin): Refutation | 'holds' {
  const verdict = verifyPlainPackage(bytes, { pin: pinned, own });
  return verdict.holds ? 'holds' : verdict.refutation;
}

test('every claim of every compartment is in a package that holds', () => {
  pools.forEach(({ claims, reserves }, pool) => {
    claims.forEach((_, at) => {
      const { bytes, own } = packageAt(pool, at);
      const verdict = verifyPlainPackage(bytes, { pin, own });
      assert.ok(verdict.holds);
      assert.equal(verdict.reserves, reserves);
      assert.equal(
        verdict.liabilities,
        claims.reduce((sum, claim) => sum + claim.amount, 0n),
      );
    });
  });
});

test('the published rows are those of the record, and each compartment holds what it owes', () => {
  const verdict = verifyPlainPublication(plain.publication, pin);
  assert.ok(verdict.holds);
  assert.deepEqual(
    verdict.rows.map(({ compartment, liabilities, reserves }) => [compartment, liabilities, reserves]),
    [
      [10_000, 1_000n, 1_000n],
      [100_000, 5_000n, 5_000n],
      [100_007, 2n ** 90n, 2n ** 90n],
    ],
  );
});

test('two runs give the same bytes, with the machine and without; another epoch gives other salts, tags and places', () => {
  const again = plainEpoch(workOf(headerOf()));
  const portable = plainEpoch(workOf(headerOf(), portableBlockHasher()));
  assert.deepEqual(again.plain.publication, plain.publication);
  assert.deepEqual(portable.plain.publication, plain.publication);
  assert.deepEqual(packageAt(0, 1, portable).bytes, packageAt(0, 1).bytes);
  const next = plainEpoch(workOf(headerOf({ epoch: 8n, previous: work.context })));
  const [before, after] = [plainParts(packageAt(0, 1).bytes), plainParts(packageAt(0, 1, next).bytes)];
  assert.notDeepEqual(after.salt, before.salt);
  assert.notDeepEqual(after.siblings, before.siblings);
  const places = (epoch: typeof next): readonly number[] =>
    pools[0]?.claims.map((_, at) => plainParts(packageAt(0, at, epoch).bytes).index) ?? [];
  assert.notDeepEqual(places(next), places({ work, trees, plain }));
  assert.equal(new Set(places(next)).size, 7);
});

test('a package leads to the record by the words of the specification alone', () => {
  pools.forEach(({ claims }, pool) => {
    claims.forEach((_, at) => {
      assert.deepEqual(recordOf(plainParts(packageAt(pool, at).bytes), work.context), pin.record);
    });
  });
});

test('pitfall 1: a node whose sum is that of the larger child cannot be shown to both sides', () => {
  // The Maxwell attack: of 100 and 250 the operator wants to owe 250. The side of 250 is told that the other has nothing, the
  // side of 100 that the other has 150; the hash of the other side stays the true one.
  const two = [{ compartment: 10_000, reserves: 250n, claims: [client('ada', 100n), client('bob', 250n)] }];
  const epoch = plainEpoch(work, two);
  const told = (at: number, other: bigint): { readonly parts: PlainParts; readonly own: OwnClaim } => {
    const [claim, tree] = [two[0]?.claims[at], epoch.trees[0]];
    assert.ok(claim !== undefined && tree !== undefined);
    const parts = plainParts(plainPackage(work, epoch.plain, { tree, claim, at }));
    const siblings = concatBytes(parts.siblings.slice(0, 32), unsignedBytes(other, 16));
    return { parts: { ...parts, siblings }, own: { ...claim, compartment: tree.compartment } };
  };
  const [ada, bob] = [told(0, 150n), told(1, 0n)];
  const record = recordOf(bob.parts, work.context);
  assert.equal(refutation(forged(bob.parts), bob.own, { ...pin, record }), 'holds');
  assert.equal(refutation(forged(ada.parts), ada.own, { ...pin, record }), 'other-record');
});

test('pitfall 2: the leaf of one client is no proof for another with the same balance', () => {
  const twins = [{ compartment: 10_000, reserves: 200n, claims: [client('ada', 100n), client('bob', 100n)] }];
  const epoch = plainEpoch(work, twins);
  const tree = epoch.trees[0];
  assert.ok(tree !== undefined);
  const bytes = plainPackage(work, epoch.plain, { tree, claim: client('ada', 100n), at: 0 });
  const known = (name: string): OwnClaim => ({ ...client(name, 100n), compartment: tree.compartment });
  const pinned = { context: work.context, record: epoch.plain.book.record };
  assert.equal(refutation(bytes, known('ada'), pinned), 'holds');
  assert.equal(refutation(bytes, known('bob'), pinned), 'other-holder');
  // And with the name changed in the package the tag is another.
  const renamed = forged({ ...plainParts(bytes), holder: known('bob').holder });
  assert.equal(refutation(renamed, known('bob'), pinned), 'other-record');
});

test('pitfall 4: who knows everything but the salt cannot try names and balances against a leaf', () => {
  const { bytes } = packageAt(0, 0);
  const parts = plainParts(bytes);
  // A neighbour has the hash of the leaf as a sibling. With the true name and balance, and a salt that is not secret, it is another.
  for (const salt of [new Uint8Array(32), work.context, parts.holder, new Uint8Array()]) {
    const guess = { ...parts, salt: concatBytes(salt, new Uint8Array(32)).slice(0, 32) };
    assert.notDeepEqual(recordOf(guess, work.context), pin.record);
  }
  const salts = pools.flatMap(({ claims }, pool) =>
    claims.map((_, at) => bytesToHex(plainParts(packageAt(pool, at).bytes).salt)),
  );
  assert.equal(new Set(salts).size, salts.length);
  const other = workOf(headerOf(), portableBlockHasher(), hexToBytes('5f'.repeat(32)));
  assert.notDeepEqual(plainEpoch(other).plain.book.record, pin.record);
  assert.throws(() => workOf(headerOf(), portableBlockHasher(), new Uint8Array(31)), { code: 'proof/malformed' });
});

test('pitfalls 5 and 6: negative claims, claims of more than 128 bits and sums of more are refused; no sum wraps', () => {
  const make = (claims: readonly Claim[]): unknown => plainEpoch(work, [{ compartment: 10_000, reserves: 0n, claims }]);
  const refused = { code: 'proof/malformed' };
  assert.throws(() => make([client('ada', -1n)]), refused);
  assert.throws(() => make([client('ada', 2n ** 128n)]), refused);
  assert.throws(() => make([client('ada', 2n ** 128n - 1n), client('bob', 1n)]), refused);
  make([client('ada', 2n ** 128n - 2n), client('bob', 1n)]);
  // A sibling that would bring the sum back to a small number by wrapping is no sibling, whatever record was pinned for it.
  const { bytes, own } = packageAt(0, 1);
  const parts = plainParts(bytes);
  const siblings = parts.siblings.slice();
  siblings.fill(0xff, 32, 48);
  const wrapped = { ...parts, siblings };
  assert.equal(refutation(forged(wrapped), own, { ...pin, record: wrappedRecord(wrapped) }), 'other-record');
});

/** The record of a tree whose sums count modulo 2^128. */
function wrappedRecord(parts: PlainParts): Uint8Array {
  return recordOf(parts, work.context, (sum) => sum % 2n ** 128n);
}

test('pitfall 7: a path that is shorter or longer, and a node shown as a leaf, do not hold', () => {
  const { bytes, own } = packageAt(0, 1);
  const parts = plainParts(bytes);
  const shorter = { ...parts, depth: parts.depth - 1, index: parts.index >> 1, siblings: parts.siblings.slice(48) };
  assert.equal(refutation(forged(shorter), own), 'other-record');
  const longer = { ...parts, depth: parts.depth + 1, siblings: concatBytes(parts.siblings, new Uint8Array(48)) };
  assert.equal(refutation(forged(longer), own), 'other-record');
  // An index that goes beyond the levels is no index, even where the hashes are of that index.
  const beyond = { ...parts, index: parts.index + 2 ** parts.depth };
  assert.equal(refutation(forged(beyond), own, { ...pin, record: recordOf(beyond, work.context) }), 'other-record');
  assert.equal(refutation(forged({ ...parts, depth: 33, siblings: new Uint8Array(33 * 48) }), own), 'malformed');
  // The path has as many siblings as the row says, and no others.
  assert.equal(refutation(forged({ ...parts, depth: parts.depth - 1 }), own), 'malformed');
});

test('pitfall 8: an uneven number of claims is filled up with leaves of nobody, never with a copy', () => {
  const odd = [
    { compartment: 10_000, reserves: 600n, claims: [client('ada', 100n), client('bob', 200n), client('cleo', 300n)] },
  ];
  const epoch = plainEpoch(work, odd);
  assert.equal(epoch.trees[0]?.depth, 2);
  assert.equal(epoch.trees[0]?.liabilities, 600n);
});

test('pitfall 9: the index says left and right, so that one leaf has one place', () => {
  const { bytes, own } = packageAt(0, 1);
  const parts = plainParts(bytes);
  for (let index = 0; index < 2 ** parts.depth; index += 1) {
    assert.equal(refutation(forged({ ...parts, index }), own), index === parts.index ? 'holds' : 'other-record');
  }
});

test('pitfall 10: a surplus of one compartment does not hide a hole in another', () => {
  const holed = pools.map((pool) => ({ ...pool, reserves: pool.compartment === 10_000 ? 999n : pool.reserves * 2n }));
  const epoch = plainEpoch(work, holed);
  const pinned = { context: work.context, record: epoch.plain.book.record };
  assert.deepEqual(verifyPlainPublication(epoch.plain.publication, pinned), { holds: false, refutation: 'insolvent' });
  const { bytes, own } = packageAt(0, 1, epoch);
  assert.equal(refutation(bytes, own, pinned), 'insolvent');
  const apart = packageAt(1, 0, epoch);
  assert.equal(refutation(apart.bytes, apart.own, pinned), 'holds');
});

test('pitfalls 11 and 13: another root, registry, custodian, chain, asset, epoch, block or tier is another context', () => {
  const { bytes, own } = packageAt(0, 1);
  assert.equal(refutation(bytes, own, { ...pin, record: plain.book.root }), 'other-record');
  const other = parseAssetId('eip155:1/erc20:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed');
  const changes = [
    { registryChain: 2n },
    { registry: new Uint8Array(20) },
    { custodian: new Uint8Array(32) },
    { epoch: 8n },
    { asset: other },
    { asset: parseAssetId('eip155:10/slip44:60') },
    { unitExponent: 1 },
    { blockNumber: 1n },
    { blockHash: new Uint8Array(32) },
    { ledgerPosition: 1n },
    { takenAt: 1n },
    { previous: new Uint8Array(32).fill(1) },
    { tier: 'confidential' as const },
    { tier: 'confidential' as const, bits: 64 as const },
  ];
  const contexts = changes.map((change) => contextOf(headerOf(change)));
  assert.equal(new Set([pin.context, ...contexts].map(bytesToHex)).size, changes.length + 1);
  for (const context of contexts) assert.equal(refutation(bytes, own, { ...pin, context }), 'other-context');
  // The same header, with the hashes of the old context: the record of the new one is another.
  for (const change of changes.slice(0, 12)) {
    const header = headerOf(change);
    const moved = forged({ ...plainParts(bytes), header });
    assert.equal(refutation(moved, own, { ...pin, context: contextOf(header) }), 'other-record');
  }
});

test('pitfall 14 and 15: another balance than the own is said as such, so that it can be shown', () => {
  const { bytes, own } = packageAt(0, 1);
  assert.equal(refutation(bytes, { ...own, amount: own.amount + 1n }), 'other-balance');
  assert.equal(refutation(bytes, { ...own, amount: own.amount - 1n }), 'other-balance');
});

test('pitfall 16: a leaf of nobody has no balance, and one with a balance only raises what is owed', () => {
  const { trees: made } = plainEpoch(work, [
    { compartment: 10_000, reserves: 0n, claims: [client('ada', 1n), client('bob', 1n), client('eve', 1n)] },
  ]);
  assert.equal(made[0]?.liabilities, 3n);
});

test('pitfall 18: depth, compartment, kind, holder and reserves of the package are not believed', () => {
  const { bytes, own } = packageAt(0, 1);
  const parts = plainParts(bytes);
  const change = (to: Partial<PlainParts>): Refutation | 'holds' => refutation(forged({ ...parts, ...to }), own);
  assert.equal(change({ compartment: 100_000 }), 'other-compartment');
  assert.equal(change({ kind: 2 }), 'other-holder');
  assert.equal(change({ holder: new Uint8Array() }), 'other-holder');
  assert.equal(change({ reserves: 2n ** 100n }), 'other-record');
  assert.equal(change({ rows: 4 }), 'other-record');
  assert.equal(change({ balance: 0n }), 'other-record');
  assert.equal(change({ present: 0, bookSiblings: new Uint8Array() }), 'other-record');
  assert.equal(change({ present: 2 ** 31, bookSiblings: new Uint8Array(32) }), 'malformed');
});

test('a sibling that is said to be there and is the empty one is a second form of the same path, and refused', () => {
  const { bytes, own } = packageAt(0, 1);
  const parts = plainParts(bytes);
  const empty = plainParts(bytes).emptyRow(work.context);
  assert.equal(parts.present % 2, 0);
  const twice = { ...parts, present: parts.present + 1, bookSiblings: concatBytes(empty, parts.bookSiblings) };
  assert.deepEqual(recordOf(twice, work.context), pin.record);
  assert.equal(refutation(forged(twice), own), 'other-record');
});

test('a compartment of the house, one that comes twice, and none at all make no proof', () => {
  const refused = { code: 'proof/malformed' };
  const one = (compartment: number): (typeof pools)[number] => ({
    compartment,
    reserves: 1n,
    claims: [client('ada', 1n)],
  });
  assert.throws(() => plainEpoch(work, [one(1)]), refused);
  assert.throws(() => plainEpoch(work, [one(10_000), one(10_000)]), refused);
  assert.throws(() => plainEpoch(work, [one(10_001), one(10_000)]), refused);
  assert.throws(() => plainEpoch(work, []), refused);
  const { bytes, own } = packageAt(0, 1);
  const house = parseCompartment(1);
  assert.equal(
    refutation(forged({ ...plainParts(bytes), compartment: house }), { ...own, compartment: house }),
    'house-compartment',
  );
});

test('published rows that come twice, in another order, or changed, do not hold', () => {
  const head = plain.publication.length - 3 * 69 - 4;
  const row = (at: number): Uint8Array => plain.publication.slice(head + 4 + at * 69, head + 4 + (at + 1) * 69);
  const published = (rows: readonly number[], count = rows.length): Uint8Array =>
    concatBytes(plain.publication.slice(0, head), Uint8Array.of(0, 0, 0, count), ...rows.map(row));
  const said = (bytes: Uint8Array): Refutation | 'holds' => {
    const verdict = verifyPlainPublication(bytes, pin);
    return verdict.holds ? 'holds' : verdict.refutation;
  };
  assert.equal(said(published([0, 1, 2])), 'holds');
  assert.equal(said(published([0, 0, 1, 2])), 'other-count');
  assert.equal(said(published([1, 0, 2])), 'other-count');
  assert.equal(said(published([0, 1])), 'other-record');
  const house = published([0, 1, 2]);
  house.set([0, 0, 0, 1], head + 4);
  assert.equal(said(house), 'house-compartment');
  assert.equal(said(published([])), 'malformed');
  assert.equal(said(published([0, 1, 2], 2)), 'malformed');
});

test('claims that come twice, out of order, in another number, or with a strange holder are refused', () => {
  const make = (claims: readonly Claim[], count = claims.length, depth?: number): unknown =>
    plainEpoch(work, [
      { compartment: 10_000, reserves: 0n, claims: claims.slice(0, count), ...(depth === undefined ? {} : { depth }) },
    ]);
  const refused = { code: 'proof/malformed' };
  assert.throws(() => make([client('ada', 1n), client('ada', 1n)]), refused);
  assert.throws(() => make([client('bob', 1n), client('ada', 1n)]), refused);
  assert.throws(() => make([{ ...client('ada', 1n), kind: 'suspense' }, client('bob', 1n)]), refused);
  assert.throws(() => make([client('', 1n)]), refused);
  assert.throws(() => make([client('a'.repeat(65), 1n)]), refused);
  make([client('a'.repeat(64), 1n), client('b', 1n)]);
});

test('of 10,000 tampered copies of packages and rows none holds', () => {
  const deep = process.env['BULKHEAD_DEEP'] === '1' ? 100 : 1;
  const { bytes, own } = packageAt(0, 3);
  for (const copy of tamperedCopies(bytes, { copies: 10_000 * deep, seed: 1, elements: [32, 48, 16] })) {
    assert.notEqual(refutation(copy, own), 'holds', bytesToHex(copy));
  }
  for (const copy of tamperedCopies(plain.publication, { copies: 10_000 * deep, seed: 2, elements: [69, 32, 16] })) {
    assert.equal(verifyPlainPublication(copy, pin).holds, false, bytesToHex(copy));
  }
});

test('there may be as many compartments as there are clients', () => {
  const many = workOf(headerOf(), fastBlockHasher());
  const rows = Array.from({ length: 30_000 }, (_, at) => ({
    tree: { compartment: parseCompartment(100_000 + at), depth: 1, root: pin.record, liabilities: 3n },
    reserves: 3n,
  }));
  const { book, publication } = makePlainBook(many, rows);
  const verdict = verifyPlainPublication(publication, { context: many.context, record: book.record });
  assert.ok(verdict.holds && verdict.rows.length === rows.length);
});
