import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { openWorld } from '../src/core/testing/world.ts';
import type { Attack } from './attack/attack.ts';
import { authorityAttacks } from './attack/authority.ts';
import { limitAttacks } from './attack/limits.ts';
import { proofAttacks } from './attack/proofs.ts';
import { peopleAttacks } from './attack/people.ts';
import { tierAttacks } from './attack/tiers.ts';
import { relayAttacks } from './attack/relays.ts';
import { transactionAttacks } from './attack/transactions.ts';
import { vaultListAttacks } from './attack/vault-lists.ts';
import { vaultAttacks } from './attack/vaults.ts';

const attacks: readonly Attack[] = [
  ...peopleAttacks,
  ...transactionAttacks,
  ...limitAttacks,
  ...authorityAttacks,
  ...tierAttacks,
  ...vaultAttacks,
  ...vaultListAttacks,
  ...relayAttacks,
  ...proofAttacks,
];

test('the table is not thinned out', () => {
  assert.ok(attacks.length >= 300, `${attacks.length} attacks`);
  assert.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length);
});

for (const { name, code, before, attack, honest, signs } of attacks) {
  test(`${name}: ${code}, and no signature`, async () => {
    await using world = await openWorld();
    await before?.(world);
    const made = world.driver.made();
    await assert.rejects(attack(world), (error) => {
      assert.ok(error instanceof CustodyError, String(error));
      assert.equal(error.code, code, error.message);
      return true;
    });
    assert.equal(world.driver.made(), made, 'The driver was asked for a signature.');
    await honest(world);
    if (signs) assert.equal(world.driver.made(), made + 1, 'The honest request was not signed.');
  });
}
