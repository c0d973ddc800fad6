import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import { confidentialEpoch, confidentialWork, group, publish } from '../test/confidential-epoch.ts';
import { pools } from '../test/epoch.ts';
import { tamperedCopies } from '../test/tamper.ts';
import {
  confidentialPackage,
  verifyConfidentialLeaves,
  verifyConfidentialPackage,
  verifyConfidentialSummary,
} from './index.ts';
import { groupSizes, proofsBytes } from './proof-task.ts';
import { rangeProofBytes } from './range-proof.ts';

const deep = process.env['BULKHEAD_DEEP'] === '1' ? 100 : 1;
const epoch = confidentialEpoch(confidentialWork());
const published = publish(epoch);
const pin = { context: epoch.work.context, record: epoch.book.book.record };

test('of 10,000 tampered copies of a package none holds', () => {
  const [tree, claim] = [epoch.trees[0], pools[0]?.claims[3]];
  assert.ok(tree !== undefined && claim !== undefined);
  const bytes = confidentialPackage(epoch.work, epoch.book, { tree, claim, at: 3 });
  const known = { pin, own: { ...claim, compartment: tree.compartment } };
  assert.ok(verifyConfidentialPackage(group, bytes, known).holds);
  for (const copy of tamperedCopies(bytes, { copies: 10_000 * deep, seed: 3, elements: [32, 64, 16] })) {
    assert.equal(verifyConfidentialPackage(group, copy, known).holds, false, bytesToHex(copy));
  }
});

test('of 200 tampered copies of a summary and of leaves none holds', () => {
  for (const copy of tamperedCopies(published.summary, { copies: 200 * deep, seed: 4, elements: [85, 32, 16] })) {
    assert.equal(verifyConfidentialSummary(group, copy, pin).holds, false, bytesToHex(copy));
  }
  const { summary, leaves } = published;
  const found = verifyConfidentialSummary(group, summary, pin);
  assert.ok(found.holds && verifyConfidentialLeaves(group, leaves, found).holds);
  for (const copy of tamperedCopies(leaves, { copies: 200 * deep, seed: 5, elements: [64, 32] })) {
    assert.equal(verifyConfidentialLeaves(group, copy, found).holds, false, bytesToHex(copy));
  }
  // And of the proofs alone, whose leaves are as they should be.
  for (const copy of tamperedCopies(leaves.slice(11 * 64), { copies: 200 * deep, seed: 6, elements: [32] })) {
    const body = concatBytes(leaves.slice(0, 11 * 64), copy);
    assert.equal(verifyConfidentialLeaves(group, body, found).holds, false, bytesToHex(copy));
  }
});

test('numbers that are said and not true cost nothing: no memory is taken for four billion rows, leaves or proofs', () => {
  const { summary, leaves } = published;
  const found = verifyConfidentialSummary(group, summary, pin);
  assert.ok(found.holds);
  const countAt = summary.findIndex((_, at) => summary.slice(at, at + 8).join() === '0,0,0,3,0,0,39,16');
  const many = summary.slice();
  many.fill(0xff, countAt, countAt + 4);
  assert.deepEqual(verifyConfidentialSummary(group, many, pin), { holds: false, refutation: 'malformed' });
  const deepRows = found.rows.map((row) => ({ ...row, depth: 32 }));
  const said = verifyConfidentialLeaves(group, leaves, { ...found, rows: deepRows });
  assert.deepEqual(said, { holds: false, refutation: 'other-count' });
  for (const count of [0, 1, 15, 16, 17, 39]) {
    assert.equal(
      proofsBytes(64, count),
      groupSizes(count).reduce((sum, size) => sum + rangeProofBytes(64, size), 0),
    );
  }
});
