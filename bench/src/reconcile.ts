import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EvmChain, openEvmChain } from '@bulkhead/chain-evm';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import { openDevelopmentNode, startScriptedSource } from '@bulkhead/chain-evm/testing';
import { demoToken } from '@bulkhead/contracts';
import { invariant, nativeAsset, parseChainId, tokenAsset } from '@bulkhead/domain';
import type { BalanceQuery } from '@bulkhead/domain';
import { scatteredAddress } from './scan.ts';

const chainId = parseChainId('eip155:31337');
const addresses = 10_000;
const callsMax = 200;
/** One balance in one call, as a reader without batches asks. */
const sampleSingle = 500;

/**
 * What a reconciliation reads: 10,000 addresses in two assets at one pinned block, in calls, and in time against one call
 * for each balance.
 *
 * @returns whether the limit holds
 */
export async function benchReconcile(_args: readonly string[]): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  try {
    return await measure(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measure(directory: string): Promise<boolean> {
  await using anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337 });
  await using proxy = await startScriptedSource(anvil.url);
  const node = openDevelopmentNode(anvil.url);
  const [bank] = await node.accounts();
  invariant(bank !== undefined, 'A development node has accounts.');
  const token = tokenAsset(chainId, await node.deploy(bank, demoToken.bytecode));
  // The newest block but two is final, and the token has to be in it.
  await node.mine(3);
  const chain = await openEvmChain({ chain: chainId, sources: [proxy.url], agreement: { k: 1 }, assets: [] });
  const queries = Array.from({ length: addresses }, (_, number) => scatteredAddress(number)).flatMap((address) => [
    { asset: nativeAsset(chainId), address },
    { asset: token, address },
  ]);
  proxy.forget();
  const batched = await perSecond(queries.length, async () => {
    await chain.balances(queries, (await chain.heads()).final);
  });
  const calls = proxy.callCount;
  const single = await perSecond(sampleSingle, async () => await readSingly(chain, queries.slice(0, sampleSingle)));
  process.stdout.write(`  ${addresses} addresses x 2 assets   ${calls} calls (limit ${callsMax})\n`);
  process.stdout.write(
    `  against single calls      ${(batched / single).toFixed(1)} times as many balances in a second\n`,
  );
  return calls <= callsMax;
}

async function readSingly(chain: EvmChain, queries: readonly BalanceQuery[]): Promise<void> {
  const { final } = await chain.heads();
  for (const query of queries) await chain.balances([query], final);
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (count * 1000) / (performance.now() - started);
}
