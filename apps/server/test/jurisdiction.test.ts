import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { chain, openHouse, type Reply } from './house.ts';

const at = (digit: string): string => `0x${digit.repeat(40)}`;

test('what the configured jurisdiction forbids is refused through the API: pools, and contracts in the cold tier', async () => {
  const jurisdiction = { name: 'strict', omnibusForbidden: true, noContractInColdTier: true };
  await using house = await openHouse({ vaultSigners: 2, policy: { jurisdiction } });
  const { desk } = house;
  const write = async (path: string, body: object): Promise<Reply> =>
    desk.ask('POST', path, { person: 'operator', body, key: randomUUID() });
  const client = { reference: 'C-1', kind: 'legal' };
  const pooled = await write('/v1/clients', { ...client, segregation: 'omnibus' });
  assert.deepEqual([pooled.status, pooled.body.code], [422, 'segregation/forbidden']);
  const own = await write('/v1/clients', { ...client, segregation: 'individual' });
  assert.equal(own.status, 201);
  const { id: clientId } = own.body;
  const moved = await write(`/v1/clients/${clientId}/segregation-moves`, { chain, segregation: 'omnibus' });
  assert.equal(moved.body.code, 'segregation/forbidden');
  const vault = {
    chain,
    clientKey: { kind: 'secp256k1', address: at('1') },
    exitKey: { kind: 'secp256k1', address: at('2') },
    exitDestination: at('3'),
    destinations: [],
    limits: [],
    unlisted: [],
  };
  const cold = await write('/v1/vaults', { ...vault, clientId, tier: 'cold' });
  assert.deepEqual([cold.status, cold.body.code], [422, 'segregation/forbidden']);
  assert.equal((await write('/v1/vaults', { ...vault, compartment: 10_000 })).body.code, 'segregation/forbidden');
  assert.notEqual((await write('/v1/vaults', { ...vault, clientId, tier: 'warm' })).body.code, 'segregation/forbidden');
});
