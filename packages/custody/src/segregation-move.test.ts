import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { parseCompartment } from '@bulkhead/domain';
import { text } from '@bulkhead/postgres';
import { changeSegregation, createClient, listSegregation } from './client.ts';
import { releaseDeposit } from './deposit.ts';
import {
  advanceMove,
  confirmMove,
  moveViews,
  proposeMove,
  type SegregationMoveView,
  withdrawMove,
} from './segregation-move.ts';
import { pool, refusalOf, viewOf } from './testing/bench.ts';
import { breaks, reconciled } from './testing/desk.ts';
import {
  clientKey,
  draftedVault,
  exits,
  fundedForwarder,
  issuedVault,
  openVaulting,
  vaultRow,
  type VaultBench,
} from './testing/vaulting.ts';
import { requestSweep } from './sweep.ts';
import { approve, ether, recipient, settle, withdrawal } from './testing/withdrawing.ts';
import { draftVault } from './vault-issue.ts';
import { signOneOff } from './vault-one-off.ts';
import { walletViews } from './wallet.ts';
import { issueClientWallet } from './wallet-issue.ts';
import { rejectWithdrawal } from './withdrawal.ts';

async function seen(bench: VaultBench, id: string): Promise<SegregationMoveView> {
  const [view] = await moveViews(bench.custody.db, { id, after: null, limit: 1 });
  assert.ok(view !== undefined);
  return view;
}

/** What people do for a half: they approve its withdrawal, and the client signs where it must. */
async function carries(bench: VaultBench, move: string): Promise<void> {
  const rows = await bench.database.owner.query(
    `select w.id from custody.segregation_half h join custody.withdrawal w on w.id = h.withdrawal where h.move = $1 and w.step = 'screened'`,
    [move],
  );
  for (const row of rows) {
    const id = text(row, 'id');
    await approve(bench, id);
    const { vault } = await withdrawal(bench, id);
    if (vault?.clientMustSign !== null && vault !== null) {
      const digest = Buffer.from(vault.clientMustSign.digest.slice(2), 'hex');
      viewOf(await signOneOff(bench.custody, bench.as('olga'), { id, signature: clientKey.sign(digest) }));
    }
    await bench.work();
  }
}

async function releases(bench: VaultBench): Promise<void> {
  for (const { id, state, disposition } of await bench.deposits()) {
    if (state !== 'final' || disposition !== 'client') continue;
    viewOf(await releaseDeposit(bench.custody, bench.as('ruth'), id));
    viewOf(await releaseDeposit(bench.custody, bench.as('sam'), id));
  }
  await bench.work();
}

type Told = {
  readonly halves: readonly {
    readonly to: string;
    readonly granted: readonly { readonly line: string; readonly head: { readonly signature: string } }[];
  }[];
  readonly destination: { readonly address: string; readonly certificates: readonly object[] };
};

async function available(bench: VaultBench, client: string, compartment: typeof pool): Promise<bigint> {
  return bench.posted(compartment, bench.native, { kind: 'available', holder: client });
}

