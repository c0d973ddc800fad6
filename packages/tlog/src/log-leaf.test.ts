import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { commitmentOf, encodeLeaf, factKinds, type FactKind, leafHash, opens, parseLeaf } from './index.ts';

type Vectors = {
  readonly leaf: {
    readonly kind: FactKind;
    readonly id: string;
    readonly timeMs: number;
    readonly salt: string;
    readonly content: string;
    readonly commitment: string;
    readonly bytes: string;
    readonly leafHash: string;
  };
  readonly refused: Readonly<Record<string, string>>;
};

const spec = new URL('../../../spec/', import.meta.url);
const vectors = JSON.parse(readFileSync(new URL('vectors/log-leaf.json', spec), 'utf8')) as Vectors;

test('a leaf, its commitment and its hash are those of the vector', () => {
  const { kind, id, timeMs, salt, content, ...wanted } = vectors.leaf;
  const opening = { salt: hexToBytes(salt), content };
  const commitment = commitmentOf(opening);
  assert.equal(bytesToHex(commitment), wanted.commitment);
  const bytes = encodeLeaf({ kind, id, timeMs, commitment });
  assert.equal(bytesToHex(bytes), wanted.bytes);
  assert.equal(bytesToHex(leafHash(bytes)), wanted.leafHash);
  assert.deepEqual(parseLeaf(bytes), { kind, id, timeMs, commitment });
  assert.ok(opens(parseLeaf(bytes), opening));
  assert.ok(!opens(parseLeaf(bytes), { ...opening, content: `${content} ` }));
});

test('bytes that are no leaf are refused', () => {
  for (const [why, bytes] of Object.entries(vectors.refused)) {
    assert.throws(() => parseLeaf(hexToBytes(bytes)), { code: 'log/malformed' }, why);
  }
});

test('salt, content, id and time that no leaf may have are refused', () => {
  const opening = { salt: new Uint8Array(32), content: '{}' };
  for (const bad of [
    { ...opening, salt: new Uint8Array(31) },
    { ...opening, content: '"\ud800"' },
    { ...opening, content: 'x'.repeat(1_048_577) },
  ]) {
    assert.throws(() => commitmentOf(bad), { code: 'log/malformed' });
  }
  const leaf = { kind: 'transfer', id: 'a', timeMs: 0, commitment: commitmentOf(opening) } as const;
  encodeLeaf(leaf);
  for (const bad of [
    { ...leaf, id: '' },
    { ...leaf, id: 'ä' },
    { ...leaf, id: 'a'.repeat(129) },
    { ...leaf, timeMs: -1 },
    { ...leaf, timeMs: 0.5 },
    { ...leaf, commitment: new Uint8Array(31) },
  ]) {
    assert.throws(() => encodeLeaf(bad), { code: 'log/malformed' });
  }
});

test('the specification explains every kind and no other', () => {
  const text = readFileSync(new URL('log.md', spec), 'utf8');
  const rows = text.slice(text.indexOf('| kind |'), text.indexOf('The kind is coarse'));
  const named = rows.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/gu)]);
  assert.equal(named.length, factKinds.length);
  assert.deepEqual(new Set(named.map(([, kind]) => kind)), new Set(factKinds));
});

test('the kinds are those of the table in spec/log.md', () => {
  const text = readFileSync(new URL('log.md', spec), 'utf8');
  const table = text.slice(text.indexOf('| kind | a fact'), text.indexOf('The kind is coarse'));
  const kinds = table
    .split('\n')
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/gu)].map(([, kind]) => kind));
  assert.deepEqual(kinds, [...factKinds]);
});
