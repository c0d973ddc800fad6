import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registryChangesAfter } from '@bulkhead/custody';
import { parseAddress, parseCompartment } from '@bulkhead/domain';
import { chain, changeRegistry, openHouse, until } from './house.ts';

test('a change of the registry reaches every signer, and what one has missed is found again in order', async () => {
  await using house = await openHouse({ vaultSigners: 2 });
  const { desk, server } = house;
  const client = await desk.post(
    '/v1/clients',
    { reference: 'C-1', kind: 'legal', segregation: 'individual' },
    'operator',
  );
  const compartment = parseCompartment(100_000);
  const address = parseAddress(`0x${'1a'.repeat(20)}`);
  await changeRegistry(desk, 'enrolment', [{ item: 'client', client: client.id, compartment }]);
  await changeRegistry(desk, 'enrolment', [
    { item: 'destination', client: client.id, compartment, chain, address, label: 'Own wallet' },
  ]);
  const all = [server.reached, ...server.reached.vaultSigners];
  assert.equal(all.length, 3);
  const status = await until('every signer to have the newest registry', async () => {
    const heard = await Promise.all(all.map(({ signer }) => signer.status()));
    return heard.every(({ registryVersion }) => registryVersion === 3n) && heard;
  });
  assert.equal(new Set(status.map(({ registryHash }) => registryHash)).size, 1);

  const followed = { db: server.custody.db, signer: server.reached.signer };
  const missed = await registryChangesAfter(followed, 1n);
  assert.deepEqual(
    missed.map(({ intent, list }) => ['before' in intent && intent.before, /"item":"([a-z]+)"/u.exec(list)?.[1]]),
    [
      [1n, 'client'],
      [2n, 'destination'],
    ],
  );
  assert.ok(missed.every(({ evidence }) => evidence.approvals.length === 2));
  assert.deepEqual(await registryChangesAfter(followed, 3n), []);
  // The same to one that has it already is the same answer and no new version.
  for (const change of missed) await server.reached.vaultSigners[0]?.signer.change(change);
  assert.equal((await server.reached.vaultSigners[0]?.signer.status())?.registryVersion, 3n);
});
