import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { balanceReader, demoToken } from '@bulkhead/contracts';
import { nativeAsset, tokenAsset } from '@bulkhead/domain';
import type { BalanceQuery } from '@bulkhead/domain';
import {
  addressOf,
  chainId,
  type DevelopmentChain,
  startDevelopmentChain,
  tokenOf,
} from '../test/development-chain.ts';
import { balanceReaderCode, decodeAnswers, queriesPerCallMax } from './balance-reader.ts';
import { type ScriptedSource, startScriptedSource } from './testing/index.ts';

const coin = nativeAsset(chainId);
let world: DevelopmentChain;
let proxy: ScriptedSource;

before(async () => {
  world = await startDevelopmentChain();
  proxy = await startScriptedSource(world.anvil.url);
});

after(async () => {
  await proxy.stop();
  await world.stop();
});

test('the code in use is the compiled contract', () => {
  assert.equal(`0x${balanceReaderCode}`, balanceReader.bytecode);
});

test('20,000 balances of 10,000 addresses come in their order, in at most 200 calls', async () => {
  const contract = await world.deploy(demoToken);
  const holders = [3, 777, 9_999];
  for (const holder of holders) {
    await world.node.setBalance(addressOf(holder), BigInt(holder) + 1n);
    const args = [addressOf(holder), BigInt(holder) + 2n];
    await world.call({ to: contract, artifact: demoToken, name: 'mint', args });
  }
  const token = tokenAsset(chainId, contract);
  const queries: BalanceQuery[] = Array.from({ length: 10_000 }, (_, index) => addressOf(index)).flatMap((address) => [
    { asset: coin, address },
    { asset: token, address },
  ]);
  const chain = await world.open({ sources: [proxy.url], assets: [tokenOf(contract)] });
  const { latest } = await chain.heads();
  proxy.forget();
  const amounts = await chain.balances(queries, latest);
  assert.ok(proxy.callCount <= 200, `${proxy.callCount} calls`);
  assert.equal(amounts.length, queries.length);
  for (const [index, amount] of amounts.entries()) {
    const holder = Math.floor(index / 2);
    const expected = holders.includes(holder) ? BigInt(holder) + (index % 2 === 0 ? 1n : 2n) : 0n;
    assert.equal(amount, expected, `query ${index}`);
  }
});

test('a full batch stays within the limits of creation code and deployed code', () => {
  assert.ok(balanceReaderCode.length / 2 + 64 + queriesPerCallMax * 40 <= 49_152);
  assert.ok(1 + queriesPerCallMax * 33 <= 24_576);
});

test('balances are those of the block that was asked for', async () => {
  const address = addressOf(20_001);
  const chain = await world.open();
  const first = await world.node.send({ from: world.bank, to: address, value: 5n });
  const second = await world.node.send({ from: world.bank, to: address, value: 6n });
  for (const [height, expected] of [
    [first.height - 1n, 0n],
    [first.height, 5n],
    [second.height, 11n],
  ] as const) {
    const hash = await chain.hashAt(height);
    assert.ok(hash !== undefined);
    assert.deepEqual(await chain.balances([{ asset: coin, address }], { number: height, hash }), [expected]);
  }
  assert.deepEqual(await chain.balances([], (await chain.heads()).latest), []);
});

test('answers of another shape are nonsense', () => {
  const query = [{ asset: coin, address: addressOf(1) }];
  const zero = '00'.repeat(32);
  assert.deepEqual(decodeAnswers(`0x0101${'0'.repeat(63)}7`, query), [7n]);
  assert.deepEqual(decodeAnswers(`0x0100${zero}`, query), [undefined]);
  for (const data of ['0x', '0x01', `0x0102${zero}`, `0x0100${'0'.repeat(63)}1`, `0x0201${zero}`, `0x0101${zero}00`]) {
    assert.throws(() => decodeAnswers(data, query), { code: 'chain/nonsense' }, data);
  }
});
