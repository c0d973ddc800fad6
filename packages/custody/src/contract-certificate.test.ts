import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeMembers } from '@bulkhead/fakes';
import { addressCertificate, type AddressCertificateView } from './address-certificate.ts';
import { pool, refusalOf, viewOf } from './testing/bench.ts';
import { ether } from './testing/withdrawing.ts';
import { fundedForwarder, fundedVault, issuedVault, openVaulting, type VaultBench } from './testing/vaulting.ts';

async function certified(bench: VaultBench, wallet: string): Promise<AddressCertificateView> {
  return viewOf(await addressCertificate(bench.custody, bench.as('olga'), wallet));
}

test('the deposit address of a forwarder is certified by as many signers as must agree, with the certificate of its vault', async () => {
  await using bench = await openVaulting();
  const { wallet, client, vault } = await fundedForwarder(bench, ether);
  const view = await certified(bench, wallet.id);
  assert.equal(view.certificates.length, 2);
  assert.equal(new Set(view.certificates.map(({ identity }) => identity)).size, 2);
  assert.deepEqual(view.certificate, view.certificates[0]);
  for (const { statement } of view.certificates) {
    for (const fact of [client, vault.address, 'forwarder-certificate']) assert.ok(statement.includes(fact), fact);
  }
  assert.deepEqual(view.vaultCertificates, JSON.parse(vault.certificateText ?? ''));
  // Asked again it is the stored one, whoever answers by then.
  bench.quorum.awake = [];
  assert.deepEqual(await certified(bench, wallet.id), view);
});

test('while too few signers answer there is no certificate, and nothing is stored', async () => {
  await using bench = await openVaulting();
  const { wallet } = await fundedForwarder(bench, ether);
  bench.quorum.awake = fakeMembers.slice(0, 1);
  await assert.rejects(certified(bench, wallet.id), { code: 'signer/unavailable' });
  bench.quorum.awake = fakeMembers;
  assert.equal((await certified(bench, wallet.id)).certificates.length, 2);
});

test('a certificate of a forwarder that was changed in the database is not given out', async () => {
  await using bench = await openVaulting();
  const { wallet } = await fundedForwarder(bench, ether);
  await certified(bench, wallet.id);
  await bench.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(
      `update custody.address_certificate set certificate = replace(certificate::text, 'cl_', 'cx_')::jsonb where wallet = $1`,
      [wallet.id],
    );
  });
  await assert.rejects(certified(bench, wallet.id), { code: 'signer/certificate-invalid' });
});

test('an own vault has the certificate that its client holds, and a pool as such none', async () => {
  await using bench = await openVaulting();
  const { wallet, vault } = await fundedVault(bench, ether);
  const view = await certified(bench, wallet.id);
  assert.deepEqual(view.certificates, JSON.parse(vault.certificateText ?? ''));
  assert.deepEqual(view.vaultCertificates, []);
  const { walletId } = await issuedVault(bench, { compartment: pool });
  assert.equal(
    refusalOf(await addressCertificate(bench.custody, bench.as('olga'), walletId ?? '')),
    'wallet/of-no-client',
  );
});
