import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwarderSalt, nativeToken } from '@bulkhead/vaults';
import { addressCertificate } from './address-certificate.ts';
import { reserveWalletProof, reserveWallets } from './reserve-wallet.ts';
import { pool, viewOf } from './testing/bench.ts';
import { issuedVault, openVaulting, plenty, vaultRow } from './testing/vaulting.ts';

test('a proof of reserves finds every wallet once, ascending by compartment, with what shows whose it is', async () => {
  await using bench = await openVaulting();
  const { custody, id: chain } = bench;
  const client = await bench.client('omnibus');
  const { id } = await issuedVault(bench, { compartment: pool }, { unlisted: [{ token: nativeToken, cap: plenty }] });
  const one = await bench.wallet(client);
  const call = bench.as('ann');
  const { certificate } = viewOf(await addressCertificate(custody, call, one.id));
  const found = [];
  for await (const wallet of reserveWallets(custody.db, chain)) found.push(wallet);
  const { count } = Object.fromEntries(
    (await bench.database.app.query('select count(*)::integer as count from custody.wallet')).flatMap(Object.entries),
  );
  assert.equal(found.length, count);
  assert.deepEqual(
    found.map(({ compartment }) => compartment),
    found.map(({ compartment }) => compartment).toSorted((a, b) => a - b),
  );
  const vault = await vaultRow(bench, id);
  assert.deepEqual(
    new Map(found.filter(({ compartment }) => compartment === pool).map(({ sort, address }) => [sort, address])),
    new Map<string, string>([
      ['forwarder', one.address],
      ['vault', vault.address],
    ]),
  );
  const forwarder = await reserveWalletProof(custody, one.id);
  assert.ok(forwarder?.sort === 'forwarder' && forwarder.vault.sort === 'vault');
  assert.deepEqual(
    [forwarder.certificates[0], forwarder.salt, forwarder.vault.address, forwarder.vault.config],
    [certificate, forwarderSalt(BigInt(0)), vault.address, vault.terms.config],
  );
  assert.ok(forwarder.vault.certificates.length > 0);
  const keyed = found.find(({ sort }) => sort === 'key');
  const key = await reserveWalletProof(custody, keyed?.id ?? '');
  assert.ok(key?.sort === 'key' && key.address === keyed?.address);
  assert.equal(await reserveWalletProof(custody, 'wal_nobody'), undefined);
  // A row that somebody changed is proven to nobody.
  const { owner } = bench.database;
  await owner.query('alter table custody.wallet disable trigger user');
  await owner.query(`update custody.wallet set address = $2 where id = $1`, [one.id, `0x${'77'.repeat(20)}`]);
  await assert.rejects(reserveWalletProof(custody, one.id), { code: 'wallet/address-mismatch' });
});
