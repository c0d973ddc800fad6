import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorld, request, withdrawal } from './testing/world.ts';

test('an approved withdrawal is signed, and the same request again gives the same signature, also after a restart', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  const first = await world.core().sign(asked);
  assert.deepEqual((await world.core().sign(asked)).signature, first.signature);
  await world.restart();
  const again = await world.core().sign(asked);
  assert.deepEqual(again, first);
  assert.equal(world.driver.made(), 1);
});
