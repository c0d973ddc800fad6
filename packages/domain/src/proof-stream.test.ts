import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decideEpoch,
  decideWindow,
  type EndedWindow,
  type EpochQuestion,
  lapseOf,
  type OwnEpoch,
  provenBlocksMax,
} from './proof-stream.ts';

const [ours, theirs] = ['aa'.repeat(32), 'bb'.repeat(32)];
const nothing: EpochQuestion = {
  stream: { newest: undefined, committedAt: undefined, window: undefined },
  atOwn: undefined,
  own: undefined,
  lapse: undefined,
  due: true,
};

function own(epoch: bigint, state: OwnEpoch['state']): OwnEpoch {
  return { epoch, context: ours, state };
}

/** The registry has so many epochs, and under ours one with this context. */
function registry(epoch: bigint, context?: string): Pick<EpochQuestion, 'stream' | 'atOwn'> {
  const newest = { epoch, context: context ?? ours, lapsed: false };
  const atOwn = context === undefined ? undefined : { epoch, context };
  return { stream: { newest: epoch === 0n ? undefined : newest, committedAt: 100n, window: undefined }, atOwn };
}

test('an epoch is made when it is time, gone on with, pinned, and followed by the next', () => {
  assert.deepEqual(decideEpoch(nothing), { step: 'make' });
  assert.deepEqual(decideEpoch({ ...nothing, due: false }), { step: 'wait' });
  const begun = { ...nothing, ...registry(2n), due: false };
  assert.deepEqual(decideEpoch({ ...begun, own: own(3n, 'begun') }), { step: 'make' });
  assert.deepEqual(decideEpoch({ ...begun, own: own(3n, 'made') }), { step: 'commit', epoch: 3n });
  assert.deepEqual(decideEpoch({ ...begun, own: own(3n, 'asked') }), { step: 'commit', epoch: 3n });
  const there = { ...nothing, ...registry(3n, ours) };
  assert.deepEqual(decideEpoch({ ...there, own: own(3n, 'made') }), { step: 'pinned', epoch: 3n });
  const pinned = own(3n, 'pinned');
  assert.deepEqual(decideEpoch({ ...there, own: pinned }), { step: 'make' });
  assert.deepEqual(decideEpoch({ ...there, own: pinned, due: false }), { step: 'wait' });
});

test('one that can never be pinned is given up; one that is pinned all the same is not', () => {
  const late = { ...nothing, ...registry(2n), own: own(3n, 'made'), lapse: 'too-late' } as const;
  assert.deepEqual(decideEpoch(late), { step: 'abandon', epoch: 3n, because: 'too-late' });
  assert.deepEqual(decideEpoch({ ...late, ...registry(3n, ours) }), { step: 'pinned', epoch: 3n });
  const asked = { ...late, own: own(3n, 'asked') };
  assert.deepEqual(
    decideEpoch(asked),
    { step: 'lapse', epoch: 3n, because: 'too-late' },
    'a signer may have signed it',
  );
  assert.deepEqual(decideEpoch({ ...asked, ...registry(3n, ours) }), { step: 'pinned', epoch: 3n });
  const taken = decideEpoch({ ...late, ...registry(3n, theirs) });
  assert.deepEqual(taken, { step: 'abandon', epoch: 3n, because: 'taken' });
});

test('where registry and books contradict each other nothing more is published', () => {
  const elsewhere = { step: 'stop', because: 'advanced-elsewhere' };
  assert.deepEqual(decideEpoch({ ...nothing, ...registry(1n) }), { ...elsewhere, epoch: 1n });
  const ahead = { ...nothing, ...registry(4n), own: own(3n, 'pinned') };
  assert.deepEqual(decideEpoch(ahead), { ...elsewhere, epoch: 4n });
  const other = { ...nothing, ...registry(3n, theirs), own: own(3n, 'pinned') };
  assert.deepEqual(decideEpoch(other), { ...elsewhere, epoch: 3n });
  const behind = { step: 'stop', because: 'registry-behind' };
  assert.deepEqual(decideEpoch({ ...nothing, ...registry(2n), own: own(3n, 'pinned') }), { ...behind, epoch: 2n });
  assert.deepEqual(decideEpoch({ ...nothing, ...registry(1n), own: own(3n, 'begun') }), { ...behind, epoch: 1n });
});

test('a full window is drawn when its block is there, and what it drew is proven by who made it', () => {
  const ended: EndedWindow = { number: 1n, endedAt: 9n, challengeBlock: 50n, drawn: undefined };
  const about = { window: ended, head: 51n, drawn: 'unknown' } as const;
  assert.deepEqual(decideWindow({ ...about, window: undefined }), { step: 'wait' });
  assert.deepEqual(decideWindow({ ...about, head: 50n }), { step: 'wait' });
  assert.deepEqual(decideWindow(about), { step: 'draw', number: 1n });
  const drawn = { epoch: 4n, context: ours };
  const window = { ...ended, drawn };
  assert.deepEqual(decideWindow({ ...about, window }), { step: 'stop', because: 'drawn-elsewhere', epoch: 4n });
  assert.deepEqual(decideWindow({ ...about, window, drawn: 'made' }), { step: 'bundle', number: 1n, drawn });
  assert.deepEqual(decideWindow({ ...about, window, drawn: 'bundled' }), { step: 'prove', number: 1n, drawn });
});

test('a header lapses with its time, and with the hash of its block where the registry looks at that', () => {
  const at = { now: 200n, takenAt: 100n, commitWithin: 100n, head: 7n + provenBlocksMax, pinnedBlock: 7n };
  assert.equal(lapseOf(at), undefined);
  assert.equal(lapseOf({ ...at, now: 201n }), 'too-late');
  assert.equal(lapseOf({ ...at, head: at.head + 1n }), 'block-forgotten');
  assert.equal(lapseOf({ ...at, head: at.head + 1n, pinnedBlock: undefined }), undefined);
});
