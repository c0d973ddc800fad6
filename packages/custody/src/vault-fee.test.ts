import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseFees, houseGas } from '@bulkhead/domain';
import { fakeKeccak, namedAddress, quorumSignature } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import {
  callData,
  factoryCalls,
  feeMax,
  nativeToken,
  typedDigest,
  vaultCalls,
  vaultDomain,
  vaultForms,
} from '@bulkhead/vaults';
import { chargeFee, type FeePaymentView, feePaymentViews, payFees } from './fee.ts';
import { flushVault } from './flush.ts';
import { refusalOf, viewOf } from './testing/bench.ts';
import { breaks, reconciled } from './testing/desk.ts';
import { Interrupter, interruptible, type Interruption, quick } from './testing/faulty-database.ts';
import { lostDispatches, resume } from './testing/resuming.ts';
import {
  callFromOutside,
  exits,
  fundedForwarder,
  fundedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';
import { approve, ask, available, ether, pay, settle, wallets } from './testing/withdrawing.ts';
import { vaultFeeTtlSeconds } from './vault-fee.ts';

const month = 31n * 86_400n;

async function charges(bench: VaultBench, { client: clientId }: VaultAccount, amount: bigint): Promise<void> {
  const charge = { clientId, asset: bench.native, amount, description: 'custody of a month' };
  viewOf(await chargeFee(bench.custody, bench.as('ann'), charge));
}

async function paysFees(bench: VaultBench, { client: clientId }: VaultAccount): Promise<FeePaymentView> {
  return viewOf(await payFees(bench.custody, bench.as('ann'), { clientId, asset: bench.native }));
}

async function refused(bench: VaultBench, { client: clientId }: VaultAccount): Promise<string> {
  return refusalOf(await payFees(bench.custody, bench.as('ann'), { clientId, asset: bench.native }));
}

async function shown(bench: VaultBench, id: string): Promise<FeePaymentView> {
  const [view] = await feePaymentViews(bench.custody.db, { ids: [id], after: null, limit: 1 });
  return view ?? assert.fail('the fee payment is not there');
}

async function owed(bench: VaultBench, { client, wallet }: VaultAccount): Promise<bigint> {
  return bench.posted(wallet.compartment, bench.native, { kind: 'fee-payable', holder: client });
}

async function income(bench: VaultBench): Promise<bigint> {
  return bench.posted(houseFees, bench.native, { kind: 'fee-income', holder: '' });
}

function received(bench: VaultBench, { vault }: VaultAccount): bigint {
  return bench.chain.ground.balance(bench.native, vault.terms.config.feeReceiver);
}

/** The clock of the coin runs, and a month has passed on it. */
async function monthLater(bench: VaultBench, account: VaultAccount): Promise<void> {
  const first = await paysFees(bench, account);
  assert.equal(first.amount, '0', 'the first one moves nothing');
  await bench.work();
  await settle(bench);
  assert.equal((await shown(bench, first.id)).state, 'settled', (await shown(bench, first.id)).reason ?? '');
  bench.chain.ground.skipTime(month);
  bench.clock.advance(Number(month) * 1_000);
  bench.chain.mine();
  await settle(bench);
}

async function breaksOf(bench: VaultBench): Promise<readonly string[]> {
  await reconciled(bench);
  return (await breaks(bench)).map(({ type }) => type);
}

test('what a client owes leaves its vault by the agreed rate, as income of the house; the rest stays owed', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, ether);
  await monthLater(bench, account);
  const most = feeMax(100n * ether, 50n, month);
  const asked = await paysFees(bench, account);
  assert.equal(asked.state, 'queued');
  assert.equal(asked.amount, most.toString(), 'a month at the rate, and not all that is owed');
  assert.equal(await refused(bench, account), 'vault/fee-under-way');
  await bench.work();
  assert.equal((await shown(bench, asked.id)).state, 'broadcast');
  assert.equal(await income(bench), 0n, 'signed and relayed is not paid');
  await settle(bench);
  const done = await shown(bench, asked.id);
  assert.deepEqual([done.state, done.chainState, done.feePaid], ['settled', 'final', '0'], done.reason ?? '');
  assert.match(done.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  assert.equal(received(bench, account), most);
  assert.deepEqual([await owed(bench, account), await income(bench)], [ether - most, most]);
  assert.deepEqual(await wallets(bench, account.wallet), { books: 100n * ether - most, chain: 100n * ether - most });
  const arrived = (await bench.deposits()).filter(({ walletId }) => walletId === done.toWalletId);
  assert.deepEqual(arrived, [], 'income is no deposit');
  const halves = await bench.database.owner.query(
    `select t.code from ledger.transfers t where t.link = (select id from custody.vault_dispatch where subject = $1) order by t.code`,
    [asked.id],
  );
  assert.deepEqual(
    halves.map((row) => text(row, 'code')),
    ['fee-income', 'fee-payment'],
    'two halves in two books, joined',
  );
  assert.ok((await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' })) > 0n);
  const next = await paysFees(bench, account);
  assert.ok(BigInt(next.amount) < most / 1_000n, 'the clock began anew');
  assert.deepEqual(await breaksOf(bench), []);
  await bench.prove();
});

test('a pool pays the fee of a client out of what its vault holds; what lies at forwarders is not counted', async () => {
  await using bench = await openVaulting();
  const account = await fundedForwarder(bench, 40n * ether);
  await charges(bench, account, 5n);
  await monthLater(bench, account);
  assert.equal(await refused(bench, account), 'vault/fee-not-due', 'all coins are at the forwarder');
  viewOf(await flushVault(bench.custody, bench.as('olga'), { vaultId: account.vault.id, asset: bench.native }));
  await bench.work();
  await settle(bench);
  const { id } = await paysFees(bench, account);
  await bench.work();
  await settle(bench);
  assert.deepEqual([(await shown(bench, id)).state, received(bench, account)], ['settled', 5n]);
  assert.deepEqual(await breaksOf(bench), []);
  await bench.prove();
});

test('coins that a withdrawal will take are not counted: a fee of them would be refused once they have left', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, ether);
  await monthLater(bench, account);
  const { id } = await ask(bench, { client: account.client, amount: 60n * ether, destination: listed });
  await approve(bench, id);
  const { amount } = await paysFees(bench, account);
  assert.equal(amount, feeMax(40n * ether, 50n, month).toString());
});

