import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AssetId, codeHashOfNothing, contractOf, gasAccount, houseGas } from '@bulkhead/domain';
import { fakeKeccak, namedAddress } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { callData, delegateSweep } from '@bulkhead/vaults';
import { cancelSweep, retrySweep } from './delegated-sweep.ts';
import { delegationViews, revokeDelegation } from './delegation.ts';
import { requestSweep, sweepViews, type SweepView } from './sweep.ts';
import { type BenchWallet, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, reconciled } from './testing/desk.ts';
import { Interrupter, interruptible, type Interruption, quick } from './testing/faulty-database.ts';
import { resume as resumeWork } from './testing/resuming.ts';
import { callFromOutside, openVaulting, type VaultBench } from './testing/vaulting.ts';
import { approve, ask, available, ether, pay, settle, wallets, withdrawal } from './testing/withdrawing.ts';
import { walletOf } from './wallet.ts';
import { issueClientWallet } from './wallet-issue.ts';

type Legacy = {
  readonly client: string;
  readonly wallet: BenchWallet;
  readonly pool: BenchWallet;
  readonly token: AssetId;
};

/** A client of a pool on keys whose address has tokens and no coin, as addresses from before there were vaults do. */
async function legacy(bench: VaultBench, amount: bigint): Promise<Legacy> {
  const pool = await bench.ownWallet('pool');
  const token = await bench.token('USDX');
  const client = await bench.client('omnibus');
  const wallet = await keyWallet(bench, client);
  await pay(bench, wallet, amount, token);
  return { client, wallet, pool, token };
}

async function keyWallet(bench: VaultBench, clientId: string): Promise<BenchWallet> {
  const { vaults, ...before } = bench.custody;
  assert.ok(vaults !== undefined);
  const view = viewOf(await issueClientWallet(before, bench.as('operator'), { clientId, chain: bench.id }));
  const [row] = await bench.database.owner.query('select * from custody.wallet where id = $1', [view.id]);
  return walletOf(row ?? assert.fail('the wallet is not there'));
}

async function sweeps(bench: VaultBench, { wallet, token }: Legacy): Promise<SweepView> {
  const request = { walletId: wallet.id, asset: token };
  const { items } = viewOf(await requestSweep(bench.custody, bench.as('olga'), request));
  return items[0] ?? assert.fail('nothing was swept');
}

async function shown(bench: VaultBench, id: string): Promise<SweepView> {
  const [view] = await sweepViews(bench.custody.db, { ids: [id], after: null, limit: 1 });
  return view ?? assert.fail('the sweep is not there');
}

async function settles(bench: VaultBench, rounds = 6): Promise<void> {
  await bench.work();
  for (let round = 0; round < rounds; round += 1) await settle(bench);
}

async function granted(bench: VaultBench, { client, wallet }: Legacy): Promise<bigint> {
  return bench.posted(wallet.compartment, bench.native, gasAccount(client));
}

async function states(bench: VaultBench, { wallet }: Legacy): Promise<readonly string[]> {
  const views = await delegationViews(bench.custody.db, { walletId: wallet.id, after: null, limit: 10 });
  return views.map(({ state, delegate }) => `${state}${delegate === null ? ' back' : ''}`).toSorted();
}

