import { openEvmChain } from '@bulkhead/chain-evm';
import { type Address, type ChainId, CustodyError } from '@bulkhead/domain';
import type { SignerSetTerms, VaultSystem } from '@bulkhead/vaults';
import type { Configuration } from './config.ts';
import {
  delegateCode,
  findSystem,
  planSystem,
  type SystemFound,
  systemSection,
  type SystemTransaction,
} from './vault-system.ts';

export type DeploymentOrder = {
  readonly chain: ChainId;
  /** Who is in the set of signers when it begins; for the same address on each chain the same. */
  readonly set: SignerSetTerms;
  /** The house's, which every vault names for its fee. */
  readonly feeReceiver: Address;
};

/** What stands at a final block of what vaults need, and what has to be done still. */
export type VaultDeployment = {
  readonly found: SystemFound;
  /** What has to be sent; nothing where everything stands. */
  readonly open: readonly SystemTransaction[];
  /** Of the chain in the configuration of the server, and for the registry of the signers; where everything stands. */
  readonly done: { readonly section: object; readonly item: object } | undefined;
};

/**
 * Looks at a final block of a chain, as enough of its sources see it, for the contracts of vaults. Deploys nothing: anybody can send
 * the transactions, because the addresses commit to what is created there.
 *
 * @throws CustodyError `chain/unknown`, `config/invalid`, and what the sources throw
 */
export async function vaultDeployment(configuration: Configuration, order: DeploymentOrder): Promise<VaultDeployment> {
  const chain = configuration.chains.find(({ id }) => id === order.chain);
  if (chain === undefined) {
    const known = configuration.chains.map(({ id }) => id).join(', ');
    throw new CustodyError('chain/unknown', `${order.chain} is not configured; configured are: ${known}.`);
  }
  if (chain.source.kind === 'embedded') {
    throw new CustodyError(
      'config/invalid',
      `${order.chain} is embedded and runs with the server alone, which deploys what its vaults need. Start it, or give the chain sources.`,
    );
  }
  const port = await openEvmChain({
    chain: order.chain,
    sources: chain.source.urls,
    agreement: { k: chain.required },
    assets: [],
  });
  const plan = planSystem(order.set);
  const { final } = await port.heads();
  const found = await findSystem(port, plan, final);
  return {
    found,
    open: plan.transactions.filter(({ contract }) => found.missing.includes(contract)),
    done: found.system && {
      section: systemSection({ ...found.system, ...order.set }),
      item: itemOf(found.system, order),
    },
  };
}

/** As `POST /v1/registry-changes` takes it. */
function itemOf(system: VaultSystem, { chain, set, feeReceiver }: DeploymentOrder): object {
  const { codeHashes, ...addresses } = system;
  const digits = Object.fromEntries(Object.entries(codeHashes).map(([name, hash]) => [name, hash.slice(2)]));
  return {
    item: 'vault-system',
    chain,
    ...addresses,
    codeHashes: digits,
    feeReceiver,
    members: set.members,
    threshold: Number(set.threshold),
    delegateCode,
  };
}
