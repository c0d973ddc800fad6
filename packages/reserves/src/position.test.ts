import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AccountName, chainOf, houseFees, type Compartment } from '@bulkhead/domain';
import { claimsBehind } from './claim-reading.ts';
import {
  bookedReserves,
  type CompartmentPosition,
  differing,
  expectOnChain,
  expectSolvent,
  heldWallets,
  pinnedMarker,
} from './position.ts';
import { ada, bob, client, listOf, openWorld, pool, type World } from './testing/world.ts';

let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world[Symbol.asyncDispose]());

const quarantine = (holder: string): AccountName => ({ kind: 'quarantine', holder });
const gas = (holder: string): AccountName => ({ kind: 'gas', holder });
const fees = (holder: string): AccountName => ({ kind: 'fee-payable', holder });
const suspense: AccountName = { kind: 'suspense', holder: '' };

async function claims(position: bigint): Promise<readonly string[]> {
  const { database, asset } = world;
  const read = await database.app.transaction((tx) => listOf(claimsBehind(tx, { asset, position })), {
    isolation: 'repeatable read',
    readOnly: true,
  });
  return read.map(
    ({ compartment, kind, holder, amount }) => `${compartment} ${kind} ${new TextDecoder().decode(holder)} ${amount}`,
  );
}

test('claims are those behind the marker of the block, in the order of leaves, each kind by itself and the house left out', async () => {
  const { chain, database, deposit, move, settle, asset } = world;
  await deposit(pool, client('cl_b'), 70n);
  await deposit(pool, client('cl_a'), 30n);
  await deposit(pool, suspense, 11n);
  await deposit(ada, client('cl_c'), 500n);
  await deposit(houseFees, { kind: 'equity', holder: '' }, 9n);
  await deposit(houseFees, suspense, 2n);
  await move(pool, [client('cl_b'), quarantine('cl_b')], 20n);
  await move(pool, [client('cl_b'), gas('cl_b')], 5n);
  await move(pool, [client('cl_a'), gas('')], 1n);
  await move(pool, [client('cl_b'), fees('cl_b')], 4n);
  await settle();
  const marker = await pinnedMarker(database.app, chain, {});
  const expected = [
    '10000 client cl_a 29',
    '10000 client cl_b 66',
    '10000 fee-payable cl_b 4',
    '10000 suspense gas 1',
    '10000 suspense suspense 11',
    '100000 client cl_c 500',
  ];
  assert.deepEqual(await claims(marker.position), expected);
  // What is booked later changes nothing behind the marker: neither a new client nor an old one.
  await deposit(bob, client('cl_d'), 3n);
  await move(ada, [client('cl_c'), fees('cl_c')], 500n);
  assert.deepEqual(await claims(marker.position), expected);
  const again = await pinnedMarker(database.app, chain, { block: marker.block.number });
  assert.deepEqual(again, marker);
  const booked = await database.app.transaction((tx) => bookedReserves(tx, { asset, block: marker.block.number }));
  assert.deepEqual(Object.fromEntries(booked), { [pool]: 111n, [ada]: 500n, [bob]: 0n });
});

test('what the chain has is asked at the pinned block, of wallets of clients alone', async () => {
  const { chain, database, wallets, arrive, asset } = world;
  const marker = await pinnedMarker(database.app, chain, {});
  arrive(ada, 1_000n);
  const read = await database.app.transaction((tx) =>
    listOf(heldWallets(chain, { asset, block: marker.block }, wallets(tx, chainOf(asset)))),
  );
  assert.deepEqual(
    read.map(({ compartment, balance }) => [compartment, balance]),
    [
      [pool, 111n],
      [ada, 500n],
      [bob, 3n],
    ],
  );
});

test('a block that is not booked, or that the chain does not have, is not proven', async () => {
  const { chain, database, settle } = world;
  await settle();
  await assert.rejects(pinnedMarker(database.app, chain, { block: 10_000n }), { code: 'reserves/not-covered' });
  chain.reorg(5, { breaksFinality: true });
  await assert.rejects(pinnedMarker(database.app, chain, {}), { code: 'chain/finality-violated' });
});

const position = (compartment: Compartment, booked: bigint, held: bigint): CompartmentPosition => ({
  compartment,
  owed: 0n,
  booked,
  held,
});

test('less on the chain than in the books of one compartment is refused, whatever the others have, unless it was declared', () => {
  const positions = [position(pool, 10n, 11n), position(ada, 10n, 9n), position(bob, 10n, 10n)];
  assert.deepEqual(
    differing(positions).map(({ compartment }) => compartment),
    [pool, ada],
  );
  assert.throws(() => expectOnChain(positions, new Set()), {
    code: 'reserves/chain-has-less',
    message: /compartment 100000 has 9 of 10\./u,
  });
  assert.throws(() => expectOnChain(positions, new Set([pool, bob])), { code: 'reserves/chain-has-less' });
  expectOnChain(positions, new Set([ada]));
});

test('a compartment that owes more than it holds is refused, whatever the others have', () => {
  const row = (
    compartment: Compartment,
    liabilities: bigint,
    reserves: bigint,
  ): Parameters<typeof expectSolvent>[0] => [{ compartment, liabilities, reserves }];
  expectSolvent([...row(pool, 5n, 5n), ...row(ada, 1n, 9n)]);
  assert.throws(() => expectSolvent([...row(pool, 5n, 4n), ...row(ada, 0n, 100n)]), {
    code: 'reserves/insolvent',
    message: /compartment 10000 owes 5 units and holds 4\./u,
  });
});
