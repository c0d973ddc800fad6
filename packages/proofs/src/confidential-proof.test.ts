import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCompartment } from '@bulkhead/domain';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import {
  confidentialEpoch,
  type ConfidentialEpoch,
  confidentialWork,
  group,
  publish,
} from '../test/confidential-epoch.ts';
import { client, pools } from '../test/epoch.ts';
import { makeBookTree } from './book-tree.ts';
import {
  confidentialLeaves,
  confidentialPackage,
  confidentialSummary,
  leafTasks,
  makeCommitmentTree,
  type OwnClaim,
  type Pin,
  portableGroup,
  type ProofTask,
  proveTask,
  type Refutation,
  solvencyTasks,
  type SummaryFinding,
  verifyConfidentialLeaves,
  verifyConfidentialPackage,
  verifyConfidentialSummary,
  verifyCoverage,
  verifyTotal,
} from './index.ts';
import { verifyRanges } from './range-verifier.ts';
import { groupSizes, transcriptOf } from './proof-task.ts';
import { rowHash } from './reserve-hash.ts';
import { groupOrder, littleEndian, littleEndianOf, reduced } from './scalar.ts';
import { unsignedBytes } from './fixed-width.ts';

const epoch = confidentialEpoch(confidentialWork());
const published = publish(epoch);
const pinOf = ({ work, book }: ConfidentialEpoch): Pin => ({ context: work.context, record: book.book.record });
const pin = pinOf(epoch);

function packageAt(pool: number, at: number, of = epoch): { bytes: Uint8Array; own: OwnClaim } {
  const tree = of.trees[pool];
  const claim = pools[pool]?.claims[at];
  assert.ok(tree !== undefined && claim !== undefined);
  const bytes = confidentialPackage(of.work, of.book, { tree, claim, at });
  return { bytes, own: { ...claim, compartment: tree.compartment } };
}

function refutation(bytes: Uint8Array, own: OwnClaim, pinned = pin): Refutation | 'holds' {
  const verdict = verifyConfidentialPackage(group, bytes, { pin: pinned, own });
  return verdict.holds ? 'holds' : verdict.refutation;
}

function summaryOf(bytes: Uint8Array, pinned = pin): SummaryFinding {
  const verdict = verifyConfidentialSummary(group, bytes, pinned);
  assert.ok(verdict.holds);
  return verdict;
}

const ofSummary = (bytes: Uint8Array, pinned = pin): Refutation | 'holds' => {
  const verdict = verifyConfidentialSummary(group, bytes, pinned);
  return verdict.holds ? 'holds' : verdict.refutation;
};

const ofLeaves = (bytes: Uint8Array, summary = summaryOf(published.summary)): Refutation | 'holds' => {
  const verdict = verifyConfidentialLeaves(group, bytes, summary);
  return verdict.holds ? 'holds' : verdict.refutation;
};

/** The place of a claim's fields in a package: after header, row, path in the book and index. */
const headerBytes = published.summary.length - (4 + 3 * 85) - provenBytes(epoch);

function provenBytes({ work, book }: ConfidentialEpoch): number {
  return Array.from(solvencyTasks(work, book), (task) => proveTask(group, task).length).reduce((a, b) => a + b, 0);
}

test('every claim is in a package that holds, summary and leaves hold, with the machine and without', () => {
  pools.forEach(({ claims, reserves }, pool) => {
    claims.forEach((_, at) => {
      const { bytes, own } = packageAt(pool, at);
      const verdict = verifyConfidentialPackage(group, bytes, { pin, own });
      assert.ok(verdict.holds);
      assert.equal(verdict.reserves, reserves);
      assert.deepEqual(verdict.total, epoch.trees[pool]?.total);
      assert.ok(verifyConfidentialPackage(portableGroup(), bytes, { pin, own }).holds);
    });
  });
  assert.equal(ofLeaves(published.leaves), 'holds');
});

