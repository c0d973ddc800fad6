import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Artifact,
  callbackToken,
  demoToken,
  falseToken,
  feeToken,
  forgedToken,
  reentrantRecipient,
  silentToken,
  stoppableToken,
} from '@bulkhead/contracts';
import { AddressSet, tokenAsset } from '@bulkhead/domain';
import type { Address, AssetId, ObservedBlock, TransactionPlan } from '@bulkhead/domain';
import {
  addressOf,
  chainId,
  type DevelopmentChain,
  startDevelopmentChain,
  tokenOf,
} from '../test/development-chain.ts';
import type { EvmChain } from './evm-chain.ts';
import type { DevelopmentReceipt } from './testing/index.ts';

const supply = 1_000_000n;
const artifacts = {
  demo: demoToken,
  fee: feeToken,
  silent: silentToken,
  false: falseToken,
  callback: callbackToken,
  stoppable: stoppableToken,
  forged: forgedToken,
} as const;
type Name = keyof typeof artifacts;

let world: DevelopmentChain;
let chain: EvmChain;
const contracts = new Map<Name, Address>();
let stranger: Address;

before(async () => {
  world = await startDevelopmentChain();
  for (const [name, artifact] of entries()) contracts.set(name, await world.deploy(artifact));
  for (const name of ['demo', 'fee', 'silent', 'false', 'callback', 'stoppable'] as const) {
    await world.call({ to: contractOf(name), artifact: artifacts[name], name: 'mint', args: [world.bank, supply] });
  }
  stranger = await world.deploy(demoToken);
  await world.call({ to: stranger, artifact: demoToken, name: 'mint', args: [world.bank, supply] });
  chain = await world.open({ assets: [...contracts.values()].map((contract) => tokenOf(contract)) });
});

after(async () => {
  await world.stop();
});

function entries(): readonly (readonly [Name, Artifact])[] {
  const names: readonly Name[] = ['demo', 'fee', 'silent', 'false', 'callback', 'stoppable', 'forged'];
  return names.map((name) => [name, artifacts[name]]);
}

function contractOf(name: Name): Address {
  const contract = contracts.get(name);
  assert.ok(contract !== undefined);
  return contract;
}

function assetOf(name: Name): AssetId {
  return tokenAsset(chainId, contractOf(name));
}

async function transfer(name: Name, to: Address, amount: bigint): Promise<DevelopmentReceipt> {
  const artifact = artifacts[name];
  return await world.call({ to: contractOf(name), artifact, name: 'transfer', args: [to, amount], gas: 500_000n });
}

async function observed(height: bigint, ...watched: readonly Address[]): Promise<ObservedBlock> {
  const block = await chain.block(height, new AddressSet(watched));
  assert.ok(block !== undefined);
  return block;
}

async function balance(name: Name, address: Address, block: ObservedBlock): Promise<bigint> {
  const [amount] = await chain.balances([{ asset: assetOf(name), address }], block);
  assert.ok(amount !== undefined);
  return amount;
}

test('a transfer is one movement of exactly its event, in either direction', async () => {
  const to = addressOf(1);
  const { hash, height } = await transfer('demo', to, 500n);
  const movement = { kind: 'token', transaction: hash, asset: assetOf('demo'), from: world.bank, to, amount: 500n };
  for (const watched of [to, world.bank]) {
    const { movements } = await observed(height, watched);
    assert.deepEqual(movements, [{ ...movement, reference: `${hash}:0` }]);
  }
  assert.deepEqual((await observed(height, addressOf(2))).movements, []);
});

test('a transfer of nothing is told, because that is how addresses are poisoned', async () => {
  const to = addressOf(3);
  const { height } = await transfer('demo', to, 0n);
  const { movements } = await observed(height, to);
  assert.deepEqual(
    movements.map(({ kind, amount }) => [kind, amount]),
    [['token', 0n]],
  );
});

test('a contract that is not allow-listed proves nothing', async () => {
  const to = addressOf(4);
  const { height } = await world.call({ to: stranger, artifact: demoToken, name: 'transfer', args: [to, 5n] });
  assert.deepEqual((await observed(height, to)).movements, []);
});

test('a token that takes a fee announces more than the balance shows', async () => {
  const to = addressOf(5);
  const block = await observed((await transfer('fee', to, 1000n)).height, to);
  assert.equal(block.movements[0]?.amount, 1000n);
  assert.equal(await balance('fee', to, block), 990n);
});

