import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { verifyEd25519 } from './testing/signing.ts';
import {
  base64,
  checkpointText,
  emptyFrontier,
  emptyRoot,
  extend,
  formatSignedNote,
  formatVerifierKey,
  leafHash,
  parseBase64,
  parseCheckpointText,
  parseSignedNote,
  parseTilePath,
  parseVerifierKey,
  rootOf,
  type Tile,
  tilePath,
  tilesBetween,
  verifyConsistency,
  verifyInclusion,
  verifySignedNote,
} from './index.ts';

type Vectors = {
  readonly tree: { readonly leaves: readonly string[]; readonly roots: readonly string[] };
  readonly proofs: {
    readonly inclusion: readonly {
      readonly name: string;
      readonly leafIdx: number;
      readonly treeSize: number;
      readonly root: string | null;
      readonly leafHash: string | null;
      readonly proof: readonly string[] | null;
      readonly wantErr: boolean;
    }[];
    readonly consistency: readonly {
      readonly name: string;
      readonly size1: number;
      readonly size2: number;
      readonly root1: string | null;
      readonly root2: string | null;
      readonly proof: readonly string[] | null;
      readonly wantErr: boolean;
    }[];
  };
  readonly notes: readonly {
    readonly note: string;
    readonly keys: readonly string[];
    readonly signers: readonly string[];
  }[];
  readonly refusedKeys: { readonly keys: readonly string[] };
  readonly refusedNotes: { readonly key: string; readonly notes: readonly string[] };
  readonly checkpoint: {
    readonly entry: string;
    readonly origin: string;
    readonly size: number;
    readonly text: string;
    readonly refused: readonly string[];
  };
  readonly tiles: {
    readonly paths: readonly (Tile & { readonly path: string })[];
    readonly size: number;
  } & Readonly<Record<'fullLevel0' | 'partialLevel0' | 'fullLevel1' | 'partialLevel1' | 'partialLevel2', number>>;
};

const path = new URL('../../../spec/vectors/tlog.json', import.meta.url);
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors;

const bytes = (text: string | null): Uint8Array => (text === null ? new Uint8Array() : parseBase64(text, 'vector'));
const isFault = (code: string) => (error: unknown) => error instanceof CustodyError && error.code === code;

test('trees of another implementation have these roots', () => {
  const hashes = vectors.tree.leaves.map((leaf) => leafHash(hexToBytes(leaf)));
  assert.deepEqual(emptyRoot, hexToBytes(vectors.tree.roots[0] ?? ''));
  for (const [size, root] of vectors.tree.roots.entries()) {
    assert.deepEqual(rootOf(extend(emptyFrontier, hashes.slice(0, size))), hexToBytes(root), `${size} leaves`);
    // The same leaf by leaf, from what is kept in between.
    let frontier = emptyFrontier;
    for (const hash of hashes.slice(0, size)) frontier = extend(frontier, [hash]);
    assert.deepEqual(rootOf(frontier), hexToBytes(root));
  }
});

test('each proof of inclusion of another implementation is judged as there', () => {
  assert.ok(vectors.proofs.inclusion.length > 90);
  for (const { name, leafIdx, treeSize, root, leafHash: leaf, proof, wantErr } of vectors.proofs.inclusion) {
    const shown = { index: leafIdx, leaf: bytes(leaf), path: (proof ?? []).map(bytes) };
    assert.equal(verifyInclusion(shown, { size: treeSize, root: bytes(root) }), !wantErr, name);
  }
});

test('each proof of consistency of another implementation is judged as there', () => {
  assert.ok(vectors.proofs.consistency.length > 90);
  for (const { name, size1, size2, root1, root2, proof, wantErr } of vectors.proofs.consistency) {
    const [older, newer] = [
      { size: size1, root: bytes(root1) },
      { size: size2, root: bytes(root2) },
    ];
    assert.equal(verifyConsistency(older, newer, (proof ?? []).map(bytes)), !wantErr, name);
  }
});

test('notes of other implementations are read, verified and written back', () => {
  for (const { note, keys, signers } of vectors.notes) {
    const parsed = parseSignedNote(note);
    const found = verifySignedNote(parsed, keys.map(parseVerifierKey), verifyEd25519);
    assert.deepEqual(
      found.map(({ key }) => key.name),
      signers,
    );
    assert.equal(formatSignedNote(parsed), note);
    for (const key of keys) assert.equal(formatVerifierKey(parseVerifierKey(key)), key);
  }
});

test('keys and notes that another implementation refuses are refused', () => {
  for (const key of vectors.refusedKeys.keys) assert.throws(() => parseVerifierKey(key), isFault('log/malformed'), key);
  const key = parseVerifierKey(vectors.refusedNotes.key);
  for (const note of vectors.refusedNotes.notes) {
    assert.throws(() => verifySignedNote(parseSignedNote(note), [key], verifyEd25519), CustodyError, note);
  }
  const text = vectors.refusedNotes.key;
  for (let start = 0; start <= text.length; start += 1) {
    for (let end = start; end <= text.length; end += 1) {
      if (start === 0 && end === text.length) continue;
      assert.throws(() => parseVerifierKey(text.slice(start, end)), isFault('log/malformed'));
    }
  }
});

test('the text of a checkpoint is the one of another implementation', () => {
  const { entry, origin, size, text, refused } = vectors.checkpoint;
  const root = leafHash(utf8ToBytes(entry));
  assert.equal(checkpointText({ origin, size, root }), text);
  const { extensions, ...head } = parseCheckpointText(text);
  assert.deepEqual({ ...head, root: base64(head.root) }, { origin, size, root: base64(root) });
  assert.deepEqual(extensions, []);
  for (const bad of refused) assert.throws(() => parseCheckpointText(bad), isFault('log/malformed'), bad);
});

test('tiles have the paths and the widths of the specification', () => {
  const { paths, size, ...counts } = vectors.tiles;
  for (const { path: text, ...tile } of paths) {
    assert.equal(tilePath(tile), text);
    assert.deepEqual(parseTilePath(text), tile);
  }
  const tiles = [...tilesBetween(0, size)];
  const of = (level: number, full: boolean): readonly Tile[] =>
    tiles.filter((tile) => tile.level === level && (tile.width === 256) === full);
  assert.equal(of(0, true).length, counts.fullLevel0);
  assert.equal(of(0, false)[0]?.width, counts.partialLevel0);
  assert.equal(of(1, true).length, counts.fullLevel1);
  assert.equal(of(1, false)[0]?.width, counts.partialLevel1);
  assert.equal(of(2, false)[0]?.width, counts.partialLevel2);
  assert.deepEqual(
    tiles.filter(({ level }) => level !== 'entries').map(({ level }) => level),
    [...Array(274).fill(0), 1, 1, 2],
  );
  assert.equal([...tilesBetween(size, size)].length, 0);
});
