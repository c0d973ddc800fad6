import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Screening } from '@bulkhead/domain';
import { assignDeposit, freezeDeposit, releaseDeposit, screenDeposit } from './deposit.ts';
import { depositViews } from './deposit-view.ts';
import {
  type Bench,
  type BenchOptions,
  type BenchWallet,
  openBench,
  pool,
  refusalOf,
  viewOf,
} from './testing/bench.ts';

type Arrived = { readonly bench: Bench; readonly client: string; readonly wallet: BenchWallet; readonly id: string };

/** A bench with one final deposit of 1000 wei, screened with the given verdict. */
async function arrived(verdict: Bench['screening']['verdict'], options: BenchOptions = {}): Promise<Arrived> {
  const bench = await openBench(options);
  bench.screening.verdict = verdict;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  bench.chain.outside.send({ to: wallet.address, amount: 1_000n });
  await bench.settle();
  const [deposit] = await bench.deposits();
  assert.ok(deposit !== undefined);
  return { bench, client, wallet, id: deposit.id };
}

async function claims({ bench, client, wallet }: Arrived): Promise<{ available: bigint; quarantine: bigint }> {
  const of = (kind: 'available' | 'quarantine'): Promise<bigint> =>
    bench.posted(wallet.compartment, bench.native, { kind, holder: client });
  return { available: await of('available'), quarantine: await of('quarantine') };
}

async function stateOf({ bench, id }: Arrived): Promise<string> {
  const deposit = (await bench.deposits()).find((one) => one.id === id);
  return `${deposit?.state} ${deposit?.verdict}`;
}

test('only a clear verdict releases by itself; a hit freezes and the rest waits', async () => {
  const expected = {
    clear: 'released clear',
    hit: 'frozen hit',
    review: 'final review',
    inconclusive: 'final inconclusive',
    'not-screened': 'final not-screened',
  } as const;
  for (const verdict of ['clear', 'hit', 'review', 'inconclusive', 'not-screened'] as const) {
    const deposit = await arrived(verdict);
    await using _bench = deposit.bench;
    assert.equal(await stateOf(deposit), expected[verdict]);
    const released = verdict === 'clear' ? 1_000n : 0n;
    assert.deepEqual(await claims(deposit), { available: released, quarantine: 1_000n - released });
    await deposit.bench.prove();
  }
});

test('the declared rule releases what no screening exists for, and nothing that a screening doubted', async () => {
  const policy = { releaseUnscreenedDeposits: true };
  const unscreened = await arrived('not-screened', { policy });
  await using _one = unscreened.bench;
  assert.equal(await stateOf(unscreened), 'released not-screened');
  assert.equal((await unscreened.bench.deposits())[0]?.releasedBy, 'rule');
  const doubted = await arrived('inconclusive', { policy });
  await using _two = doubted.bench;
  assert.equal(await stateOf(doubted), 'final inconclusive');
});

test('a screening that fails has cleared nothing', async () => {
  await using bench = await openBench();
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  bench.chain.outside.send({ to: wallet.address, amount: 2_000n });
  bench.chain.mine();
  bench.chain.settle();
  await bench.follow();
  const waiting = (await bench.deposits()).find(({ amount }) => amount === '2000');
  assert.ok(waiting !== undefined);
  bench.screening.script(waiting.id, new Error('the provider is away'));
  await bench.work();
  assert.equal(await stateOf({ bench, client, wallet, id: waiting.id }), 'final inconclusive');
  assert.deepEqual(await claims({ bench, client, wallet, id: waiting.id }), { available: 0n, quarantine: 2_000n });
});

test('a release needs two people; one of them twice is refused, and a retry of either is the same answer', async () => {
  const deposit = await arrived('not-screened');
  await using bench = deposit.bench;
  const { custody } = bench;
  const first = await releaseDeposit(custody, bench.as('anna', 'k1'), deposit.id);
  const proposed = viewOf(first);
  assert.deepEqual([proposed.state, proposed.releaseProposedBy, proposed.releasedBy], ['final', 'anna', null]);
  assert.deepEqual(await releaseDeposit(custody, bench.as('anna', 'k1'), deposit.id), { ...first, hit: true });
  assert.equal(
    refusalOf(await releaseDeposit(custody, bench.as('anna'), deposit.id)),
    'four-eyes/second-person-needed',
  );
  assert.deepEqual(await claims(deposit), { available: 0n, quarantine: 1_000n });
  const released = viewOf(await releaseDeposit(custody, bench.as('bert'), deposit.id));
  assert.deepEqual([released.state, released.releasedBy], ['released', 'bert']);
  assert.deepEqual(await claims(deposit), { available: 1_000n, quarantine: 0n });
  assert.equal(refusalOf(await releaseDeposit(custody, bench.as('carl'), deposit.id)), 'deposit/wrong-state');
  assert.equal(refusalOf(await releaseDeposit(custody, bench.as('carl'), 'dep_unknown')), 'resource/not-found');
  const journal = await custody.db.query(
    `select actor, event from custody.journal where subject = $1 order by position`,
    [deposit.id],
  );
  assert.deepEqual(
    journal.map(({ actor, event }) => `${String(actor)} ${String(event)}`),
    [
      'bulkhead deposit-detected',
      'bulkhead deposit-finalized',
      'bulkhead deposit-screened',
      'bulkhead screening-answered',
      'anna deposit-release-asked',
      'bert deposit-release-asked',
    ],
  );
  await bench.prove();
});

