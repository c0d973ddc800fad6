import assert from 'node:assert/strict';
import test from 'node:test';
import { bisectDifference, nativeAsset, type WatchSet } from '@bulkhead/domain';
import { chainContract } from './chain-contract.ts';
import { FakeChain } from './fake-chain.ts';
import { faucet } from './ground.ts';
import { namedAddress, signAs } from './key.ts';
import { seededRandom } from './random.ts';

const ether = 10n ** 18n;
const alice = namedAddress('alice');
const bob = namedAddress('bob');
const everybody: WatchSet = { has: () => true };

chainContract(test, async () => {
  const chain = new FakeChain();
  let accounts = 0;
  return {
    chain,
    async account(coins) {
      accounts += 1;
      const address = namedAddress(`account ${accounts}`);
      if (coins > 0n) {
        chain.outside.send({ to: address, amount: coins });
        chain.mine();
      }
      return { address, sign: async (unsigned) => signAs(address, unsigned) };
    },
    mine: async () => void chain.mine(),
  };
});

test('the same steps give the same hashes, and a difference gives others', () => {
  const run = (amount: bigint): readonly string[] => {
    const chain = new FakeChain();
    chain.outside.send({ to: alice, amount });
    chain.ground.withdrawValidator(bob, 9n);
    chain.mine();
    chain.reorg(1);
    return [chain.ground.at(1n).hash, chain.ground.head.hash];
  };
  assert.deepEqual(run(5n), run(5n));
  assert.notDeepEqual(run(5n), run(6n));
});

test('a reorg brings other hashes, moves a transaction and takes back balances of the old branch', async () => {
  const chain = new FakeChain({ finalLag: 8n });
  chain.mine();
  const hash = chain.outside.send({ to: alice, amount: ether });
  const old = chain.mine();
  chain.reorg(1, { emptyBlocks: 1, length: 2 });
  assert.notEqual((await chain.hashAt(old.number)) ?? '', old.hash);
  assert.equal(chain.ground.locate(hash)?.block.number, old.number + 1n);
  await assert.rejects(chain.balances([{ asset: chain.native, address: alice }], old), { code: 'chain/unavailable' });
  assert.equal(chain.ground.balance(chain.native, alice, old.number), 0n);
  assert.equal(chain.ground.balance(chain.native, alice), ether);
  chain.reorg(2, { drop: 'all' });
  assert.equal(chain.ground.locate(hash), undefined);
  assert.equal(chain.ground.balance(chain.native, alice), 0n);
  assert.equal(chain.ground.resurface(hash), 'accepted');
  chain.mine();
  assert.equal(chain.ground.balance(chain.native, alice), ether);
});

test('a chain of payments survives a reorg whole', () => {
  const chain = new FakeChain({ finalLag: 8n });
  chain.outside.send({ to: alice, amount: ether });
  chain.mine();
  chain.outside.send({ from: alice, to: bob, amount: ether / 2n });
  chain.mine();
  chain.reorg(2, { reorder: true });
  assert.equal(chain.ground.balance(chain.native, bob), ether / 2n);
  assert.equal(chain.ground.nonce(alice), 1n);
});

test('final blocks trail the head, never go back and hold against a reorg', () => {
  const chain = new FakeChain({ finalLag: 2n });
  chain.ground.mineMany(5);
  assert.equal(chain.ground.final.number, 3n);
  assert.throws(() => chain.reorg(3), { code: 'invariant/broken' });
  chain.reorg(2, { length: 1 });
  assert.equal(chain.ground.height, 4n);
  assert.equal(chain.ground.final.number, 3n);
});

test('inner payments: several, one reverting alone, all reverting together, hidden without traces', async () => {
  for (const traces of [true, false]) {
    const chain = new FakeChain({ traces });
    const payouts = [
      { to: alice, amount: 3n },
      { to: bob, amount: 4n, reverts: true },
      { to: bob, amount: 5n },
    ];
    const hash = chain.outside.payByContract(payouts);
    const failed = chain.outside.revertByContract(8n);
    const { number } = chain.mine();
    const block = await chain.block(number, new Set([alice, bob]));
    const seen = block?.movements.map(({ kind, reference, amount }) => ({ kind, reference, amount }));
    const inner = [
      { kind: 'internal', reference: `${hash}:0`, amount: 3n },
      { kind: 'internal', reference: `${hash}:2`, amount: 5n },
    ];
    assert.deepEqual(seen, traces ? inner : []);
    assert.deepEqual(
      [alice, bob].map((address) => chain.ground.balance(chain.native, address)),
      [3n, 5n],
    );
    assert.equal((await chain.sight(failed)).at, 'block');
    const sent = (await chain.block(number, new Set([faucet])))?.sent.find((candidate) => candidate.hash === failed);
    assert.equal(sent?.succeeded, false);
  }
});

