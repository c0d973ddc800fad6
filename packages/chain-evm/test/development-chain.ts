import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artifact } from '@bulkhead/contracts';
import { parseAddress, parseChainId, tokenAsset } from '@bulkhead/domain';
import type { Address, Asset, ChainId } from '@bulkhead/domain';
import { encodeDeployData, encodeFunctionData } from 'viem';
import { type Anvil, startAnvil } from '../src/anvil.ts';
import { type EvmChain, type EvmChainOptions, openEvmChain } from '../src/index.ts';
import { type DevelopmentNode, type DevelopmentReceipt, openDevelopmentNode } from '../src/testing/index.ts';

export const chainId: ChainId = parseChainId('eip155:31337');

/** A call of a contract: function, arguments, coin. */
export type ContractCall = {
  readonly to: Address;
  readonly artifact: Artifact;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly value?: bigint;
  readonly from?: Address;
  readonly gas?: bigint;
};

export type DevelopmentChain = {
  readonly anvil: Anvil;
  readonly node: DevelopmentNode;
  /** Rich, and no client of ours. */
  readonly bank: Address;
  readonly directory: string;
  deploy(artifact: Artifact, args?: readonly unknown[]): Promise<Address>;
  call(call: ContractCall): Promise<DevelopmentReceipt>;
  open(options?: Partial<EvmChainOptions>): Promise<EvmChain>;
  /** Stops, and removes the state unless it is to be kept for a restart. */
  stop(keep?: 'keep'): Promise<void>;
};

/** A real anvil on a free port. */
export async function startDevelopmentChain(
  directory: string = mkdtempSync(join(tmpdir(), 'bulkhead-chain-')),
): Promise<DevelopmentChain> {
  const anvil = await startAnvil({ directory, port: 0, chainNumber: 31_337 });
  const node = openDevelopmentNode(anvil.url);
  const [bank] = await node.accounts();
  assert.ok(bank !== undefined);
  return {
    anvil,
    node,
    bank,
    directory,
    deploy: async ({ abi, bytecode }, args = []) => await node.deploy(bank, encodeDeployData({ abi, bytecode, args })),
    call: async ({ to, artifact, name, args, value = 0n, from = bank, gas }) => {
      const data = encodeFunctionData({ abi: artifact.abi, functionName: name, args });
      return await node.send({ from, to, data, value, ...(gas === undefined ? {} : { gas }) });
    },
    open: async (options) =>
      await openEvmChain({ chain: chainId, sources: [anvil.url], agreement: { k: 1 }, assets: [], ...options }),
    stop: async (keep) => {
      await anvil.stop();
      if (keep === undefined) rmSync(directory, { recursive: true });
    },
  };
}

export function tokenOf(contract: Address, behaviour: Asset['behaviour'] = 'standard'): Asset {
  return { id: tokenAsset(chainId, contract), symbol: 'TOK', decimals: 18, behaviour, dustMax: 0n };
}

/** Addresses of nobody, told apart by a number. */
export function addressOf(number: number): Address {
  return parseAddress(`0x${(0xc0ffee0000 + number).toString(16).padStart(40, '0')}`);
}
