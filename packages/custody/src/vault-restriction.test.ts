import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nativeAsset, parseChainId, tokenAsset } from '@bulkhead/domain';
import { fakeApproval, fakeKeccak, namedAddress, quorumSignature } from '@bulkhead/fakes';
import { callData, nativeToken, typedDigest, vaultCalls, vaultDomain, vaultForms } from '@bulkhead/vaults';
import type { Answer } from './command.ts';
import { freeze } from './freeze.ts';
import { refusalOf, viewOf } from './testing/bench.ts';
import { Interrupter, interruptible, type Interruption, quick } from './testing/faulty-database.ts';
import { type Lost, resume } from './testing/resuming.ts';
import {
  callFromOutside,
  draftedVault,
  fundedForwarder,
  fundedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';
import { approve, ask, ether, settle, withdrawal } from './testing/withdrawing.ts';
import {
  approveRestriction,
  cancelRestriction,
  requestRestriction,
  type Restriction,
  restrictionText,
  restrictionViews,
  type RestrictionView,
} from './vault-restriction.ts';
import { vaultViews, type VaultView } from './vault-view.ts';
import { requestWithdrawal } from './withdrawal.ts';

const lost: readonly Lost[] = [
  { table: 'vault_dispatch', task: 'send-vault-dispatch' },
  { table: 'dispatch', task: 'watch-dispatch' },
];

async function asks(
  bench: VaultBench,
  { vault }: VaultAccount,
  restriction: Restriction,
): Promise<Answer<RestrictionView>> {
  return requestRestriction(bench.custody, bench.as('olga'), { vaultId: vault.id, restriction });
}

async function approves(bench: VaultBench, id: string, person: string): Promise<Answer<RestrictionView>> {
  const found = await restrictionText(bench.custody, id);
  assert.ok(found !== undefined);
  return approveRestriction(bench.custody, bench.as(person), { id, approval: fakeApproval(person, found.intent) });
}

async function shown(bench: VaultBench, id: string): Promise<RestrictionView> {
  const [view] = await restrictionViews(bench.custody.db, { id, after: null, limit: 1 });
  return view ?? assert.fail('the restriction is not there');
}

/** Asked for, and approved by as many people as the signers want; its relay waits in the mempool. */
async function approved(bench: VaultBench, account: VaultAccount, restriction: Restriction): Promise<string> {
  const { id } = viewOf(await asks(bench, account, restriction));
  await bench.work();
  for (const person of ['ruth', 'sam']) {
    viewOf(await approves(bench, id, person));
    await bench.work();
  }
  return id;
}

async function applied(bench: VaultBench, account: VaultAccount, restriction: Restriction): Promise<RestrictionView> {
  const id = await approved(bench, account, restriction);
  await settle(bench);
  const view = await shown(bench, id);
  assert.equal(view.state, 'applied', view.reason ?? '');
  assert.match(view.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  return view;
}

async function onChain(bench: VaultBench, { vault }: VaultAccount): Promise<VaultView['onChain']> {
  const [view] = await vaultViews(bench.custody, bench.custody.db, { id: vault.id, after: null, limit: 1 });
  return (view ?? assert.fail('the vault is not there')).onChain;
}

test('people approve a pause, the quorum signs it, and the vault pays nobody until it ends', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const { id } = viewOf(await asks(bench, account, { kind: 'pause' }));
  await bench.work();
  const waiting = await shown(bench, id);
  assert.deepEqual([waiting.state, /approvals/u.test(waiting.reason ?? '')], ['awaiting-approval', true]);
  viewOf(await approves(bench, id, 'ruth'));
  assert.equal(refusalOf(await approves(bench, id, 'ruth')), 'withdrawal/already-approved');
  await bench.work();
  assert.equal(bench.quorum.signed.length, 0, 'one of two people');
  viewOf(await approves(bench, id, 'sam'));
  await bench.work();
  assert.equal((await shown(bench, id)).state, 'broadcast');
  assert.equal((await onChain(bench, account)).pausedUntil.quorum, null, 'signed and relayed is not paused');
  await settle(bench);
  const done = await shown(bench, id);
  assert.deepEqual([done.state, done.approvals.map(({ by }) => by)], ['applied', ['ruth', 'sam']]);
  assert.notEqual((await onChain(bench, account)).pausedUntil.quorum, null);
  assert.equal(refusalOf(await asks(bench, account, { kind: 'pause' })), 'vault/restriction-without-effect');
  const { id: drafted } = await draftedVault(bench, { clientId: await bench.client() });
  for (const [vaultId, code] of [
    ['vlt_none', 'resource/not-found'],
    [drafted, 'vault/not-issued'],
  ] as const) {
    const asked = requestRestriction(bench.custody, bench.as('olga'), { vaultId, restriction: { kind: 'pause' } });
    assert.equal(refusalOf(await asked), code);
  }
  for (const asset of [
    nativeAsset(parseChainId('eip155:5')),
    tokenAsset(bench.id, namedAddress('a token of nobody')),
  ]) {
    const lower = { kind: 'limit-lowering', asset, cap: 1n, window: 'listed' } as const;
    assert.equal(refusalOf(await asks(bench, account, lower)), 'asset/not-allowed');
  }
  const paid = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, paid.id);
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, listed), 0n);
  bench.chain.ground.skipTime(3_700n);
  bench.chain.mine();
  await resume(bench, lost);
  assert.equal((await withdrawal(bench, paid.id)).state, 'settled', 'a pause ends by itself');
  await bench.prove();
});

