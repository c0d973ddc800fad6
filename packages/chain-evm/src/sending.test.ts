import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { demoToken } from '@bulkhead/contracts';
import { parseAddress, parseChainId, tokenAsset } from '@bulkhead/domain';
import type { Address, Asset, BlockRef, Hash, TransactionPlan } from '@bulkhead/domain';
import { encodeFunctionData, hexToBigInt, keccak256, toHex } from 'viem';
import { privateKeyToAccount, sign } from 'viem/accounts';
import { type Anvil, startAnvil } from './anvil.ts';
import { AddressSet } from './address-set.ts';
import { type EvmChain, openEvmChain } from './evm-chain.ts';
import { openDevelopmentNode, type DevelopmentNode } from './testing/index.ts';

const chainId = parseChainId('eip155:31337');
const privateKey = `0x${'17'.repeat(32)}` as const;
const sender = parseAddress(privateKeyToAccount(privateKey).address);
const outside = parseAddress('0x00000000000000000000000000000000000a11ce');

let anvil: Anvil;
let node: DevelopmentNode;
let bank: Address;
let chain: EvmChain;
let directory: string;
let token: Address;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'bulkhead-chain-'));
  anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337 });
  node = openDevelopmentNode(anvil.url);
  [bank = outside] = await node.accounts();
  token = await node.deploy(bank, demoToken.bytecode);
  await node.send({ from: bank, to: sender, value: 10n ** 19n });
  const mint = encodeFunctionData({ abi: demoToken.abi, functionName: 'mint', args: [sender, 1_000_000n] });
  await node.send({ from: bank, to: token, data: mint });
  const asset: Asset = {
    id: tokenAsset(chainId, token),
    symbol: 'BDD',
    decimals: 6,
    behaviour: 'standard',
    dustMax: 0n,
  };
  chain = await openEvmChain({ chain: chainId, sources: [anvil.url], agreement: { k: 1 }, assets: [asset] });
});

after(async () => {
  await anvil.stop();
  rmSync(directory, { recursive: true });
});

async function signed(unsigned: Uint8Array): Promise<ReturnType<EvmChain['assemble']>> {
  const { r, s, yParity } = await sign({ hash: keccak256(unsigned), privateKey });
  return chain.assemble(unsigned, { r: hexToBigInt(r), s: hexToBigInt(s), yParity: yParity === 0 ? 0 : 1 });
}

/** anvil takes a moment between accepting a transaction and mining it. */
async function inBlock(hash: Hash): Promise<{ block: BlockRef; succeeded: boolean }> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const seen = await chain.sight(hash);
    if (seen.at === 'block') return seen;
    await pause(20);
  }
  return assert.fail(`${hash} was not mined`);
}

test('a token transfer is estimated, built, signed, assembled, sent, seen and observed', async () => {
  const plan: TransactionPlan = { from: sender, asset: tokenAsset(chainId, token), to: outside, amount: 250_000n };
  const terms = await chain.estimate(plan);
  const unsigned = chain.build(plan, terms, await chain.nonce(sender, 'latest'));
  const transaction = await signed(unsigned);
  assert.equal(transaction.from, sender);
  assert.equal(transaction.hash, keccak256(transaction.raw));
  assert.deepEqual(await chain.sight(transaction.hash), { at: 'unknown' });
  assert.equal(await chain.broadcast(transaction.raw), 'accepted');
  const seen = await inBlock(transaction.hash);
  assert.ok(seen.succeeded);
  const block = await chain.block(seen.block.number, new AddressSet([sender]));
  assert.equal(block?.movements.length, 1);
  assert.equal(block?.movements[0]?.amount, 250_000n);
  assert.equal(block?.sent[0]?.hash, transaction.hash);
  const [left, got] = await chain.balances(
    [
      { asset: plan.asset, address: sender },
      { asset: plan.asset, address: outside },
    ],
    seen.block,
  );
  assert.deepEqual([left, got], [750_000n, 250_000n]);
  assert.deepEqual((await chain.heads()).latest, seen.block);
  assert.ok(toHex(unsigned).startsWith('0x02'));
});
