import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKeccak, fakeVaultSystem, namedAddress } from '@bulkhead/fakes';
import { audit } from '@bulkhead/ledger';
import { callData, factoryCalls, forwarderSalt, nativeToken, vaultCalls } from '@bulkhead/vaults';
import { pool, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, reconciled } from './testing/desk.ts';
import {
  callFromOutside,
  exits,
  exitTo,
  fundedForwarder,
  fundedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';
import { approve, ask, available, ether, pay, recipient, settle, wallets, withdrawal } from './testing/withdrawing.ts';
import { vaultViews, type VaultView } from './vault-view.ts';
import { findWallet } from './wallet.ts';
import { requestWithdrawal } from './withdrawal.ts';

async function shown(bench: VaultBench, { vault }: VaultAccount): Promise<VaultView> {
  const [view] = await vaultViews(bench.custody, bench.custody.db, { id: vault.id, after: null, limit: 1 });
  assert.ok(view !== undefined);
  return view;
}

async function flush(bench: VaultBench, account: VaultAccount): Promise<void> {
  const forwarder = await findWallet(bench.custody.db, account.wallet.id);
  assert.ok(forwarder?.kind === 'forwarder');
  const salts = [forwarderSalt(BigInt(forwarder.index))];
  const data = callData(fakeKeccak, factoryCalls.flush, { vault: account.vault.address, salts, token: nativeToken });
  callFromOutside(bench, fakeVaultSystem.factory, data);
  await settle(bench);
}

test('coin and tokens are credited at a vault before and after its deployment, inner payments too', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 2n * ether);
  const token = await bench.token('USDX');
  bench.chain.outside.payByContract([{ to: account.wallet.address, amount: 7n }]);
  bench.chain.outside.send({ to: account.wallet.address, amount: 500n, asset: token });
  await settle(bench);
  callFromOutside(
    bench,
    fakeVaultSystem.factory,
    callData(fakeKeccak, factoryCalls.create, { config: account.vault.terms.config }),
  );
  await settle(bench);
  assert.notEqual((await shown(bench, account)).onChain.deployedIn, null);
  bench.chain.outside.payByContract([{ to: account.wallet.address, amount: 11n }]);
  bench.chain.outside.send({ to: account.wallet.address, amount: 1_500n, asset: token });
  await settle(bench);
  assert.deepEqual(await wallets(bench, account.wallet), { books: 2n * ether + 18n, chain: 2n * ether + 18n });
  assert.deepEqual(await wallets(bench, account.wallet, token), { books: 2_000n, chain: 2_000n });
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('a deposit is credited when it is final at the forwarder; what a flush moves is no second one', async () => {
  await using bench = await openVaulting();
  const account = await fundedForwarder(bench, 3n * ether);
  assert.equal(await available(bench, account), 3n * ether, 'before anything was flushed');
  const before = (await bench.deposits()).length;
  const request = { client: account.client, amount: ether, destination: recipient };
  const { id } = await ask(bench, request);
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).state, 'awaiting-liquidity');
  await settle(bench);
  assert.equal((await bench.deposits()).length, before, 'a movement inside the compartment');
  assert.equal(
    await bench.posted(pool, bench.native, { kind: 'wallet', holder: account.vault.wallet ?? '' }),
    3n * ether,
  );
  assert.deepEqual(await wallets(bench, account.wallet), { books: 0n, chain: 0n });
  await settle(bench);
  assert.equal(
    (await withdrawal(bench, id)).state,
    'settled',
    'to an unlisted destination, within the window of the pool',
  );
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('a payment from one vault to another is a withdrawal here and a deposit there', async () => {
  await using bench = await openVaulting();
  const payee = await fundedVault(bench, ether);
  const payer = await fundedVault(bench, 3n * ether, { destinations: [payee.wallet.address] });
  const { id } = await ask(bench, { client: payer.client, amount: ether, destination: payee.wallet.address });
  await approve(bench, id);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  const arrived = (await bench.deposits()).find((one) => one.clientId === payee.client && one.state === 'final');
  assert.equal(arrived?.credited, ether.toString());
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
});

test('an exit voids holds, debits what is available and then what is in quarantine, and is no break', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  bench.chain.outside.send({ to: account.wallet.address, amount: ether });
  await settle(bench);
  const waiting = await ask(bench, { client: account.client, amount: ether, destination: listed });
  const signed = await ask(bench, { client: account.client, amount: ether / 2n, destination: listed });
  await approve(bench, signed.id);
  assert.equal((await withdrawal(bench, signed.id)).state, 'broadcast');
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  await exits(bench, account.vault);
  assert.equal(bench.chain.ground.balance(bench.native, exitTo), 4n * ether);
  for (const { id } of [waiting, signed]) {
    const failed = await withdrawal(bench, id);
    assert.equal(failed.state, 'failed');
    assert.match(failed.reason ?? '', /exit of the vault/u);
  }
  assert.equal(await available(bench, account), 0n);
  const { compartment } = account.wallet;
  assert.equal(await bench.posted(compartment, bench.native, { kind: 'quarantine', holder: account.client }), 0n);
  assert.deepEqual(await wallets(bench, account.wallet), { books: 0n, chain: 0n });
  const view = await shown(bench, account);
  assert.equal(view.onChain.exit, 'requested');
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  assert.deepEqual(await audit(bench.custody.db), []);
});

