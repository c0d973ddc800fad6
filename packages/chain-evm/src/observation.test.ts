import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bomb, payer, refuser } from '@bulkhead/contracts';
import { AddressSet, bisectDifference, nativeAsset } from '@bulkhead/domain';
import type { Address, Movement, ObservedBlock } from '@bulkhead/domain';
import { encodeDeployData } from 'viem';
import { addressOf, chainId, type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts';
import type { EvmChain } from './evm-chain.ts';
import { altering, type ScriptedSource, startScriptedSource, without } from './testing/index.ts';

const coin = nativeAsset(chainId);
let world: DevelopmentChain;
let chain: EvmChain;
let purse: Address;
let proxy: ScriptedSource;

before(async () => {
  world = await startDevelopmentChain();
  chain = await world.open();
  purse = await world.deploy(payer);
  await world.node.send({ from: world.bank, to: purse, value: 10n ** 18n });
  proxy = await startScriptedSource(world.anvil.url);
});

after(async () => {
  await proxy.stop();
  await world.stop();
});

async function observed(height: bigint, ...watched: readonly Address[]): Promise<ObservedBlock> {
  const block = await chain.block(height, new AddressSet(watched));
  assert.ok(block !== undefined);
  return block;
}

function amounts(movements: readonly Movement[]): readonly (readonly [string, bigint, Address | undefined])[] {
  return movements.map(({ kind, amount, to }) => [kind, amount, to]);
}

test('a plain payment is one native movement, and the sender pays its fee', async () => {
  const to = addressOf(1);
  const { hash, height } = await world.node.send({ from: world.bank, to, value: 70n });
  const block = await observed(height, to, world.bank);
  assert.deepEqual(block.movements, [
    { kind: 'native', reference: hash, transaction: hash, asset: coin, from: world.bank, to, amount: 70n },
  ]);
  const [sent] = block.sent;
  assert.equal(sent?.hash, hash);
  assert.equal(sent?.succeeded, true);
  const parent = { number: height - 1n, hash: block.parentHash };
  const query = [{ asset: coin, address: world.bank }];
  const [before = 0n] = await chain.balances(query, parent);
  const [now = 0n] = await chain.balances(query, block);
  assert.equal(before - now, 70n + (sent?.fee ?? 0n));
});

test('nothing of a block is told that does not concern a watched address', async () => {
  const { height } = await world.node.send({ from: world.bank, to: addressOf(2), value: 71n });
  const block = await observed(height, addressOf(3));
  assert.deepEqual(block.movements, []);
  assert.deepEqual(block.sent, []);
});

test('zero coin moves nothing', async () => {
  const to = addressOf(4);
  const { height } = await world.node.send({ from: world.bank, to, value: 0n });
  assert.deepEqual((await observed(height, to)).movements, []);
});

test('a failed transaction moves nothing and still costs its sender the fee', async () => {
  const to = await world.deploy(refuser);
  const { height, succeeded } = await world.node.send({ from: world.bank, to, value: 72n, gas: 100_000n });
  assert.equal(succeeded, false);
  const block = await observed(height, to, world.bank);
  assert.deepEqual(block.movements, []);
  assert.equal(block.sent[0]?.succeeded, false);
  assert.ok((block.sent[0]?.fee ?? 0n) > 0n);
});

test('coin sent with the creation of a contract goes to the new contract', async () => {
  const data = encodeDeployData({ abi: payer.abi, bytecode: payer.bytecode });
  const { height, created, succeeded } = await world.node.send({ from: world.bank, data });
  assert.ok(succeeded);
  assert.ok(created !== undefined);
  assert.deepEqual((await observed(height, world.bank)).movements, []);
  const target = addressOf(5);
  const forced = encodeDeployData({ abi: bomb.abi, bytecode: bomb.bytecode, args: [target] });
  const made = await world.node.send({ from: world.bank, data: forced, value: 73n });
  const block = await observed(made.height, world.bank, target);
  assert.deepEqual(amounts(block.movements), [
    ['native', 73n, made.created],
    ['internal', 73n, target],
  ]);
});

test('two payments inside one transaction are two movements', async () => {
  const [one, two] = [addressOf(6), addressOf(7)];
  const receipt = await world.call({
    to: purse,
    artifact: payer,
    name: 'pay',
    args: [
      [one, two, one],
      [5n, 6n, 7n],
    ],
  });
  const { movements } = await observed(receipt.height, one, two);
  assert.deepEqual(amounts(movements), [
    ['internal', 5n, one],
    ['internal', 6n, two],
    ['internal', 7n, one],
  ]);
  const references = movements.map(({ reference }) => reference);
  assert.deepEqual(
    references,
    [0, 1, 2].map((place) => `${receipt.hash}:${place}`),
  );
});

test('a payment in a reverted frame did not happen, although the transaction succeeded', async () => {
  const to = addressOf(8);
  const gas = 300_000n;
  const none = await world.call({ to: purse, artifact: payer, name: 'payAndRevertInside', args: [to, 9n], gas });
  assert.equal(none.succeeded, true);
  assert.deepEqual((await observed(none.height, to)).movements, []);
  const once = await world.call({ to: purse, artifact: payer, name: 'payOnceOfTwo', args: [to, 9n], gas });
  assert.deepEqual(amounts((await observed(once.height, to)).movements), [['internal', 9n, to]]);
});

test('coin forced upon an address inside a transaction is traced', async () => {
  const to = addressOf(9);
  const { height } = await world.call({ to: purse, artifact: payer, name: 'force', args: [to], value: 11n });
  assert.deepEqual(amounts((await observed(height, to)).movements), [['internal', 11n, to]]);
});

test('where no source traces, forced coin is found by its balance and bisected to its block', async () => {
  proxy.play(without('trace_block'));
  const blind = await world.open({ sources: [proxy.url] });
  assert.equal(blind.innerCalls(), 'none');
  assert.equal(chain.innerCalls(), 'agreed');
  const to = addressOf(10);
  const watch = new AddressSet([to]);
  const known = await world.node.send({ from: world.bank, to, value: 100n });
  await world.node.mine(37);
  const { height } = await world.call({ to: purse, artifact: payer, name: 'force', args: [to], value: 13n });
  await world.node.mine(41);
  assert.deepEqual((await blind.block(height, watch))?.movements, []);
  const expected = (at: bigint): bigint => (at >= known.height ? 100n : 0n);
  const from = known.height - 1n;
  const before = { address: to, from, to: height - 1n, expected };
  assert.equal(await bisectDifference(blind, before), undefined);
  proxy.forget();
  const found = await bisectDifference(blind, { address: to, from, to: height + 41n, expected });
  assert.equal(found?.block.number, height);
  assert.equal(found?.block.hash, await blind.hashAt(height));
  assert.deepEqual(found?.movement, { kind: 'balance-difference', reference: to, asset: coin, to, amount: 13n });
  assert.ok(proxy.callCount <= 22, `${proxy.callCount} calls for 80 blocks`);
  proxy.play(async (_call, forward) => await forward());
});

test('coin that left unseen is a difference the other way', async () => {
  const address = addressOf(11);
  await world.node.setBalance(address, 500n);
  await world.node.mine(1);
  const from = (await chain.heads()).latest.number;
  await world.node.mine(9);
  // The node changes the state of its newest block in place: nobody sent anything.
  await world.node.setBalance(address, 380n);
  await world.node.mine(6);
  const found = await bisectDifference(chain, { address, from, to: from + 15n, expected: () => 0n });
  assert.equal(found?.block.number, from + 9n);
  assert.deepEqual(found?.movement.from, address);
  assert.equal(found?.movement.to, undefined);
  assert.equal(found?.movement.amount, 120n);
});

test('validator withdrawals are movements without a transaction, in wei', async () => {
  const to = addressOf(12);
  const withdrawals = [
    { index: '0x2a', validatorIndex: '0x7', address: to, amount: '0x3' },
    { index: '0x2b', validatorIndex: '0x8', address: to, amount: '0x0' },
    { index: '0x2c', validatorIndex: '0x9', address: addressOf(13), amount: '0x4' },
  ];
  // The development node makes none, so a source adds to its blocks what a beacon chain would.
  proxy.play(
    altering('eth_getBlockByNumber', (block) => (typeof block === 'object' ? { ...block, withdrawals } : block)),
  );
  const beacon = await world.open({ sources: [proxy.url] });
  const { latest } = await beacon.heads();
  const block = await beacon.block(latest.number, new AddressSet([to]));
  assert.deepEqual(block?.movements, [
    { kind: 'validator-withdrawal', reference: '42', asset: coin, to, amount: 3_000_000_000n },
  ]);
  proxy.play(async (_call, forward) => await forward());
});

test('a node without block receipts costs more calls and tells the same', async () => {
  const [one, two] = [addressOf(14), addressOf(15)];
  const receipt = await world.call({
    to: purse,
    artifact: payer,
    name: 'pay',
    args: [
      [one, two],
      [5n, 6n],
    ],
    value: 2n,
  });
  const watch = new AddressSet([one, world.bank]);
  proxy.play(without('eth_getBlockReceipts'));
  const poor = await world.open({ sources: [proxy.url] });
  assert.deepEqual(await poor.block(receipt.height, watch), await chain.block(receipt.height, watch));
  assert.equal(proxy.calls.get('eth_getTransactionReceipt'), 1);
  proxy.play(async (_call, forward) => await forward());
});

test('a node that takes block receipts by number only is asked by number', async () => {
  const { height, hash } = await world.node.send({ from: world.bank, to: addressOf(19), value: 3n });
  proxy.play(async (call, forward) => {
    const byHash = call.method === 'eth_getBlockReceipts' && String(call.params[0]).length === 66;
    return byHash ? { type: 'error', code: -32_602, message: 'invalid argument 0' } : await forward();
  });
  const numbered = await world.open({ sources: [proxy.url] });
  const block = await numbered.block(height, new AddressSet([addressOf(19)]));
  assert.deepEqual(
    block?.movements.map(({ reference }) => reference),
    [hash],
  );
  proxy.play(async (_call, forward) => await forward());
});

test('the fee counts blobs and the data fee of a layer 2', async () => {
  const { height } = await world.node.send({ from: world.bank, to: addressOf(20), value: 3n });
  const watch = new AddressSet([world.bank]);
  const plain = (await chain.block(height, watch))?.sent[0]?.fee ?? 0n;
  const extra = { l1Fee: '0x64', blobGasUsed: '0x2', blobGasPrice: '0x3' };
  proxy.play(
    altering('eth_getBlockReceipts', (list) =>
      Array.isArray(list) ? list.map((item: object) => ({ ...item, ...extra })) : list,
    ),
  );
  const dear = await world.open({ sources: [proxy.url] });
  assert.equal((await dear.block(height, watch))?.sent[0]?.fee, plain + 106n);
  proxy.play(async (_call, forward) => await forward());
});

test('a block costs at most three calls, an empty one a single call, however many addresses are watched', async () => {
  const receipt = await world.call({ to: purse, artifact: payer, name: 'pay', args: [[addressOf(16)], [1n]] });
  await world.node.mine(1);
  const counted = await world.open({ sources: [proxy.url] });
  const watch = new AddressSet(Array.from({ length: 10_000 }, (_, index) => addressOf(index)));
  proxy.forget();
  assert.equal((await counted.block(receipt.height, watch))?.movements.length, 1);
  assert.equal(proxy.callCount, 3);
  proxy.forget();
  await counted.block(receipt.height + 1n, watch);
  assert.equal(proxy.callCount, 1);
  proxy.forget();
  const plain = await world.node.send({ from: world.bank, to: addressOf(17), value: 1n });
  assert.equal((await counted.block(plain.height, watch))?.movements.length, 1);
  assert.equal(proxy.callCount, 2, 'a block of plain payments has no inner calls to trace');
});

test('a reorganisation changes the hashes, and what was moved is gone', async () => {
  const to = addressOf(18);
  await world.node.mine(1);
  const { height } = await world.node.send({ from: world.bank, to, value: 74n });
  const old = await observed(height, to);
  assert.equal(old.movements.length, 1);
  await world.node.reorganise(1);
  const fresh = await observed(height, to);
  assert.notEqual(fresh.hash, old.hash);
  assert.equal(fresh.parentHash, old.parentHash);
  assert.deepEqual(fresh.movements, []);
  assert.equal(await chain.hashAt(height), fresh.hash);
  await assert.rejects(chain.balances([{ asset: coin, address: to }], old), { code: 'chain/unavailable' });
  assert.deepEqual(await chain.balances([{ asset: coin, address: to }], fresh), [0n]);
});

test('above the head there is no block and no hash', async () => {
  const { latest, final } = await chain.heads();
  assert.equal(latest.number - final.number, 2n);
  assert.equal(await chain.block(latest.number + 1n, new AddressSet()), undefined);
  assert.equal(await chain.hashAt(latest.number + 1n), undefined);
});