test('coin without a transaction: a withdrawal is listed, force is found by its balance alone', async () => {
  const chain = new FakeChain();
  chain.ground.withdrawValidator(alice, 11n);
  chain.ground.force(bob, 12n);
  const { number } = chain.mine();
  chain.ground.mineMany(9);
  const movements = (await chain.block(number, everybody))?.movements;
  assert.deepEqual(movements, [
    { kind: 'validator-withdrawal', reference: '0', asset: chain.native, to: alice, amount: 11n },
  ]);
  const found = await bisectDifference(chain, { address: bob, from: 0n, to: 10n, expected: () => 0n });
  assert.equal(found?.block.number, number);
  assert.equal(found?.movement.amount, 12n);
});

test('a reorg keeps coin that came without a transaction', () => {
  const chain = new FakeChain();
  chain.ground.withdrawValidator(alice, 11n);
  chain.mine();
  chain.reorg(1);
  assert.equal(chain.ground.balance(chain.native, alice), 11n);
});

test('a token that takes a fee says the whole amount and delivers less; a reverting one burns only gas', async () => {
  const chain = new FakeChain();
  const taxed = chain.ground.deployToken({ name: 'TAX', feePercent: 10n });
  chain.outside.send({ to: alice, amount: 1000n, asset: taxed });
  const { number } = chain.mine();
  assert.equal((await chain.block(number, new Set([alice])))?.movements[0]?.amount, 1000n);
  assert.equal(chain.ground.balance(taxed, alice), 900n);
  chain.ground.switchToken(taxed, true);
  const coins = chain.ground.balance(chain.native, faucet);
  const hash = chain.outside.send({ to: alice, amount: 1000n, asset: taxed });
  const after = chain.mine();
  assert.deepEqual(await chain.sight(hash), { at: 'block', block: after, succeeded: false });
  assert.equal(chain.ground.balance(taxed, alice), 900n);
  const sent = (await chain.block(after.number, new Set([faucet])))?.sent;
  assert.equal(coins - chain.ground.balance(chain.native, faucet), sent?.[0]?.fee);
  await assert.rejects(chain.estimate({ from: faucet, to: alice, asset: taxed, amount: 1n }), {
    code: 'transaction/rejected',
  });
});

test('tokens the adapter was not told of are not shown', async () => {
  const chain = new FakeChain();
  const spam = chain.ground.deployToken({ name: 'SPAM', listed: false });
  chain.outside.send({ to: alice, amount: 1000n, asset: spam });
  const { number } = chain.mine();
  assert.deepEqual((await chain.block(number, everybody))?.movements, []);
});

test('a recipient that refuses coin makes the payment revert', async () => {
  const chain = new FakeChain();
  chain.ground.switchRefusal(bob, true);
  const hash = chain.outside.send({ to: bob, amount: 5n });
  chain.mine();
  const sight = await chain.sight(hash);
  assert.equal(sight.at === 'block' && sight.succeeded, false);
  assert.equal(chain.ground.balance(chain.native, bob), 0n);
});

test('a stolen key takes the next nonce, and pushes out what waits with it', async () => {
  const chain = new FakeChain();
  chain.outside.send({ to: alice, amount: ether });
  chain.mine();
  const ours = chain.outside.send({ from: alice, to: bob, amount: 5n });
  const theft = chain.outside.steal({ from: alice, to: namedAddress('thief'), amount: 7n });
  chain.mine();
  assert.deepEqual(await chain.sight(ours), { at: 'unknown' });
  assert.equal((await chain.sight(theft)).at, 'block');
  assert.equal(chain.ground.resurface(ours), 'nonce-used');
  assert.equal(chain.ground.balance(chain.native, namedAddress('thief')), 7n);
});

