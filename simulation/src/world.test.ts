import assert from 'node:assert/strict';
import test from 'node:test';
import { runWorld } from './run.ts';

/** Few and short, for every day. `npm run sim` plays long ones. */
const seeds = [1, 3, 14, 18];
const happened = new Map<string, number>();

for (const seed of seeds) {
  test(`the world of seed ${seed} stays right`, async () => {
    for (const [what, times] of await runWorld({ seed, steps: 160 })) {
      happened.set(what, (happened.get(what) ?? 0) + times);
    }
  });
}

/** Of worlds with vaults; every even seed is one. */
const leastOfVaults: ReadonlyMap<string, number> = new Map([
  ['vault-withdrawal paid', 1],
  ['foreign relay', 1],
  ['relay replayed', 1],
  ['exit requested', 1],
  ['flush booked', 1],
  ['flush by a stranger', 1],
  ['theft from a vault tried', 1],
  ['vault-fee paid', 1],
  ['vault-pause applied', 1],
  ['move to individual', 1],
  ['heartbeat carried', 1],
]);

test('the worlds with vaults see enough of what can happen to vaults', () => {
  const seen = [...leastOfVaults].map(([what, least]) => ({ what, least, times: happened.get(what) ?? 0 }));
  assert.deepEqual(
    seen.filter(({ least, times }) => times < least),
    [],
  );
});

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
