import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas, invariant } from '@bulkhead/domain';
import { fakeMembers, fakeProofRegistry, fakeProofRegistryCode, fakeProofSettings } from '@bulkhead/fakes';
import { epochs, stateOf } from '@bulkhead/reserves';
import { dispatchViews } from './dispatch.ts';
import { contextOf, encodeHeader } from '@bulkhead/proofs/header';
import { actFor } from './proof-act.ts';
import { keepProof, type Kept, provenAssets } from './proof-keeping.ts';
import { provenAsset } from './proof-registry.ts';
import { proofActView, type ProofClock, proofClocks } from './proof-view.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';
import { epochSeconds, openProving, type ProofBench } from './testing/proving.ts';
import { ether, settle } from './testing/withdrawing.ts';

async function keep(bench: ProofBench, asked = false): Promise<Kept> {
  return keepProof(bench.custody, bench.native, { asked });
}

/** Epochs by number and state, oldest first. */
async function states(bench: ProofBench): Promise<readonly string[]> {
  const all = await epochs(bench.custody.db);
  return all.map((epoch) => `${epoch.header.epoch} ${stateOf(epoch)}`).toReversed();
}

async function clockOf(bench: ProofBench): Promise<ProofClock> {
  const [clock] = await proofClocks(bench.custody);
  invariant(clock !== undefined, 'Nobody has looked yet.');
  return clock;
}

/** Until what the house carries is at a final block and looked at. */
async function carried(bench: ProofBench): Promise<void> {
  await bench.work();
  await settle(bench);
  await settle(bench);
  await keep(bench);
}

/** Time passes for chain and server alike. */
async function pass(bench: ProofBench, seconds: bigint): Promise<void> {
  bench.chain.ground.skipTime(seconds);
  bench.clock.advance(Number(seconds) * 1_000);
  await settle(bench);
}

test('epochs are made, signed and pinned on their cadence, a full window is drawn, and what it drew is proven', async () => {
  await using bench = await openProving();
  assert.deepEqual(await provenAssets(bench.custody), [bench.native]);
  const first = await keep(bench);
  assert.deepEqual(first.troubles, []);
  await carried(bench);
  assert.deepEqual(await states(bench), ['1 committed']);
  assert.equal((await keep(bench)).done.length, 0, 'it is not time');
  await pass(bench, epochSeconds);
  await keep(bench);
  await carried(bench);
  assert.equal((await clockOf(bench)).fresh, false, 'nothing was proven yet');
  for (let round = 0; round < 3; round += 1) await carried(bench);
  const drawn = (await epochs(bench.custody.db)).find((epoch) => epoch.proven !== undefined);
  assert.ok(drawn?.bundle !== undefined && drawn.drawn !== undefined && drawn.committed !== undefined);
  const [relayed] = await dispatchViews(bench.custody.db, { after: null, limit: 1 });
  assert.equal(relayed?.to.toLowerCase(), fakeProofRegistry);
  const clock = await clockOf(bench);
  assert.deepEqual([clock.fresh, clock.epoch, clock.trouble, clock.windowEndedAt], [true, 2n, null, undefined]);
  assert.deepEqual(bench.maker.asked, ['make 1', 'make 2', `bundle ${drawn.header.epoch}`]);
  // A signer that was away when the drawn epoch was committed is asked for that again.
  const kinds = new Map(bench.proofQuorum.signed.map(({ id, kind }) => [id, kind]));
  assert.deepEqual([...kinds.values()], ['reserve-commitment', 'reserve-commitment', 'reserve-proof']);
  const cost = await bench.posted(houseGas, bench.native, { kind: 'network-fee', holder: '' });
  assert.ok(cost > 0n, 'the house bears what the transactions cost');
  const context = Buffer.from(drawn.context).toString('hex');
  assert.equal((await proofActView(bench.custody.db, { kind: 'proof', context }))?.state, 'done');
  assert.ok((await pass(bench, 90_000n), await clockOf(bench)).fresh === false, 'it grows old by itself');
  await bench.prove();
});