test('whoever carries it, a fee is paid once; ours that comes too late costs the house alone', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  await monthLater(bench, account);
  const { id } = await paysFees(bench, account);
  await bench.work();
  const [row] = await bench.database.owner.query(
    `select d.call_data from custody.dispatch d join custody.vault_dispatch v on v.id = d.relays where v.subject = $1`,
    [id],
  );
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined && row !== undefined);
  bench.chain.ground.mempool.withhold(ours.hash);
  callFromOutside(bench, account.vault.address, `0x${text(row, 'call_data').slice(2)}`);
  await settle(bench);
  assert.equal((await shown(bench, id)).state, 'settled', 'a stranger carried it');
  bench.chain.ground.mempool.release(ours.hash);
  await settle(bench);
  await settle(bench);
  assert.deepEqual([received(bench, account), await income(bench), await owed(bench, account)], [7n, 7n, 0n]);
  assert.deepEqual(await breaksOf(bench), []);
  await bench.prove();
});

test('a fee that nobody carried in time goes back to what is owed, once the deadline is final in the past', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  await monthLater(bench, account);
  const { id } = await paysFees(bench, account);
  await bench.work();
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined);
  bench.chain.ground.mempool.withhold(ours.hash);
  bench.clock.advance(Number(vaultFeeTtlSeconds) * 2_000);
  await settle(bench);
  assert.equal((await shown(bench, id)).state, 'broadcast', 'by the clock it is over, by the chain it is not');
  bench.chain.ground.skipTime(vaultFeeTtlSeconds + 1n);
  bench.chain.mine();
  await settle(bench);
  const lapsed = await shown(bench, id);
  assert.deepEqual([lapsed.state, /deadline/u.test(lapsed.reason ?? '')], ['failed', true]);
  bench.chain.ground.mempool.release(ours.hash);
  await settle(bench);
  assert.equal(received(bench, account), 0n, 'what surfaces later pays nothing');
  const again = await paysFees(bench, account);
  assert.equal(again.amount, '7', 'what was held may be paid again');
  await bench.work();
  await settle(bench);
  assert.equal((await shown(bench, again.id)).state, 'settled');
  assert.equal(received(bench, account), 7n);
  await bench.prove();
});

test('an exit takes what was owed too, after everything else; a vault that leaves pays no fee', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  await monthLater(bench, account);
  const { id } = await paysFees(bench, account);
  await bench.work();
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  await exits(bench, account.vault);
  const given = await shown(bench, id);
  assert.deepEqual([given.state, /exit/u.test(given.reason ?? '')], ['failed', true]);
  assert.deepEqual([await owed(bench, account), await available(bench, account)], [0n, 0n]);
  assert.equal(await income(bench), 0n);
  await pay(bench, account.wallet, 50n * ether);
  await charges(bench, account, 7n);
  assert.equal(await refused(bench, account), 'vault/exiting');
  assert.deepEqual(await breaksOf(bench), []);
  await bench.prove();
});

test('a fee given up for an exit and paid all the same, once the exit was cancelled, is income out of what the client owes', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  await monthLater(bench, account);
  const { id } = await paysFees(bench, account);
  await bench.work();
  const [row] = await bench.database.owner.query(
    `select d.call_data from custody.dispatch d join custody.vault_dispatch v on v.id = d.relays where v.subject = $1`,
    [id],
  );
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  await exits(bench, account.vault);
  assert.equal((await shown(bench, id)).state, 'failed');
  await pay(bench, account.wallet, 1_000n * ether);
  await charges(bench, account, 9n);
  const { config } = account.vault.terms;
  const message = { nonce: 1n, deadline: 2n ** 40n };
  callFromOutside(
    bench,
    account.vault.address,
    callData(fakeKeccak, vaultCalls.cancelExit, { config, message, signature: '0x' }),
  );
  bench.chain.mine();
  callFromOutside(bench, account.vault.address, `0x${text(row ?? assert.fail(), 'call_data').slice(2)}`);
  await settle(bench);
  assert.deepEqual([received(bench, account), await income(bench)], [7n, 7n]);
  assert.equal(await owed(bench, account), 2n, 'out of what is owed before what is available');
  assert.equal(await available(bench, account), 1_000n * ether - 9n);
  assert.deepEqual(await breaksOf(bench), []);
  await bench.prove();
});

