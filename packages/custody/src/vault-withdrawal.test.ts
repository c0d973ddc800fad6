import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas } from '@bulkhead/domain';
import { fakeKeccak, namedAddress, quorumSignature } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import {
  callData,
  factoryCalls,
  nativeToken,
  parseFactoryCall,
  typedDigest,
  vaultCalls,
  vaultDomain,
  vaultForms,
} from '@bulkhead/vaults';
import { freeze } from './freeze.ts';
import { refusalOf, viewOf } from './testing/bench.ts';
import { Interrupter, interruptible, type Interruption, quick } from './testing/faulty-database.ts';
import { type Lost, lostDispatches, resume } from './testing/resuming.ts';
import { approve, ask, available, ether, recipient, settle, wallets, withdrawal } from './testing/withdrawing.ts';
import {
  callFromOutside,
  clientKey,
  exitKey,
  fundedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';
import { signOneOff } from './vault-one-off.ts';
import { cancelWithdrawal, requestWithdrawal } from './withdrawal.ts';

const lost: readonly Lost[] = [
  ...lostDispatches,
  { table: 'withdrawal', task: 'find-liquidity', where: `step in ('approved', 'awaiting-liquidity')` },
];

async function paymentOf(
  bench: VaultBench,
  id: string,
): Promise<{ step: string; outcome: string | null; reason: string }> {
  const [row] = await bench.database.owner.query(
    `select step, outcome, coalesce(waiting_reason, '') as reason from custody.vault_dispatch where subject = $1`,
    [id],
  );
  assert.ok(row !== undefined);
  return {
    step: text(row, 'step'),
    outcome: row['outcome'] === null ? null : text(row, 'outcome'),
    reason: text(row, 'reason'),
  };
}

/** Asked and approved, and signed by the quorum; its relay waits in the mempool. */
async function relayed(bench: VaultBench, account: VaultAccount, amount = ether): Promise<string> {
  const { id } = await ask(bench, { client: account.client, amount, destination: listed });
  await approve(bench, id);
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  return id;
}

/** Our relays are forgotten by every node, so that nothing of ours reaches a block. */
function forgetRelays(bench: VaultBench): void {
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
}

async function signedCall(bench: VaultBench, id: string): Promise<`0x${string}`> {
  const [row] = await bench.database.owner.query(
    `select call_data from custody.dispatch d join custody.vault_dispatch v on v.id = d.relays where v.subject = $1`,
    [id],
  );
  assert.ok(row !== undefined);
  return `0x${text(row, 'call_data').slice(2)}`;
}

async function houseCost(bench: VaultBench): Promise<bigint> {
  return bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' });
}

test('the first payment deploys the vault and pays; the house bears the fee, and the client none', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const id = await relayed(bench, account);
  await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'settled', done.reason ?? '');
  assert.equal(done.feePaid, '0');
  assert.equal(bench.chain.ground.balance(bench.native, listed), ether);
  assert.equal(await available(bench, account), 2n * ether);
  assert.deepEqual(await wallets(bench, account.wallet), { books: 2n * ether, chain: 2n * ether });
  assert.ok((await houseCost(bench)) > 0n, 'the relay is a cost of the house');
  const first = parseFactoryCall(fakeKeccak, await signedCall(bench, id));
  assert.equal(first.call, 'createAndCall');
  const second = await relayed(bench, account);
  assert.ok(
    (await signedCall(bench, second)).startsWith(
      callData(fakeKeccak, vaultCalls.pay, {
        config: account.vault.terms.config,
        message: { token: nativeToken, to: listed, amount: 1n, nonce: 0n, deadline: 0n },
        signatures: '0x',
      }).slice(0, 10),
    ),
    'deployed, it is called itself',
  );
  await settle(bench);
  assert.equal((await withdrawal(bench, second)).state, 'settled');
  await bench.prove();
});

test('a token leaves a vault as the coin does', async () => {
  await using bench = await openVaulting();
  const asset = await bench.token('USDX');
  const account = await fundedVault(bench, 900n, { asset });
  const { id } = await ask(bench, { client: account.client, amount: 400n, asset, destination: listed });
  await approve(bench, id);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(asset, listed), 400n);
  assert.deepEqual(await wallets(bench, account.wallet, asset), { books: 500n, chain: 500n });
  await bench.prove();
});

test('whoever relays it, it is paid once, and our own relay that comes too late costs the house its fee alone', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const id = await relayed(bench, account);
  const call = await signedCall(bench, id);
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined);
  bench.chain.ground.mempool.withhold(ours.hash);
  callFromOutside(bench, ours.transaction.to, call);
  await settle(bench);
  const { state, transactionHash, chainState } = await withdrawal(bench, id);
  assert.deepEqual([state, chainState], ['settled', 'final'], 'a stranger relayed it');
  assert.match(transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  assert.notEqual(transactionHash, ours.hash, 'the transaction of whoever carried it');
  assert.equal(bench.chain.ground.balance(bench.native, listed), ether);
  bench.chain.ground.mempool.release(ours.hash);
  await settle(bench);
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, listed), ether, 'once');
  assert.deepEqual(await wallets(bench, account.wallet), { books: 2n * ether, chain: 2n * ether });
  assert.ok((await houseCost(bench)) > 0n);
  await bench.prove();
});