test('two runs give the same bytes, with the machine and without; another epoch has other tags, blindings and places', () => {
  const again = publish(confidentialEpoch(confidentialWork()));
  assert.deepEqual(again, published);
  const portable = confidentialEpoch(confidentialWork({}, portableGroup()));
  assert.deepEqual(portable.book.book.record, epoch.book.book.record);
  const next = confidentialEpoch(confidentialWork({ epoch: 8n, previous: pin.context }));
  const words = (of: ConfidentialEpoch): readonly string[] =>
    of.trees.flatMap(({ leaves }) => bytesToHex(leaves).match(/.{64}/gu) ?? []);
  const all = [...words(epoch), ...words(next)];
  assert.equal(new Set(all).size, all.length);
  const blindings = [epoch, next].flatMap(({ trees }) => trees.map(({ opening }) => opening.blinding));
  assert.equal(new Set(blindings).size, 6);
});

test('another balance under the same context has another blinding, so that two commitments show no difference', () => {
  const one = (amount: bigint): { readonly blinding: bigint } =>
    makeCommitmentTree(epoch.work, {
      compartment: parseCompartment(100_000),
      claims: [client('ada', amount)],
      count: 1,
    }).opening;
  assert.equal(one(5n).blinding, one(5n).blinding);
  assert.notEqual(one(5n).blinding, one(6n).blinding);
});

test('an auditor who is shown the opening of a total can check it, and no other opening is one', () => {
  const { rows } = summaryOf(published.summary);
  rows.forEach((row, at) => {
    const opening = epoch.trees[at]?.opening;
    assert.ok(opening !== undefined);
    assert.equal(
      opening.units,
      pools[at]?.claims.reduce((sum, { amount }) => sum + amount, 0n),
    );
    assert.equal(verifyTotal(group, row, opening), true);
    assert.equal(verifyTotal(group, row, { ...opening, units: opening.units - 1n }), false);
    assert.equal(verifyTotal(group, row, { ...opening, units: opening.units + groupOrder }), false);
    assert.equal(verifyTotal(group, row, { ...opening, units: opening.units - groupOrder }), false);
  });
});

test('pitfall 2: a leaf is of one holder, kind and compartment', () => {
  const { bytes, own } = packageAt(0, 0);
  assert.equal(refutation(bytes, { ...own, holder: packageAt(0, 1).own.holder }), 'other-holder');
  assert.equal(refutation(bytes, { ...own, kind: 'suspense' }), 'other-holder');
  assert.equal(refutation(bytes, { ...own, amount: own.amount + 1n }), 'other-balance');
  assert.equal(refutation(bytes, { ...own, compartment: parseCompartment(100_000) }), 'other-compartment');
});

test('pitfall 5: a leaf of nobody that commits to a negative balance has no proof, whatever its total', () => {
  // The operator owes 100 to Ada and hides it: a leaf of nobody commits to -100, so that the total commits to 0.
  const work = confidentialWork({ bits: 64 });
  const honest = confidentialEpoch(work, [
    { compartment: 100_000, reserves: 0n, claims: [client('ada', 100n), client('bob', 0n), client('cy', 0n)] },
  ]);
  const [tree] = honest.trees;
  assert.ok(tree !== undefined);
  const [task] = leafTasks(work, honest.book);
  assert.ok(task !== undefined && task.values.length === 4);
  const nobody = [0, 1, 2, 3].find((index) => ![0, 1, 2].some((at) => tree.path(at).index === index)) ?? -1;
  const negative = group.commit(groupOrder - 100n, task.blindings[nobody] ?? 0n);
  const commitments = task.commitments.map((each, at) => (at === nobody ? negative : each));
  assert.throws(
    () =>
      proveTask(group, { ...task, commitments, values: task.values.map((each, at) => (at === nobody ? -100n : each)) }),
    {
      code: 'proof/malformed',
    },
  );
  // The sum is what the operator wants, and the proof that it can make does not hold.
  const total = group.sum(commitments);
  assert.deepEqual(total, group.commit(0n, tree.opening.blinding));
  const forged = { ...task, commitments };
  for (const values of [task.values, task.values.map((each, at) => (at === nobody ? 2n ** 64n - 100n : each))]) {
    const proof = proveTask(group, { ...forged, values });
    const claim = { bits: 64 as const, commitments, transcript: transcriptOf(forged), proof };
    assert.equal(verifyRanges(group, [claim]), 'range-unproven');
  }
});