test('tokens are swept from an address without coin: it signs once, the house calls its delegate, and no gas is granted', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { wallet, pool, token, client } = account;
  const first = await sweeps(bench, account);
  assert.equal(first.state, 'queued');
  await settles(bench);
  const done = await shown(bench, first.id);
  assert.deepEqual([done.state, done.chainState, done.feePaid], ['settled', 'final', '0'], done.reason ?? '');
  assert.match(done.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  assert.deepEqual(await states(bench, account), ['in-force']);
  assert.deepEqual(await wallets(bench, wallet, token), { books: 0n, chain: 0n });
  assert.deepEqual(await wallets(bench, pool, token), { books: 900n, chain: 900n });
  assert.equal(await available(bench, { client, wallet }, token), 900n, 'no claim changed');
  assert.equal(await granted(bench, account), 0n, 'no gas was sent to the address');
  assert.equal(bench.chain.ground.balance(bench.native, wallet.address), 0n);
  const cost = await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' });
  assert.ok(cost > 0n, 'the house paid');
  const arrived = (await bench.deposits()).filter(({ walletId }) => walletId === pool.id);
  assert.deepEqual(arrived, [], 'what a delegate brought is no deposit');

  await pay(bench, wallet, 50n, token);
  const second = await sweeps(bench, account);
  await settles(bench, 3);
  assert.equal((await shown(bench, second.id)).state, 'settled');
  assert.deepEqual(await states(bench, account), ['in-force'], 'it signed once');
  const later = (await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' })) - cost;
  assert.ok(later < cost, 'and later sweeps cost one transaction');
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('without a delegate in the configuration gas is granted as before', async () => {
  await using bench = await openVaulting();
  const account = await legacy(bench, 900n);
  const { id } = await sweeps(bench, account);
  await settles(bench);
  assert.equal((await shown(bench, id)).state, 'settled');
  assert.ok((await granted(bench, account)) > 0n);
  assert.deepEqual(await states(bench, account), []);
  await bench.prove();
});

test('whoever calls a delegate, the tokens go to the pool and are booked as what they are', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { wallet, pool, token } = account;
  await sweeps(bench, account);
  await settles(bench);
  await pay(bench, wallet, 70n, token);
  const address = contractOf(token) ?? assert.fail();
  callFromOutside(bench, wallet.address, callData(fakeKeccak, delegateSweep, { token: address }));
  await settle(bench);
  assert.deepEqual(await wallets(bench, wallet, token), { books: 0n, chain: 0n });
  assert.deepEqual(await wallets(bench, pool, token), { books: 970n, chain: 970n });
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('a sweep reserves what it will move, and what is reserved already is not swept by a delegate', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { id } = await sweeps(bench, account);
  const request = { walletId: account.wallet.id, asset: account.token };
  const again = await requestSweep(bench.custody, bench.as('olga'), request);
  assert.equal(refusalOf(again), 'sweep/nothing-to-move');
  await settles(bench);
  assert.equal((await shown(bench, id)).state, 'settled');
});

test('taken back, an address has no code, is swept with gas as before, and sends transactions of its own', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { wallet, token } = account;
  const early = await revokeDelegation(bench.custody, bench.as('olga'), wallet.id);
  assert.equal(refusalOf(early), 'sweep/wrong-wallet');
  await sweeps(bench, account);
  await settles(bench);
  const { final } = await bench.chain.heads();
  assert.notEqual(await bench.chain.codeHash(wallet.address, final), codeHashOfNothing);
  viewOf(await revokeDelegation(bench.custody, bench.as('olga'), wallet.id));
  await settles(bench, 3);
  assert.deepEqual(await states(bench, account), ['in-force', 'in-force back']);
  const { final: later } = await bench.chain.heads();
  assert.equal(await bench.chain.codeHash(wallet.address, later), codeHashOfNothing);
  await pay(bench, wallet, 50n, token);
  const { id } = await sweeps(bench, account);
  await settles(bench);
  assert.equal((await shown(bench, id)).state, 'settled');
  assert.ok((await granted(bench, account)) > 0n, 'with gas of its own');
  assert.equal(bench.chain.ground.nonce(wallet.address), 3n, 'two authorisations and a sweep');
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('where the signer refuses a delegation it says why, and nothing is carried', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  bench.signer.rules.refuse = (intent) =>
    intent.kind === 'delegation' ? { code: 'signer/unknown-wallet', message: 'Not this one.' } : undefined;
  const { id } = await sweeps(bench, account);
  await settles(bench, 3);
  const [view] = await delegationViews(bench.custody.db, { walletId: account.wallet.id, after: null, limit: 1 });
  assert.deepEqual([view?.state, /signer\/unknown-wallet/u.test(view?.reason ?? '')], ['queued', true]);
  assert.equal((await shown(bench, id)).state, 'queued');
  const cancels = async (): Promise<string> => refusalOf(await cancelSweep(bench.custody, bench.as('olga'), id));
  const retries = async (sweep: string) => retrySweep(bench.custody, bench.as('olga'), sweep);
  assert.equal(await cancels(), 'done');
  assert.equal((await shown(bench, id)).state, 'cancelled');
  assert.deepEqual([await cancels(), refusalOf(await retries(id))], ['sweep/wrong-state', 'sweep/wrong-state']);
  assert.equal(refusalOf(await retries('swp_none')), 'resource/not-found');
  const again = await sweeps(bench, account);
  bench.signer.rules.refuse = undefined;
  viewOf(await retries(again.id));
  await settles(bench);
  assert.equal((await shown(bench, again.id)).state, 'settled');
  assert.equal((await shown(bench, id)).state, 'cancelled');
  await bench.prove();
});

test('an address signs for its delegate only when nothing of its own is under way: out of turn it would be passed over', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { wallet } = account;
  await pay(bench, wallet, 3n * ether);
  const own = { walletId: wallet.id, asset: bench.native };
  viewOf(await requestSweep(bench.custody, bench.as('olga'), own));
  const sentByItself = () => bench.chain.ground.mempool.ready().find(({ from }) => from === wallet.address);
  await bench.work();
  // First the gas for its own sweep of coin arrives.
  for (let turn = 0; turn < 5 && sentByItself() === undefined; turn += 1) await settle(bench);
  const ours = sentByItself();
  assert.ok(ours !== undefined, 'its own sweep was not sent');
  bench.chain.ground.mempool.withhold(ours.hash);
  const { id } = await sweeps(bench, account);
  await settles(bench, 4);
  assert.deepEqual(await states(bench, account), [], 'it has a nonce to wait for');
  assert.match((await shown(bench, id)).reason ?? '', /not final yet/u);
  bench.chain.ground.mempool.release(ours.hash);
  await settles(bench, 8);
  assert.equal((await shown(bench, id)).state, 'settled', (await shown(bench, id)).reason ?? '');
  await bench.prove();
});

test('a nonce that somebody else took ends the delegation, and the sweep falls back to gas', async () => {
  await using bench = await openVaulting({ delegates: true });
  const account = await legacy(bench, 900n);
  const { wallet } = account;
  await sweeps(bench, account);
  await bench.work();
  await settle(bench);
  const [signed] = await bench.database.owner.query(`select step from custody.delegation`);
  assert.equal(text(signed ?? assert.fail('nothing was signed'), 'step'), 'signed');
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.withhold(hash);
  bench.chain.outside.send({ to: wallet.address, amount: ether });
  bench.chain.mine();
  bench.chain.outside.steal({ from: wallet.address, to: namedAddress('thief'), amount: 1n });
  await settles(bench, 3);
  assert.deepEqual(await states(bench, account), ['superseded']);
  const views = await sweepViews(bench.custody.db, { after: null, limit: 5 });
  assert.deepEqual(
    views.map(({ state, reason }) => [state, /somebody else has its key/u.test(reason ?? '')]),
    [['failed', true]],
  );
});

test('a key that pays out of the same address meanwhile keeps what it pays', async () => {
  await using bench = await openVaulting({ delegates: true });
  const pool = await bench.ownWallet('pool');
  assert.ok(pool.id !== '');
  const token = await bench.token('USDX');
  const client = await bench.client('individual');
  const wallet = await keyWallet(bench, client);
  const other = await keyWallet(bench, client);
  await pay(bench, other, 500n, token);
  const { id } =
    viewOf(await requestSweep(bench.custody, bench.as('olga'), { walletId: other.id, asset: token })).items[0] ??
    assert.fail();
  const asked = await ask(bench, { client, amount: 200n, asset: token, feePayer: 'house' });
  await approve(bench, asked.id);
  assert.notEqual((await withdrawal(bench, asked.id)).walletId, undefined);
  await settles(bench);
  assert.equal((await shown(bench, id)).state, 'settled');
  await settles(bench);
  assert.equal((await withdrawal(bench, asked.id)).state, 'settled', (await withdrawal(bench, asked.id)).reason ?? '');
  assert.deepEqual(await wallets(bench, wallet, token), { books: 300n, chain: 300n });
  await bench.prove();
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step, everything is swept once and nothing stays reserved`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openVaulting({
      delegates: true,
      chain: quick,
      database: (db) => interruptible(db, interrupter),
    });
    const pool = await bench.ownWallet('pool');
    const token = await bench.token('USDX');
    const client = await bench.client('omnibus');
    let swept = 0n;
    let ends = 0;
    for (let step = 0; ; step += 40) {
      const wallet = await keyWallet(bench, client);
      await pay(bench, wallet, 10n, token);
      interrupter.arm(step, kind);
      let ended = false;
      const request = { walletId: wallet.id, asset: token };
      const asks = () => requestSweep(bench.custody, bench.as('olga', `sweep-${step}`), request);
      for (const work of [asks, () => bench.work(), () => settle(bench), () => settle(bench)]) {
        try {
          await work();
        } catch {
          ended = true;
        }
      }
      interrupter.disarm();
      if (ended) ends += 1;
      // The same request again, as a caller does who got no answer: done once it is the same sweep.
      viewOf(await asks());
      await resume(bench);
      swept += 10n;
      assert.deepEqual(await wallets(bench, pool, token), { books: swept, chain: swept });
      assert.deepEqual(await wallets(bench, wallet, token), { books: 0n, chain: 0n });
      if (!ended) break;
    }
    assert.ok(ends > 4, `${ends} steps were killed`);
    const views = await sweepViews(bench.custody.db, { after: null, limit: 500 });
    assert.ok(views.every(({ state }) => state === 'settled'));
    await bench.prove();
  });
}

/** A restarted process: what lost its job gets another one, as the schedule sees to. */
async function resume(bench: VaultBench): Promise<void> {
  await resumeWork(
    bench,
    [
      { table: 'delegation', task: 'send-delegation' },
      { table: 'delegated_sweep', task: 'send-delegated-sweep' },
      { table: 'dispatch', task: 'send-dispatch' },
    ],
    6,
  );
}