test('a fee that nobody here asked for is a break, and one of nothing is written down: somebody has keys of the quorum', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  const { config } = account.vault.terms;
  const collects = (amount: bigint, nonce: bigint): `0x${string}` => {
    const message = { token: nativeToken, amount, nonce, deadline: 2n ** 40n };
    const domain = vaultDomain(bench.id, account.vault.address);
    const signatures = quorumSignature(typedDigest(fakeKeccak, domain, { form: vaultForms.fee, message }));
    return callData(fakeKeccak, vaultCalls.collectFee, { config, message, signatures });
  };
  const factory = bench.custody.vaults?.systems.get(bench.id)?.factory ?? namedAddress('nobody');
  const calls = [collects(0n, 70n)];
  callFromOutside(bench, factory, callData(fakeKeccak, factoryCalls.createAndCall, { config, calls }));
  await settle(bench);
  const journal = await bench.database.owner.query(
    `select data::text as data from custody.journal where event = 'vault-paid-unasked' and subject = $1`,
    [account.vault.id],
  );
  assert.equal(journal.length, 1, 'the clock was started by somebody');
  assert.deepEqual(await breaksOf(bench), []);
  bench.chain.ground.skipTime(month);
  bench.chain.mine();
  callFromOutside(bench, account.vault.address, collects(5n, 71n));
  await settle(bench);
  assert.equal(received(bench, account), 5n);
  assert.equal(await income(bench), 0n, 'not booked as if it had been asked for');
  assert.ok((await breaksOf(bench)).length > 0);
});

test('another payment with the nonce of a fee is not the fee, though it pays the same to the same wallet', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  await monthLater(bench, account);
  const { id } = await paysFees(bench, account);
  await bench.work();
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  const [row] = await bench.database.owner.query('select nonce from custody.vault_dispatch where subject = $1', [id]);
  const { config } = account.vault.terms;
  const nonce = BigInt(text(row ?? assert.fail(), 'nonce'));
  const message = { token: nativeToken, to: config.feeReceiver, amount: 7n, nonce, deadline: 2n ** 40n };
  const domain = vaultDomain(bench.id, account.vault.address);
  const signatures = quorumSignature(typedDigest(fakeKeccak, domain, { form: vaultForms.oneOff, message }));
  const call = callData(fakeKeccak, vaultCalls.payOnce, { config, message, signatures, clientSignature: '0x' });
  callFromOutside(bench, account.vault.address, call);
  await settle(bench);
  const taken = await shown(bench, id);
  assert.deepEqual([taken.state, /something else/u.test(taken.reason ?? '')], ['failed', true]);
  assert.equal(await income(bench), 0n);
  assert.equal(await owed(bench, account), 7n, 'what is owed stays owed');
  assert.ok((await breaksOf(bench)).length > 0);
});

test('a rule that wants people for a fee is said to be the reason why it waits', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 100n * ether);
  await charges(bench, account, 7n);
  bench.signer.rules.ownQuorum = 2;
  const { id } = await paysFees(bench, account);
  await bench.work();
  const waiting = await shown(bench, id);
  assert.equal(waiting.state, 'queued');
  assert.match(waiting.reason ?? '', /cannot be approved here/u);
  assert.equal(bench.quorum.signed.length, 0);
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step, a fee is paid once and nothing stays held`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openVaulting({ chain: quick, database: (db) => interruptible(db, interrupter) });
    const account = await fundedVault(bench, 100n * ether);
    await charges(bench, account, 1_000n);
    await monthLater(bench, account);
    let paid = 0n;
    let ends = 0;
    for (let step = 0; ; step += 7) {
      bench.chain.ground.skipTime(3_600n);
      bench.clock.advance(3_600_000);
      await settle(bench);
      await charges(bench, account, 1n);
      interrupter.arm(step, kind);
      let ended = false;
      for (const work of [() => paysFees(bench, account), () => bench.work(), () => settle(bench)]) {
        try {
          await work();
        } catch {
          ended = true;
        }
      }
      interrupter.disarm();
      if (ended) ends += 1;
      await resume(bench, lostDispatches);
      const views = await feePaymentViews(bench.custody.db, { after: null, limit: 500 });
      assert.ok(
        views.every(({ state }) => state === 'settled'),
        views.map(({ state, reason }) => `${state} ${reason ?? ''}`).join(),
      );
      paid = views.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
      assert.equal(received(bench, account), paid);
      assert.equal(await income(bench), paid);
      if (!ended) break;
    }
    assert.ok(ends > 5, `${ends} steps were killed`);
    assert.ok(paid > 1_000n);
    await bench.prove();
  });
}