test('a lower limit and a removed destination are what withdrawals are asked against from then on', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const lower = { kind: 'limit-lowering', asset: bench.native, window: 'listed' } as const;
  const refused = async (restriction: Restriction): Promise<string> =>
    refusalOf(await asks(bench, account, restriction));
  assert.equal(await refused({ ...lower, cap: 10n ** 30n }), 'vault/restriction-without-effect');
  assert.equal(await refused({ ...lower, window: 'unlisted', cap: 0n }), 'vault/restriction-without-effect');
  await applied(bench, account, { ...lower, cap: ether });
  assert.deepEqual((await onChain(bench, account)).limits, [{ token: nativeToken, cap: ether.toString() }]);
  const wants = async (amount: bigint): Promise<string> =>
    refusalOf(
      await requestWithdrawal(bench.custody, bench.as('olga'), {
        clientId: account.client,
        asset: bench.native,
        amount,
        destination: listed,
        feePayer: 'house',
      }),
    );
  assert.equal(await wants(ether + 1n), 'vault/limit-exceeded');
  assert.equal(await wants(1n), 'done');
  await applied(bench, account, { kind: 'destination-removal', destination: listed });
  assert.equal(await wants(1n), 'vault/destination-not-listed');
  assert.equal(await refused({ kind: 'destination-removal', destination: listed }), 'vault/restriction-without-effect');
  await bench.prove();
});

test('the vault of a pool is restricted too, and a frozen compartment does not hold that up', async () => {
  await using bench = await openVaulting();
  const account = await fundedForwarder(bench, 3n * ether);
  const { compartment } = account.vault;
  await bench.database.owner.query(
    `insert into custody.break (id, type, chain, evidence, owner, deadline, opened_at) values ('brk_1', 'reorg', $1, '{}', 'x', now(), now())`,
    [bench.id],
  );
  await bench.custody.db.transaction((tx) => freeze(tx, bench.clock.now(), { compartment, cause: 'brk_1' }));
  const restriction = { kind: 'limit-lowering', asset: bench.native, cap: 0n, window: 'unlisted' } as const;
  await applied(bench, account, restriction);
  assert.deepEqual((await onChain(bench, account)).unlistedLimits, [{ token: nativeToken, cap: '0' }]);
});

test('whoever carries it, it is applied; and the same is asked for once at a time', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const removal = { kind: 'destination-removal', destination: listed } as const;
  const id = await approved(bench, account, removal);
  assert.equal(refusalOf(await asks(bench, account, removal)), 'vault/restriction-under-way');
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined);
  bench.chain.ground.mempool.withhold(ours.hash);
  callFromOutside(bench, ours.transaction.to, `0x${ours.transaction.data.slice(2)}`);
  await settle(bench);
  const done = await shown(bench, id);
  assert.equal(done.state, 'applied');
  assert.notEqual(done.transactionHash, ours.hash);
  bench.chain.ground.mempool.release(ours.hash);
  await settle(bench);
  await settle(bench);
  await bench.prove();
});

