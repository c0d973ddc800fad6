import assert from 'node:assert/strict';
import test from 'node:test';
import { runWorld } from './run.ts';

/** Few and short, for every day. `npm run sim` plays long ones. */
const seeds = [1, 2, 3];

for (const seed of seeds) {
  test(`the world of seed ${seed} stays right`, async () => {
    const tally = await runWorld({ seed, steps: 160 });
    const happened = (what: string): number => tally.get(what) ?? 0;
    for (const what of [
      'deposit',
      'withdrawal',
      'decision',
      'reorg',
      'crash',
      'crash in a command',
      'fault',
      'check',
    ]) {
      assert.ok(happened(what) > 0, `Nothing of "${what}" happened: the run proves less than it should.`);
    }
  });
}
