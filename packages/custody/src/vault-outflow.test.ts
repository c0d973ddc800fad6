import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetId, contractOf, parseAddress } from '@bulkhead/domain';
import { fakeKeccak, fakeVaultSystem } from '@bulkhead/fakes';
import { audit } from '@bulkhead/ledger';
import { callData, factoryCalls, forwarderSalt, nativeToken, vaultCalls } from '@bulkhead/vaults';
import { sweepBalances } from './balance-sweep.ts';
import { releaseDeposit } from './deposit.ts';
import type { DepositView } from './deposit-view.ts';
import { type BenchWallet, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, lostIn, onlyBreak, reconciled } from './testing/desk.ts';
import {
  callFromOutside,
  exits,
  exitTo,
  fundedForwarder,
  fundedVault,
  issuedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
  vaultRow,
} from './testing/vaulting.ts';
import { approve, ask, available, ether, pay, settle, wallets, withdrawal } from './testing/withdrawing.ts';
import { findWallet } from './wallet.ts';
import { issueClientWallet } from './wallet-issue.ts';
import { cancelWithdrawal } from './withdrawal.ts';

async function isWhole(bench: VaultBench, account: VaultAccount): Promise<void> {
  const { books, chain } = await wallets(bench, account.wallet);
  assert.equal(books, chain);
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  assert.deepEqual(await audit(bench.custody.db), []);
  await bench.prove();
}

test('a token that nobody here follows leaves with an exit as it came: the books know nothing of it, and go on', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const gift = bench.chain.ground.deployToken({ name: 'GIFT', listed: false });
  bench.chain.outside.send({ to: account.wallet.address, amount: 5n, asset: gift });
  await settle(bench);
  await exits(bench, account.vault, [contractOf(gift) ?? nativeToken, nativeToken]);
  assert.deepEqual(
    [bench.chain.ground.balance(gift, exitTo), bench.chain.ground.balance(bench.native, exitTo)],
    [5n, 3n * ether],
  );
  assert.equal(await available(bench, account), 0n);
  await isWhole(bench, account);
});

test('coin that came unseen leaves with an exit, is searched before that is booked, and is not found again later', async () => {
  for (const make of [fundedVault, fundedForwarder]) {
    await using bench = await openVaulting();
    const account = await make(bench, 3n * ether);
    const { address } = account.vault;
    await sweepBalances(bench.custody, bench.id);
    bench.chain.ground.force(address, ether);
    await exits(bench, account.vault);
    assert.ok(bench.chain.ground.balance(bench.native, exitTo) >= ether);
    bench.chain.ground.force(address, 7n);
    await settle(bench);
    await sweepBalances(bench.custody, bench.id);
    await settle(bench);
    const vaultWallet = { ...account.wallet, id: account.vault.wallet ?? '', address };
    assert.deepEqual(await wallets(bench, vaultWallet), { books: 7n, chain: 7n });
    await isWhole(bench, account);
  }
});

/** A client with an address of a key from the time before it had a vault, and with coins at both. */
async function withOlderAddress(
  bench: VaultBench,
  coins: { readonly atKey: bigint; readonly atVault: bigint },
): Promise<{ readonly older: BenchWallet; readonly account: VaultAccount }> {
  const client = await bench.client('individual');
  const { vaults: _none, ...before } = bench.custody;
  const issued = viewOf(await issueClientWallet(before, bench.as('olga'), { clientId: client, chain: bench.id }));
  const view = await issuedVault(bench, { clientId: client });
  const wallet = await bench.wallet(client);
  const older = { ...wallet, id: issued.id, address: parseAddress(issued.address) };
  await pay(bench, older, coins.atKey);
  await pay(bench, wallet, coins.atVault);
  return { older, account: { client, wallet, vault: await vaultRow(bench, view.id) } };
}

test('an exit gives up what waits for coins that left, and leaves what addresses with keys can still pay', async () => {
  await using bench = await openVaulting();
  const { account, older } = await withOlderAddress(bench, { atKey: 4n * ether, atVault: 2n * ether });
  const request = { client: account.client, amount: 3n * ether, feePayer: 'house' } as const;
  // Both look at the four at the key, because nothing is reserved before the approval.
  const first = await ask(bench, request);
  bench.clock.advance(1_000);
  const second = await ask(bench, request);
  assert.equal(first.vault ?? second.vault, null);
  assert.equal(await available(bench, account), 0n);
  await exits(bench, account.vault);
  assert.equal(bench.chain.ground.balance(bench.native, exitTo), 2n * ether);
  const gone = await withdrawal(bench, second.id);
  assert.equal(gone.state, 'failed');
  assert.match(gone.reason ?? '', /exit of the vault/u);
  assert.equal((await withdrawal(bench, first.id)).state, 'screened');
  assert.equal(await available(bench, account), ether);
  assert.deepEqual(await wallets(bench, older), { books: 4n * ether, chain: 4n * ether });
  await isWhole(bench, account);
});

test('what a token added to a vault without telling leaves with the exit, and no claim to other coins pays for it', async () => {
  await using bench = await openVaulting();
  const asset = await bench.token('USDX');
  const { account, older } = await withOlderAddress(bench, { atKey: ether, atVault: ether });
  await pay(bench, older, 10n, asset);
  await pay(bench, account.wallet, 5n, asset);
  const { height } = bench.chain.ground;
  bench.chain.ground.history.add({ asset, address: account.wallet.address, height, change: 2n });
  await exits(bench, account.vault, [contractOf(asset) ?? nativeToken]);
  assert.equal(bench.chain.ground.balance(asset, exitTo), 7n);
  assert.equal(await available(bench, account, asset), 10n);
  assert.deepEqual(await wallets(bench, account.wallet, asset), { books: 0n, chain: 0n });
  await isWhole(bench, account);
});