test('a client moves from the pool to a vault of its own, and back: two joined halves each, and a certificate', async () => {
  await using bench = await openVaulting();
  const account = await fundedForwarder(bench, 3n * ether);
  const { client } = account;
  const ask = { clientId: client, chain: bench.id, model: 'individual' } as const;
  assert.equal(refusalOf(await proposeMove(bench.custody, bench.as('olga'), ask)), 'segregation/no-address');
  const own = await issuedVault(bench, { clientId: client });
  const proposed = viewOf(await proposeMove(bench.custody, bench.as('olga'), ask));
  assert.equal(refusalOf(await proposeMove(bench.custody, bench.as('olga'), ask)), 'segregation/wrong-state');
  assert.equal(
    refusalOf(await confirmMove(bench.custody, bench.as('olga'), proposed.id)),
    'four-eyes/second-person-needed',
  );
  viewOf(await confirmMove(bench.custody, bench.as('ruth'), proposed.id));
  await bench.work();
  await carries(bench, proposed.id);
  await settle(bench);
  await settle(bench);
  const arrived = await seen(bench, proposed.id);
  assert.deepEqual(
    [arrived.state, /^Deposit dep_.* is not released yet/u.test(arrived.reason ?? '')],
    ['moving', true],
  );
  await releases(bench);
  const done = await seen(bench, proposed.id);
  assert.deepEqual([done.state, done.reason], ['done', null]);
  assert.equal(done.halves.length, 1);
  const certificate: unknown = JSON.parse(done.certificate ?? '');
  assert.ok(typeof certificate === 'object' && certificate !== null && 'halves' in certificate);
  const told: Told = JSON.parse(done.certificate ?? '');
  assert.deepEqual(
    told.halves.map(({ granted, to }) => [granted.length, to]),
    [[2, told.destination.address]],
    'each half with the records of as many signers as must agree',
  );
  assert.ok(
    told.halves.every(({ granted }) => granted.every(({ line, head }) => line !== '' && head.signature !== '')),
  );
  assert.deepEqual(told.destination.certificates, JSON.parse((await vaultRow(bench, own.id)).certificateText ?? ''));
  assert.equal(
    done.certificateDigest,
    createHash('sha256')
      .update(done.certificate ?? '')
      .digest('hex'),
  );
  const compartment = parseCompartment(own.compartment);
  assert.deepEqual(
    [await available(bench, client, pool), await available(bench, client, compartment)],
    [0n, 3n * ether],
  );
  const versions = await listSegregation(bench.custody.db, client);
  assert.deepEqual(
    versions.map(({ segregation }) => segregation),
    ['omnibus', 'individual'],
  );
  const wallet = await bench.wallet(client);
  assert.equal(wallet.id, own.walletId, 'the next address is that of the own vault');
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);

  const back = viewOf(await proposeMove(bench.custody, bench.as('olga'), { ...ask, model: 'omnibus' }));
  viewOf(await confirmMove(bench.custody, bench.as('ruth'), back.id));
  await bench.work();
  await carries(bench, back.id);
  await settle(bench);
  await settle(bench);
  await releases(bench);
  assert.equal((await seen(bench, back.id)).state, 'done');
  assert.equal(await available(bench, client, pool), 3n * ether);
  await reconciled(bench);
  assert.deepEqual(await breaks(bench), []);
  await bench.prove();
});

test('a client leaves a pool that works with keys for a vault of its own, and comes back to an address with a key', async () => {
  await using bench = await openVaulting();
  const client = await bench.client('omnibus');
  const { address } = await bench.wallet(client);
  bench.chain.outside.send({ to: address, amount: 3n * ether });
  await bench.settle();
  await releases(bench);
  viewOf(await requestSweep(bench.custody, bench.as('olga'), { compartment: pool, chain: bench.id }));
  await settle(bench);
  await settle(bench);
  const own = await issuedVault(bench, { clientId: client });
  const ask = { clientId: client, chain: bench.id, model: 'individual' } as const;
  for (const model of ['individual', 'omnibus'] as const) {
    const { id } = viewOf(await proposeMove(bench.custody, bench.as('olga'), { ...ask, model }));
    viewOf(await confirmMove(bench.custody, bench.as('ruth'), id));
    await bench.work();
    await carries(bench, id);
    // Gas for the wallet of the pool first, then the payment, then the deposit.
    for (let n = 0; n < 4; n += 1) await settle(bench);
    // The certificate of an own vault is stored; that of an address with a key the signer gives, and the move ends when it has.
    bench.signer.down = true;
    await releases(bench);
    const waiting = await seen(bench, id);
    assert.equal(waiting.state, model === 'individual' ? 'done' : 'moving');
    if (model === 'omnibus') assert.match(waiting.reason ?? '', /is not certified yet \(signer\/unavailable\)/u);
    bench.signer.down = false;
    await advanceMove(bench.custody, id);
    const done = await seen(bench, id);
    assert.equal(done.state, 'done');
    const told: Told = JSON.parse(done.certificate ?? '');
    assert.ok(told.halves.every(({ granted }) => granted.length === (model === 'individual' ? 1 : 2)));
    assert.ok(told.destination.certificates.length > 0);
    const to = model === 'individual' ? parseCompartment(own.compartment) : pool;
    assert.equal(await available(bench, client, to), 3n * ether);
    await reconciled(bench);
    assert.deepEqual(await breaks(bench), []);
  }
  await bench.prove();
});

test('a half that fails is asked for again, and a move that lost its job goes on', async () => {
  await using bench = await openVaulting();
  const { client } = await fundedForwarder(bench, 3n * ether);
  await issuedVault(bench, { clientId: client });
  const ask = { clientId: client, chain: bench.id, model: 'individual' } as const;
  const { id } = viewOf(await proposeMove(bench.custody, bench.as('olga'), ask));
  viewOf(await confirmMove(bench.custody, bench.as('ruth'), id));
  await bench.work();
  const [half] = (await seen(bench, id)).halves;
  assert.ok(half !== undefined);
  assert.match(
    (await seen(bench, id)).reason ?? '',
    new RegExp(`is on its way with withdrawal ${half.withdrawalId}`, 'u'),
  );
  viewOf(await rejectWithdrawal(bench.custody, bench.as('sam'), { id: half.withdrawalId, reason: 'not yet' }));
  bench.chain.outside.send({ to: recipient, amount: 1n });
  await bench.database.owner.query(
    `select graphile_worker.add_job(identifier => 'advance-move', payload => json_build_object('id', $1::text))`,
    [id],
  );
  await bench.work();
  assert.equal((await seen(bench, id)).halves.length, 2);
  await carries(bench, id);
  await settle(bench);
  await settle(bench);
  await releases(bench);
  assert.equal((await seen(bench, id)).state, 'done');
});

