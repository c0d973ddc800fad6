import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, houseFees, houseGas, tokenAsset } from '@bulkhead/domain';
import { namedAddress } from '@bulkhead/fakes';
import { lastMarker } from '@bulkhead/ledger';
import { bigintOrNull, only, text } from '@bulkhead/postgres';
import { finalize } from './finality.ts';
import { observe } from './follower.ts';
import { type Bench, openBench, pool } from './testing/bench.ts';
import { withPort } from './testing/port.ts';

const suspense = { kind: 'suspense', holder: '' } as const;

async function dispositions(bench: Bench): Promise<readonly string[]> {
  const deposits = await bench.deposits();
  return deposits.map(({ amount, credited, disposition }) => `${amount} ${credited} ${disposition}`).toSorted();
}

test('dust, unassigned addresses, house wallets and zero are booked where they belong, and never to a client', async () => {
  await using bench = await openBench({ dustMax: 100n });
  const { chain, native, custody } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  const [unassigned, gas, fees] = [
    await bench.ownWallet('unassigned'),
    await bench.ownWallet('gas'),
    await bench.ownWallet('fees'),
  ];
  const token = await bench.token('USDX');
  chain.outside.send({ to: wallet.address, amount: 100n });
  chain.outside.send({ to: wallet.address, amount: 101n });
  chain.outside.send({ to: unassigned.address, amount: 5_000n });
  chain.outside.send({ to: gas.address, amount: 7n });
  chain.outside.send({ to: fees.address, amount: 8n });
  chain.outside.send({ to: wallet.address, amount: 0n, asset: token });
  await bench.settle();
  assert.deepEqual(await dispositions(bench), [
    '100 100 dust',
    '101 101 client',
    '5000 5000 unassigned',
    '7 7 house-funding',
    '8 8 house-funding',
  ]);
  assert.equal(await bench.posted(wallet.compartment, native, suspense), 100n);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 101n);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'wallet', holder: wallet.id }), 201n);
  assert.equal(await bench.posted(pool, native, suspense), 5_000n);
  assert.equal(await bench.posted(houseGas, native, { kind: 'equity', holder: '' }), 7n);
  assert.equal(await bench.posted(houseFees, native, { kind: 'equity', holder: '' }), 8n);
  const [zero] = await custody.db.query(
    'select amount::text as amount, in_explained from custody.movement where asset = $1',
    [token],
  );
  assert.deepEqual(zero, { amount: '0', in_explained: 'nothing' }, 'a transfer of zero is recorded and books nothing');
  await bench.prove();
});

test('a token that takes a fee is credited by what the balance says, shared out over several transfers', async () => {
  await using bench = await openBench();
  const { chain } = bench;
  const token = await bench.token('FEE', { feePercent: 10n });
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  chain.outside.send({ to: wallet.address, amount: 105n, asset: token });
  chain.outside.send({ to: wallet.address, amount: 999n, asset: token });
  chain.outside.send({ to: wallet.address, amount: 3n, asset: token });
  chain.mine();
  await bench.settle();
  const held = chain.ground.balance(token, wallet.address);
  assert.ok(held < 1_107n, 'the token did take its fee');
  const deposits = await bench.deposits();
  assert.equal(
    deposits.reduce((sum, { credited }) => sum + BigInt(credited ?? '0'), 0n),
    held,
  );
  for (const { amount, credited } of deposits) assert.ok(BigInt(credited ?? '0') <= BigInt(amount));
  assert.equal(await bench.posted(wallet.compartment, token, { kind: 'wallet', holder: wallet.id }), held);
  assert.equal(await bench.posted(wallet.compartment, token, { kind: 'available', holder: client }), held);
});

test('a token that nobody allow-listed is no deposit', async () => {
  await using bench = await openBench();
  const { chain } = bench;
  const wallet = await bench.wallet(await bench.client());
  // The chain adapter shows it, because its list is longer than the one of the database.
  const stranger = chain.ground.deployToken({ name: 'stranger' });
  assert.equal(stranger, tokenAsset(chain.id, namedAddress('token stranger')));
  chain.outside.send({ to: wallet.address, amount: 100n, asset: stranger });
  await bench.settle();
  assert.deepEqual(await bench.deposits(), []);
  const [seen] = await bench.custody.db.query(
    'select amount::text as amount, in_explained from custody.movement where asset = $1',
    [stranger],
  );
  assert.deepEqual(seen, { amount: '100', in_explained: null }, 'it is recorded, and no book knows it');
  await bench.prove();
});

test("a withdrawal of a validator is a deposit, and coins from the gas wallet without a dispatch are nobody's", async () => {
  await using bench = await openBench();
  const { chain, native, custody } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  const gas = await bench.ownWallet('gas');
  chain.outside.send({ to: gas.address, amount: 10n ** 18n });
  chain.mine();
  chain.ground.withdrawValidator(wallet.address, 32n);
  chain.outside.steal({ from: gas.address, to: wallet.address, amount: 500n });
  chain.mine();
  await bench.settle();
  const deposits = await bench.deposits();
  const found = deposits
    .map(({ movementKind, disposition, credited }) => `${movementKind} ${disposition} ${credited}`)
    .toSorted();
  assert.deepEqual(found, [
    `native house-funding ${10n ** 18n}`,
    'native unexplained 500',
    'validator-withdrawal client 32',
  ]);
  assert.equal(await bench.posted(wallet.compartment, native, suspense), 500n);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 32n);
  // What left is booked by nobody: that is for reconciliation to report. The nonce is used up all the same.
  const out = only(
    await custody.db.query('select out_explained, in_explained from custody.movement where from_address = $1', [
      gas.address,
    ]),
  );
  assert.equal(out['out_explained'], null);
  assert.match(text(out, 'in_explained'), /^dep_/u);
  const after = only(await custody.db.query('select next_nonce from custody.wallet where id = $1', [gas.id]));
  assert.equal(bigintOrNull(after, 'next_nonce'), 1n);
  await bench.prove();
});

