import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { checksumAddress, codeHashOfNothing, houseGas, parseChainId } from '@bulkhead/domain';
import { fakeKeccak, fakeVaultSystem, namedAddress } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { agreementDigest, nativeToken, receiptDigest, vaultAddress } from '@bulkhead/vaults';
import { createClient } from './client.ts';
import type { Answer } from './command.ts';
import { pool, refusalOf, viewOf } from './testing/bench.ts';
import {
  acknowledged,
  clientKey,
  draftedVault,
  exitKey,
  fundedVault,
  issuedVault,
  list,
  openVaulting,
  plenty,
  signedBy,
  vaultRow,
  type VaultBench,
} from './testing/vaulting.ts';
import { ether } from './testing/withdrawing.ts';
import { agreeVault, certifyVault, draftVault, receiptVault, type VaultDraft } from './vault-issue.ts';
import { vaultViews, type VaultView } from './vault-view.ts';
import { walletViews } from './wallet.ts';
import { issueClientWallet } from './wallet-issue.ts';

async function addressAsked(bench: VaultBench, clientId: string): Promise<string> {
  return refusalOf(await issueClientWallet(bench.custody, bench.as('olga'), { clientId, chain: bench.id }));
}

async function agreed(bench: VaultBench, id: string): Promise<void> {
  const signature = await signedBy(bench, id, (vault) => agreementDigest(fakeKeccak, vault.address, vault.terms));
  viewOf(await agreeVault(bench.custody, bench.as('olga'), { vaultId: id, signature }));
}

test('an address is shown only when the client agreed, signers certified, a backup holds it and the client acknowledged', async () => {
  await using bench = await openVaulting();
  const client = await bench.client();
  assert.equal(await addressAsked(bench, client), 'vault/not-issued');
  const { id, configuration } = await draftedVault(bench, { clientId: client });
  assert.match(configuration.clientId, /^0x[0-9a-f]{64}$/u);
  assert.equal(await addressAsked(bench, client), 'vault/not-issued');
  assert.equal(refusalOf(await certifyVault(bench.custody, bench.as('olga'), id)), 'vault/wrong-state');
  const forged = await signedBy(bench, id, (vault) => agreementDigest(fakeKeccak, vault.address, vault.terms), exitKey);
  assert.equal(
    refusalOf(await agreeVault(bench.custody, bench.as('olga'), { vaultId: id, signature: forged })),
    'vault/signature-invalid',
  );
  await agreed(bench, id);
  await assert.rejects(certifyVault(bench.custody, bench.as('olga'), id), { code: 'signer/unknown-destination' });
  await list(bench, id);
  bench.backup.broken = true;
  await assert.rejects(certifyVault(bench.custody, bench.as('olga'), id), /the backup is broken/u);
  assert.equal((await vaultRow(bench, id)).wallet, undefined, 'no wallet without a backup');
  bench.backup.broken = false;
  const certified = viewOf(await certifyVault(bench.custody, bench.as('olga'), id));
  assert.equal(certified.address, null);
  const [file] = [...bench.backup.files.values()];
  assert.equal(file, certified.certificate, 'the backup has the very bytes that the client gets');
  assert.equal(
    certified.certificateDigest,
    `0x${createHash('sha256')
      .update(file ?? '')
      .digest('hex')}`,
  );
  const [hidden] = await walletViews(bench.custody, { client, after: null, limit: 10 });
  assert.deepEqual([hidden?.kind, hidden?.address, hidden?.problem], ['vault', null, 'vault/receipt-missing']);
  assert.equal(await addressAsked(bench, client), 'vault/not-issued');
  const wrong = await signedBy(bench, id, ({ address }) => receiptDigest(fakeKeccak, address, `0x${'11'.repeat(32)}`));
  assert.equal(
    refusalOf(await receiptVault(bench.custody, bench.as('olga'), { vaultId: id, signature: wrong })),
    'vault/signature-invalid',
  );
  const issued = await acknowledged(bench, id);
  const { address, terms } = await vaultRow(bench, id);
  assert.equal(address, vaultAddress(fakeKeccak, fakeVaultSystem, terms.config));
  assert.equal(issued.address, checksumAddress(address));
  const wallet = viewOf(
    await issueClientWallet(bench.custody, bench.as('olga'), { clientId: client, chain: bench.id }),
  );
  assert.deepEqual([wallet.kind, wallet.address, wallet.keyResidency], ['vault', checksumAddress(address), null]);
  const again = viewOf(await issueClientWallet(bench.custody, bench.as('olga'), { clientId: client, chain: bench.id }));
  assert.equal(again.id, wallet.id, 'a compartment has one vault');
  const { latest } = await bench.chain.heads();
  assert.equal(await bench.chain.codeHash(address, latest), codeHashOfNothing, 'all of it before anything is deployed');
});