test('a relay that nobody mined is not the end: the hold stands until the deadline is final in the past', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const id = await relayed(bench, account);
  const call = await signedCall(bench, id);
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined);
  forgetRelays(bench);
  bench.clock.advance(86_400_000);
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'broadcast', 'by the clock it is over, by the chain it is not');
  assert.equal(await available(bench, account), 2n * ether);
  bench.chain.ground.skipTime(90_000n);
  bench.chain.mine();
  await bench.follow();
  assert.equal((await withdrawal(bench, id)).state, 'broadcast', 'in a block, and not final');
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'expired');
  assert.equal(await available(bench, account), 3n * ether);
  callFromOutside(bench, ours.transaction.to, call);
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, listed), 0n, 'what surfaces later pays nothing');
  await bench.prove();
});

test('cancelled before anybody signed it ends at once; afterwards the quorum takes the nonce, and the hold stands until then', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  bench.quorum.awake = [];
  bench.signer.rules.refuse = () => ({ code: 'signer/velocity-exceeded', message: 'Enough for today.' });
  const early = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, early.id);
  assert.equal((await paymentOf(bench, early.id)).step, 'queued');
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), early.id));
  assert.equal((await withdrawal(bench, early.id)).state, 'cancelled');
  assert.equal(await available(bench, account), 3n * ether);
  bench.signer.rules.refuse = undefined;
  bench.quorum.awake = bench.program.members;
  const id = await relayed(bench, account);
  forgetRelays(bench);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  assert.equal((await withdrawal(bench, id)).state, 'broadcast');
  assert.equal(await available(bench, account), 2n * ether, 'a signature exists: what is held stays held');
  await resume(bench, lost);
  assert.equal((await withdrawal(bench, id)).state, 'cancelled');
  assert.equal((await paymentOf(bench, id)).outcome, 'invalidated');
  assert.equal(await available(bench, account), 3n * ether);
  assert.equal(bench.chain.ground.balance(bench.native, listed), 0n);
  await bench.prove();
});

test('where one signer may have signed, a cancellation is an invalidation, although too few ever did', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  bench.quorum.awake = bench.program.members.slice(0, 1);
  const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, id);
  const waiting = await paymentOf(bench, id);
  assert.equal(waiting.step, 'signing');
  assert.match(waiting.reason, /signer\/unavailable/u);
  viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
  await bench.work();
  assert.equal((await withdrawal(bench, id)).state, 'signing');
  assert.equal(await available(bench, account), 2n * ether);
  bench.quorum.awake = bench.program.members;
  await resume(bench, lost);
  assert.equal((await withdrawal(bench, id)).state, 'cancelled');
  assert.equal(bench.quorum.signed.filter(({ kind }) => kind === 'vault-withdrawal').length, 0);
  await bench.prove();
});

test('what the vault never lets out is refused before anybody approves it', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether, { limits: [{ token: nativeToken, cap: ether }] });
  const to = async (destination: typeof recipient, amount: bigint): Promise<string> =>
    refusalOf(
      await requestWithdrawal(bench.custody, bench.as('olga'), {
        clientId: account.client,
        asset: bench.native,
        amount,
        destination,
        feePayer: 'house',
      }),
    );
  assert.equal(await to(recipient, 1n), 'vault/destination-not-listed');
  assert.equal(await to(listed, ether + 1n), 'vault/limit-exceeded');
  assert.equal(await to(account.wallet.address, 1n), 'destination/own-compartment');
  assert.equal(await to(listed, ether), 'done');
  assert.equal(await available(bench, account), 2n * ether);
});

test('a one-off payment goes anywhere and above the limit, and only with the signature of the client key', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 5n * ether, { limits: [{ token: nativeToken, cap: ether }] });
  const asked = viewOf(
    await requestWithdrawal(bench.custody, bench.as('olga'), {
      clientId: account.client,
      asset: bench.native,
      amount: 3n * ether,
      destination: recipient,
      feePayer: 'house',
      oneOff: true,
    }),
  );
  await bench.work();
  const { id } = asked;
  await approve(bench, id);
  const waiting = await withdrawal(bench, id);
  assert.equal(waiting.vault?.authorisation, 'one-off');
  assert.match(waiting.reason ?? '', /client-signature/u);
  assert.equal(bench.quorum.signed.length, 0, 'nobody of the quorum is asked before the client signed');
  const digest = Buffer.from((waiting.vault.clientMustSign?.digest ?? '').slice(2), 'hex');
  const hand = async (signature: `0x${string}`): Promise<string> =>
    refusalOf(await signOneOff(bench.custody, bench.as('olga'), { id, signature }));
  assert.equal(await hand(exitKey.sign(digest)), 'vault/signature-invalid');
  assert.equal(await hand(clientKey.sign(Buffer.alloc(32))), 'vault/signature-invalid');
  assert.equal(await hand(clientKey.sign(digest)), 'done');
  assert.equal(await hand(clientKey.sign(digest)), 'withdrawal/wrong-state', 'once');
  await bench.work();
  await settle(bench);
  const done = await withdrawal(bench, id);
  assert.equal(done.state, 'settled', done.reason ?? '');
  assert.deepEqual([done.vault?.outcome, done.vault?.clientMustSign], ['paid', null]);
  assert.equal(bench.chain.ground.balance(bench.native, recipient), 3n * ether);
  await bench.prove();
});