test('a token that returns nothing moves like any other', async () => {
  const to = addressOf(6);
  const block = await observed((await transfer('silent', to, 40n)).height, to);
  assert.equal(block.movements[0]?.amount, 40n);
  assert.equal(await balance('silent', to, block), 40n);
});

test('a token that returns false moved nothing, although the transaction succeeded', async () => {
  const to = addressOf(7);
  const receipt = await transfer('false', to, supply + 1n);
  assert.equal(receipt.succeeded, true);
  const block = await observed(receipt.height, to, world.bank);
  assert.deepEqual(block.movements, []);
  assert.equal(block.sent[0]?.succeeded, true);
  assert.equal(await balance('false', to, block), 0n);
});

test('a token that calls back lets the recipient pass on, and both movements are told', async () => {
  const next = addressOf(8);
  const args = [contractOf('callback'), next];
  const recipient = await world.deploy(reentrantRecipient, args);
  const { hash, height } = await transfer('callback', recipient, 60n);
  const block = await observed(height, recipient, next);
  assert.deepEqual(
    block.movements.map(({ from, to, amount }) => [from, to, amount]),
    [
      [world.bank, recipient, 60n],
      [recipient, next, 30n],
    ],
  );
  assert.equal(new Set(block.movements.map(({ reference }) => reference)).size, 2);
  assert.ok(block.movements.every((movement) => movement.transaction === hash));
  assert.equal(await balance('callback', recipient, block), 30n);
});

test('a stopped token fails on chain: nothing moves, and the estimate says why beforehand', async () => {
  const to = addressOf(9);
  const contract = contractOf('stoppable');
  await world.call({ to: contract, artifact: stoppableToken, name: 'setStopped', args: [true] });
  const receipt = await transfer('stoppable', to, 5n);
  assert.equal(receipt.succeeded, false);
  const block = await observed(receipt.height, to, world.bank);
  assert.deepEqual(block.movements, []);
  assert.equal(block.sent[0]?.succeeded, false);
  const plan: TransactionPlan = { from: world.bank, asset: assetOf('stoppable'), to, amount: 5n };
  await assert.rejects(chain.estimate(plan), { code: 'transaction/rejected', message: /StoppableToken: stopped/u });
  await world.call({ to: contract, artifact: stoppableToken, name: 'setStopped', args: [false] });
  assert.ok((await chain.estimate(plan)).gasLimit > 21_000n);
});

test('events of odd shapes are passed over, and a forged one leaves no balance', async () => {
  const to = addressOf(10);
  const args = [world.bank, to];
  const odd = await world.call({ to: contractOf('forged'), artifact: forgedToken, name: 'forgeMisshapen', args });
  assert.equal(odd.succeeded, true);
  assert.deepEqual((await observed(odd.height, to)).movements, []);
  const forge = { to: contractOf('forged'), artifact: forgedToken, name: 'forge', args: [...args, 77n] };
  const block = await observed((await world.call(forge)).height, to);
  assert.equal(block.movements[0]?.amount, 77n);
  assert.equal(await balance('forged', to, block), 0n);
});

test('a transfer that would fail is rejected with the reason, before anything is signed', async () => {
  const to = addressOf(11);
  const rejected = async (name: Name, amount: bigint, message: RegExp): Promise<void> => {
    const plan = { from: world.bank, asset: assetOf(name), to, amount };
    await assert.rejects(chain.estimate(plan), { code: 'transaction/rejected', message });
  };
  await rejected('demo', supply * 2n, /0xe450d38c/u);
  await rejected('false', supply * 2n, /returns false/u);
  await rejected('silent', supply * 2n, /would fail/u);
  const nobody = { from: world.bank, asset: tokenAsset(chainId, addressOf(12)), to, amount: 1n };
  await assert.rejects(chain.estimate(nobody), { code: 'transaction/rejected', message: /no contract/u });
  assert.ok((await chain.estimate({ from: world.bank, asset: assetOf('silent'), to, amount: 1n })).gasLimit > 0n);
});

test('a token that cannot be read is not a token with nothing in it', async () => {
  const { latest } = await chain.heads();
  const [nothing] = await chain.balances([{ asset: assetOf('demo'), address: addressOf(13) }], latest);
  assert.equal(nothing, 0n);
  for (const unreadable of [addressOf(14), world.bank]) {
    const query = { asset: tokenAsset(chainId, unreadable), address: addressOf(13) };
    await assert.rejects(chain.balances([query], latest), { code: 'chain/unavailable', message: /cannot be read/u });
  }
});