test('pitfalls 5 and 6: claims that are negative or wider than the header says are refused', () => {
  const make = (amount: bigint, bits: 64 | 128): unknown =>
    confidentialEpoch(confidentialWork({ bits }), [
      { compartment: 100_000, reserves: 0n, claims: [client('ada', amount)] },
    ]);
  const refused = { code: 'proof/malformed' };
  assert.throws(() => make(-1n, 64), refused);
  assert.throws(() => make(2n ** 64n, 64), refused);
  assert.throws(() => make(2n ** 128n, 128), refused);
  make(2n ** 64n - 1n, 64);
});

test('pitfall 10: a compartment that owes more than it holds has no proof, whatever the others hold', () => {
  const holed = pools.map((pool) => ({ ...pool, reserves: pool.compartment === 10_000 ? 999n : pool.reserves * 2n }));
  const broke = confidentialEpoch(epoch.work, holed);
  assert.throws(() => [...solvencyTasks(broke.work, broke.book)], {
    code: 'proof/malformed',
    message: /10000.* 1 units/u,
  });
  // Proofs of the compartments as they should be do not serve for what they hold.
  const forged = confidentialSummary(
    broke.work,
    broke.book,
    Array.from(solvencyTasks(epoch.work, epoch.book), (task) => proveTask(group, task)),
  );
  assert.equal(ofSummary(forged, pinOf(broke)), 'insolvent');
  // Nor does a proof whose bits are those of the hole, wrapped.
  const tasks = [...solvencyTasks(epoch.work, epoch.book)];
  const rows = broke.book.rows;
  const wrapped = tasks.map((task, at): ProofTask => ({
    ...task,
    hashes: rows.slice(at * 2, at * 2 + task.hashes.length).map(({ hash }) => hash),
    commitments:
      at === 0
        ? [
            group.combine({
              value: -1n,
              blinding: task.blindings[0] ?? 0n,
              left: [],
              right: [],
              bits: 1,
              points: [],
              scalars: [],
            }) ?? task.context,
            ...task.commitments.slice(1),
          ]
        : task.commitments,
    values: at === 0 ? [2n ** 128n - 1n, ...task.values.slice(1)] : task.values,
  }));
  const proofs = wrapped.map((task) => proveTask(group, task));
  assert.equal(ofSummary(confidentialSummary(broke.work, broke.book, proofs), pinOf(broke)), 'insolvent');
});

test('pitfalls 11 and 13: header, record and proofs of another epoch, asset, tier or width do not serve', () => {
  for (const change of [
    { epoch: 8n },
    { bits: 128 as const, epoch: 9n },
    { custodian: new Uint8Array(32) },
    { blockNumber: 5n },
  ]) {
    const narrow = pools.slice(0, 2);
    const [mine, other] = [
      confidentialEpoch(confidentialWork({ bits: 64 }), narrow),
      confidentialEpoch(confidentialWork({ bits: 64, ...change }), narrow),
    ];
    const [a, b] = [publish(mine), publish(other)];
    assert.equal(ofSummary(b.summary, pinOf(mine)), 'other-context');
    assert.equal(ofSummary(b.summary, pinOf(other)), 'holds');
    assert.equal(ofSummary(a.summary, { ...pinOf(mine), record: other.book.book.record }), 'other-record');
    // The rows of one epoch with the proofs of the other.
    if (change.bits === undefined) {
      const length = a.summary.length - provenBytes(mine);
      assert.equal(
        ofSummary(concatBytes(a.summary.slice(0, length), b.summary.slice(length)), pinOf(mine)),
        'insolvent',
      );
    }
    const { bytes, own } = packageAt(0, 1);
    assert.equal(refutation(bytes, own, { ...pin, context: other.work.context }), 'other-context');
  }
});

