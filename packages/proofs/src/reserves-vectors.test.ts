import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { confidentialEpoch, confidentialWork, group, publish } from '../test/confidential-epoch.ts';
import { plainEpoch, pools } from '../test/epoch.ts';
import { plainParts, recordOf } from '../test/plain-forger.ts';
import {
  confidentialPackage,
  contextOf,
  decodeHeader,
  encodeHeader,
  plainPackage,
  verifyConfidentialLeaves,
  verifyConfidentialPackage,
  verifyConfidentialSummary,
  verifyPlainPackage,
  verifyPlainPublication,
} from './index.ts';

type PlainVectors = {
  readonly header: string;
  readonly context: string;
  readonly record: string;
  readonly publication: string;
  readonly packages: readonly { readonly compartment: number; readonly claim: number; readonly bytes: string }[];
};

type ConfidentialVectors = {
  readonly header: string;
  readonly context: string;
  readonly record: string;
  readonly summary: string;
  readonly leaves: string;
  readonly packages: PlainVectors['packages'];
};

const vectors: { readonly plain: PlainVectors; readonly confidential: ConfidentialVectors } = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/reserves.json', import.meta.url), 'utf8'),
);

test('the epoch of the vectors comes out byte for byte', () => {
  const { header, context, record, publication, packages } = vectors.plain;
  const { work, trees, plain } = plainEpoch();
  const read = decodeHeader(hexToBytes(header));
  assert.ok(read !== undefined);
  assert.equal(bytesToHex(contextOf(read)), context);
  assert.equal(bytesToHex(plain.book.record), record);
  assert.equal(bytesToHex(plain.publication), publication);
  assert.ok(packages.length >= 3);
  for (const { compartment, claim: at, bytes } of packages) {
    const tree = trees.find((each) => each.compartment === compartment);
    const claim = pools.find((pool) => pool.compartment === compartment)?.claims[at];
    assert.ok(tree !== undefined && claim !== undefined);
    assert.equal(bytesToHex(plainPackage(work, plain, { tree, claim, at })), bytes);
    const pin = { context: hexToBytes(context), record: hexToBytes(record) };
    assert.ok(verifyPlainPackage(hexToBytes(bytes), { pin, own: { ...claim, compartment: tree.compartment } }).holds);
    assert.equal(bytesToHex(recordOf(plainParts(hexToBytes(bytes)), pin.context)), record);
  }
  const pin = { context: hexToBytes(context), record: hexToBytes(record) };
  assert.ok(verifyPlainPublication(hexToBytes(publication), pin).holds);
});

test('the confidential epoch of the vectors comes out byte for byte, and is checked from the bytes alone', () => {
  const { header, context, record, summary, leaves, packages } = vectors.confidential;
  const epoch = confidentialEpoch(confidentialWork());
  const made = publish(epoch);
  assert.equal(bytesToHex(encodeHeader(epoch.work.header)), header);
  assert.equal(bytesToHex(epoch.book.book.record), record);
  assert.equal(bytesToHex(made.summary), summary);
  assert.equal(bytesToHex(made.leaves), leaves);
  const pin = { context: hexToBytes(context), record: hexToBytes(record) };
  const shown = verifyConfidentialSummary(group, hexToBytes(summary), pin);
  assert.ok(shown.holds);
  assert.ok(verifyConfidentialLeaves(group, hexToBytes(leaves), shown).holds);
  assert.ok(packages.length >= 2);
  for (const { compartment, claim: at, bytes } of packages) {
    const tree = epoch.trees.find((each) => each.compartment === compartment);
    const claim = pools.find((pool) => pool.compartment === compartment)?.claims[at];
    assert.ok(tree !== undefined && claim !== undefined);
    assert.equal(bytesToHex(confidentialPackage(epoch.work, epoch.book, { tree, claim, at })), bytes);
    const own = { ...claim, compartment: tree.compartment };
    assert.ok(verifyConfidentialPackage(group, hexToBytes(bytes), { pin, own }).holds);
  }
});

test('the specification shows the context and record of the vectors', () => {
  const text = readFileSync(new URL('../../../spec/reserves.md', import.meta.url), 'utf8');
  assert.ok(text.includes(`context 0x${vectors.plain.context}\n`));
  assert.ok(text.includes(`record  0x${vectors.plain.record}\n`));
});