test('whatever is missing delays an epoch and is said; signed is what was made, and not before it could leave', async () => {
  await using bench = await openProving();
  bench.maker.lacking = 'Compartment 10000 owes 7 and holds 5.';
  const { troubles } = await keep(bench);
  assert.deepEqual(troubles, ['Compartment 10000 owes 7 and holds 5. (reserves/insolvent)']);
  assert.deepEqual(await states(bench), [], 'it takes no number');
  bench.maker.lacking = undefined;
  bench.maker.halfway = true;
  await keep(bench);
  assert.deepEqual(await states(bench), ['1 begun']);
  bench.maker.halfway = false;

  const { policy } = bench.custody;
  const cap = policy.feeCaps.get(bench.id);
  assert.ok(cap !== undefined);
  const feeCaps = new Map([[bench.id, { ...cap, maxFeePerGas: ether }]]);
  const poor = { ...bench.custody, policy: { ...policy, feeCaps } };
  assert.match((await keepProof(poor, bench.native)).troubles.join(), /fund it/u);
  assert.deepEqual(bench.proofQuorum.signed, [], 'the same epoch is not signed twice');

  bench.signers.awake = fakeMembers.slice(0, 1);
  assert.match((await keep(bench)).troubles.join(), /signer\/unavailable/u);
  assert.match((await clockOf(bench)).trouble ?? '', /signer\/unavailable/u);
  const [before] = await epochs(bench.custody.db);
  bench.signers.awake = fakeMembers;
  await keep(bench);
  await carried(bench);
  const [after] = await epochs(bench.custody.db);
  assert.deepEqual(after?.context, before?.context, 'the same header, when they are back');
  assert.deepEqual(await states(bench), ['1 committed']);
  assert.equal((await clockOf(bench)).trouble, null);

  // As after a restore: what was pinned last is not in this database.
  await bench.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query('delete from reserves.step');
    await tx.query('delete from reserves.epoch');
  });
  const restored = await keep(bench, true);
  assert.deepEqual(restored.done, []);
  assert.match(restored.troubles.join(), /an epoch 1 of \S+ that was not made here/u);
  assert.equal(bench.proofQuorum.signed.length, 1);
});

test('one that nobody was asked to sign in time is given up and the next has its number; a reorg has it carried again', async () => {
  await using bench = await openProving();
  bench.maker.halfway = true;
  await keep(bench);
  bench.maker.halfway = false;
  await pass(bench, 7_300n);
  const { done } = await keep(bench);
  assert.match(done.join(), /Epoch 1 of \S+ is abandoned: it was not committed in time\./u);
  bench.clock.advance(1);
  await keep(bench);
  await bench.work();
  bench.chain.mine();
  await bench.follow();
  bench.chain.ground.reorg(1);
  await carried(bench);
  await carried(bench);
  assert.deepEqual(await states(bench), ['1 abandoned', '1 committed']);
  await bench.prove();
});

test('one that signers were asked for lapses where everybody sees it, and the line goes on behind it', async () => {
  await using bench = await openProving();
  await keep(bench);
  assert.equal(bench.proofQuorum.signed.length, 1);
  // The server was away, and its transaction did not leave.
  await pass(bench, 7_300n);
  const late = await keep(bench);
  assert.match(late.done.join(), /epoch 1 lapsed, because it was not committed in time; the house carries it/u);
  bench.maker.lacking = 'Compartment 10000 owes 7 and holds 5.';
  await carried(bench);
  assert.deepEqual(await states(bench), ['1 lapsed']);
  const { epoch, committedAt, age, fresh } = await clockOf(bench);
  assert.deepEqual([epoch, committedAt, age, fresh], [1n, 0n, 0n, false]);
  bench.maker.lacking = undefined;
  await keep(bench);
  await carried(bench);
  assert.deepEqual(await states(bench), ['1 lapsed', '2 committed'], 'at once, and not an hour later');
  const [second, first] = await epochs(bench.custody.db);
  assert.deepEqual(second?.header.previous, first?.context, 'it follows what lapsed');
  await pass(bench, epochSeconds);
  await keep(bench);
  for (let round = 0; round < 4; round += 1) await carried(bench);
  const all = await epochs(bench.custody.db);
  const drawn = all.find((one) => one.drawn !== undefined);
  assert.ok(drawn?.proven !== undefined && drawn.header.epoch > 1n, 'a window of two that were committed is proven');
  assert.equal(all.at(-1)?.lapsed?.block !== undefined, true);
  assert.deepEqual((await clockOf(bench)).fresh, true);
  const outcomes = (await dispatchViews(bench.custody.db, { after: null, limit: 9 })).map(({ outcome }) => outcome);
  assert.deepEqual(
    outcomes.filter((outcome) => outcome !== 'succeeded'),
    ['impossible'],
    'the commitment that came too late costs nothing',
  );
  await bench.prove();
});

test('of two processes one gives an epoch up and one has it signed, but never both', async () => {
  await using bench = await openProving();
  const proven = provenAsset(bench.custody, bench.native) ?? assert.fail();
  const { registry, terms, setup } = proven;
  await setup.maker.make({ asset: bench.native, registry, ...terms });
  const port = bench.custody.chains.get(bench.chain.id) ?? assert.fail();
  const heads = port.heads.bind(port);
  let looks = 0;
  // The second look of the slow one is whether its epoch has lapsed; meanwhile the quick one has it signed.
  port.heads = async () => {
    looks += 1;
    if (looks === 2) {
      await keep(bench);
      assert.equal(bench.proofQuorum.signed.length, 1);
      bench.clock.advance(7_300_000);
    }
    return heads();
  };
  assert.deepEqual((await keep(bench)).done, []);
  port.heads = heads;
  assert.ok(looks > 2);
  assert.deepEqual(await states(bench), ['1 made']);
  const [intent] = bench.proofQuorum.signed;
  assert.ok(intent?.kind === 'reserve-commitment');

  await using other = await openProving();
  const late = provenAsset(other.custody, other.native) ?? assert.fail();
  const given = await late.setup.maker.make({ asset: other.native, registry: late.registry, ...late.terms });
  await pass(other, 7_300n);
  assert.match((await keep(other)).done.join(), /Epoch 1 of \S+ is abandoned/u);
  const context = Buffer.from(given.context).toString('hex');
  const act = { kind: 'commitment', context, intent: (id: string) => ({ ...intent, id }) } as const;
  assert.equal(await actFor(other.custody, late, act), undefined, 'nobody is asked for what was given up');
});

