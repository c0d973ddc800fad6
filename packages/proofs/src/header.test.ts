import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToHex } from '@noble/hashes/utils.js';
import { headerOf } from '../test/epoch.ts';
import { contextOf, decodeHeader, encodeHeader, followsHeader, type ReserveHeader } from './index.ts';

test('a header is read back as it was written, and nothing else is a header', () => {
  const headers = [headerOf(), headerOf({ tier: 'confidential' }), headerOf({ tier: 'confidential', bits: 64 })];
  for (const header of headers) {
    const bytes = encodeHeader(header);
    assert.deepEqual(decodeHeader(bytes), header);
    for (let at = 0; at < bytes.length; at += 1) {
      assert.equal(decodeHeader(bytes.slice(0, at)), undefined);
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x80;
      const read = decodeHeader(changed);
      if (read !== undefined) assert.deepEqual(encodeHeader(read), changed);
    }
    assert.equal(decodeHeader(Uint8Array.of(...bytes, 0)), undefined);
    // Domain, version, tier and bits have no second form.
    for (const at of [0, 16, 17, 18, 19, 20]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x04;
      assert.equal(decodeHeader(changed), undefined, `${at}`);
    }
  }
});

test('fields that are too long, too large or of another tier are refused', () => {
  const refused = { code: 'proof/malformed' };
  const wrong: readonly Partial<ReserveHeader>[] = [
    { bits: 64 },
    { registry: new Uint8Array(19) },
    { custodian: new Uint8Array(33) },
    { blockHash: new Uint8Array(31) },
    { previous: new Uint8Array(0) },
    { unitExponent: 37 },
    { unitExponent: -1 },
    { unitExponent: 0.5 },
    { epoch: 2n ** 64n },
    { registryChain: -1n },
  ];
  for (const change of wrong) {
    assert.throws(() => encodeHeader(headerOf(change)), refused, bytesToHex(contextOf(headerOf())));
  }
});

test('epochs are a chain: later, of the same asset and custodian, with the context of the one before', () => {
  const first = headerOf();
  const next = headerOf({ epoch: 8n, takenAt: first.takenAt + 3_600n, previous: contextOf(first) });
  assert.equal(followsHeader(next, first), true);
  const wrong: readonly Partial<ReserveHeader>[] = [
    { epoch: 7n },
    { previous: new Uint8Array(32) },
    { tier: 'confidential' },
    { registryChain: 2n },
    { registry: new Uint8Array(20) },
    { custodian: new Uint8Array(32) },
    { takenAt: first.takenAt },
    { blockNumber: first.blockNumber - 1n },
  ];
  for (const change of wrong) assert.equal(followsHeader({ ...next, ...change }, first), false);
  const moved = { ...first, asset: headerOf().asset, epoch: 6n };
  assert.equal(followsHeader({ ...next, previous: contextOf(moved) }, first), false);
});
