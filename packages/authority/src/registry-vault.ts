import {
  type Address,
  type ChainId,
  type Compartment,
  CustodyError,
  parseAddress,
  parseChainId,
  parseCompartment,
  setMembersMax,
} from '@bulkhead/domain';
import {
  type Hex,
  initialPolicyText,
  parseInitialPolicy,
  parseVaultConfig,
  type SystemContract,
  type VaultConfig,
  vaultConfigText,
  type VaultSystem,
  type VaultTerms,
} from '@bulkhead/vaults';
import { type CanonicalObject, canonicalJson } from './canonical-json.ts';
import { isHex } from './hashes.ts';
import { assertNames, countOf, fieldOf, listOf, objectOf, oneOf } from './registry-field.ts';

/** The contracts of one chain that all vaults there belong to, and who signs for them. */
export type VaultSystemEntry = VaultSystem & {
  readonly chain: ChainId;
  /** The only receiver of fees that a vault may name. */
  readonly feeReceiver: Address;
  /** Who the set of signers is now, in ascending order. A list follows a change of the set on the chain. */
  readonly members: readonly Address[];
  readonly threshold: number;
  /** Creation code of the delegate of addresses that hold tokens alone, lower-case hex; empty where none is used. */
  readonly delegateCode: string;
};

/** A vault as a client agreed to it. Its address follows from the configuration and the system of the chain. */
export type VaultEntry = VaultTerms & {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  /** Whose it is; absent for an omnibus, which its clients share. */
  readonly client?: string;
  readonly tier: 'hot' | 'warm' | 'cold';
  /** The client key's signature over the configuration and the policy, as a contract takes it; lower-case hex. */
  readonly agreement: string;
  readonly address: Address;
};

/** A vault in a list: the address is worked out by whoever applies it. */
export type VaultItem = Omit<VaultEntry, 'address'>;

/** Bytes of the delegate's creation code. */
export const delegateCodeBytesMax: number = 8_192;

/** Bytes of a signature over an agreement: 65 of an account's key, some hundred of a passkey's assertion. */
export const agreementBytesMax: number = 4_096;

const systemContracts: readonly SystemContract[] = [
  'factory',
  'vaultImplementation',
  'forwarderImplementation',
  'signerSet',
];

export const vaultSystemNames: readonly string[] = [
  'chain',
  ...systemContracts,
  'codeHashes',
  'feeReceiver',
  'members',
  'threshold',
  'delegateCode',
];

export const vaultNames: readonly string[] = [
  'chain',
  'compartment',
  'client',
  'tier',
  'config',
  'policy',
  'agreement',
];

/** Where a vault stands in the registry: the same address may be on several chains. */
export function vaultKey({ chain, address }: Pick<VaultEntry, 'chain' | 'address'>): string {
  return `${chain}/${address}`;
}

/** Whether an address is a vault of a compartment on a chain, as the registry has it. */
export function isVaultOf(
  { vaults }: { readonly vaults: ReadonlyMap<string, VaultEntry> },
  at: { readonly chain: ChainId; readonly compartment: Compartment; readonly address: Address },
): boolean {
  return vaults.get(vaultKey(at))?.compartment === at.compartment;
}

export function vaultSystemFields(entry: VaultSystemEntry): CanonicalObject {
  const { chain, factory, vaultImplementation, forwarderImplementation, signerSet, codeHashes, feeReceiver } = entry;
  return {
    chain,
    factory,
    vaultImplementation,
    forwarderImplementation,
    signerSet,
    codeHashes: Object.fromEntries(systemContracts.map((name) => [name, codeHashes[name].slice(2)])),
    feeReceiver,
    members: entry.members,
    threshold: String(entry.threshold),
    delegateCode: entry.delegateCode,
  };
}

/** @throws CustodyError `signer/registry-list` and the faults of the field parsers */
export function vaultSystemOf(fields: CanonicalObject): VaultSystemEntry {
  const hashes = objectOf(fields['codeHashes'] ?? '');
  assertNames(hashes, systemContracts);
  const hash = (name: SystemContract): Hex => {
    const text = fieldOf(hashes, name);
    if (!isHex(text, 32)) throw wrong(`the hash of the code of the ${name} is not 64 lower-case hex digits`);
    return `0x${text}`;
  };
  const members = membersOf(fields);
  const threshold = countOf(fields, 'threshold', members.length);
  if (threshold === 0) throw wrong('a threshold of 0 lets nobody sign for everybody');
  return {
    chain: parseChainId(fieldOf(fields, 'chain')),
    factory: addressOf(fields, 'factory'),
    vaultImplementation: addressOf(fields, 'vaultImplementation'),
    forwarderImplementation: addressOf(fields, 'forwarderImplementation'),
    signerSet: addressOf(fields, 'signerSet'),
    codeHashes: {
      factory: hash('factory'),
      vaultImplementation: hash('vaultImplementation'),
      forwarderImplementation: hash('forwarderImplementation'),
      signerSet: hash('signerSet'),
    },
    feeReceiver: addressOf(fields, 'feeReceiver'),
    members,
    threshold,
    delegateCode: bytesOf(fields, 'delegateCode', delegateCodeBytesMax),
  };
}

