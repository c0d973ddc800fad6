import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginning, openWorld, request, withdrawal } from './testing/world.ts';
import { clockAheadSecondsMax, standstillSecondsMax, steadyTime } from './time.ts';

test('a clock that is set forward decides nothing until it is right again; small steps add up', async () => {
  await using world = await openWorld();
  let passed = 0n;
  await world.restart({ monotonic: () => passed });
  const asked = request(world, withdrawal(world));
  const right = world.clock.seconds;
  for (const step of [60n, 50n]) {
    world.clock.seconds += step;
    await world.core().outlook(asked.intent, asked.evidence);
  }
  world.clock.seconds += 20n;
  await assert.rejects(world.core().sign(asked), { code: 'signer/not-ready', message: /130 seconds further/u });
  await assert.rejects(world.core().outlook(asked.intent, asked.evidence), { code: 'signer/not-ready' });
  passed = 10n;
  await world.core().sign(asked);
  world.clock.seconds = right + 1_000_000n;
  await assert.rejects(world.core().sign(request(world, withdrawal(world, { id: 'wd_later' }), { nonce: 1n })), {
    code: 'signer/not-ready',
  });
});

test('a time service may slew the clock for as long as it likes', () => {
  let passed = 0n;
  let told = 1_000n;
  const time = steadyTime({
    clock: { now: () => new Date(Number(told) * 1_000) },
    monotonic: () => passed,
    floor: () => 0n,
  });
  passed = 86_400n * 365n;
  told += passed + passed / 2_000n + clockAheadSecondsMax;
  assert.equal(time.now(), told);
  told += passed;
  assert.throws(() => time.now(), { code: 'signer/not-ready' });
});

test('a start long after the newest record asks for a word that the clock is right', async () => {
  await using world = await openWorld();
  world.clock.seconds = beginning + standstillSecondsMax;
  await world.restart();
  world.clock.seconds += standstillSecondsMax + 1n;
  await assert.rejects(world.restart(), { code: 'signer/not-ready', message: /400 days after/u });
  await world.restart({ acceptLongStandstill: true });
  await world.restart();
});
