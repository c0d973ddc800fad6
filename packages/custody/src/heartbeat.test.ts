import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas, invariant } from '@bulkhead/domain';
import { fakeKeccak, fakeMembers, fakeVaultSystem, quorumSignature } from '@bulkhead/fakes';
import { callData, heartbeatDomain, heartbeatForm, signerSetCalls, typedDigest } from '@bulkhead/vaults';
import { heartbeatBlocksMax, keepHeartbeat } from './heartbeat.ts';
import {
  type HeartbeatClock,
  heartbeatClock,
  heartbeatGraceSeconds,
  heartbeatViews,
  statedAnchors,
} from './heartbeat-view.ts';
import { dispatchViews } from './dispatch.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';
import { ether, settle } from './testing/withdrawing.ts';
import { callFromOutside, openVaulting, type VaultBench } from './testing/vaulting.ts';

/** Of the bench: a day. */
const everySeconds = 86_400n;

async function states(bench: VaultBench): Promise<readonly string[]> {
  return (await heartbeatViews(bench.custody.db, { after: null, limit: 100 })).map(({ state }) => state);
}

async function clockOf(bench: VaultBench): Promise<HeartbeatClock> {
  const clock = await heartbeatClock(bench.custody, bench.id);
  invariant(clock !== undefined, 'Nobody has looked yet.');
  return clock;
}

/** Time passes for chain and server alike, and the schedule asks again. */
async function pass(bench: VaultBench, seconds: bigint): Promise<void> {
  bench.chain.ground.skipTime(seconds);
  bench.clock.advance(Number(seconds) * 1_000);
  await settle(bench);
  await keepHeartbeat(bench.custody, bench.id);
}

/** Until what was asked for is at a final block and looked at. */
async function carried(bench: VaultBench): Promise<void> {
  await keepHeartbeat(bench.custody, bench.id);
  await bench.work();
  await settle(bench);
  await settle(bench);
}

test('when it is time a quorum signs that it is there, the house carries it at its own cost, and no second one follows', async () => {
  await using bench = await openVaulting();
  await carried(bench);
  assert.deepEqual(await states(bench), ['carried']);
  assert.equal((await heartbeatViews(bench.custody.db, { after: null, limit: 1 }))[0]?.anchor, null, 'there is no log');
  const [first] = await heartbeatViews(bench.custody.db, { after: null, limit: 1 });
  const [dispatch] = await dispatchViews(bench.custody.db, { after: null, limit: 1 });
  assert.ok(first?.dispatchId !== null && first?.dispatchId === dispatch?.id);
  assert.deepEqual(
    bench.quorum.signed.map(({ kind }) => kind),
    ['signer-set-heartbeat'],
  );
  const cost = await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' });
  assert.ok(cost > 0n, 'the house bears what the transaction cost');
  const { due, missed, last } = await clockOf(bench);
  assert.deepEqual([due, missed], [last + everySeconds, false]);

  await pass(bench, everySeconds - 3_600n);
  assert.deepEqual(await states(bench), ['carried'], 'it is not time');
  await pass(bench, 3_600n);
  await carried(bench);
  assert.deepEqual(await states(bench), ['carried', 'carried']);
  assert.ok((await clockOf(bench)).last > last);
  await bench.prove();
});

test('the newest checkpoint of the audit log is what is stated, as it was when it was asked for', async () => {
  await using bench = await openVaulting();
  let digest = 'ab'.repeat(32);
  const logged = { ...bench.custody, anchor: () => Promise.resolve({ size: 41, digest }) };
  bench.quorum.awake = [];
  await keepHeartbeat(logged, bench.id);
  digest = 'cd'.repeat(32);
  bench.quorum.awake = fakeMembers;
  await keepHeartbeat(logged, bench.id);
  const [signed] = bench.quorum.signed;
  assert.ok(signed?.kind === 'signer-set-heartbeat');
  assert.equal(signed.statement, 'ab'.repeat(32));
  const [view] = await heartbeatViews(bench.custody.db, { after: null, limit: 1 });
  assert.deepEqual(view?.anchor, { leaves: 41, digest: 'ab'.repeat(32) });
  assert.deepEqual([...(await statedAnchors(bench.custody.db, bench.id))], [['ab'.repeat(32), 41]]);
});

test('without enough signers it waits and says why; overdue it counts as missed, until they are back', async () => {
  await using bench = await openVaulting();
  await carried(bench);
  bench.quorum.awake = fakeMembers.slice(0, 1);
  await pass(bench, everySeconds);
  const waiting = await clockOf(bench);
  assert.match(waiting.reason ?? '', /signer\/unavailable/u);
  assert.equal(waiting.missed, false, 'it may take a while');
  await pass(bench, heartbeatGraceSeconds + 60n);
  assert.equal((await clockOf(bench)).missed, true);
  bench.quorum.awake = fakeMembers;
  await carried(bench);
  const { missed, reason } = await clockOf(bench);
  assert.deepEqual([missed, reason], [false, null]);
  assert.deepEqual(await states(bench), ['carried', 'carried'], 'what was asked for first is what was signed');
});