function membersOf(fields: CanonicalObject): readonly Address[] {
  const members = listOf(fields, 'members').map((value) => exactAddress(typeof value === 'string' ? value : ''));
  if (members.length === 0 || members.length > setMembersMax) {
    throw wrong(`${members.length} members of the set of signers are named, not 1 to ${setMembersMax}`);
  }
  if (members.some((member, at) => at > 0 && member <= (members[at - 1] ?? ''))) {
    throw wrong('members of the set of signers are in ascending order, each once');
  }
  return members;
}

export function vaultItemFields(item: VaultItem): CanonicalObject {
  const { chain, compartment, client, tier, config, policy, agreement } = item;
  return {
    chain,
    compartment: String(compartment),
    ...(client === undefined ? {} : { client }),
    tier,
    ...vaultTermsFields({ config, policy }),
    agreement,
  };
}

/** Configuration and policy as objects of texts, for lists and certificates. */
export function vaultTermsFields({ config, policy }: VaultTerms): {
  readonly config: CanonicalObject;
  readonly policy: CanonicalObject;
} {
  return { config: { ...vaultConfigText(config) }, policy: { ...initialPolicyText(policy) } };
}

const clientForm = /^[a-z]{1,16}_[0-9a-z-]{1,64}$/u;

/** @throws CustodyError `signer/registry-list` and the faults of the field parsers */
export function vaultItemOf(fields: CanonicalObject): VaultItem {
  const client = fields['client'] === undefined ? undefined : fieldOf(fields, 'client');
  if (client !== undefined && !clientForm.test(client)) throw wrong(`"${client.slice(0, 90)}" is no id of a client`);
  const agreement = bytesOf(fields, 'agreement', agreementBytesMax);
  if (agreement === '') throw wrong('the client has signed nothing');
  return {
    chain: parseChainId(fieldOf(fields, 'chain')),
    compartment: parseCompartment(countOf(fields, 'compartment', 2 ** 31 - 1)),
    ...(client === undefined ? {} : { client }),
    tier: oneOf(fields, 'tier', ['hot', 'warm', 'cold']),
    ...vaultTermsOf(fields),
    agreement,
  };
}

/**
 * Reads `config` and `policy`. A list and a certificate have one form of each.
 *
 * @throws CustodyError `signer/registry-list` and the faults of the field parsers
 */
export function vaultTermsOf(fields: CanonicalObject): VaultTerms {
  const terms: VaultTerms = {
    config: parseVaultConfig(objectOf(fields['config'] ?? '')),
    policy: parseInitialPolicy(objectOf(fields['policy'] ?? '')),
  };
  const written = vaultTermsFields(terms);
  for (const name of ['config', 'policy'] as const) {
    const given = fields[name];
    if (given === undefined || canonicalJson(written[name]) !== canonicalJson(given)) {
      throw wrong(`the ${name} of the vault is not in lower case, or not written as it is read`);
    }
  }
  return terms;
}

/** The whole terms of the system that no list changes once a vault stands in it: vaults name them for ever. */
export function sameSystem(one: VaultSystemEntry, other: VaultSystemEntry): boolean {
  return systemContracts.every((name) => one[name] === other[name] && one.codeHashes[name] === other.codeHashes[name]);
}

export function sameVault(one: VaultItem, other: VaultItem): boolean {
  return canonicalJson(vaultItemFields(one)) === canonicalJson(vaultItemFields(other));
}

/** The configuration names what the system of its chain has. */
export function assertOfSystem(config: VaultConfig, system: VaultSystemEntry): void {
  if (config.signerSet !== system.signerSet) {
    throw wrong(
      `the vault refers to the set of signers ${config.signerSet}, and that of ${system.chain} is ${system.signerSet}`,
    );
  }
  if (config.feeReceiver !== system.feeReceiver) {
    throw wrong(
      `the vault pays fees to ${config.feeReceiver}, and on ${system.chain} they go to ${system.feeReceiver}`,
    );
  }
}

function bytesOf(fields: CanonicalObject, name: string, max: number): string {
  const text = fieldOf(fields, name);
  if (text.length % 2 !== 0 || text.length > max * 2 || !isHex(text, text.length / 2)) {
    throw wrong(`"${name}" is no lower-case hex of at most ${max} bytes`);
  }
  return text;
}

function addressOf(fields: CanonicalObject, name: string): Address {
  const address = exactAddress(fieldOf(fields, name));
  if (/^0x0+$/u.test(address)) throw wrong(`"${name}" is the zero address`);
  return address;
}

function exactAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== text) throw wrong(`"${text.slice(0, 60)}" is not in lower case`);
  return address;
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
