import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { demoToken, refuser } from '@bulkhead/contracts';
import { AddressSet, bumpFeeTerms, nativeAsset, parseAddress, tokenAsset } from '@bulkhead/domain';
import type { Address, BlockRef, FeeTerms, Hash, TransactionPlan } from '@bulkhead/domain';
import { hexToBigInt, keccak256, toHex } from 'viem';
import { privateKeyToAccount, sign } from 'viem/accounts';
import {
  addressOf,
  chainId,
  type DevelopmentChain,
  startDevelopmentChain,
  tokenOf,
} from '../test/development-chain.ts';
import type { EvmChain } from './evm-chain.ts';
import { babbling, dead, honest, type Script, silent, startScriptedSource } from './testing/index.ts';
import type { SignedTransaction } from './transaction.ts';

const coin = nativeAsset(chainId);
const privateKey = `0x${'17'.repeat(32)}` as const;
const account = privateKeyToAccount(privateKey);
const sender = parseAddress(account.address);
const outside = addressOf(1);

let world: DevelopmentChain;
let chain: EvmChain;
let token: Address;

before(async () => {
  world = await startDevelopmentChain();
  token = await world.deploy(demoToken);
  await world.call({ to: token, artifact: demoToken, name: 'mint', args: [sender, 1_000_000n] });
  chain = await world.open({ assets: [tokenOf(token)] });
});

beforeEach(async () => {
  await world.node.setBalance(sender, 10n ** 18n);
});

after(async () => {
  await world.stop();
});

async function signed(plan: TransactionPlan, terms: FeeTerms, nonce: bigint): Promise<SignedTransaction> {
  const unsigned = chain.build(plan, terms, nonce);
  const { r, s, yParity } = await sign({ hash: keccak256(unsigned), privateKey });
  return chain.assemble(unsigned, { r: hexToBigInt(r), s: hexToBigInt(s), yParity: yParity === 0 ? 0 : 1 });
}

/** The node takes a moment between accepting a transaction and mining it. */
async function inBlock(hash: Hash): Promise<{ block: BlockRef; succeeded: boolean }> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const seen = await chain.sight(hash);
    if (seen.at === 'block') return seen;
    await pause(10);
  }
  return assert.fail(`${hash} was not mined`);
}

async function withoutMining(work: () => Promise<void>): Promise<void> {
  await world.node.call('evm_setAutomine', false);
  try {
    await work();
  } finally {
    await world.node.mine();
    await world.node.call('evm_setAutomine', true);
  }
}

const payment = (amount: bigint): TransactionPlan => ({ from: sender, asset: coin, to: outside, amount });

test('a token transfer is estimated, built, signed, assembled, sent, seen and observed', async () => {
  const plan: TransactionPlan = { from: sender, asset: tokenAsset(chainId, token), to: outside, amount: 250_000n };
  const terms = await chain.estimate(plan);
  const transaction = await signed(plan, terms, await chain.nonce(sender, 'latest'));
  assert.deepEqual(await chain.sight(transaction.hash), { at: 'unknown' });
  assert.equal(await chain.broadcast(transaction.raw), 'accepted');
  const seen = await inBlock(transaction.hash);
  assert.ok(seen.succeeded);
  const block = await chain.block(seen.block.number, new AddressSet([sender]));
  assert.deepEqual(
    block?.movements.map(({ amount }) => amount),
    [250_000n],
  );
  assert.equal(block?.sent[0]?.hash, transaction.hash);
  assert.ok((block?.sent[0]?.fee ?? 0n) <= terms.gasLimit * terms.maxFeePerGas);
  const queries = [sender, outside].map((address) => ({ asset: plan.asset, address }));
  assert.deepEqual(await chain.balances(queries, seen.block), [750_000n, 250_000n]);
});

test('assembling gives what the account of another library would have signed', async () => {
  const terms = { gasLimit: 21_000n, maxFeePerGas: 5n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n };
  const transaction = await signed(payment(3n), terms, 7n);
  const raw = await account.signTransaction({
    type: 'eip1559',
    chainId: 31_337,
    nonce: 7,
    to: outside,
    value: 3n,
    gas: terms.gasLimit,
    maxFeePerGas: terms.maxFeePerGas,
    maxPriorityFeePerGas: terms.maxPriorityFeePerGas,
  });
  assert.equal(toHex(transaction.raw), raw);
  assert.equal(transaction.hash, keccak256(raw));
  assert.equal(transaction.from, sender);
});

test('coin to an address without code takes no margin, so that a balance can be emptied', async () => {
  const terms = await chain.estimate(payment(1n));
  assert.equal(terms.gasLimit, 21_000n);
  assert.ok(terms.maxFeePerGas >= terms.maxPriorityFeePerGas);
  const rest = 10n ** 18n - terms.gasLimit * terms.maxFeePerGas;
  const transaction = await signed(payment(rest), terms, await chain.nonce(sender, 'latest'));
  assert.equal(await chain.broadcast(transaction.raw), 'accepted');
  assert.ok((await inBlock(transaction.hash)).succeeded);
});