test('after an exit was asked for nothing is paid and nothing is accepted to be paid', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  await exits(bench, account.vault, []);
  const request = {
    clientId: account.client,
    asset: bench.native,
    amount: 1n,
    destination: listed,
    feePayer: 'house',
  } as const;
  assert.equal(refusalOf(await requestWithdrawal(bench.custody, bench.as('olga'), request)), 'vault/exiting');
  assert.equal(await available(bench, account), 3n * ether, 'nothing left yet');
});

test('a payment that comes after a cancelled exit is booked against the claims that are there then', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, id);
  const [relay] = bench.chain.ground.mempool.ready();
  assert.ok(relay !== undefined);
  bench.chain.ground.mempool.drop(relay.hash);
  await exits(bench, account.vault);
  assert.equal((await withdrawal(bench, id)).state, 'failed');
  const { config } = account.vault.terms;
  const message = { nonce: 1n, deadline: 2n ** 40n };
  callFromOutside(
    bench,
    account.vault.address,
    callData(fakeKeccak, vaultCalls.cancelExit, { config, message, signature: '0x' }),
  );
  await pay(bench, account.wallet, 2n * ether);
  bench.chain.ground.resurface(relay.hash);
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, listed), ether);
  assert.equal(await available(bench, account), ether);
  assert.deepEqual(await wallets(bench, account.wallet), { books: ether, chain: ether });
  assert.deepEqual(await audit(bench.custody.db), []);
});

test('the exit of a pool moves every claim to the administrator, and what is flushed later goes there too', async () => {
  await using bench = await openVaulting();
  const account = await fundedForwarder(bench, 3n * ether);
  await flush(bench, account);
  await pay(bench, account.wallet, ether);
  await exits(bench, account.vault);
  assert.equal(bench.chain.ground.balance(bench.native, exitTo), 3n * ether);
  assert.equal(await available(bench, account), 0n);
  const administrator = { kind: 'available', holder: `adm_${account.vault.id}` } as const;
  assert.equal(await bench.posted(pool, bench.native, administrator), ether, 'what still lies at forwarders');
  await flush(bench, account);
  const { config } = account.vault.terms;
  callFromOutside(bench, account.vault.address, callData(fakeKeccak, vaultCalls.exit, { config, token: nativeToken }));
  await settle(bench);
  assert.equal(await bench.posted(pool, bench.native, administrator), 0n);
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  assert.deepEqual(await audit(bench.custody.db), []);
});

test('an unlisted payment of a pool never goes to a vault of ours: the contract would refuse it once that is deployed', async () => {
  await using bench = await openVaulting();
  const payee = await fundedVault(bench, ether);
  const payer = await fundedForwarder(bench, 3n * ether);
  const request = {
    clientId: payer.client,
    asset: bench.native,
    amount: 1n,
    destination: payee.wallet.address,
    feePayer: 'house',
  } as const;
  const asked = await requestWithdrawal(bench.custody, bench.as('olga'), request);
  assert.equal(refusalOf(asked), 'vault/destination-not-listed');
  const once = await requestWithdrawal(bench.custody, bench.as('olga'), { ...request, oneOff: true });
  assert.equal(viewOf(once).vault?.authorisation, 'one-off');
});

test('a reorg takes events of vaults away, and brings them back', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, id);
  bench.chain.mine();
  await bench.follow();
  bench.chain.reorg(1, { emptyBlocks: 1, length: 3 });
  await bench.follow();
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.deepEqual(await wallets(bench, account.wallet), { books: 2n * ether, chain: 2n * ether });
  await bench.prove();
});

test('what is unknown to vaults changes nothing', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, ether);
  callFromOutside(bench, account.wallet.address, '0xdeadbeef');
  bench.chain.outside.send({ to: namedAddress('somebody'), amount: 1n });
  await settle(bench);
  assert.equal(await available(bench, account), ether);
  await bench.prove();
});
