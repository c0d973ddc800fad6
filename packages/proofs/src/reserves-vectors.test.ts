import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { plainEpoch, pools } from '../test/epoch.ts';
import { plainParts, recordOf } from '../test/plain-forger.ts';
import { contextOf, decodeHeader, plainPackage, verifyPlainPackage, verifyPlainPublication } from './index.ts';

type PlainVectors = {
  readonly header: string;
  readonly context: string;
  readonly record: string;
  readonly publication: string;
  readonly packages: readonly { readonly compartment: number; readonly claim: number; readonly bytes: string }[];
};

const vectors: { readonly plain: PlainVectors } = JSON.parse(
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

test('the specification shows the context and record of the vectors', () => {
  const text = readFileSync(new URL('../../../spec/reserves.md', import.meta.url), 'utf8');
  assert.ok(text.includes(`context 0x${vectors.plain.context}\n`));
  assert.ok(text.includes(`record  0x${vectors.plain.record}\n`));
});