test('what was proven in a registry before this one does not hide what this one draws and proves', async () => {
  await using bench = await openProving({ setup: { everySeconds: 0n } });
  await keep(bench, true);
  const [here] = await epochs(bench.custody.db);
  assert.ok(here !== undefined);
  const header = { ...here.header, registry: new Uint8Array(20).fill(0x99), epoch: 40n };
  await bench.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(
      `insert into reserves.epoch select $1, registry_chain, $2, asset, 40, $3, previous, block_number, block_hash, ledger_position, begun_at
       from reserves.epoch`,
      [contextOf(header), header.registry, encodeHeader(header)],
    );
    await tx.query(
      `insert into reserves.step (context, state, at, transaction, block_number) values ($1, 'proven', now(), $2, 1)`,
      [contextOf(header), new Uint8Array(32).fill(1)],
    );
  });
  await carried(bench);
  await pass(bench, epochSeconds);
  await keep(bench, true);
  for (let round = 0; round < 4; round += 1) await carried(bench);
  const ours = (await epochs(bench.custody.db)).filter(({ header: { epoch } }) => epoch < 40n);
  assert.equal(ours.filter(({ drawn, proven }) => drawn !== undefined && proven !== undefined).length, 1);
});

test('one process makes an epoch, on a schedule or when asked, and for the configured registry alone', async () => {
  await using bench = await openProving({ setup: { everySeconds: 0n } });
  assert.deepEqual(await keep(bench), { done: [], troubles: [] }, 'nobody asks, and there is no schedule');
  bench.registry.settings = { ...bench.registry.settings, window: 3n, cadence: 5n };
  const { done, troubles } = await keep(bench, true);
  assert.deepEqual(done, []);
  assert.equal(troubles.length, 2);
  assert.match(troubles.join('\n'), /has 3 for window, and the configuration says 2\.\n.*has 5 for cadence/u);
  bench.registry.code = 'ab'.repeat(32);
  assert.match((await keep(bench, true)).troubles.join(), /has the code (?:ab){32}, and the configuration says/u);
  bench.registry.settings = fakeProofSettings;
  bench.registry.code = fakeProofRegistryCode;

  bench.maker.meanwhile = async () => {
    bench.maker.meanwhile = async () => undefined;
    assert.match((await keep(bench, true)).done.join(), /Another process makes an epoch/u);
  };
  await keep(bench, true);
  assert.deepEqual(bench.maker.asked, ['make 1']);
  await carried(bench);
  await settle(bench);
  // Killed while it made the next one.
  const held = `update custody.proof_maker set maker = 'another', held_until = now() + interval '1 minute'`;
  await bench.database.owner.query(held);
  await keep(bench, true);
  assert.deepEqual(bench.maker.asked, ['make 1']);
  await bench.database.owner.query(`update custody.proof_maker set held_until = now() - interval '1 second'`);
  await keep(bench, true);
  assert.deepEqual(bench.maker.asked, ['make 1', 'make 2']);
});

for (const kind of ['before', 'after'] satisfies Interruption[]) {
  test(`killed ${kind} any step, an epoch is signed once and carried once`, async () => {
    const interrupter = new Interrupter();
    await using bench = await openProving({ database: (db) => interruptible(db, interrupter) });
    let ends = 0;
    for (let step = 0; ; step += 1) {
      interrupter.arm(step, kind);
      const ended = await keep(bench).then(
        () => false,
        () => true,
      );
      interrupter.disarm();
      if (!ended) break;
      ends += 1;
      // What a killed process held is free when its time is over.
      await bench.database.owner.query(`update custody.proof_maker set held_until = now() - interval '1 second'`);
    }
    await carried(bench);
    assert.ok(ends > 10, `${ends} steps were killed`);
    assert.deepEqual(await states(bench), ['1 committed']);
    assert.equal((await dispatchViews(bench.custody.db, { after: null, limit: 9 })).length, 1);
    assert.equal(new Set(bench.proofQuorum.signed.map(({ id }) => id)).size, 1);
    await bench.prove();
  });
}
