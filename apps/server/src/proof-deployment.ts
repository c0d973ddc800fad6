import { openEvmChain } from '@bulkhead/chain-evm';
import { type BlockRef, type ChainId, CustodyError } from '@bulkhead/domain';
import type { ProofRegistrySettings } from '@bulkhead/vaults';
import type { Configuration } from './config.ts';
import { foundRegistry, planRegistry, type RegistryPlan } from './proof-registry.ts';

export type RegistryOrder = {
  readonly chain: ChainId;
  /** The signer set is that of the chain's vaults. */
  readonly settings: Omit<ProofRegistrySettings, 'signers'>;
};

/** What stands at a final block of a registry of proofs, and what has to be done still. */
export type RegistryDeployment = {
  readonly at: BlockRef;
  readonly plan: RegistryPlan;
  /** Of the chain in the configuration of the server, and for the registry of the signers; where it is there. */
  readonly done: { readonly section: object; readonly item: object } | undefined;
};

/**
 * Looks at a final block of a chain for the registry of proofs with these settings. Deploys nothing: anybody can send the transaction,
 * because the address commits to what is created there.
 *
 * @throws CustodyError `chain/unknown`, `config/invalid`, and what the sources throw
 */
export async function proofRegistryDeployment(
  configuration: Configuration,
  { chain, settings }: RegistryOrder,
): Promise<RegistryDeployment> {
  const found = configuration.chains.find(({ id }) => id === chain);
  if (found === undefined) {
    const known = configuration.chains.map(({ id }) => id).join(', ');
    throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${known}.`);
  }
  if (found.source.kind === 'embedded') {
    throw new CustodyError(
      'config/invalid',
      `${chain} is embedded and runs with the server alone, which deploys a registry of its own. Start it, or give the chain sources.`,
    );
  }
  const system = configuration.vaults.systems.get(chain);
  if (system === undefined) {
    throw new CustodyError(
      'config/invalid',
      `A registry believes the signer set of its chain, and ${chain} has none: deploy it with "bulkhead vault deploy", and configure it.`,
    );
  }
  const port = await openEvmChain({
    chain,
    sources: found.source.urls,
    agreement: { k: found.required },
    assets: [],
  });
  const plan = planRegistry({ ...settings, signers: system.signerSet });
  const { final: at } = await port.heads();
  const codeHash = await foundRegistry(port, plan, at);
  return { at, plan, done: codeHash === undefined ? undefined : doneOf({ chain, plan, codeHash }) };
}

function doneOf({
  chain,
  plan: { registry, settings },
  codeHash,
}: {
  readonly chain: ChainId;
  readonly plan: RegistryPlan;
  readonly codeHash: string;
}): { readonly section: object; readonly item: object } {
  const { signers: signerSet, custodian, window, drawDelay, commitWithin, cadence, proveWithin } = settings;
  const section = {
    address: registry,
    codeHash: `0x${codeHash}`,
    custodian,
    window: Number(window),
    drawDelay: Number(drawDelay),
    commitWithinSeconds: Number(commitWithin),
    cadenceSeconds: Number(cadence),
    proveWithinSeconds: Number(proveWithin),
    assets: [],
  };
  return { section, item: { item: 'proof-registry', chain, registry, custodian: custodian.slice(2), signerSet } };
}