test('a frozen compartment, another code or a set of signers that is behind stops it before anybody signs', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
  bench.program.members = [namedAddress('a retired member'), ...bench.program.members.slice(1)].toSorted();
  await approve(bench, id);
  assert.match((await paymentOf(bench, id)).reason, /set of signers .* another one than/u);
  bench.program.members = [...(bench.custody.vaults?.systems.get(bench.id)?.members ?? [])];
  bench.program.code.set('factory', undefined);
  await resume(bench, lost);
  assert.match((await paymentOf(bench, id)).reason, /code of the factory/u);
  assert.equal((await paymentOf(bench, id)).step, 'queued');
  bench.program.code.clear();
  const { compartment } = account.wallet;
  await bench.database.owner.query(
    `insert into custody.break (id, type, chain, evidence, owner, deadline, opened_at) values ('brk_1', 'reorg', $1, '{}', 'x', now(), now())`,
    [bench.id],
  );
  await bench.custody.db.transaction((tx) => freeze(tx, bench.clock.now(), { compartment, cause: 'brk_1' }));
  await resume(bench, lost);
  assert.match((await paymentOf(bench, id)).reason, /frozen by brk_1/u);
  assert.equal(bench.quorum.signed.length, 0, 'nobody was asked');
});

test('a payment that the quorum signed for somebody else with our nonce ends ours and is a break, not a settlement', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const id = await relayed(bench, account);
  const call = parseFactoryCall(fakeKeccak, await signedCall(bench, id));
  forgetRelays(bench);
  assert.ok(call.call === 'createAndCall');
  const { config } = account.vault.terms;
  const thief = namedAddress('thief');
  const message = { token: nativeToken, to: thief, amount: 2n * ether, nonce: 0n, deadline: 2n ** 40n };
  const domain = vaultDomain(bench.id, account.vault.address);
  const signatures = quorumSignature(typedDigest(fakeKeccak, domain, { form: vaultForms.oneOff, message }));
  const theft = callData(fakeKeccak, vaultCalls.payOnce, { config, message, signatures, clientSignature: '0x' });
  callFromOutside(
    bench,
    bench.custody.vaults?.systems.get(bench.id)?.factory ?? thief,
    callData(fakeKeccak, factoryCalls.createAndCall, { config, calls: [theft] }),
  );
  await settle(bench);
  assert.equal((await paymentOf(bench, id)).outcome, 'superseded');
  assert.equal((await withdrawal(bench, id)).state, 'failed');
  const { books, chain } = await wallets(bench, account.wallet);
  assert.deepEqual([books, chain], [3n * ether, ether], 'the books do not follow a theft');
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step from the approval to the settlement, a vault pays once and nothing stays held`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openVaulting({ chain: quick, database: (db) => interruptible(db, interrupter) });
    const account = await fundedVault(bench, 1_000n * ether);
    let paid = 0n;
    let ends = 0;
    for (let step = 0; ; step += 5) {
      const { id } = await ask(bench, { client: account.client, amount: ether, destination: listed });
      interrupter.arm(step, kind);
      let ended = false;
      for (const work of [() => approve(bench, id), () => settle(bench)]) {
        try {
          await work();
        } catch {
          ended = true;
        }
      }
      interrupter.disarm();
      if (ended) ends += 1;
      if (
        (await withdrawal(bench, id)).state === 'screened' ||
        (await withdrawal(bench, id)).state === 'awaiting-approval'
      ) {
        viewOf(await cancelWithdrawal(bench.custody, bench.as('olga'), id));
      }
      await resume(bench, lost);
      const { state, reason } = await withdrawal(bench, id);
      assert.ok(state === 'settled' || state === 'cancelled', `${state} ${reason ?? ''}`);
      if (state === 'settled') paid += ether;
      assert.equal(bench.chain.ground.balance(bench.native, listed), paid);
      assert.equal(await available(bench, account), 1_000n * ether - paid);
      if (!ended) break;
    }
    assert.ok(ends > 20, `${ends} steps were killed`);
    await bench.prove();
  });
}
