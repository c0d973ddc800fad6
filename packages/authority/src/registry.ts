import type {
  Address,
  AssetId,
  ChainId,
  Compartment,
  CompartmentKind,
  KeyRef,
  MovementIntentKind,
  VaultIntentKind,
} from '@bulkhead/domain';
import type { ProofRegistryEntry } from './registry-proof.ts';
import type { VaultEntry, VaultItem, VaultSystemEntry } from './registry-vault.ts';

/** How readily a wallet pays: by itself, after people, or only where nothing else reaches it. */
export type Tier = 'hot' | 'warm' | 'cold';

/**
 * - `requester` asks for payments; `approver` agrees to them;
 * - `operational` enrols clients and destinations; `root` changes people and policy and recovers the state.
 */
export type PersonRole = 'requester' | 'approver' | 'operational' | 'root';

/** Public half of something a person approves with. Byte strings are lower-case hex without prefix. */
export type ApproverKey = { readonly id: string } & (
  | {
      readonly kind: 'webauthn';
      /** Credential id, as the authenticator gave it. */
      readonly credential: string;
      /** P-256 point, 65 bytes: `04 || x || y`. */
      readonly publicKey: string;
      /** The approval page: relying party id and origin that an assertion must carry. */
      readonly relyingParty: string;
      readonly origin: string;
    }
  | { readonly kind: 'eip712'; readonly address: Address }
  | { readonly kind: 'ed25519'; readonly publicKey: string }
);

/** One human or one robot. Whatever number of keys it holds, it counts once. */
export type Person = {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly PersonRole[];
  readonly keys: readonly ApproverKey[];
  readonly suspended: boolean;
};

export type ChainEntry = {
  readonly chain: ChainId;
  /** Coins here are worth nothing: keys in software may sign. */
  readonly development: boolean;
  /** Most that one intent may burn as network fee, in wei. */
  readonly feeMax: bigint;
  /** Most that all intents of one compartment may burn in a window, in wei. */
  readonly feeWindowSeconds: bigint;
  readonly feeWindowMax: bigint;
};

export type AssetEntry = {
  readonly asset: AssetId;
  /** For people who approve; the native coin and each allowed token has one. */
  readonly symbol: string;
  readonly decimals: number;
  /** Keccak-256 of the token's code as it was reviewed, hex; empty for a native coin. */
  readonly codeHash: string;
};

/** `vault-signer`: a key that is in the set of signers of vaults, and signs nothing else. */
export type WalletPurpose = 'deposit' | 'pool' | 'gas' | 'fees' | 'treasury' | 'vault-signer';

/**
 * A wallet that is more than a client's deposit address: where sweeps go, what grants gas, what is cold. Addresses of the seed that
 * are not listed are `hot` deposit addresses.
 */
export type WalletEntry = {
  readonly compartment: Compartment;
  /** `0`, `1`, … in the tree of the seed, or the label of a key of its own. */
  readonly key: string;
  readonly tier: Tier;
  readonly purpose: WalletPurpose;
};

export type ClientEntry = { readonly client: string; readonly compartment: Compartment };

export type DestinationEntry = {
  readonly client: string;
  readonly compartment: Compartment;
  readonly chain: ChainId;
  readonly address: Address;
  readonly label: string;
  /** Unix seconds: enrolled at, plus the cooling period of then. */
  readonly usableFrom: bigint;
};

/** Kinds that move something by themselves. */
export type RuleKind =
  | Exclude<MovementIntentKind, 'cancel' | 'relay' | 'delegation'>
  | Extract<VaultIntentKind, 'vault-withdrawal' | 'vault-fee'>;

/**
 * What one kind of intent may do from one kind of compartment and tier in one asset. Of the rules that match, the one with the
 * smallest `amountMax` that covers the amount applies; where none does, nothing is signed.
 */
export type Rule = {
  readonly kind: RuleKind;
  readonly compartments: CompartmentKind;
  readonly tier: Tier;
  readonly asset: AssetId;
  /** Most per intent, in base units. */
  readonly amountMax: bigint;
  /** People who must approve, the requester not among them. Zero needs no requester either. */
  readonly approvals: number;
  /** Most per compartment and asset in the window, over all intents of this kind. */
  readonly windowSeconds: bigint;
  readonly windowMax: bigint;
  /** `enrolled`: the registry binds the recipient to client and compartment; `any`: the approvers answer for it; `own`: derived by the signer itself. */
  readonly destination: 'enrolled' | 'any' | 'own';
};

export type PolicyDocument = {
  readonly coolingSeconds: bigint;
  /** How many people of the role must agree to an enrolment, and to a change of people and policy. */
  readonly operationalQuorum: number;
  readonly rootQuorum: number;
  readonly rules: readonly Rule[];
};