test('the proposed fee stays below the cap of the configuration', async () => {
  const capped = await world.open({ estimates: { maxFeePerGasMax: 123n } });
  const terms = await capped.estimate(payment(1n));
  assert.equal(terms.maxFeePerGas, 123n);
  assert.ok(terms.maxPriorityFeePerGas <= 123n);
});

test('a payment that the chain would refuse is rejected with the reason', async () => {
  await assert.rejects(chain.estimate(payment(10n ** 19n)), { code: 'transaction/rejected', message: /nsufficient/u });
  const to = await world.deploy(refuser);
  await assert.rejects(chain.estimate({ ...payment(1n), to }), { code: 'transaction/rejected', message: /revert/iu });
});

test('outcomes of a broadcast', async () => {
  const terms = await chain.estimate(payment(1n));
  const nonce = await chain.nonce(sender, 'latest');
  await withoutMining(async () => {
    const first = await signed(payment(1n), terms, nonce);
    assert.equal(await chain.broadcast(first.raw), 'accepted');
    assert.equal(await chain.broadcast(first.raw), 'already-known');
    assert.deepEqual(await chain.sight(first.hash), { at: 'mempool' });
    const twin = await signed(payment(2n), terms, nonce);
    assert.equal(await chain.broadcast(twin.raw), 'underpriced');
    const low = { ...terms, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n };
    assert.equal(await chain.broadcast((await signed(payment(3n), low, nonce + 1n)).raw), 'underpriced');
    const rich = await signed(payment(10n ** 19n), terms, nonce + 1n);
    assert.equal(await chain.broadcast(rich.raw), 'insufficient-coin');
  });
  const late = await signed(payment(5n), terms, nonce);
  assert.equal(await chain.broadcast(late.raw), 'nonce-used');
  assert.deepEqual(await chain.sight(late.hash), { at: 'unknown' });
});

test('a broadcast nobody answers is unclear, and the best answer of several counts', async () => {
  await using proxy = await startScriptedSource(world.anvil.url);
  const limits = { callTimeoutMs: 300, readRetries: 0 };
  const alone = await world.open({ sources: [proxy.url], limits });
  const terms = await chain.estimate(payment(1n));
  const nonce = await chain.nonce(sender, 'latest');
  const { raw } = await signed(payment(1n), terms, nonce + 5n);
  const scripts: readonly Script[] = [
    dead,
    silent,
    babbling('<html>'),
    async () => ({ type: 'error', code: -32_000, message: 'the moon is in the seventh house' }),
  ];
  for (const script of scripts) {
    proxy.play(script);
    assert.equal(await alone.broadcast(raw), 'unclear');
  }
  proxy.play(honest);
  const both = await world.open({ sources: [proxy.url, world.anvil.url], limits });
  proxy.play(silent);
  const started = performance.now();
  assert.equal(await both.broadcast(raw), 'accepted');
  assert.ok(performance.now() - started < 250);
  assert.equal(await both.broadcast(raw), 'already-known');
});

test('a broadcast is handed over once, without retries', async () => {
  await using proxy = await startScriptedSource(world.anvil.url);
  const once = await world.open({ sources: [proxy.url], limits: { callTimeoutMs: 100, readRetries: 5 } });
  proxy.play(silent);
  proxy.forget();
  assert.equal(await once.broadcast(new Uint8Array([2])), 'unclear');
  assert.equal(proxy.calls.get('eth_sendRawTransaction'), 1);
});

test('a bump replaces the transaction of the mempool, and the smallest one does', async () => {
  const market = await chain.estimate(payment(1n));
  const nonce = await chain.nonce(sender, 'latest');
  const to = addressOf(2);
  const plan = { ...payment(1n), to };
  await withoutMining(async () => {
    const first = await signed(plan, market, nonce);
    assert.equal(await chain.broadcast(first.raw), 'accepted');
    const bumped = bumpFeeTerms(market, market, 10n ** 18n);
    assert.ok(bumped !== undefined);
    const second = await signed(plan, bumped, nonce);
    assert.equal(await chain.broadcast(second.raw), 'accepted');
    await world.node.mine();
    assert.ok((await inBlock(second.hash)).succeeded);
    assert.deepEqual(await chain.sight(first.hash), { at: 'unknown' });
  });
  assert.equal(await chain.nonce(sender, 'latest'), nonce + 1n);
});

test('a nonce at a block is the one of that block', async () => {
  const before = (await chain.heads()).latest;
  const nonce = await chain.nonce(sender, before);
  const transaction = await signed(payment(1n), await chain.estimate(payment(1n)), nonce);
  await chain.broadcast(transaction.raw);
  const { block } = await inBlock(transaction.hash);
  assert.equal(await chain.nonce(sender, before), nonce);
  assert.equal(await chain.nonce(sender, block), nonce + 1n);
});