test('no vault is certified where its contracts are missing, others, or the set of signers is behind', async () => {
  await using bench = await openVaulting();
  const { id } = await draftedVault(bench, { clientId: await bench.client() });
  await agreed(bench, id);
  await list(bench, id);
  const differs = async (): Promise<void> => {
    await assert.rejects(certifyVault(bench.custody, bench.as('olga'), id), { code: 'vault/system-differs' });
  };
  for (const contract of ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet'] as const) {
    bench.program.code.set(contract, undefined);
    await differs();
    bench.program.code.set(contract, `0x${'de'.repeat(32)}`);
    await differs();
    bench.program.code.clear();
  }
  const { members } = bench.program;
  bench.program.members = members.slice(0, 2);
  await differs();
  bench.program.members = members;
  viewOf(await certifyVault(bench.custody, bench.as('olga'), id));
});

test('what comes at the wrong time, of the wrong one, or of nobody is refused with what is wrong', async () => {
  await using bench = await openVaulting();
  const draft = (holder: object, own: Partial<VaultDraft> = {}): Promise<Answer<VaultView>> => {
    const choice = {
      chain: bench.id,
      clientKey: clientKey.key,
      exitKey: exitKey.key,
      exitDestination: namedAddress('out'),
    };
    return draftVault(bench.custody, bench.as('olga'), {
      clientId: 'cl_nobody',
      ...choice,
      destinations: [],
      limits: [],
      unlisted: [],
      ...holder,
      ...own,
    });
  };
  assert.equal(refusalOf(await draft({})), 'resource/not-found');
  const bare = viewOf(
    await createClient(bench.custody, bench.as('olga'), {
      reference: 'Bare',
      kind: 'legal',
      segregation: 'individual',
    }),
  );
  assert.equal(refusalOf(await draft({ clientId: bare.id })), 'agreement/missing');
  assert.equal(refusalOf(await draft({ compartment: houseGas })), 'compartment/wrong-kind');
  assert.equal(refusalOf(await draft({ compartment: pool }, { chain: parseChainId('eip155:5') })), 'vault/no-system');
  for (const ask of [
    async () => agreeVault(bench.custody, bench.as('olga'), { vaultId: 'vlt_none', signature: '0x' }),
    async () => receiptVault(bench.custody, bench.as('olga'), { vaultId: 'vlt_none', signature: '0x' }),
    async () => certifyVault(bench.custody, bench.as('olga'), 'vlt_none'),
  ]) {
    assert.equal(refusalOf(await ask()), 'resource/not-found');
  }
  const client = await bench.client();
  const { id } = await draftedVault(bench, { clientId: client });
  const agrees = async (): Promise<Answer<VaultView>> => {
    const signature = await signedBy(bench, id, (vault) => agreementDigest(fakeKeccak, vault.address, vault.terms));
    return agreeVault(bench.custody, bench.as('olga'), { vaultId: id, signature });
  };
  const receipts = async (): Promise<Answer<VaultView>> =>
    receiptVault(bench.custody, bench.as('olga'), { vaultId: id, signature: `0x${'00'.repeat(65)}` });
  assert.equal(refusalOf(await receipts()), 'vault/wrong-state');
  viewOf(await agrees());
  assert.equal(refusalOf(await agrees()), 'vault/wrong-state');
  await list(bench, id);
  viewOf(await certifyVault(bench.custody, bench.as('olga'), id));
  assert.equal(refusalOf(await certifyVault(bench.custody, bench.as('olga'), id)), 'vault/wrong-state');
  await acknowledged(bench, id);
  assert.equal(refusalOf(await receipts()), 'vault/wrong-state');
  assert.equal(
    refusalOf(await draft({ clientId: client })),
    'vault/wrong-state',
    'a compartment has one vault for ever',
  );
});