test('a transaction with a fee below the base fee waits until the base fee falls', async () => {
  let baseFee = 1_000_000_000n;
  const chain = new FakeChain({ baseFee: () => baseFee });
  const hash = chain.outside.send({ to: alice, amount: 5n });
  baseFee *= 1000n;
  chain.mine();
  assert.deepEqual(await chain.sight(hash), { at: 'mempool' });
  baseFee /= 1000n;
  chain.mine();
  assert.equal((await chain.sight(hash)).at, 'block');
});

test('a signature is missing: nothing is broadcast', async () => {
  const chain = new FakeChain();
  const plan = { from: faucet, to: alice, asset: nativeAsset(chain.id), amount: 5n };
  const unsigned = chain.build(plan, await chain.estimate(plan), 0n);
  await assert.rejects(chain.broadcast(unsigned), { code: 'signer/malformed-transaction' });
  const nothing = chain.assemble(unsigned, { r: 0n, s: 0n, yParity: 0 });
  assert.notEqual(nothing.from, faucet);
  assert.equal(await chain.broadcast(nothing.raw), 'insufficient-coin');
});

test('faults of reading: scripted in order, seeded by chance, over when calmed', async () => {
  const chain = new FakeChain({ finalLag: 2n });
  chain.ground.mineMany(9);
  chain.faults.script('heads', 'unavailable', 'nonsense', 'disagreement', 'behind', 'stale-final');
  await assert.rejects(chain.heads(), { code: 'chain/unavailable' });
  await assert.rejects(chain.heads(), { code: 'chain/nonsense' });
  await assert.rejects(chain.heads(), { code: 'chain/disagreement' });
  const numbers = async (): Promise<readonly bigint[]> => {
    const { latest, final } = await chain.heads();
    return [latest.number, final.number];
  };
  assert.deepEqual(await numbers(), [6n, 6n]);
  assert.deepEqual(await numbers(), [9n, 4n]);
  assert.deepEqual(await numbers(), [9n, 7n]);
  chain.faults.unleash({ random: seededRandom('faults'), percent: 100, faults: ['unavailable'], broadcasts: [] });
  await assert.rejects(chain.hashAt(1n), { code: 'chain/unavailable' });
  chain.faults.calm();
  assert.equal(await chain.hashAt(1n), chain.ground.at(1n).hash);
});

test('faults of broadcasting: what is said and what is so', async () => {
  const cases = [
    { fault: 'accepted-lost', says: 'accepted', arrives: false },
    { fault: 'unclear-lost', says: 'unclear', arrives: false },
    { fault: 'unclear-accepted', says: 'unclear', arrives: true },
  ] as const;
  for (const { fault, says, arrives } of cases) {
    const chain = new FakeChain();
    const plan = { from: faucet, to: alice, asset: chain.native, amount: 5n };
    const unsigned = chain.build(plan, await chain.estimate(plan), 0n);
    const { raw, hash } = chain.assemble(unsigned, signAs(faucet, unsigned));
    chain.faults.scriptBroadcast(fault);
    assert.equal(await chain.broadcast(raw), says);
    chain.mine();
    assert.equal((await chain.sight(hash)).at, arrives ? 'block' : 'unknown', fault);
    assert.equal(await chain.broadcast(raw), arrives ? 'nonce-used' : 'accepted', fault);
  }
});

test('a withheld transaction enters a block only after its release, a dropped one when sent again', async () => {
  const chain = new FakeChain();
  const plan = { from: faucet, to: alice, asset: chain.native, amount: 5n };
  const unsigned = chain.build(plan, await chain.estimate(plan), 0n);
  const { raw, hash } = chain.assemble(unsigned, signAs(faucet, unsigned));
  chain.faults.scriptBroadcast('accepted-withheld');
  assert.equal(await chain.broadcast(raw), 'accepted');
  chain.ground.mineMany(50);
  assert.deepEqual(await chain.sight(hash), { at: 'mempool' });
  chain.ground.mempool.drop(hash);
  assert.deepEqual(await chain.sight(hash), { at: 'unknown' });
  chain.mine({ transactions: [hash] });
  assert.equal((await chain.sight(hash)).at, 'block');
});

test('a held call waits until it is let go', async () => {
  const chain = new FakeChain();
  const release = chain.faults.hold('heads');
  let answered = false;
  const call = chain.heads().then(() => (answered = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  release();
  await call;
  assert.equal(answered, true);
});