test('two runs at once ask for one and order one transaction', async () => {
  await using bench = await openVaulting();
  await Promise.all([1, 2, 3].map(async () => keepHeartbeat(bench.custody, bench.id)));
  await keepHeartbeat(bench.custody, bench.id);
  assert.equal((await heartbeatViews(bench.custody.db, { after: null, limit: 9 })).length, 1);
  assert.equal((await dispatchViews(bench.custody.db, { after: null, limit: 9 })).length, 1);
});

test('one that somebody else carried counts, and ours is not carried on', async () => {
  await using bench = await openVaulting();
  bench.quorum.awake = [];
  await keepHeartbeat(bench.custody, bench.id);
  assert.deepEqual(await states(bench), ['signing']);
  const { signerSet } = fakeVaultSystem;
  const beat = { blockNumber: 2n, blockHash: `0x${'0b'.repeat(32)}`, statement: `0x${'00'.repeat(32)}` } as const;
  const digest = typedDigest(fakeKeccak, heartbeatDomain(bench.id, signerSet), { form: heartbeatForm, message: beat });
  const signatures = quorumSignature(digest);
  callFromOutside(bench, signerSet, callData(fakeKeccak, signerSetCalls.heartbeat, { beat, signatures }));
  await settle(bench);
  bench.quorum.awake = fakeMembers;
  await keepHeartbeat(bench.custody, bench.id);
  assert.deepEqual(await states(bench), ['carried']);
  assert.deepEqual(await dispatchViews(bench.custody.db, { after: null, limit: 9 }), []);
  assert.deepEqual(bench.quorum.signed, []);
});

test('a house without coin says so, and goes on when it has some', async () => {
  await using bench = await openVaulting();
  const feeCap = bench.custody.policy.feeCaps.get(bench.id);
  assert.ok(feeCap !== undefined);
  const poor = {
    ...bench.custody,
    policy: { ...bench.custody.policy, feeCaps: new Map([[bench.id, { ...feeCap, maxFeePerGas: ether }]]) },
  };
  await keepHeartbeat(poor, bench.id);
  assert.match((await clockOf(bench)).reason ?? '', /fund it/u);
  assert.deepEqual(await states(bench), ['relaying']);
  await carried(bench);
  assert.deepEqual(await states(bench), ['carried']);
});

test('one whose block the chain has forgotten is given up, and the next one names a newer block', async () => {
  await using bench = await openVaulting();
  bench.quorum.awake = [];
  await keepHeartbeat(bench.custody, bench.id);
  const [old] = await heartbeatViews(bench.custody.db, { after: null, limit: 1 });
  assert.ok(old !== undefined);
  await bench.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query('update custody.heartbeat set block_number = block_number - $1', [heartbeatBlocksMax]);
  });
  await settle(bench);
  // Ids of one millisecond have no order.
  bench.clock.advance(1);
  await keepHeartbeat(bench.custody, bench.id);
  const [given, next] = await heartbeatViews(bench.custody.db, { after: null, limit: 9 });
  assert.deepEqual([given?.state, next?.state], ['failed', 'signing']);
  assert.ok(BigInt(next?.block.number ?? 0) > BigInt(old.block.number));
});

test('where somebody else has them made none is ordered, and half of the period without one is told', async () => {
  await using bench = await openVaulting();
  await carried(bench);
  const { vaults } = bench.custody;
  assert.ok(vaults !== undefined);
  const quiet = { ...bench.custody, vaults: { ...vaults, heartbeatEverySeconds: 0n } };
  bench.chain.ground.skipTime(vaults.terms.heartbeatPeriod / 2n - 7_200n);
  await settle(bench);
  await keepHeartbeat(quiet, bench.id);
  const told = await heartbeatClock(quiet, bench.id);
  assert.deepEqual([told?.due, told?.missed], [undefined, false]);
  bench.chain.ground.skipTime(7_200n);
  await settle(bench);
  await keepHeartbeat(quiet, bench.id);
  assert.equal((await heartbeatClock(quiet, bench.id))?.missed, true);
  assert.deepEqual(await states(bench), ['carried']);
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step, a heartbeat is signed once and carried once`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openVaulting({ database: (db) => interruptible(db, interrupter) });
    let ends = 0;
    for (let step = 0; ; step += 1) {
      interrupter.arm(step, kind);
      const ended = await keepHeartbeat(bench.custody, bench.id).then(
        () => false,
        () => true,
      );
      interrupter.disarm();
      if (!ended) break;
      ends += 1;
    }
    await carried(bench);
    assert.ok(ends > 5, `${ends} steps were killed`);
    assert.deepEqual(await states(bench), ['carried']);
    assert.equal((await dispatchViews(bench.custody.db, { after: null, limit: 9 })).length, 1);
    assert.equal(new Set(bench.quorum.signed.map(({ id }) => id)).size, 1);
    await bench.prove();
  });
}