test('two drafts of one client become one vault, and the second one is refused', async () => {
  await using bench = await openVaulting();
  const client = await bench.client();
  const first = await draftedVault(bench, { clientId: client });
  const second = await draftedVault(bench, { clientId: client });
  for (const { id } of [first, second]) {
    await agreed(bench, id);
    await list(bench, id);
  }
  viewOf(await certifyVault(bench.custody, bench.as('olga'), second.id));
  assert.equal(refusalOf(await certifyVault(bench.custody, bench.as('olga'), first.id)), 'vault/wrong-state');
});

test('a configuration that somebody changed in the database is neither shown nor used', async () => {
  await using bench = await openVaulting();
  const { client, vault } = await fundedVault(bench, ether);
  const change = async (column: string, value: string): Promise<void> => {
    await bench.database.admin.query('alter table custody.vault disable trigger user');
    await bench.database.admin.query(`update custody.vault set ${column} = ${value}`);
  };
  const problem = async (): Promise<string | null | undefined> =>
    (await walletViews(bench.custody, { client, after: null, limit: 10 }))[0]?.problem;
  assert.equal(await problem(), null);
  const [kept] = await bench.database.admin.query('select certificates from custody.vault');
  const [first] = JSON.parse(text(kept ?? {}, 'certificates'));
  for (const fewer of [[first], [first, first], []]) {
    await change('certificates', `'${JSON.stringify(fewer)}'`);
    assert.equal(
      await problem(),
      'signer/certificate-invalid',
      `${fewer.length} certificates, of fewer than must vouch`,
    );
  }
  await change('certificates', `'${text(kept ?? {}, 'certificates')}'`);
  assert.equal(await problem(), null);
  const swap = async (address: string): Promise<void> => {
    await bench.database.admin.query('alter table custody.wallet disable trigger user');
    await bench.database.admin.query(`update custody.wallet set address = $1 where kind = 'vault'`, [address]);
  };
  await swap(namedAddress('of somebody else'));
  assert.equal(await problem(), 'wallet/address-mismatch', 'the wallet has another address than the vault');
  await swap((await vaultRow(bench, vault.id)).address);
  assert.equal(await problem(), null);
  await change('config', `jsonb_set(config, '{exitDestination}', '"0x${'66'.repeat(20)}"')`);
  assert.equal(await problem(), 'wallet/address-mismatch');
});

test('a client of a pool that begins with a vault gets a forwarder of its own, bound to it, and none before', async () => {
  await using bench = await openVaulting();
  const client = await bench.client('omnibus');
  await draftedVault(bench, { compartment: pool }, { unlisted: [{ token: nativeToken, cap: plenty }] });
  assert.equal(await addressAsked(bench, client), 'vault/not-issued');
  const view = await issuedVault(bench, { compartment: pool }, { unlisted: [{ token: nativeToken, cap: plenty }] });
  const [one, two] = [await bench.wallet(client), await bench.wallet(client)];
  assert.notEqual(one.address, two.address);
  const views = await walletViews(bench.custody, { client, after: null, limit: 10 });
  assert.deepEqual(
    views.map(({ kind, vaultWalletId }) => [kind, vaultWalletId]),
    [
      ['forwarder', view.walletId],
      ['forwarder', view.walletId],
    ],
  );
  const [shown] = await vaultViews(bench.custody, bench.custody.db, { id: view.id, after: null, limit: 1 });
  assert.equal(shown?.clientId, null);
  assert.equal(shown?.onChain.destinations.length, 1);
});

test('a pool on keys issues addresses with keys while its vault is agreed on, and forwarders once it is issued', async () => {
  await using bench = await openVaulting();
  const client = await bench.client('omnibus');
  const kinds = async (): Promise<readonly string[]> =>
    (await walletViews(bench.custody, { client, after: null, limit: 10 })).map(({ kind }) => kind).sort();
  const first = await bench.wallet(client);
  await draftedVault(bench, { compartment: pool }, { unlisted: [{ token: nativeToken, cap: plenty }] });
  await bench.wallet(client);
  assert.deepEqual(await kinds(), ['key', 'key']);
  await issuedVault(bench, { compartment: pool }, { unlisted: [{ token: nativeToken, cap: plenty }] });
  const later = await bench.wallet(client);
  assert.deepEqual(await kinds(), ['forwarder', 'key', 'key']);
  assert.notEqual(later.address, first.address);
});
