import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, equalBytes } from '@bulkhead/domain';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { signedCheckpoint, testKey, verifyEd25519 } from './testing/signing.ts';
import {
  commitmentOf,
  consistencyProof,
  emptyFrontier,
  encodeBundle,
  encodeLeaf,
  extend,
  frontierAt,
  hashLength,
  inclusionProof,
  leafHash,
  nodesOfTiles,
  openCheckpoint,
  openReceipt,
  parseBundle,
  parseLeaf,
  parseReceipt,
  parseTilePath,
  type ReadNode,
  type Receipt,
  receiptJson,
  rootAt,
  rootOf,
  type Tile,
  tilePath,
  tilesBetween,
  type TreeHead,
  verifyConsistency,
  verifyInclusion,
} from './index.ts';

/** Copies of each artefact. `BULKHEAD_DEEP` asks for a hundred times as many. */
const copies = process.env['BULKHEAD_DEEP'] === undefined ? 10_000 : 1_000_000;

/** A seeded generator (mulberry32): a failure can be had again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((((mixed ^ (mixed >>> 14)) >>> 0) * below) / 4_294_967_296) | 0;
  };
}

const log = testKey('log.example.com/1', 'ed25519', 1);
const witness = testKey('witness.example.com', 'cosignature', 2);
const entryOf = (n: number): Uint8Array => utf8ToBytes(`entry ${n}`);

type Grown = { readonly size: number; readonly read: ReadNode; readonly tiles: ReadonlyMap<string, Uint8Array> };

/** A tree with all of its tiles, made without proofs. */
async function grown(size: number, entry: (n: number) => Uint8Array = entryOf): Promise<Grown> {
  const nodes = new Map<string, Uint8Array>();
  const hashes = Array.from({ length: size }, (_, n) => leafHash(entry(n)));
  extend(emptyFrontier, hashes, ({ level, index, hash }) => nodes.set(`${level}/${index}`, hash));
  const node = (level: number, index: number): Uint8Array => nodes.get(`${level}/${index}`) ?? new Uint8Array();
  const tiles = new Map<string, Uint8Array>();
  for (const tile of tilesBetween(0, size)) {
    const { level } = tile;
    if (level === 'entries') continue;
    const parts = Array.from({ length: tile.width }, (_, n) => node(level * 8, tile.index * 256 + n));
    tiles.set(tilePath(tile), Uint8Array.from(parts.flatMap((part) => [...part])));
  }
  const read = nodesOfTiles(size, (tile) => Promise.resolve(tiles.get(tilePath(tile)) ?? new Uint8Array()));
  return { size, read, tiles };
}

const headOf = async ({ read }: Grown, size: number): Promise<TreeHead> => ({ size, root: await rootAt(read, size) });

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  const byte = Math.floor(at / 8);
  changed[byte] = (changed[byte] ?? 0) ^ (1 << (at % 8));
  return changed;
}

/** One hash changed, left out, doubled, put elsewhere, or one of another place in its stead. */
function otherPath(path: readonly Uint8Array[], pick: (below: number) => number): readonly Uint8Array[] {
  const at = pick(path.length);
  const one = path[at] ?? new Uint8Array(hashLength);
  switch (pick(6)) {
    case 0:
      return path.with(at, flipped(one, pick(hashLength * 8)));
    case 1:
      return path.toSpliced(at, 1);
    case 2:
      return path.toSpliced(at, 0, one);
    case 3:
      return [...path, path[pick(path.length)] ?? one];
    case 4:
      return path.toSpliced(pick(path.length), 1, leafHash(entryOf(pick(1000))));
    default:
      return path.toSpliced(at, 1).toSpliced(pick(path.length), 0, one);
  }
}

const samePath = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((hash, n) => equalBytes(hash, b[n] ?? new Uint8Array()));

test('every leaf of every small tree has a proof, and every beginning of it one of consistency', async () => {
  const tree = await grown(600);
  for (const size of [1, 2, 3, 7, 8, 64, 255, 256, 257, 511, 512, 513, 600]) {
    const head = await headOf(tree, size);
    const hashes = Array.from({ length: size }, (_, n) => leafHash(entryOf(n)));
    assert.deepEqual(head.root, rootOf(extend(emptyFrontier, hashes)));
    assert.deepEqual(await frontierAt(tree.read, size), extend(emptyFrontier, hashes));
    for (let index = 0; index < size; index += 1 + Math.floor(size / 50)) {
      const path = await inclusionProof(tree.read, index, size);
      assert.ok(verifyInclusion({ index, leaf: leafHash(entryOf(index)), path }, head), `${index} of ${size}`);
    }
    for (let older = 1; older <= size; older += 1 + Math.floor(size / 50)) {
      const path = await consistencyProof(tree.read, older, size);
      assert.ok(verifyConsistency(await headOf(tree, older), head, path), `${older} of ${size}`);
    }
  }
});