test('pitfall 18: a summary or leaves without proofs, with fewer, or with more, do not hold', () => {
  const summary = published.summary;
  const proofs = provenBytes(epoch);
  assert.equal(ofSummary(summary.slice(0, summary.length - proofs)), 'malformed');
  assert.equal(ofSummary(summary.slice(0, -32)), 'malformed');
  assert.equal(ofSummary(concatBytes(summary, new Uint8Array(32))), 'malformed');
  assert.equal(ofSummary(concatBytes(summary.slice(0, headerBytes), new Uint8Array(4))), 'malformed');
  const count = epoch.trees.reduce((sum, { depth }) => sum + 2 ** depth, 0);
  assert.equal(count, 11);
  assert.equal(ofLeaves(published.leaves.slice(0, count * 64)), 'other-count');
  assert.equal(ofLeaves(new Uint8Array()), 'other-count');
  assert.equal(ofLeaves(published.leaves.slice(32)), 'other-count');
  const found = summaryOf(summary);
  assert.equal(
    verifyCoverage(group, new Uint8Array(), { ...found, ratio: { reserves: 1, liabilities: 1 } }),
    'other-count',
  );
  assert.equal(
    verifyCoverage(group, new Uint8Array(), { ...found, rows: [], ratio: { reserves: 1, liabilities: 1 } }),
    'other-count',
  );
});

test('groups of proofs in another order, and a proof of one group for another, do not hold', () => {
  const many = [
    {
      compartment: 10_000,
      reserves: 10n ** 6n,
      claims: Array.from({ length: 32 }, (_, at) => client(String(at).padStart(2, '0'), BigInt(at))),
    },
  ];
  const two = confidentialEpoch(confidentialWork({ bits: 64 }), many);
  const { summary, leaves } = publish(two);
  const found = summaryOf(summary, pinOf(two));
  assert.equal(ofLeaves(leaves, found), 'holds');
  const at = 32 * 64;
  const [first, second] = [leaves.slice(at, at + 928), leaves.slice(at + 928)];
  assert.equal(second.length, 928);
  const body = leaves.slice(0, at);
  assert.equal(ofLeaves(concatBytes(body, second, first), found), 'range-unproven');
  assert.equal(ofLeaves(concatBytes(body, first, first), found), 'range-unproven');
  // Leaves that are exchanged or repeated are no leaves of the tree.
  const swapped = leaves.slice();
  swapped.set(leaves.slice(64, 128), 0);
  swapped.set(leaves.slice(0, 64), 64);
  assert.equal(ofLeaves(swapped, found), 'other-record');
  const repeated = leaves.slice();
  repeated.set(leaves.slice(0, 64), 64);
  assert.equal(ofLeaves(repeated, found), 'other-record');
});

test('a proof is bound to context, group, hashes and subject: each changed, it does not hold', () => {
  const [task] = leafTasks(epoch.work, epoch.book);
  assert.ok(task !== undefined);
  const proof = proveTask(group, task);
  const said = (change: Partial<ProofTask>): Refutation | undefined => {
    const about = { ...task, ...change };
    return verifyRanges(group, [
      { bits: task.bits, commitments: task.commitments, transcript: transcriptOf(about), proof },
    ]);
  };
  assert.equal(said({}), undefined);
  assert.equal(said({ context: new Uint8Array(32) }), 'range-unproven');
  assert.equal(said({ index: 1 }), 'range-unproven');
  assert.equal(said({ hashes: task.hashes.toReversed() }), 'range-unproven');
  assert.equal(said({ hashes: task.hashes.slice(1) }), 'range-unproven');
  assert.equal(said({ subject: { kind: 'solvency', ratio: { reserves: 1, liabilities: 1 } } }), 'range-unproven');
  for (const ratio of [
    { reserves: 1, liabilities: 2 },
    { reserves: 2, liabilities: 1 },
  ]) {
    const solvent: ProofTask = { ...task, subject: { kind: 'solvency' as const, ratio } };
    const other: ProofTask = {
      ...solvent,
      subject: { kind: 'solvency' as const, ratio: { reserves: 1, liabilities: 1 } },
    };
    const proof: Uint8Array = proveTask(group, solvent);
    const shown = (as: ProofTask): Refutation | undefined =>
      verifyRanges(group, [{ bits: task.bits, commitments: task.commitments, transcript: transcriptOf(as), proof }]);
    assert.equal(shown(solvent), undefined);
    assert.equal(shown(other), 'range-unproven');
  }
});

