import assert from 'node:assert/strict';
import test from 'node:test';
import { runWorld } from './run.ts';

/** Few and short, for every day. `npm run sim` plays long ones. */
const seeds = [1, 2, 3, 4];
const happened = new Map<string, number>();

for (const seed of seeds) {
  test(`the world of seed ${seed} stays right`, async () => {
    for (const [what, times] of await runWorld({ seed, steps: 160 })) {
      happened.set(what, (happened.get(what) ?? 0) + times);
    }
  });
}

test('the worlds together reach what they are there for', () => {
  const wanted = [
    'asked twice at once',
    'check',
    'crash',
    'crash in a command',
    'deposit released client',
    'fault',
    'gas-grant succeeded',
    'reorg',
    'registry change applied',
    'sweep succeeded',
    'theft',
    'withdrawal cancelled',
    'withdrawal settled',
  ];
  assert.deepEqual(
    wanted.filter((what) => !happened.has(what)),
    [],
  );
});