test('none of the random tampered copies of a proof of inclusion verifies', async () => {
  const tree = await grown(700);
  const pick = numbers(1);
  const head = await headOf(tree, 700);
  let tried = 0;
  while (tried < copies) {
    const index = pick(700);
    const leaf = leafHash(entryOf(index));
    const path = await inclusionProof(tree.read, index, 700);
    for (let n = 0; n < 50; n += 1) {
      const kind = pick(4);
      const changed =
        kind === 0
          ? { proof: { index: (index + 1 + pick(699)) % 700, leaf, path }, head }
          : kind === 1
            ? { proof: { index, leaf: flipped(leaf, pick(256)), path }, head }
            : kind === 2
              ? { proof: { index, leaf, path }, head: { ...head, root: flipped(head.root, pick(256)) } }
              : { proof: { index, leaf, path: otherPath(path, pick) }, head };
      if (kind === 3 && samePath(changed.proof.path, path)) continue;
      tried += 1;
      assert.ok(!verifyInclusion(changed.proof, changed.head), `kind ${kind}, leaf ${index}, copy ${tried}`);
    }
    assert.ok(verifyInclusion({ index, leaf, path }, head), 'the sound one does');
  }
});

test('none of the random tampered copies of a proof of consistency verifies', async () => {
  const tree = await grown(700);
  const pick = numbers(2);
  let tried = 0;
  while (tried < copies) {
    const newerSize = 2 + pick(699);
    const olderSize = 1 + pick(newerSize - 1);
    const [older, newer] = [await headOf(tree, olderSize), await headOf(tree, newerSize)];
    const path = await consistencyProof(tree.read, olderSize, newerSize);
    for (let n = 0; n < 50; n += 1) {
      const kind = pick(4);
      const other = kind === 3 ? otherPath(path, pick) : path;
      if (kind === 3 && samePath(other, path)) continue;
      const from = kind === 0 ? { ...older, root: flipped(older.root, pick(256)) } : older;
      const grows = 1 + pick(700);
      const to =
        kind === 1
          ? { ...newer, root: flipped(newer.root, pick(256)) }
          : kind === 2
            ? { ...newer, size: newerSize + grows }
            : newer;
      tried += 1;
      // Another size with the same path shape is no other tree: the roots are what is trusted, and those differ here.
      const root = kind === 2 && newerSize + grows <= 700 ? (await headOf(tree, newerSize + grows)).root : to.root;
      if (kind === 2 && equalBytes(root, newer.root)) continue;
      assert.ok(!verifyConsistency(from, { ...to, root }, other), `kind ${kind}, ${olderSize} to ${newerSize}`);
    }
    assert.ok(verifyConsistency(older, newer, path), 'the sound one does');
  }
});

test('a fork is not consistent with what was shown before, whatever the proof', async () => {
  const [tree, fork] = [await grown(300), await grown(300, (n) => entryOf(n === 100 ? 9999 : n))];
  const shown = await headOf(tree, 200);
  const forked = await headOf(fork, 300);
  for (const read of [tree.read, fork.read]) {
    assert.ok(!verifyConsistency(shown, forked, await consistencyProof(read, 200, 300)));
  }
  assert.ok(!verifyConsistency(await headOf(tree, 300), forked, []), 'two trees of one size');
  assert.ok(!verifyConsistency(forked, shown, []), 'a tree does not shrink');
});

test('none of the random tampered copies of a witnessed checkpoint opens', () => {
  const head = { size: 700, root: leafHash(entryOf(1)) };
  const note = signedCheckpoint(head, { log, witnesses: [witness] });
  const by = { log, witnesses: [witness], verify: verifyEd25519 };
  assert.equal(openCheckpoint(note, by).signatures.length, 2);
  const bytes = utf8ToBytes(note);
  const pick = numbers(3);
  let opened = 0;
  for (let n = 0; n < copies; n += 1) {
    const text = Buffer.from(flipped(bytes, pick(bytes.length * 8))).toString('utf8');
    try {
      // A name or id that was changed makes a line of nobody; what is left must be exactly what was signed.
      const { size, root, signatures } = openCheckpoint(text, by);
      assert.equal(size, head.size);
      assert.ok(equalBytes(root, head.root));
      assert.ok(signatures.length < 2, text);
      opened += 1;
    } catch (error) {
      assert.ok(error instanceof CustodyError, String(error));
    }
  }
  assert.ok(opened < copies / 2, `${opened} copies lost the witness's line alone`);
});

test('a checkpoint by another key, under the name of the key, or by a rotated key is refused', () => {
  const head = { size: 7, root: leafHash(entryOf(1)) };
  const by = { log, verify: verifyEd25519 };
  const rotated = testKey(log.name, 'ed25519', 9);
  const stranger = testKey('stranger.example.com', 'ed25519', 9);
  assert.throws(() => openCheckpoint(signedCheckpoint(head, { log: rotated }), by), { code: 'log/unproven' });
  assert.throws(() => openCheckpoint(signedCheckpoint(head, { log: { ...rotated, id: log.id } }), by), {
    code: 'log/unproven',
  });
  assert.throws(() => openCheckpoint(signedCheckpoint({ ...head, origin: log.name }, { log: stranger }), by), {
    code: 'log/unproven',
  });
  assert.throws(() => openCheckpoint(signedCheckpoint({ ...head, origin: 'other.example.com' }, { log }), by), {
    code: 'log/unproven',
  });
  // The witness's key as a log's, and the log's key as a witness's: the id and the message are others.
  const asLog = testKey(log.name, 'cosignature', 1);
  assert.throws(() => openCheckpoint(signedCheckpoint(head, { log, witnesses: [asLog] }), { ...by, log: asLog }), {
    code: 'log/unproven',
  });
});

