import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import {
  commitmentOf,
  type CompleteNode,
  consistencyProof,
  encodeLeaf,
  extend,
  emptyFrontier,
  formatWitnessRequest,
  leafHash,
  nodeHash,
  nodesOfTiles,
  receiptJson,
  rootOf,
  type Tile,
  tilePath,
  tilesBetween,
} from '@bulkhead/tlog';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Examination, GivenFile, PinnedLog, Report } from '../src/index.ts';
import { examine } from '../src/whole.ts';
import { log, noteOf, pairOf, pinned } from './log-notes.ts';

const opening = { salt: new Uint8Array(32).fill(7), content: '{"a": "1"}' };
const leaf = encodeLeaf({
  kind: 'withdrawal-step',
  id: 'wd_1',
  timeMs: 1_790_000_000_123,
  commitment: commitmentOf(opening),
});
const other = leafHash(utf8ToBytes('other'));
const head = { size: 2, root: nodeHash(leafHash(leaf), other) };

function receiptOf(checkpoint: string, change: object = {}): GivenFile {
  const json = receiptJson({ index: 0, leaf, opening, path: [other], checkpoint });
  return { name: 'receipt.json', bytes: utf8ToBytes(JSON.stringify({ ...json, ...change })) };
}

const given = (note: string, name = 'checkpoint'): GivenFile => ({ name, bytes: utf8ToBytes(note) });

async function said(
  files: readonly GivenFile[],
  pin: PinnedLog = pinned,
  readTile?: NonNullable<Examination['readTile']>,
): Promise<Report> {
  return await examine({ files, pins: { log: pin }, nodes: [], ...(readTile === undefined ? {} : { readTile }) });
}

const results = ({ steps }: Report): readonly string[] => steps.map(({ step, result }) => `${step} ${result}`);

test('a receipt shows its fact by the log’s key and the witnesses that the reader pinned', async () => {
  const report = await said([receiptOf(noteOf(head))]);
  assert.deepEqual(results(report), ['checkpoint holds', 'witnesses holds', 'receipt holds', 'content holds']);
  assert.match(report.steps[2]?.reason ?? '', /Leaf 0, withdrawal-step wd_1 of 2026-/u);
  assert.deepEqual(results(await said([receiptOf(noteOf(head), { opening: null })])).slice(-1), ['content unknown']);
  const nobody = { files: [receiptOf(noteOf(head))], pins: {}, nodes: [] };
  assert.deepEqual(results(await examine(nobody)), ['checkpoint unknown']);
  for (const change of [
    { index: 1 },
    { path: [] },
    { leaf: 'AAAA' },
    { opening: { salt: 'AAAA', content: '' } },
    { path: 'x' },
    { opening: 1 },
  ]) {
    assert.deepEqual(results(await said([receiptOf(noteOf(head), change)])), ['receipt fails'], JSON.stringify(change));
  }
});

test('a checkpoint by another or a rotated key is none, and one without the witnesses that are asked for fails', async () => {
  assert.deepEqual(results(await said([given(noteOf(head))])), ['checkpoint holds', 'witnesses holds']);
  const rotated = { ...pairOf(log.key.name, 'ed25519') };
  assert.deepEqual(results(await said([given(noteOf(head, { log: rotated }))])), ['checkpoint fails']);
  const posing = { key: log.key, privateKey: rotated.privateKey };
  assert.deepEqual(results(await said([given(noteOf(head, { log: posing }))])), ['checkpoint fails']);
  const bare = noteOf(head, { witnesses: [] });
  assert.deepEqual(results(await said([given(bare)])), ['checkpoint holds', 'witnesses fails']);
  const trusting = { ...pinned, witnesses: [], witnessesMin: 0 };
  assert.deepEqual(results(await said([given(bare)], trusting)), ['checkpoint holds', 'witnesses unknown']);
  const stranger = noteOf(head, { witnesses: [pairOf('stranger.example', 'cosignature')] });
  assert.deepEqual(results(await said([given(stranger)])), ['checkpoint holds', 'witnesses fails']);
  assert.deepEqual(results(await said([given(bare)], { ...pinned, key: 'no key' })), ['checkpoint fails']);
});

test('a log that shows two readers two trees of one size is caught when they compare', async () => {
  const forked = noteOf({ size: 2, root: nodeHash(leafHash(leaf), leafHash(utf8ToBytes('for you'))) });
  const report = await said([receiptOf(noteOf(head)), given(forked, 'from somebody else')]);
  assert.deepEqual(results(report).slice(-1), ['fork fails']);
  assert.match(
    report.steps.at(-1)?.reason ?? '',
    /two different trees of 2 leaves \(receipt\.json, from somebody else\)/u,
  );
  assert.deepEqual(results(await said([receiptOf(noteOf(head)), given(noteOf(head))])).slice(-1), ['fork holds']);
  const grown = noteOf({ size: 3, root: leafHash(utf8ToBytes('any')) });
  assert.deepEqual(results(await said([given(noteOf(head)), given(grown)])).slice(-1), ['consistent unknown']);
});