test('a deposit that nobody had released ends with the exit that took it, and never has the claim of the next one', async () => {
  for (const make of [fundedVault, fundedForwarder]) {
    await using bench = await openVaulting();
    const account = await make(bench, 3n * ether);
    const arrives = async (amount: bigint): Promise<DepositView> => {
      bench.chain.outside.send({ to: account.wallet.address, amount });
      await settle(bench);
      const found = (await bench.deposits()).find(
        ({ state, disposition }) => state === 'final' && disposition === 'client',
      );
      assert.ok(found !== undefined);
      return found;
    };
    const before = await arrives(ether);
    if (make === fundedForwarder) await flushes(bench, account, bench.native);
    await exits(bench, account.vault);
    assert.equal(bench.chain.ground.balance(bench.native, exitTo), 4n * ether);
    const after = await arrives(ether);
    const [taken] = (await bench.deposits()).filter(({ id }) => id === before.id);
    assert.deepEqual([taken?.state, after.id === before.id], ['exited', false]);
    for (const person of ['ruth', 'sam']) {
      const asked = await releaseDeposit(bench.custody, bench.as(person), before.id);
      assert.equal(refusalOf(asked), 'deposit/wrong-state');
    }
    const { compartment } = account.wallet;
    const quarantine = { kind: 'quarantine', holder: account.client } as const;
    assert.equal(await bench.posted(compartment, bench.native, quarantine), ether);
    assert.equal(await available(bench, account), 0n);
    await isWhole(bench, account);
  }
});

/** A stranger sends on what lies at the forwarder of an account. */
async function flushes(bench: VaultBench, account: VaultAccount, asset: AssetId): Promise<void> {
  const forwarder = await findWallet(bench.custody.db, account.wallet.id);
  assert.ok(forwarder?.kind === 'forwarder');
  const salts = [forwarderSalt(BigInt(forwarder.index))];
  const token = contractOf(asset) ?? nativeToken;
  const data = callData(fakeKeccak, factoryCalls.flush, { vault: account.vault.address, salts, token });
  callFromOutside(bench, fakeVaultSystem.factory, data);
  await settle(bench);
}

test('what a token keeps when a stranger flushes it is borne by whose deposit it was, and freezes nobody', async () => {
  await using bench = await openVaulting();
  const asset = await bench.token('TAX', { feePercent: 10n });
  const account = await fundedForwarder(bench, ether);
  const { compartment, address } = account.wallet;
  bench.chain.outside.send({ to: address, amount: 1_000n, asset });
  await settle(bench);
  await flushes(bench, account, asset);
  const atVault = { ...account.wallet, id: account.vault.wallet ?? '', address: account.vault.address };
  assert.deepEqual(await wallets(bench, atVault, asset), { books: 810n, chain: 810n });
  assert.deepEqual(await wallets(bench, account.wallet, asset), { books: 0n, chain: 0n });
  const quarantine = { kind: 'quarantine', holder: account.client } as const;
  assert.equal(await bench.posted(compartment, asset, quarantine), 810n);
  const deposit = (await bench.deposits()).find((one) => one.asset === asset);
  for (const person of ['ruth', 'sam']) {
    viewOf(await releaseDeposit(bench.custody, bench.as(person), deposit?.id ?? ''));
  }
  assert.equal(await available(bench, account, asset), 810n);
  await pay(bench, account.wallet, 100n, asset);
  await flushes(bench, account, asset);
  assert.equal(await available(bench, account, asset), 810n + 81n, 'of what is released already, too');
  await isWhole(bench, account);
});

/** Signed and relayed, taken back by every node, given up because of an exit, which the client then takes back. */
async function lateRelay(bench: VaultBench, account: VaultAccount): Promise<() => Promise<void>> {
  const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, id);
  const [relay] = bench.chain.ground.mempool.ready();
  assert.ok(relay !== undefined);
  bench.chain.ground.mempool.drop(relay.hash);
  await exits(bench, account.vault);
  assert.equal((await withdrawal(bench, id)).state, 'failed');
  const { config } = account.vault.terms;
  const message = { nonce: 1n, deadline: 2n ** 40n };
  const back = callData(fakeKeccak, vaultCalls.cancelExit, { config, message, signature: '0x' });
  callFromOutside(bench, account.vault.address, back);
  await pay(bench, account.wallet, 2n * ether);
  return async () => {
    bench.chain.ground.resurface(relay.hash);
    await settle(bench);
    assert.equal(bench.chain.ground.balance(bench.native, listed), ether);
  };
}

test('a payment that comes after a cancelled exit takes coins that a waiting withdrawal holds: that one is given up', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const late = await lateRelay(bench, account);
  const waiting = await ask(bench, { client: account.client, amount: 2n * ether, destination: listed });
  await late();
  assert.equal((await withdrawal(bench, waiting.id)).state, 'failed');
  assert.equal(await available(bench, account), ether);
  await isWhole(bench, account);
});

test('where the coins of such a payment are held by one that signers were asked for, people look, and the chain is followed on', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const late = await lateRelay(bench, account);
  const live = await ask(bench, { client: account.client, amount: 2n * ether, destination: listed });
  await approve(bench, live.id);
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  await late();
  await reconciled(bench);
  const found = await onlyBreak(bench);
  assert.deepEqual([found.type, lostIn(found)], ['shortfall', ether]);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), live.id));
  await bench.work();
  assert.equal((await withdrawal(bench, live.id)).state, 'broadcast', 'it ends with its deadline, or with its nonce');
});