test('a move that cannot go on says why', async () => {
  await using bench = await openVaulting();
  const { client, vault } = await fundedForwarder(bench, ether);
  await issuedVault(bench, { clientId: client });
  const ask = { clientId: client, chain: bench.id, model: 'individual' } as const;
  const { id, reason } = viewOf(await proposeMove(bench.custody, bench.as('olga'), ask));
  assert.equal(reason, null);
  await exits(bench, vault);
  viewOf(await confirmMove(bench.custody, bench.as('ruth'), id));
  await bench.work();
  const view = await seen(bench, id);
  assert.deepEqual([view.state, view.halves], ['moving', []]);
  assert.match(view.reason ?? '', /^eip155:.*: .*exit/u);
});

test('a proposal can be taken back, and then nothing has moved', async () => {
  await using bench = await openVaulting();
  const { client } = await fundedForwarder(bench, ether);
  await issuedVault(bench, { clientId: client });
  const ask = { clientId: client, chain: bench.id, model: 'individual' } as const;
  const { id } = viewOf(await proposeMove(bench.custody, bench.as('olga'), ask));
  viewOf(await withdrawMove(bench.custody, bench.as('olga'), id));
  for (const decide of [confirmMove, withdrawMove]) {
    assert.equal(refusalOf(await decide(bench.custody, bench.as('ruth'), id)), 'segregation/wrong-state');
    assert.equal(refusalOf(await decide(bench.custody, bench.as('ruth'), 'mov_none')), 'resource/not-found');
  }
  assert.equal(await available(bench, client, pool), ether);
  assert.equal(
    refusalOf(await proposeMove(bench.custody, bench.as('olga'), { ...ask, model: 'omnibus' })),
    'segregation/nothing-to-move',
  );
});

test('a profile that forbids pools, or contracts in the cold tier, is kept', async () => {
  const jurisdiction = { name: 'strict', omnibusForbidden: true, noContractInColdTier: true };
  await using bench = await openVaulting({ policy: { jurisdiction } });
  const { custody, as, id: chain } = bench;
  const pooled = { reference: 'X', kind: 'legal', segregation: 'omnibus' } as const;
  assert.equal(refusalOf(await createClient(custody, as('ann'), pooled)), 'segregation/forbidden');
  const client = await bench.client();
  const change = { clientId: client, chain, model: 'omnibus' } as const;
  assert.equal(refusalOf(await changeSegregation(custody, as('ann'), change)), 'segregation/forbidden');
  assert.equal(refusalOf(await proposeMove(custody, as('ann'), change)), 'segregation/forbidden');
  const { configuration } = await draftedVault(bench, { clientId: client });
  assert.equal(configuration.kind, 'individual');
  const cold = {
    clientId: client,
    chain,
    clientKey: clientKey.key,
    exitKey: clientKey.key,
    exitDestination: recipient,
    destinations: [],
    limits: [],
    unlisted: [],
    tier: 'cold',
  } as const;
  assert.equal(refusalOf(await draftVault(custody, as('ann'), cold)), 'segregation/forbidden');
  const { clientId: _own, ...shared } = cold;
  const ofPool = { ...shared, compartment: pool, tier: 'hot' } as const;
  assert.equal(refusalOf(await draftVault(custody, as('ann'), ofPool)), 'segregation/forbidden');
});

test('a profile that comes to forbid pools gives their clients no new address there, and keeps the old one', async () => {
  await using bench = await openVaulting();
  const clientId = await bench.client('omnibus');
  const { id } = await bench.wallet(clientId);
  const { policy } = bench.custody;
  const jurisdiction = { name: 'strict', omnibusForbidden: true, noContractInColdTier: false };
  const custody = { ...bench.custody, policy: { ...policy, jurisdiction } };
  const asked = await issueClientWallet(custody, bench.as('olga'), { clientId, chain: bench.id });
  assert.equal(refusalOf(asked), 'segregation/forbidden');
  const views = await walletViews(custody, { client: clientId, after: null, limit: 10 });
  assert.deepEqual(
    views.map((view) => view.id),
    [id],
  );
});