test('a total that is not the sum of its leaves is found, though the record is made of it', () => {
  // The operator publishes a total that is 50 units short, with a record and proofs of solvency to match.
  const [first, ...others] = epoch.trees;
  assert.ok(first !== undefined);
  const opening = { units: first.opening.units - 50n, blinding: first.opening.blinding };
  const short = { ...first, opening, total: group.commit(opening.units, opening.blinding) };
  const rows = [short, ...others].map((tree, at) => {
    const reserves = pools[at]?.reserves ?? 0n;
    const { compartment, depth, root, total } = tree;
    const fields = { compartment, depth, root, liabilities: total, reserves: unsignedBytes(reserves, 16) };
    return { tree, fields, hash: rowHash(epoch.work, fields).slice(), reserves };
  });
  const compartments = rows.map(({ tree }) => tree.compartment);
  const book = {
    rows,
    book: makeBookTree(epoch.work, { compartments, hashes: concatBytes(...rows.map(({ hash }) => hash)) }),
  };
  const lie = { work: epoch.work, trees: [short, ...others], book };
  const { summary, leaves } = publish(lie);
  const found = summaryOf(summary, pinOf(lie));
  assert.equal(ofLeaves(leaves, found), 'other-commitment');
});

test('an identity as total, a blinding in a second form, and a balance that is too wide are refused', () => {
  const { bytes, own } = packageAt(0, 0);
  const end = bytes.length - 3 * 32;
  const put = (at: number, field: Uint8Array): Refutation | 'holds' => {
    const changed = bytes.slice();
    changed.set(field, at);
    return refutation(changed, own);
  };
  const blinding = bytes.slice(end - 64, end - 32);
  assert.equal(put(end - 64, blinding), 'holds');
  assert.equal(put(end - 32, new Uint8Array(32)), 'not-canonical');
  const second = littleEndianOf(blinding) + groupOrder;
  assert.equal(put(end - 64, littleEndian(second)), 'not-canonical');
  // The same commitment, opened to another balance with the same blinding, or to the balance and the order.
  assert.equal(put(end - 80, unsignedBytes(own.amount + 1n, 16)), 'other-record');
  assert.equal(put(end - 64, littleEndian(reduced(littleEndianOf(blinding) + 1n))), 'other-record');
  // Of 64 bits: a leaf whose balance has more can be opened, and is refused.
  const narrow = confidentialWork({ bits: 64 });
  const wide = { ...narrow, header: { ...narrow.header, bits: 128 as const } };
  const tree = makeCommitmentTree(wide, { compartment: own.compartment, claims: [client('ada', 2n ** 64n)], count: 1 });
  const fields = {
    compartment: own.compartment,
    depth: 0,
    root: tree.root,
    liabilities: tree.total,
    reserves: unsignedBytes(2n ** 65n, 16),
  };
  const hash = rowHash(narrow, fields).slice();
  const book = {
    book: makeBookTree(narrow, { compartments: [own.compartment], hashes: hash }),
    rows: [{ tree, fields, hash, reserves: 2n ** 65n }],
  };
  const claim = client('ada', 2n ** 64n);
  const shown = confidentialPackage(narrow, book, { tree, claim, at: 0 });
  const known = {
    pin: { context: narrow.context, record: book.book.record },
    own: { ...claim, compartment: own.compartment },
  };
  assert.deepEqual(verifyConfidentialPackage(group, shown, known), { holds: false, refutation: 'out-of-range' });
});

