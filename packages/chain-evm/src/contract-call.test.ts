import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { demoToken } from '@bulkhead/contracts';
import { AddressSet, nativeAsset, parseAddress } from '@bulkhead/domain';
import type { Address, WatchSet } from '@bulkhead/domain';
import { encodeFunctionData, hexToBigInt, keccak256, pad } from 'viem';
import { privateKeyToAccount, sign } from 'viem/accounts';
import {
  addressOf,
  chainId,
  type DevelopmentChain,
  startDevelopmentChain,
  tokenOf,
} from '../test/development-chain.ts';
import { transferTopic } from './observation.ts';
import { startScriptedSource, without } from './testing/index.ts';
import { transferCalldata } from './transaction.ts';

const privateKey = `0x${'18'.repeat(32)}` as const;
const sender = parseAddress(privateKeyToAccount(privateKey).address);
const holder = addressOf(31);

let world: DevelopmentChain;
let contract: Address;

before(async () => {
  world = await startDevelopmentChain();
  contract = await world.deploy(demoToken);
  await world.node.setBalance(sender, 10n ** 18n);
});

after(async () => {
  await world.stop();
});

function following(...contracts: readonly Address[]): WatchSet {
  const watched = new AddressSet();
  return { has: (address) => watched.has(address), contracts: new Set(contracts) };
}

const mint = (amount: bigint) =>
  encodeFunctionData({ abi: demoToken.abi, functionName: 'mint', args: [holder, amount] });
const balanceOf = encodeFunctionData({ abi: demoToken.abi, functionName: 'balanceOf', args: [holder] });

test('a call of a contract is estimated, built, sent, and its event is told', async () => {
  const chain = await world.open();
  const plan = {
    from: sender,
    asset: nativeAsset(chainId),
    to: contract,
    amount: 0n,
    data: transferCalldata(holder, 0n),
  };
  const terms = await chain.estimate(plan);
  assert.ok(terms.gasLimit > 21_000n);
  const unsigned = chain.build(plan, terms, await chain.nonce(sender, 'latest'));
  const { r, s, yParity } = await sign({ hash: keccak256(unsigned), privateKey });
  const signature = { r: hexToBigInt(r), s: hexToBigInt(s), yParity: yParity === 0 ? 0 : 1 } as const;
  const { raw, hash } = chain.assemble(unsigned, signature);
  assert.equal(await chain.broadcast(raw), 'accepted');
  let seen = await chain.sight(hash);
  for (let look = 0; look < 200 && seen.at !== 'block'; look += 1) {
    await pause(10);
    seen = await chain.sight(hash);
  }
  assert.ok(seen.at === 'block' && seen.succeeded);
  const { number: height } = seen.block;
  const [log, ...others] = (await chain.block(height, following(contract)))?.logs ?? [];
  assert.deepEqual(others, []);
  assert.deepEqual(log, {
    transaction: hash,
    index: 0n,
    address: contract,
    topics: [transferTopic, pad(sender, { size: 32 }), pad(holder, { size: 32 })],
    data: `0x${'0'.repeat(64)}`,
  });
  assert.deepEqual((await chain.block(height, following(addressOf(32))))?.logs, [], 'of nobody else');
  assert.deepEqual((await chain.block(height, new AddressSet([contract])))?.logs, [log], 'of an address of ours');
  const listed = await world.open({ assets: [tokenOf(contract)] });
  assert.deepEqual((await listed.block(height, following(contract)))?.logs, [], 'a transfer of a token is a movement');
});

test('a node without receipts of whole blocks tells the same events', async () => {
  const { height } = await world.node.send({ from: world.bank, to: contract, data: mint(6n) });
  await using poor = await startScriptedSource(world.anvil.url, without('eth_getBlockReceipts'));
  const [poorly, richly] = [await world.open({ sources: [poor.url] }), await world.open()];
  const block = await poorly.block(height, following(contract));
  assert.equal(block?.logs.length, 1);
  assert.deepEqual(block.logs, (await richly.block(height, following(contract)))?.logs);
});

test('sources that disagree on an event agree on no block', async () => {
  const { height } = await world.node.send({ from: world.bank, to: contract, data: mint(7n) });
  await using liar = await startScriptedSource(world.anvil.url, async (call, forward) => {
    const answer = await forward();
    if (call.method !== 'eth_getBlockReceipts' || answer.type !== 'result') return answer;
    return {
      type: 'result',
      result: JSON.parse(JSON.stringify(answer.result).replaceAll(/0{15}7"/gu, `${'0'.repeat(15)}8"`)),
    };
  });
  const chain = await world.open({ sources: [world.anvil.url, liar.url], agreement: { k: 2 } });
  await assert.rejects(chain.block(height, following(contract)), { code: 'chain/disagreement' });
});

test('a contract answers at exactly the block that was named', async () => {
  const chain = await world.open();
  const { latest: before } = await chain.heads();
  const held = BigInt(await chain.read(contract, balanceOf, before));
  await world.node.send({ from: world.bank, to: contract, data: mint(9n) });
  const { latest } = await chain.heads();
  assert.equal(BigInt(await chain.read(contract, balanceOf, latest)), held + 9n);
  assert.equal(BigInt(await chain.read(contract, balanceOf, before)), held);
  assert.equal(await chain.read(addressOf(33), balanceOf, latest), '0x', 'nobody is there');
  await assert.rejects(chain.read(contract, '0xdeadbeef', latest), { code: 'transaction/rejected' });
});

test('a call that fails, or of an address without code, is not estimated', async () => {
  const chain = await world.open();
  const plan = { from: sender, asset: nativeAsset(chainId), to: contract, amount: 0n, data: '0xdeadbeef' } as const;
  await assert.rejects(chain.estimate(plan), { code: 'transaction/rejected' });
  await assert.rejects(chain.estimate({ ...plan, to: addressOf(34) }), {
    code: 'transaction/rejected',
    message: /no contract at the address/u,
  });
  assert.throws(
    () => chain.build({ ...plan, amount: 1n }, { gasLimit: 1n, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }, 0n),
    {
      code: 'invariant/broken',
    },
  );
});