test('two people who release at once release once', async () => {
  const deposit = await arrived('review');
  await using bench = deposit.bench;
  const people = ['anna', 'bert', 'carl', 'dora', 'emil'];
  const answers = await Promise.all(people.map((name) => releaseDeposit(bench.custody, bench.as(name), deposit.id)));
  assert.deepEqual(answers.map(refusalOf).toSorted(), [
    'deposit/wrong-state',
    'deposit/wrong-state',
    'deposit/wrong-state',
    'done',
    'done',
  ]);
  assert.deepEqual(await claims(deposit), { available: 1_000n, quarantine: 0n });
});

test('a person can freeze what is in quarantine, and two can release it again; what is released is beyond freezing', async () => {
  const deposit = await arrived('review');
  await using bench = deposit.bench;
  const { custody } = bench;
  assert.equal(viewOf(await freezeDeposit(custody, bench.as('anna'), deposit.id)).state, 'frozen');
  viewOf(await releaseDeposit(custody, bench.as('anna'), deposit.id));
  assert.equal(viewOf(await releaseDeposit(custody, bench.as('bert'), deposit.id)).state, 'released');
  assert.equal(refusalOf(await freezeDeposit(custody, bench.as('anna'), deposit.id)), 'deposit/wrong-state');
  assert.deepEqual(await claims(deposit), { available: 1_000n, quarantine: 0n });
});

test('a deposit in suspense is assigned by two people to a client of its compartment, and then screened', async () => {
  await using bench = await openBench();
  const { chain, custody, native } = bench;
  const [member, stranger] = [await bench.client('omnibus'), await bench.client('individual')];
  await bench.wallet(member);
  await bench.wallet(stranger);
  const open = await bench.ownWallet('unassigned');
  chain.outside.send({ to: open.address, amount: 300n });
  await bench.settle();
  const [deposit] = await bench.deposits();
  assert.ok(deposit !== undefined);
  assert.equal(deposit.clientId, null);
  const assign = async (name: string, clientId: string): Promise<string> =>
    refusalOf(await assignDeposit(custody, bench.as(name), { id: deposit.id, clientId }));
  assert.equal(await assign('anna', 'cl_unknown'), 'resource/not-found');
  assert.equal(await assign('anna', stranger), 'compartment/wrong-kind');
  assert.equal(await assign('anna', member), 'done');
  assert.equal(await assign('anna', member), 'four-eyes/second-person-needed');
  assert.equal(await bench.posted(pool, native, { kind: 'suspense', holder: '' }), 300n);
  assert.equal(await assign('bert', member), 'done');
  assert.equal(await bench.posted(pool, native, { kind: 'suspense', holder: '' }), 0n);
  assert.equal(await bench.posted(pool, native, { kind: 'quarantine', holder: member }), 300n);
  assert.equal(await bench.work(), 1);
  assert.equal(await bench.posted(pool, native, { kind: 'available', holder: member }), 300n);
  assert.equal((await bench.deposits())[0]?.clientId, member);
  assert.equal(await assign('carl', member), 'deposit/wrong-state');
  await bench.prove();
});

test('screening twice, or after people have moved on, changes nothing', async () => {
  const deposit = await arrived('review');
  await using bench = deposit.bench;
  bench.screening.verdict = 'clear';
  await screenDeposit(bench.custody, deposit.id);
  assert.equal(await stateOf(deposit), 'final review');
  await screenDeposit(bench.custody, 'dep_unknown');
  assert.equal(bench.screening.asked.length, 1);
});

test('lists are filtered and go on after the last one', async () => {
  await using bench = await openBench();
  const { chain, custody } = bench;
  const [first, second] = [await bench.client(), await bench.client()];
  const [one, two] = [await bench.wallet(first), await bench.wallet(second)];
  for (let i = 1n; i <= 3n; i += 1n) {
    chain.outside.send({ to: one.address, amount: i });
    chain.outside.send({ to: two.address, amount: i });
    bench.clock.advance(1_000);
    chain.mine();
    await bench.follow();
  }
  const all = await depositViews(custody.db, { after: null, limit: 100 });
  assert.equal(all.length, 6);
  assert.deepEqual(
    (await depositViews(custody.db, { client: first, after: null, limit: 100 })).map(({ amount }) => amount),
    ['1', '2', '3'],
  );
  const page = await depositViews(custody.db, { compartment: two.compartment, after: null, limit: 2 });
  assert.deepEqual(
    page.map(({ amount }) => amount),
    ['1', '2'],
  );
  const rest = await depositViews(custody.db, { compartment: two.compartment, after: page[1]?.id ?? '', limit: 2 });
  assert.deepEqual(
    rest.map(({ amount }) => amount),
    ['3'],
  );
  assert.equal((await depositViews(custody.db, { state: 'final', after: null, limit: 100 })).length, 2);
  assert.equal((await depositViews(custody.db, { chain: 'eip155:1', after: null, limit: 100 })).length, 0);
});

test('of two screenings at once the first answer stands, though the second would release', async () => {
  await using bench = await openBench();
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  bench.chain.outside.send({ to: wallet.address, amount: 1_000n });
  bench.chain.mine();
  bench.chain.settle();
  await bench.follow();
  const [deposit] = await bench.deposits();
  assert.ok(deposit !== undefined);
  bench.screening.verdict = 'review';
  const slow: Screening = {
    screen: async () => {
      await screenDeposit(bench.custody, deposit.id);
      return { verdict: 'clear', provider: 'slow', detail: '' };
    },
  };
  await screenDeposit({ ...bench.custody, screening: slow }, deposit.id);
  assert.equal(await stateOf({ bench, client, wallet, id: deposit.id }), 'final review');
  assert.deepEqual(await claims({ bench, client, wallet, id: deposit.id }), { available: 0n, quarantine: 1_000n });
});