test('a summary shows each compartment once, none of the house, in order', () => {
  const at = headerBytes + 4;
  const row = (index: number): Uint8Array => published.summary.slice(at + 85 * index, at + 85 * (index + 1));
  const proofs = published.summary.slice(at + 3 * 85);
  const rebuilt = (rows: readonly Uint8Array[]): Uint8Array =>
    concatBytes(published.summary.slice(0, at), ...rows, proofs);
  assert.equal(ofSummary(rebuilt([row(0), row(1), row(2)])), 'holds');
  assert.equal(ofSummary(rebuilt([row(1), row(0), row(2)])), 'other-count');
  assert.equal(ofSummary(rebuilt([row(0), row(1), row(1)])), 'other-count');
  const house = row(0);
  house.set([0, 0, 0, 1]);
  assert.equal(ofSummary(rebuilt([house, row(1), row(2)])), 'house-compartment');
  const zero = row(0);
  zero.fill(0, 37, 69);
  assert.equal(ofSummary(rebuilt([zero, row(1), row(2)])), 'other-record');
  assert.throws(() => confidentialEpoch(epoch.work, [{ compartment: 2, reserves: 1n, claims: [client('ada', 1n)] }]), {
    code: 'proof/malformed',
  });
});

test('a row whose total is the identity is refused, though the record is made of it', () => {
  const fields = {
    compartment: 10_000,
    depth: 0,
    root: new Uint8Array(32),
    liabilities: new Uint8Array(32),
    reserves: unsignedBytes(5n, 16),
  };
  const book = makeBookTree(epoch.work, { compartments: [10_000], hashes: rowHash(epoch.work, fields).slice() });
  // Nothing is owed, with a blinding of zero: what is left is a commitment like others, and its proof holds.
  const proofs = proveTask(group, {
    subject: { kind: 'solvency', ratio: { reserves: 1, liabilities: 1 } },
    context: pin.context,
    index: 0,
    bits: 128,
    hashes: [rowHash(epoch.work, fields).slice()],
    commitments: [group.commit(5n, 0n)],
    values: [5n],
    blindings: [0n],
    nonceKey: new Uint8Array(32),
  });
  const bytes = concatBytes(
    published.summary.slice(0, headerBytes),
    Uint8Array.of(0, 0, 0, 1, 0, 0, 0x27, 0x10, 0),
    fields.root,
    fields.liabilities,
    fields.reserves,
    proofs,
  );
  assert.equal(ofSummary(bytes, { ...pin, record: book.record }), 'not-canonical');
});

test('coverage by a ratio holds for that ratio, where it is true, and for no other', () => {
  const rich = confidentialEpoch(confidentialWork(), [
    { compartment: 10_000, reserves: 1_020n, claims: [client('ada', 1_000n)] },
    { compartment: 10_001, reserves: 2_040n, claims: [client('bob', 2_000n)] },
  ]);
  const found = summaryOf(publish(rich).summary, pinOf(rich));
  const ratio = { reserves: 100, liabilities: 102 };
  const proofs = concatBytes(
    ...Array.from(solvencyTasks(rich.work, rich.book, ratio), (task) => proveTask(group, task)),
  );
  assert.equal(verifyCoverage(group, proofs, { ...found, ratio }), undefined);
  for (const other of [
    { reserves: 1, liabilities: 1 },
    { reserves: 100, liabilities: 101 },
    { reserves: 50, liabilities: 51 },
  ]) {
    assert.equal(verifyCoverage(group, proofs, { ...found, ratio: other }), 'insolvent');
  }
  const more = { reserves: 100, liabilities: 103 };
  assert.throws(() => [...solvencyTasks(rich.work, rich.book, more)], { code: 'proof/malformed' });
});

test('groups are of sixteen and what is left in falling powers of two, never filled with nothing', () => {
  assert.deepEqual(groupSizes(1), [1]);
  assert.deepEqual(groupSizes(13), [8, 4, 1]);
  assert.deepEqual(groupSizes(16), [16]);
  assert.deepEqual(groupSizes(39), [16, 16, 4, 2, 1]);
  for (let count = 0; count < 100; count += 1) {
    assert.equal(
      groupSizes(count).reduce((sum, size) => sum + size, 0),
      count,
    );
  }
});

test('leaves and their proofs are made again byte for byte by whoever has the task alone', () => {
  const tasks = [...leafTasks(epoch.work, epoch.book)];
  const proofs = tasks.map((task) =>
    proveTask(task.values.length === 1 ? portableGroup() : group, structuredClone(task)),
  );
  assert.deepEqual(confidentialLeaves(epoch.book, proofs), published.leaves);
});
