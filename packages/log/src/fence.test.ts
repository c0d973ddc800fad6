import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fence, fencesMax, passFences } from './fence.ts';

/** A transaction: its number, the places that it drew, and the turn at which it ends. */
type Writer = { readonly transaction: bigint; readonly places: bigint[]; readonly endsAt: number };

/** A sequence of places and one of transactions, as a database has them, moved on by turns of the sequencer instead of by time. */
class World {
  #place = 0n;
  #transaction = 0n;
  readonly #random: () => number;
  #open: Writer[] = [];
  waiting: readonly Fence[] = [];
  position = 0n;

  constructor(seed: number) {
    let state = seed;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  /** Between two turns writers begin, write, and end; now and then one stays for many turns. */
  live(turn: number): void {
    for (let n = 0; n < 1 + this.#random() * 4; n += 1) {
      this.#transaction += 1n;
      const length = this.#random() < 0.05 ? 40 : Math.floor(this.#random() * 3);
      this.#open.push({ transaction: this.#transaction, places: [], endsAt: turn + length });
      for (const writer of this.#open) if (this.#random() < 0.5) writer.places.push((this.#place += 1n));
    }
    this.#open = this.#open.filter(({ endsAt }) => endsAt > turn);
  }

  /** One step of the sequencer: place first, then a number of its own, as `readFence` does. */
  turn(): Turn {
    const position = this.#place;
    this.#transaction += 1n;
    const oldestOpen = this.#open.reduce(
      (least, { transaction }) => (transaction < least ? transaction : least),
      this.#transaction,
    );
    const passed = passFences(this.waiting, { fence: { position, transaction: this.#transaction }, oldestOpen });
    this.waiting = passed.waiting;
    if (passed.position > this.position) this.position = passed.position;
    return { last: position, number: this.#transaction };
  }

  /** The first place that may still be filled: of what is open, and of what comes. */
  get firstOpen(): bigint {
    return this.#open
      .flatMap(({ places }) => places)
      .reduce((least, place) => (place < least ? place : least), this.#place + 1n);
  }

  get oldest(): bigint | undefined {
    return this.#open[0]?.transaction;
  }
}

/** A turn of the sequencer: the newest place that it saw, and the number that it took. */
type Turn = { readonly last: bigint; readonly number: bigint };

test('nothing is passed that may still be filled, and the log is never more than a turn behind the oldest open transaction', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const world = new World(seed);
    const turns: Turn[] = [];
    for (let n = 0; n < 200; n += 1) {
      world.live(n);
      const { oldest } = world;
      turns.push(world.turn());
      const where = `seed ${seed}, turn ${n}`;
      assert.ok(world.position < world.firstOpen, `${where}: ${world.position} may still be filled`);
      // While nothing is open this very turn takes all; otherwise the last one before the oldest open transaction began has taken all.
      const due = turns.findLast(({ number }) => oldest === undefined || number < oldest)?.last ?? 0n;
      assert.ok(world.position >= due, `${where}: ${world.position} lags behind ${due}`);
    }
  }
});

test('behind a transaction that never ends fences are thinned out, and none that could pass is lost', () => {
  let waiting: readonly Fence[] = [];
  for (let n = 1n; n <= 5_000n; n += 1n) {
    ({ waiting } = passFences(waiting, { fence: { position: n, transaction: n + 1n }, oldestOpen: 1n }));
    assert.ok(waiting.length <= fencesMax);
  }
  const { position } = passFences(waiting, { fence: { position: 5_001n, transaction: 5_002n }, oldestOpen: 5_002n });
  assert.equal(position, 5_001n);
});
