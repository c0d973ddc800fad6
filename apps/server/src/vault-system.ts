import { listText, nobleHashes, parseList, type VaultSystemEntry } from '@bulkhead/authority';
import { signerSet, sweepDelegate, vaultFactory } from '@bulkhead/contracts';
import {
  type Address,
  type BlockRef,
  type Chain,
  type ChainId,
  codeHashOfNothing,
  parseAddress,
} from '@bulkhead/domain';
import {
  buildAddresses,
  type Hex,
  type SignerSetTerms,
  signerSetCreationCode,
  standardAddress,
  standardDeployment,
  standardFactory,
  type SystemContract,
  type VaultSystem,
} from '@bulkhead/vaults';
import type { z } from 'zod';
import type { systemForm } from './config-schema.ts';
import type { ConfiguredSystem } from './config-vaults.ts';

/** The contracts of all vaults of one custodian on a chain. Their addresses follow from the build and from the first members alone. */
export type SystemPlan = {
  readonly addresses: Omit<VaultSystem, 'codeHashes'>;
  /** What has to be sent, by anybody and in any order; the implementations come with their factory. */
  readonly transactions: readonly SystemTransaction[];
};

export type SystemTransaction = {
  readonly contract: Extract<SystemContract, 'factory' | 'signerSet'>;
  /** Where the contract is afterwards. */
  readonly creates: Address;
  readonly to: Address;
  readonly data: Hex;
};

/** What stands on a chain of a plan, at one block. */
export type SystemFound = {
  readonly at: BlockRef;
  /** Whether the factory that deploys to the same address on every chain is there. */
  readonly standard: boolean;
  readonly missing: readonly SystemContract[];
  /** Complete where nothing is missing. */
  readonly system: VaultSystem | undefined;
  /** Who verifies passkeys there: the chain, or each vault by arithmetic of its own. */
  readonly passkeys: 'chain' | 'vault';
};

export function planSystem(terms: SignerSetTerms): SystemPlan {
  const factoryCode = bytesOf(vaultFactory.bytecode);
  const setCode = signerSetCreationCode(bytesOf(signerSet.bytecode), terms);
  const addresses = {
    ...buildAddresses(nobleHashes, factoryCode),
    signerSet: standardAddress(nobleHashes, setCode),
  };
  return {
    addresses,
    transactions: [
      { contract: 'factory', creates: addresses.factory, to: standardFactory, data: standardDeployment(factoryCode) },
      { contract: 'signerSet', creates: addresses.signerSet, to: standardFactory, data: standardDeployment(setCode) },
    ],
  };
}

/** The contracts of vaults of a chain as the configuration has them. */
export function systemSection(system: ConfiguredSystem): z.input<typeof systemForm> {
  const { factory, vaultImplementation, forwarderImplementation, signerSet, codeHashes, members, threshold } = system;
  const addresses = { factory, vaultImplementation, forwarderImplementation, signerSet };
  return { ...addresses, codeHashes, members: [...members], threshold: Number(threshold) };
}

/** The contracts of vaults of several chains in the one text that a list of the registry has of them. */
export function systemsText(systems: readonly VaultSystemEntry[]): string {
  return listText(systems.map((system) => ({ item: 'vault-system', ...system })));
}

/** @throws CustodyError `signer/registry-list` */
export function parseSystems(text: string): ReadonlyMap<ChainId, ConfiguredSystem> {
  const systems = parseList(text).flatMap((item) => (item.item === 'vault-system' ? [item] : []));
  return new Map(systems.map(({ chain, threshold, ...rest }) => [chain, { ...rest, threshold: BigInt(threshold) }]));
}

/** Creation code of what a legacy address delegates to, as the registry of the signers lists it: hex without prefix. */
export const delegateCode: string = sweepDelegate.bytecode.slice(2);

/**
 * Looks for the contracts of a plan. Code at such an address is the code of the plan: the address is the hash of how it was created.
 *
 * @throws CustodyError what the port throws
 */
export async function findSystem(
  chain: Pick<Chain, 'codeHash' | 'read'>,
  { addresses }: SystemPlan,
  at: BlockRef,
): Promise<SystemFound> {
  const hashOf = async (address: Address): Promise<Hex | undefined> => {
    const hash = await chain.codeHash(address, at);
    return hash === codeHashOfNothing ? undefined : `0x${hash}`;
  };
  const [factory, vaultImplementation, forwarderImplementation, set] = await Promise.all([
    hashOf(addresses.factory),
    hashOf(addresses.vaultImplementation),
    hashOf(addresses.forwarderImplementation),
    hashOf(addresses.signerSet),
  ]);
  const hashes = { factory, vaultImplementation, forwarderImplementation, signerSet: set };
  const missing = contracts.filter((contract) => hashes[contract] === undefined);
  const complete =
    factory !== undefined &&
    vaultImplementation !== undefined &&
    forwarderImplementation !== undefined &&
    set !== undefined;
  const codeHashes = complete ? { factory, vaultImplementation, forwarderImplementation, signerSet: set } : undefined;
  return {
    at,
    standard: (await hashOf(standardFactory)) !== undefined,
    missing,
    system: codeHashes && { ...addresses, codeHashes },
    passkeys: await passkeysOn(chain, at),
  };
}

const contracts: readonly SystemContract[] = ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet'];

/** Verifies P-256 where the chain does (RIP-7212, EIP-7951). */
const passkeyPrecompile = parseAddress('0x0000000000000000000000000000000000000100');

/** Digest, r, s, x and y of a signature that is right: the sample of RFC 6979, A.2.5, for SHA-256. */
const rightSignature: Hex = `0x${[
  'af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf',
  'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
  'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
  '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
].join('')}`;

async function passkeysOn(chain: Pick<Chain, 'read'>, at: BlockRef): Promise<SystemFound['passkeys']> {
  const answer = await chain.read(passkeyPrecompile, rightSignature, at);
  return answer !== '0x' && BigInt(answer) === 1n ? 'chain' : 'vault';
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.slice(2), 'hex');
}
