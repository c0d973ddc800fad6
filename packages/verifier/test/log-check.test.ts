import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import {
  checkpointText,
  commitmentOf,
  cosignatureBytes,
  cosignedMessage,
  encodeLeaf,
  formatSignedNote,
  formatVerifierKey,
  leafHash,
  nodeHash,
  type NoteSignature,
  receiptJson,
  type VerifierKey,
  verifierKey,
} from '@bulkhead/tlog';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { type GivenFile, type PinnedLog, type Report } from '../src/index.ts';
import { examine } from '../src/whole.ts';

type Pair = { readonly key: VerifierKey; readonly privateKey: KeyObject };

function pairOf(name: string, purpose: VerifierKey['purpose']): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  return { key: verifierKey(name, purpose, raw), privateKey };
}

const log = pairOf('log.example/1', 'ed25519');
const witness = pairOf('witness.example', 'cosignature');
const pinned: PinnedLog = {
  key: formatVerifierKey(log.key),
  witnesses: [formatVerifierKey(witness.key)],
  witnessesMin: 1,
};

function noteOf(
  head: { readonly size: number; readonly root: Uint8Array },
  by: { readonly log?: Pair; readonly witnesses?: readonly Pair[] } = {},
): string {
  const text = checkpointText({ origin: log.key.name, ...head });
  const signer = by.log ?? log;
  const line = ({ key }: Pair, bytes: Uint8Array): NoteSignature => ({ name: key.name, keyId: key.id, bytes });
  const cosigned = (by.witnesses ?? [witness]).map((each) => {
    const message = cosignedMessage(text, 1_790_000_000);
    return line(each, cosignatureBytes(1_790_000_000, Uint8Array.from(sign(null, message, each.privateKey))));
  });
  const own = line(signer, Uint8Array.from(sign(null, utf8ToBytes(text), signer.privateKey)));
  return formatSignedNote({ text, signatures: [own, ...cosigned] });
}

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

async function said(files: readonly GivenFile[], pin: PinnedLog | undefined = pinned): Promise<Report> {
  return await examine({ files, pins: pin === undefined ? {} : { log: pin }, nodes: [] });
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
  assert.deepEqual(results(await said([given(noteOf(head)), given(grown)])).slice(-1), ['fork unknown']);
});
