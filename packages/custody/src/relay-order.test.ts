import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { houseGas } from '@bulkhead/domain';
import { namedAddress } from '@bulkhead/fakes';
import { dispatchViews } from './dispatch.ts';
import { openVaulting } from './testing/vaulting.ts';
import { orderRelay } from './vault-relay.ts';

test('of two runs that order the same relay at once one does, and the other finds it under way', async () => {
  await using bench = await openVaulting();
  const { custody, id: chain } = bench;
  const order = {
    relays: 'swp_1',
    carries: 'swp_1',
    cargo: 'delegated-sweep',
    beneficiary: houseGas,
    chain,
    call: { to: namedAddress('an address that delegates'), data: '0x' },
    now: custody.clock.now(),
  } as const;
  let second: Promise<string | undefined> | undefined;
  const first = await custody.db.transaction(async (tx) => {
    const ordered = await orderRelay(custody, tx, order);
    second = custody.db.transaction(async (other) => orderRelay(custody, other, order));
    // Until it waits for a row that this transaction has.
    for (let waiting = 0; waiting === 0; await sleep(5)) {
      const rows = await bench.database.admin.query('select from pg_locks where not granted');
      waiting = rows.length;
    }
    return ordered;
  });
  assert.deepEqual([first, await second], [undefined, undefined]);
  const views = await dispatchViews(custody.db, { after: null, limit: 9 });
  assert.equal(views.filter(({ kind }) => kind === 'relay').length, 1);
});