test('coins that an address sends to itself are neither a deposit nor a loss', async () => {
  await using bench = await openBench();
  const { chain, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  chain.outside.send({ to: wallet.address, amount: 10n ** 18n });
  chain.mine();
  chain.outside.steal({ from: wallet.address, to: wallet.address, amount: 10n ** 17n });
  await bench.settle();
  assert.equal((await bench.deposits()).length, 1);
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'available', holder: client }), 10n ** 18n);
});

test('the rule that credited is recorded with the deposit', async () => {
  await using bench = await openBench();
  const { chain } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.outside.send({ to: wallet.address, amount: 1n });
  chain.mine();
  await bench.settle();
  const [deposit] = await bench.deposits();
  const { final } = await chain.heads();
  assert.deepEqual(deposit?.finality, {
    rule: 'finalized',
    block: { number: final.number.toString(), hash: final.hash },
    sources: ['fake'],
    required: 1,
    reachedAt: bench.clock.now().toISOString(),
  });
  assert.deepEqual(
    bench.screening.asked.map(({ reference, direction, amount }) => [reference, direction, amount]),
    [[deposit?.id, 'in', 1n]],
  );
});

test('every final block has its marker, written before the next block is booked', async () => {
  await using bench = await openBench();
  const { chain, custody, native } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  for (let i = 1n; i <= 6n; i += 1n) {
    chain.outside.send({ to: wallet.address, amount: i });
    chain.mine();
  }
  await observe(custody, chain.id);
  // As after a crash between the booking of a block and its marker.
  let commits = 0;
  const crashing = {
    ...custody,
    db: {
      ...custody.db,
      query: custody.db.query.bind(custody.db),
      transaction: custody.db.transaction.bind(custody.db),
    },
  };
  crashing.db.query = async (sql, values, options) => {
    if (sql.includes('ledger.mark(') && (commits += 1) === 3) {
      throw new CustodyError('database/unavailable', 'The process was killed.');
    }
    return custody.db.query(sql, values, options);
  };
  await assert.rejects(() => finalize(crashing, chain.id), /killed/u);
  const booked = only(await custody.db.query('select final_number from custody.chain_cursor'));
  const marked = await lastMarker(custody.db, chain.id);
  assert.equal(bigintOrNull(booked, 'final_number'), 2n);
  assert.equal(marked?.block.number, 1n);
  await bench.settle();
  const positions = await custody.db.query('select block_number, position from ledger.markers order by block_number');
  const entries = await custody.db.query(
    'select block_number, position from ledger.transfers where block_number is not null order by position',
  );
  for (const entry of entries) {
    const own = positions.find((row) => row['block_number'] === entry['block_number']);
    const below = positions.find(
      (row) => BigInt(String(row['block_number'])) === BigInt(String(entry['block_number'])) - 1n,
    );
    assert.ok(BigInt(String(own?.['position'])) >= BigInt(String(entry['position'])), 'covered by its own marker');
    assert.ok(BigInt(String(below?.['position'])) < BigInt(String(entry['position'])), 'not by the one before');
  }
  assert.equal(await bench.posted(wallet.compartment, native, { kind: 'wallet', holder: wallet.id }), 21n);
  await bench.prove();
});

test('nothing is booked on a branch that is not the one that became final', async () => {
  await using bench = await openBench({ chain: { finalLag: 'manual' } });
  const { chain, custody } = bench;
  const wallet = await bench.wallet(await bench.client());
  chain.outside.send({ to: wallet.address, amount: 900n });
  chain.ground.mineMany(3);
  await observe(custody, chain.id);
  chain.reorg(3, { drop: 'all', length: 5 });
  chain.ground.finalize(2n);
  await assert.rejects(
    () => finalize(custody, chain.id),
    (error) => error instanceof CustodyError && error.code === 'chain/unavailable',
  );
  assert.deepEqual(
    (await bench.deposits()).map(({ state }) => state),
    ['detected'],
  );
  chain.ground.finalize(5n);
  assert.deepEqual(
    await finalize(custody, chain.id),
    { booked: 0, atFinal: true },
    'our tip is not canonical, so nothing of it is final',
  );
  await bench.follow();
  assert.deepEqual(
    (await bench.deposits()).map(({ state }) => state),
    ['removed'],
  );
  await bench.prove();
});

test('a block that another indexer booked while its balances were asked for is not booked again', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  await using bench = await openBench({
    port: (chain) =>
      withPort(chain, {
        balances: async (queries, at) => {
          const others = meanwhile;
          meanwhile = undefined;
          await others?.();
          return chain.balances(queries, at);
        },
      }),
  });
  const { chain, custody } = bench;
  const client = await bench.client();
  const wallet = await bench.wallet(client);
  const token = await bench.token('USDX');
  chain.outside.send({ to: wallet.address, amount: 6n, asset: token });
  chain.ground.mineMany(6);
  await observe(custody, chain.id);
  meanwhile = () => bench.follow();
  assert.deepEqual(await finalize(custody, chain.id), { booked: 0, atFinal: true });
  assert.equal(await bench.posted(wallet.compartment, token, { kind: 'quarantine', holder: client }), 6n);
  await bench.prove();
});
