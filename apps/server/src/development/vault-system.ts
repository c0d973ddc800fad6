import { openEvmChain } from '@bulkhead/chain-evm';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { type Address, type ChainId, CustodyError, invariant } from '@bulkhead/domain';
import type { VaultSystemEntry } from '@bulkhead/authority';
import type { SignerSetTerms, VaultSystem } from '@bulkhead/vaults';
import type { ConfiguredSystem } from '../config-vaults.ts';
import { delegateCode, findSystem, planSystem } from '../vault-system.ts';
import type { MadeKeys } from './set-up-process.ts';

/** Below what one transaction may use since Osaka (EIP-7825); the factory and its two implementations take less than half. */
const gasMax = 16_000_000n;

/** Seconds until a change of the signer set counts. Nobody waits for days on a chain whose coins are worth nothing. */
const changeDelay = 2n;

/** Of three signers two must sign; of any number, more than half. */
function setOf(members: readonly Address[]): SignerSetTerms {
  const threshold = BigInt(Math.floor(members.length / 2) + 1);
  return { members: members.toSorted(), threshold, changeDelay };
}

/** The contracts of vaults on each embedded chain, for the set of these signers. */
export async function deployedSystems(
  nodes: ReadonlyMap<ChainId, string>,
  signers: readonly MadeKeys[],
): Promise<readonly VaultSystemEntry[]> {
  const [first] = signers;
  invariant(first !== undefined, 'A set of signers is not empty.');
  const { members, threshold, changeDelay: delay } = setOf(signers.map(({ vaultSigner }) => vaultSigner));
  const systems: VaultSystemEntry[] = [];
  for (const [chain, url] of nodes) {
    const system = await standingSystem(url, chain, { members, threshold, changeDelay: delay });
    const terms = { feeReceiver: first.fees, members, threshold: Number(threshold), delegateCode };
    systems.push({ chain, ...system, ...terms });
  }
  return systems;
}

/** Deploys again what a chain that began anew has lost. The addresses are the same, because the members are. */
export async function restoreSystems(
  nodes: ReadonlyMap<ChainId, string>,
  systems: ReadonlyMap<ChainId, ConfiguredSystem>,
): Promise<void> {
  for (const [chain, { members }] of systems) {
    const url = nodes.get(chain);
    if (url !== undefined) await standingSystem(url, chain, setOf(members));
  }
}

/**
 * The contracts of vaults on a development chain, deployed where they are missing. Any account may; the last one that the node signs
 * for does, because addresses of the demonstration depend on how much the first ones have sent.
 *
 * @throws CustodyError `chain/unavailable`, and what the sources throw
 */
async function standingSystem(url: string, chain: ChainId, set: SignerSetTerms): Promise<VaultSystem> {
  const port = await openEvmChain({ chain, sources: [url], agreement: { k: 1 }, assets: [] });
  const node = openDevelopmentNode(url);
  const plan = planSystem(set);
  const before = await findSystem(port, plan, (await port.heads()).latest);
  if (before.system !== undefined) return before.system;
  const from = (await node.accounts()).at(-1);
  invariant(from !== undefined, 'A development chain has accounts with coin.');
  for (const { contract, to, data } of plan.transactions) {
    if (!before.missing.includes(contract)) continue;
    const { succeeded } = await node.send({ from, to, data, gas: gasMax });
    if (!succeeded) {
      throw new CustodyError(
        'chain/unavailable',
        `The development chain ${chain} does not take the ${contract} of the vaults. Begin anew with --fresh.`,
      );
    }
  }
  const { system } = await findSystem(port, plan, (await port.heads()).latest);
  invariant(system !== undefined, 'The contracts of vaults stand after they were deployed.');
  return system;
}