test('another lowering to the same cap is not ours: the nonce of the vault says so, and ours is still to come', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const lower = { kind: 'limit-lowering', asset: bench.native, cap: ether, window: 'listed' } as const;
  const paid = await ask(bench, { client: account.client, amount: 1n, destination: listed });
  await approve(bench, paid.id);
  await settle(bench);
  const id = await approved(bench, account, lower);
  const [ours] = bench.chain.ground.mempool.ready();
  assert.ok(ours !== undefined);
  bench.chain.ground.mempool.withhold(ours.hash);
  const { config } = account.vault.terms;
  const message = {
    side: 'client',
    token: nativeToken,
    cap: ether,
    unlisted: false,
    nonce: 9n,
    deadline: 2n ** 40n,
  } as const;
  const call = callData(fakeKeccak, vaultCalls.lowerLimit, { config, message, signature: '0x' });
  callFromOutside(bench, account.vault.address, call);
  await settle(bench);
  assert.deepEqual((await onChain(bench, account)).limits, [{ token: nativeToken, cap: ether.toString() }]);
  assert.equal((await shown(bench, id)).state, 'broadcast', 'the client did it');
});

test('a nonce of ours that the quorum used for something else ends the restriction as failed', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const paid = await ask(bench, { client: account.client, amount: 1n, destination: listed });
  await approve(bench, paid.id);
  await settle(bench);
  const id = await approved(bench, account, { kind: 'pause' });
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  const [row] = await bench.database.owner.query('select nonce from custody.vault_dispatch where subject = $1', [id]);
  const { config } = account.vault.terms;
  const nonce = BigInt(String(row?.['nonce']));
  const message = { side: 'quorum', to: namedAddress('somebody'), nonce, deadline: 2n ** 40n } as const;
  const form = vaultForms.destinationRemoval;
  const signature = quorumSignature(
    typedDigest(fakeKeccak, vaultDomain(bench.id, account.vault.address), { form, message }),
  );
  const call = callData(fakeKeccak, vaultCalls.removeDestination, { config, message, signature });
  callFromOutside(bench, account.vault.address, call);
  await settle(bench);
  assert.equal((await shown(bench, id)).state, 'failed');
});

test('given up before anybody signed it ends at once, afterwards by an invalidation, and unapproved it expires', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const early = viewOf(await asks(bench, account, { kind: 'pause' }));
  await bench.work();
  viewOf(await cancelRestriction(bench.custody, bench.as('olga'), early.id));
  assert.equal((await shown(bench, early.id)).state, 'cancelled');
  assert.equal(refusalOf(await approves(bench, early.id, 'ruth')), 'vault/wrong-state');
  assert.equal(refusalOf(await cancelRestriction(bench.custody, bench.as('olga'), early.id)), 'vault/wrong-state');
  const late = await approved(bench, account, { kind: 'pause' });
  for (const { hash } of bench.chain.ground.mempool.ready()) bench.chain.ground.mempool.drop(hash);
  viewOf(await cancelRestriction(bench.custody, bench.as('olga'), late));
  await resume(bench, lost);
  assert.equal((await shown(bench, late)).state, 'cancelled');
  assert.equal((await onChain(bench, account)).pausedUntil.quorum, null);
  const third = viewOf(await asks(bench, account, { kind: 'pause' }));
  bench.clock.advance(86_400_000 * 10);
  await resume(bench, lost);
  assert.equal((await shown(bench, third.id)).state, 'cancelled', 'nobody was asked to sign');
  assert.equal(bench.quorum.signed.filter(({ kind }) => kind === 'vault-pause').length, 1);
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step, a limit ends where it was to go`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openVaulting({ chain: quick, database: (db) => interruptible(db, interrupter) });
    const account = await fundedVault(bench, 3n * ether);
    let cap = 900n * ether;
    let ends = 0;
    for (let step = 0; ; step += 25) {
      const restriction = { kind: 'limit-lowering', asset: bench.native, cap, window: 'listed' } as const;
      interrupter.arm(step, kind);
      let ended = false;
      for (const work of [() => approved(bench, account, restriction), () => settle(bench)]) {
        try {
          await work();
        } catch {
          ended = true;
        }
      }
      interrupter.disarm();
      if (ended) ends += 1;
      await resume(bench, lost);
      const views = await restrictionViews(bench.custody.db, { after: null, limit: 100 });
      const open = views.find(({ state }) => state === 'awaiting-approval');
      for (const person of ['ruth', 'sam']) {
        if (open === undefined || open.approvals.some(({ by }) => by === person)) continue;
        viewOf(await approves(bench, open.id, person));
      }
      await resume(bench, lost);
      const all = await restrictionViews(bench.custody.db, { after: null, limit: 100 });
      assert.ok(
        all.every(({ state }) => state === 'applied'),
        all.map(({ state }) => state).join(),
      );
      cap -= 1n;
      if (!ended) break;
    }
    assert.ok(ends > 3, `${ends} steps were killed`);
    await bench.prove();
  });
}
