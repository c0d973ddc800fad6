import { listText, nobleHashes, parseList, type ProofRegistryEntry } from '@bulkhead/authority';
import { proofRegistry } from '@bulkhead/contracts';
import { type ProofRegistrySetup, registryDifferences } from '@bulkhead/custody';
import { type Address, type BlockRef, type Chain, codeHashOfNothing, CustodyError } from '@bulkhead/domain';
import {
  bytesOf,
  type Hex,
  proofRegistryCreationCode,
  type ProofRegistrySettings,
  standardAddress,
  standardDeployment,
  standardFactory,
} from '@bulkhead/vaults';

/** A registry of proofs before it is there: its address commits to what it will be made with. */
export type RegistryPlan = {
  readonly settings: ProofRegistrySettings;
  readonly registry: Address;
  /** What anybody may send. */
  readonly transaction: { readonly to: Address; readonly data: Hex };
};

export function planRegistry(settings: ProofRegistrySettings): RegistryPlan {
  const code = proofRegistryCreationCode(bytesOf(proofRegistry.bytecode), settings);
  return {
    settings,
    registry: standardAddress(nobleHashes, code),
    transaction: { to: standardFactory, data: standardDeployment(code) },
  };
}

/** Hash of the code at the address of a plan, 64 lower-case hex digits; undefined while nothing is there. */
export async function foundRegistry(
  chain: Pick<Chain, 'codeHash'>,
  { registry }: RegistryPlan,
  at: BlockRef,
): Promise<string | undefined> {
  const hash = await chain.codeHash(registry, at);
  return hash === codeHashOfNothing ? undefined : hash;
}

/**
 * Holds each configured registry against its contract, before anything is published. A chain that does not answer now is asked again
 * before each publication.
 *
 * @throws CustodyError `config/invalid` with a sentence for each thing that differs
 */
export async function holdRegistries(
  registries: readonly ProofRegistrySetup[],
  chains: ReadonlyMap<string, Pick<Chain, 'id' | 'heads' | 'codeHash' | 'read'>>,
): Promise<void> {
  const sentences: string[] = [];
  for (const one of registries) {
    const port = chains.get(one.chain);
    if (port !== undefined) sentences.push(...(await differencesOrNone(port, one)));
  }
  if (sentences.length === 0) return;
  const advice = 'Compare /chains/…/proofRegistry with what "bulkhead proof deploy" prints.';
  throw new CustodyError('config/invalid', [...sentences, advice].join('\n'));
}

async function differencesOrNone(
  port: Pick<Chain, 'id' | 'heads' | 'codeHash' | 'read'>,
  registry: ProofRegistrySetup,
): Promise<readonly string[]> {
  try {
    return await registryDifferences(port, registry, (await port.heads()).final);
  } catch (error) {
    if (error instanceof CustodyError && error.code.startsWith('chain/')) return [];
    throw error;
  }
}

/** The registries of several chains in the one text that a list of the registry of the signers has of them. */
export function registriesText(entries: readonly ProofRegistryEntry[]): string {
  return listText(entries.map((entry) => ({ item: 'proof-registry', ...entry })));
}

/** @throws CustodyError `signer/registry-list` */
export function parseRegistries(text: string): readonly ProofRegistryEntry[] {
  return parseList(text).flatMap((item) => {
    if (item.item !== 'proof-registry') return [];
    const { chain, registry, custodian, signerSet } = item;
    return [{ chain, registry, custodian, signerSet }];
  });
}
