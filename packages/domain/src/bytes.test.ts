import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteStream, readAtMost } from './bytes.ts';

/** A body that counts what was taken of it. */
function body(parts: readonly number[]): {
  readonly stream: ByteStream;
  readonly taken: () => number;
  readonly ended: () => boolean;
} {
  let taken = 0;
  let ended = false;
  const stream: ByteStream = {
    getReader: () => ({
      async read() {
        const size = parts[taken];
        if (size === undefined) return { done: true };
        taken += 1;
        return { done: false, value: new Uint8Array(size).fill(taken) };
      },
      async cancel() {
        ended = true;
      },
    }),
  };
  return { stream, taken: () => taken, ended: () => ended };
}

test('an answer is read whole up to the limit, in the order of its parts', async () => {
  const { stream, ended } = body([2, 0, 1]);
  assert.deepEqual(await readAtMost(stream, 3), Uint8Array.of(1, 1, 3));
  assert.equal(ended(), false);
  assert.deepEqual(await readAtMost(null, 0), new Uint8Array(0));
});

test('an answer that is longer is left where it passes the limit', async () => {
  const { stream, taken, ended } = body([2, 2, 2, 2]);
  assert.equal(await readAtMost(stream, 3), undefined);
  assert.deepEqual([taken(), ended()], [2, true]);
});