const opening = { salt: new Uint8Array(32).fill(7), content: '{"a": "1"}' };
const leafBytes = encodeLeaf({
  kind: 'withdrawal-step',
  id: 'wd_1',
  timeMs: 1_790_000_000_123,
  commitment: commitmentOf(opening),
});

async function receiptOf(): Promise<Receipt> {
  const tree = await grown(300, (n) => (n === 41 ? leafBytes : entryOf(n)));
  const head = await headOf(tree, 300);
  const path = await inclusionProof(tree.read, 41, 300);
  return {
    index: 41,
    leaf: leafBytes,
    opening,
    path,
    checkpoint: signedCheckpoint(head, { log, witnesses: [witness] }),
  };
}

test('a receipt shows its fact, and none of its random tampered copies does', async () => {
  const receipt = await receiptOf();
  const trust = { log, witnesses: [witness], witnessesMin: 1, verify: verifyEd25519 };
  assert.equal(openReceipt(parseReceipt(receiptJson(receipt)), trust).content, opening.content);
  assert.equal(openReceipt({ ...receipt, opening: undefined }, trust).content, undefined);
  assert.throws(() => openReceipt(receipt, { ...trust, witnessesMin: 2 }), { code: 'log/unproven' });
  const pick = numbers(4);
  for (let n = 0; n < copies; n += 1) {
    const kind = pick(5);
    const path = otherPath(receipt.path, pick);
    if (kind === 0 && samePath(path, receipt.path)) continue;
    const changed: Receipt =
      kind === 0
        ? { ...receipt, path }
        : kind === 1
          ? { ...receipt, leaf: flipped(receipt.leaf, pick(receipt.leaf.length * 8)) }
          : kind === 2
            ? { ...receipt, index: (receipt.index + 1 + pick(299)) % 300 }
            : kind === 3
              ? { ...receipt, opening: { ...opening, salt: flipped(opening.salt, pick(256)) } }
              : { ...receipt, opening: { ...opening, content: opening.content.replace('1', String(2 + pick(8))) } };
    assert.throws(() => openReceipt(changed, trust), CustodyError, `kind ${kind}`);
  }
});

test('a leaf has one encoding, and none of its random tampered copies is read as the same fact', () => {
  const leaf = parseLeaf(leafBytes);
  assert.deepEqual(encodeLeaf(leaf), leafBytes);
  const pick = numbers(5);
  let read = 0;
  for (let n = 0; n < copies; n += 1) {
    const kind = pick(3);
    const changed =
      kind === 0
        ? flipped(leafBytes, pick(leafBytes.length * 8))
        : kind === 1
          ? leafBytes.slice(0, pick(leafBytes.length))
          : Uint8Array.from([...leafBytes, pick(256)]);
    try {
      assert.deepEqual(encodeLeaf(parseLeaf(changed)), changed, 'what is read is written back as it was');
      read += 1;
    } catch (error) {
      assert.ok(error instanceof CustodyError, String(error));
    }
    assert.ok(!equalBytes(leafHash(changed), leafHash(leafBytes)));
  }
  assert.ok(read > 0, 'another id, time or commitment is another leaf');
});

test('a bundle of entries has one reading, and a tile of another length is refused', async () => {
  const entries = [utf8ToBytes(''), utf8ToBytes('a'), leafBytes];
  const bundle = encodeBundle(entries);
  assert.deepEqual(parseBundle(bundle, 3), entries);
  for (const [bad, width] of [
    [bundle, 2],
    [bundle.slice(0, -1), 3],
    [Uint8Array.from([...bundle, 0]), 3],
    [Uint8Array.from([...bundle, 0, 0]), 3],
    [encodeBundle(Array.from({ length: 257 }, () => utf8ToBytes('a'))), 257],
  ] as const) {
    assert.throws(() => parseBundle(bad, width), { code: 'log/malformed' });
  }
  const tree = await grown(300);
  const short = nodesOfTiles(300, (tile: Tile) =>
    Promise.resolve((tree.tiles.get(tilePath(tile)) ?? new Uint8Array()).slice(0, -1)),
  );
  await assert.rejects(rootAt(short, 300), { code: 'log/malformed' });
});

test('a path that is written in another way is none', () => {
  for (const path of [
    'tile/0/1',
    'tile/0/0001',
    'tile/00/001',
    'tile/64/001',
    'tile/0/x000/001',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/05',
    'tile/0/001/',
    'tile/-1/001',
    'tile/entries/1',
    '/tile/0/001',
    'tile/0/x001/x234/67',
  ]) {
    assert.equal(parseTilePath(path), undefined, path);
  }
});