type Tree = {
  readonly note: (size: number) => string;
  readonly readTile: (tile: Tile) => Promise<Uint8Array>;
  readonly path: (older: number, newer: number) => Promise<readonly Uint8Array[]>;
};

/** A log of so many leaves, which are others than everybody's from one of them on. */
function treeOf(size: number, otherFrom = size): Tree {
  const nodes = new Map<string, Uint8Array>();
  const roots: Uint8Array[] = [];
  let frontier = emptyFrontier;
  const keep = ({ level, index, hash }: CompleteNode): unknown => nodes.set(`${level}/${index}`, hash);
  for (let n = 0; n < size; n += 1) {
    frontier = extend(frontier, [leafHash(utf8ToBytes(`${n < otherFrom ? 'leaf' : 'other'} ${n}`))], keep);
    roots.push(rootOf(frontier));
  }
  const tiles = new Map<string, Uint8Array>();
  for (const tile of tilesBetween(0, size)) {
    if (tile.level === 'entries') continue;
    const hashes = Array.from({ length: tile.width }, (_, at) => {
      return nodes.get(`${Number(tile.level) * 8}/${tile.index * 256 + at}`) ?? assert.fail();
    });
    tiles.set(tilePath(tile), concatBytes(...hashes));
  }
  const readTile = async (tile: Tile): Promise<Uint8Array> => {
    const bytes = tiles.get(tilePath(tile));
    if (bytes === undefined) throw new CustodyError('log/malformed', `There is no ${tilePath(tile)}.`);
    return await Promise.resolve(bytes);
  };
  return {
    note: (at) => noteOf({ size: at, root: roots[at - 1] ?? assert.fail() }),
    readTile,
    path: async (older, newer) => await consistencyProof(nodesOfTiles(size, readTile), older, newer),
  };
}

const honest = treeOf(600);
/** A log that told somebody else another history from leaf 280 on. */
const forked = treeOf(600, 280);

async function proofFile(tree: Tree, oldSize: number, newer: number): Promise<GivenFile> {
  const text = formatWitnessRequest({
    oldSize,
    proof: await tree.path(oldSize, newer),
    checkpoint: tree.note(newer),
  });
  return given(text, `proof ${oldSize}`);
}

const compared = (report: Report): readonly string[] =>
  results(report).filter((line) => /^(?:fork|consistent)/u.test(line));

test('a checkpoint goes on from an older one by the proof in a file, and from nothing by one that is changed or missing', async () => {
  for (const older of [1, 255, 256, 300, 511, 512, 599]) {
    const files = [given(honest.note(older), 'kept'), await proofFile(honest, older, 600)];
    assert.deepEqual(compared(await said(files)), ['consistent holds'], `${older}`);
  }
  const chain = [given(honest.note(100)), await proofFile(honest, 100, 300), await proofFile(honest, 300, 600)];
  assert.deepEqual(compared(await said(chain)), ['consistent holds', 'consistent holds']);
  const gap = [given(honest.note(100)), given(honest.note(200)), await proofFile(honest, 200, 600)];
  assert.deepEqual(compared(await said(gap)), ['consistent unknown', 'consistent holds']);
  assert.deepEqual(
    compared(await said([await proofFile(honest, 300, 600)])),
    ['consistent unknown'],
    'nothing to begin at',
  );
  // The log that lied has a proof of its own history, and none of the one that the reader kept.
  const lied = await said([given(honest.note(300), 'kept'), await proofFile(forked, 300, 600)]);
  assert.deepEqual(compared(lied), ['consistent fails']);
  const proof = await proofFile(honest, 300, 600);
  const text = new TextDecoder().decode(proof.bytes);
  const shorter = given(text.replace(/^old 300\n[^\n]+\n/u, 'old 300\n'));
  assert.deepEqual(compared(await said([given(honest.note(300)), shorter])), ['consistent fails']);
  const unsigned = given(text.replace('\n600\n', '\n601\n'));
  assert.deepEqual(results(await said([unsigned])), ['checkpoint fails']);
});

test('the log’s tiles show whether checkpoints are of one history, and which they are of decides nothing that is not signed', async () => {
  const both = [given(honest.note(300), 'kept'), given(honest.note(600), 'new')];
  assert.deepEqual(compared(await said(both, pinned, honest.readTile)), ['consistent holds']);
  const [kept, shown] = [given(honest.note(300), 'kept'), given(forked.note(600), 'shown')];
  const report = await said([kept, shown], pinned, forked.readTile);
  assert.deepEqual(compared(report), ['fork fails']);
  assert.match(report.steps.at(-1)?.reason ?? '', /the first 300 leaves of shown are others than those of kept/u);
  assert.deepEqual(compared(await said([kept, shown], pinned, honest.readTile)), ['consistent unknown'], 'other tiles');
  const early = [given(honest.note(200)), shown];
  assert.deepEqual(compared(await said(early, pinned, forked.readTile)), ['consistent holds'], 'before they part');
  const none = async (): Promise<Uint8Array> => await honest.readTile({ level: 7, index: 9, width: 1 });
  assert.deepEqual(compared(await said(both, pinned, none)), ['consistent unknown']);
});
