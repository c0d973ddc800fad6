import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EvmChain, openEvmChain } from '@bulkhead/chain-evm';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode, startScriptedSource } from '@bulkhead/chain-evm/testing';
import { payer } from '@bulkhead/contracts';
import { AddressSet, invariant, parseAddress, parseChainId } from '@bulkhead/domain';
import type { Address } from '@bulkhead/domain';

const watchedCount = 1_000_000;
const watchedBytesMax = 300 * 1024 * 1024;
const callsPerBlockMax = 3;
const blocks = 30;

/**
 * What scanning costs: calls for each block, with one watched address and with a million, and the memory the million takes.
 * The blocks hold plain payments and inner calls, which is the most expensive mixture there is.
 *
 * @returns whether the limits hold
 */
export async function benchScan(_args: readonly string[]): Promise<boolean> {
  const { set, bytes } = measureSet();
  const megabytes = (bytes / 1024 / 1024).toFixed(0);
  print(
    `${watchedCount} watched addresses        ${megabytes} MB of memory (limit ${watchedBytesMax / 1024 / 1024} MB)`,
  );
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  try {
    const calls = await measureCalls(directory, set);
    return bytes <= watchedBytesMax && calls <= callsPerBlockMax;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function measureSet(): { set: AddressSet; bytes: number } {
  const before = process.memoryUsage().rss;
  const set = new AddressSet();
  for (let number = 0; number < watchedCount; number++) set.add(scatteredAddress(number));
  return { set, bytes: process.memoryUsage().rss - before };
}

/** Distinct addresses all over the space, as key derivation gives them: both factors are odd, so no two are the same. */
export function scatteredAddress(number: number): Address {
  const high = (BigInt(number) * 0x9e3779b97f4a7c15f39cc0605cedc835n) & (2n ** 128n - 1n);
  const low = (BigInt(number) * 0x85ebca6bn) & (2n ** 32n - 1n);
  return parseAddress(`0x${high.toString(16).padStart(32, '0')}${low.toString(16).padStart(8, '0')}`);
}

async function measureCalls(directory: string, million: AddressSet): Promise<number> {
  await using anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337 });
  await using proxy = await startScriptedSource(anvil.url);
  const first = await makeBlocks(openDevelopmentNode(anvil.url));
  const chain = await openEvmChain({
    chain: parseChainId('eip155:31337'),
    sources: [proxy.url],
    agreement: { k: 1 },
    assets: [],
  });
  let most = 0;
  for (const [name, watch] of [
    ['one watched address  ', new AddressSet([scatteredAddress(1)])],
    ['1000000 watched      ', million],
  ] as const) {
    proxy.forget();
    const started = performance.now();
    await scan(chain, first, watch);
    const perBlock = proxy.callCount / blocks;
    const each = ((performance.now() - started) / blocks).toFixed(1);
    print(`${name}            ${perBlock} calls and ${each} ms for each block (limit ${callsPerBlockMax} calls)`);
    most = Math.max(most, perBlock);
  }
  return most;
}

async function makeBlocks(node: DevelopmentNode): Promise<bigint> {
  const [bank] = await node.accounts();
  invariant(bank !== undefined, 'A development node has accounts.');
  const purse = await node.deploy(bank, payer.bytecode);
  const { height } = await node.send({ from: bank, to: purse, value: 10n ** 18n });
  for (let block = 0; block < blocks; block++) {
    await node.call('evm_setAutomine', false);
    for (let payment = 0; payment < 20; payment++) {
      const to = payment % 2 === 0 ? purse : scatteredAddress(block * 20 + payment);
      await node.call('eth_sendTransaction', { from: bank, to, value: '0x1' });
    }
    await node.mine();
  }
  return height + 1n;
}

async function scan(chain: EvmChain, first: bigint, watch: AddressSet): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    const observed = await chain.block(first + BigInt(block), watch);
    invariant(observed !== undefined, 'The blocks of the bench are on the chain.');
  }
}

function print(line: string): void {
  process.stdout.write(`  ${line}\n`);
}
