import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas } from '@bulkhead/domain';
import { breakViews, resolveBreak, setBreakOwner } from './break.ts';
import { freeze, frozenBy, liftFreeze, openReorgBreak } from './freeze.ts';
import { type Bench, openBench, refusalOf, viewOf } from './testing/bench.ts';

async function violate(bench: Bench, heights: readonly bigint[]): Promise<string> {
  const removed = heights.map((height) => ({ number: height, hash: bench.chain.ground.at(height).hash }));
  return bench.custody.db.transaction(async (tx) =>
    openReorgBreak(bench.custody, tx, { chain: bench.id, removed, now: bench.clock.now() }),
  );
}

test('when it is not known which final blocks left the chain, every client compartment with a wallet there is frozen, and no house', async () => {
  await using bench = await openBench();
  const one = await bench.wallet(await bench.client('individual'));
  const many = await bench.wallet(await bench.client('omnibus'));
  await bench.ownWallet('gas');
  const id = await violate(bench, []);
  const { db } = bench.custody;
  assert.deepEqual(await frozenBy(db, one.compartment), [id]);
  assert.deepEqual(await frozenBy(db, many.compartment), [id]);
  assert.deepEqual(await frozenBy(db, houseGas), []);
});

test('a second violation adds to the break that is open: more blocks, more compartments, one break', async () => {
  await using bench = await openBench();
  const wallets = [
    await bench.wallet(await bench.client('individual')),
    await bench.wallet(await bench.client('individual')),
  ] as const;
  const heights: bigint[] = [];
  for (const wallet of wallets) {
    bench.chain.outside.send({ to: wallet.address, amount: 5n });
    heights.push(bench.chain.mine().number);
    await bench.settle();
  }
  const [first, second] = heights;
  assert.ok(first !== undefined && second !== undefined);
  const id = await violate(bench, [first]);
  const { db } = bench.custody;
  assert.deepEqual(await frozenBy(db, wallets[0].compartment), [id]);
  assert.deepEqual(await frozenBy(db, wallets[1].compartment), []);
  assert.equal(await violate(bench, [second, first]), id);
  assert.deepEqual(await frozenBy(db, wallets[1].compartment), [id]);
  const [row] = await bench.database.owner.query(
    `select jsonb_array_length(evidence -> 'removed') as blocks from custody.break`,
  );
  assert.equal(row?.['blocks'], 2, 'each block is named once');
  const ofCompartment = await breakViews(
    db,
    { compartment: wallets[1].compartment, after: null, limit: 10 },
    bench.clock.now(),
  );
  assert.deepEqual(
    ofCompartment.map((view) => view.id),
    [id],
    'a break without a wallet shows under what it froze',
  );
});

test('a compartment stays frozen until the last break that froze it ends', async () => {
  await using bench = await openBench();
  const { compartment } = await bench.wallet(await bench.client('individual'));
  const { db } = bench.custody;
  const reorg = await violate(bench, []);
  const now = bench.clock.now();
  await bench.database.owner.query(
    `insert into custody.break (id, type, chain, compartment, evidence, owner, deadline, opened_at)
     values ('brk_2', 'shortfall', 'eip155:2', $1, '{}', 'desk', $2, $2)`,
    [compartment, now],
  );
  await db.transaction(async (tx) => freeze(tx, now, { compartment, cause: 'brk_2' }));
  await db.transaction(async (tx) => freeze(tx, now, { compartment, cause: 'brk_2' }));
  assert.deepEqual(await frozenBy(db, compartment), [reorg, 'brk_2'].toSorted());
  await db.transaction(async (tx) => liftFreeze(tx, now, 'brk_2'));
  assert.deepEqual(await frozenBy(db, compartment), [reorg]);
  const ask = { breakId: reorg, action: 'acknowledge', note: 'the sources were wrong' } as const;
  viewOf(await resolveBreak(bench.custody, bench.as('ann'), ask));
  assert.deepEqual(await frozenBy(db, compartment), [reorg], 'one person does not lift it');
  viewOf(await resolveBreak(bench.custody, bench.as('bea'), ask));
  assert.deepEqual(await frozenBy(db, compartment), []);
});

test('a break has an owner, a deadline and an age, and is found by what it is', async () => {
  await using bench = await openBench();
  await bench.wallet(await bench.client('individual'));
  const id = await violate(bench, []);
  const { db } = bench.custody;
  bench.clock.advance(90_000);
  const assigned = viewOf(await setBreakOwner(bench.custody, bench.as('ann'), { breakId: id, owner: 'bea' }));
  assert.deepEqual([assigned.owner, assigned.ageSeconds, assigned.resolution], ['bea', 90, null]);
  assert.equal(
    new Date(assigned.deadline).getTime() - new Date(assigned.openedAt).getTime(),
    bench.custody.policy.breakDeadlineMs,
  );
  const now = bench.clock.now();
  const all = { after: null, limit: 10 };
  const found = async (filter: object): Promise<number> => (await breakViews(db, { ...all, ...filter }, now)).length;
  assert.deepEqual(
    [
      await found({ type: 'reorg' }),
      await found({ type: 'fee' }),
      await found({ chain: bench.id }),
      await found({ chain: 'eip155:2' }),
      await found({ state: 'resolved' }),
      await found({ compartment: 4_000 }),
      await found({ after: id }),
    ],
    [1, 0, 1, 0, 0, 0, 0],
  );
  const ask = { breakId: id, action: 'acknowledge', note: 'seen' } as const;
  for (const person of ['ann', 'bea']) viewOf(await resolveBreak(bench.custody, bench.as(person), ask));
  bench.clock.advance(90_000);
  const [ended] = await breakViews(db, { ...all, state: 'resolved' }, bench.clock.now());
  assert.equal(ended?.ageSeconds, 90, 'the age of a resolved break stands still');
  assert.equal(
    refusalOf(await setBreakOwner(bench.custody, bench.as('ann'), { breakId: id, owner: 'cora' })),
    'break/already-resolved',
  );
  assert.equal(
    refusalOf(await setBreakOwner(bench.custody, bench.as('ann'), { breakId: 'brk_none', owner: 'cora' })),
    'resource/not-found',
  );
  assert.equal(
    refusalOf(await resolveBreak(bench.custody, bench.as('ann'), { ...ask, breakId: 'brk_none' })),
    'resource/not-found',
  );
});

test('what a break says of its origin is kept from change', async () => {
  await using bench = await openBench();
  await bench.wallet(await bench.client('individual'));
  const id = await violate(bench, []);
  for (const change of [`opened_at = now()`, `type = 'fee'`, `deadline = now()`, `compartment = 1`]) {
    await assert.rejects(bench.database.owner.query(`update custody.break set ${change} where id = $1`, [id]), change);
    await assert.rejects(bench.database.app.query(`update custody.break set ${change} where id = $1`, [id]), change);
  }
  await assert.rejects(bench.database.owner.query('delete from custody.break'));
  await assert.rejects(bench.database.owner.query('delete from custody.freeze'));
});