/** What the signer knows, by its own records alone. A version is never changed, only followed by the next. */
export type Registry = {
  readonly deployment: string;
  readonly version: bigint;
  /** SHA-256 over the hash of the version before and the digest of the list that led here, hex. */
  readonly hash: string;
  /** Public identity keys whose statements count from this version on, hex. Those of the ceremony stand in the first record. */
  readonly identities: readonly string[];
  readonly chains: ReadonlyMap<ChainId, ChainEntry>;
  readonly assets: ReadonlyMap<AssetId, AssetEntry>;
  /** By `{compartment}/{key}`. */
  readonly wallets: ReadonlyMap<string, WalletEntry>;
  /** By `{client}/{compartment}`. */
  readonly clients: ReadonlyMap<string, ClientEntry>;
  /** By `{client}/{compartment}/{chain}/{address}`. */
  readonly destinations: ReadonlyMap<string, DestinationEntry>;
  readonly people: ReadonlyMap<string, Person>;
  /** The contracts of vaults of each chain that has any. */
  readonly systems: ReadonlyMap<ChainId, VaultSystemEntry>;
  /** By `{chain}/{address}`. */
  readonly vaults: ReadonlyMap<string, VaultEntry>;
  /** Where proofs of reserves are pinned, for each chain that has such a contract. */
  readonly proofRegistries: ReadonlyMap<ChainId, ProofRegistryEntry>;
  /** Name of the audit log whose checkpoints are signed; absent while none was listed. */
  readonly auditLog?: string;
  readonly policy: PolicyDocument;
  /** Whose an individual compartment is. Follows from `clients`; kept, because nobody may have to look through all of them. */
  readonly holders: ReadonlyMap<Compartment, string>;
  /** Whose a vault is by what the chain calls its client, so that nobody is two. Follows from `vaults`. */
  readonly vaultClients: ReadonlyMap<string, Compartment>;
  /** Keys of `destinations` by the digits people look at ({@link likeness}). Follows from `destinations`. */
  readonly likenesses: ReadonlyMap<string, readonly string[]>;
};

export function walletKey({ compartment, key }: Pick<WalletEntry, 'compartment' | 'key'>): string {
  return `${compartment}/${key}`;
}

export function clientKey({ client, compartment }: ClientEntry): string {
  return `${client}/${compartment}`;
}

export type DestinationName = Pick<DestinationEntry, 'client' | 'compartment' | 'chain' | 'address'>;

export function destinationKey({ client, compartment, chain, address }: DestinationName): string {
  return `${client}/${compartment}/${chain}/${address}`;
}

/** The listed wallet of a key, if it is one. */
export function listedWallet(registry: Registry, key: KeyRef): WalletEntry | undefined {
  const name = 'label' in key ? key.label : String(key.index);
  // A label never begins with a digit: one that does would pass for the wallet of an index, and for its tier and address.
  if ('label' in key && /^[0-9]/u.test(name)) return undefined;
  const { wallets } = registry;
  return wallets.get(walletKey({ compartment: key.compartment, key: name }));
}

/** Undefined for a key with a label that nobody listed; addresses of the seed that are not listed are hot. */
export function tierOf(registry: Registry, key: KeyRef): Tier | undefined {
  return listedWallet(registry, key)?.tier ?? ('label' in key ? undefined : 'hot');
}

/** One line of a list of changes; the first group needs the operational quorum, the second the root quorum. */
export type RegistryItem =
  | { readonly item: 'client'; readonly client: string; readonly compartment: Compartment }
  | {
      readonly item: 'destination';
      readonly client: string;
      readonly compartment: Compartment;
      readonly chain: ChainId;
      readonly address: Address;
      readonly label: string;
    }
  | {
      readonly item: 'destination-removed';
      readonly client: string;
      readonly compartment: Compartment;
      readonly chain: ChainId;
      readonly address: Address;
    }
  | { readonly item: 'person-suspended'; readonly person: string }
  | ({ readonly item: 'vault' } & VaultItem)
  | ({ readonly item: 'vault-system' } & VaultSystemEntry)
  | ({ readonly item: 'proof-registry' } & ProofRegistryEntry)
  | { readonly item: 'audit-log'; readonly origin: string }
  | ({ readonly item: 'chain' } & ChainEntry)
  | ({ readonly item: 'asset' } & AssetEntry)
  | ({ readonly item: 'asset-removed' } & Pick<AssetEntry, 'asset'>)
  | ({ readonly item: 'wallet' } & WalletEntry)
  | ({ readonly item: 'person' } & Omit<Person, 'suspended'>)
  | { readonly item: 'person-removed'; readonly person: string }
  /** All identity keys from now on, Ed25519, hex, sorted. */
  | { readonly item: 'identities'; readonly publicKeys: readonly string[] }
  | ({ readonly item: 'policy' } & PolicyDocument);
