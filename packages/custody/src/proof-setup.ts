import type { Address, AssetId, ChainId, ProofQuorum } from '@bulkhead/domain';
import type { StoredEpoch } from '@bulkhead/reserves';
import type { ProofRegistrySettings } from '@bulkhead/vaults';

/** How an asset is proven. */
export type ProvenTerms = {
  readonly tier: 'plain' | 'confidential';
  /** A unit is 10^unitExponent of the asset's smallest unit; for ever the same in one registry. */
  readonly unitExponent: number;
  /** Where the contract of a token keeps its balances, where somebody looked. */
  readonly balances?: BalanceMapping;
};

/** A mapping from addresses: `key-slot` hashes address then slot (Solidity), `slot-key` slot then address (Vyper). */
export type BalanceMapping = { readonly form: 'key-slot' | 'slot-key'; readonly slot: bigint };

/** One registry of proofs, and what is published there. */
export type ProofRegistrySetup = {
  readonly chain: ChainId;
  readonly registry: Address;
  /** Keccak-256 of its code, 64 lower-case hex digits. */
  readonly codeHash: string;
  readonly settings: ProofRegistrySettings;
  /** Seconds from one epoch of an asset to the next; 0 where somebody asks for each. */
  readonly everySeconds: bigint;
  /** Undefined for an asset that is not proven there. */
  readonly termsOf: (asset: AssetId) => ProvenTerms | undefined;
};

export type EpochOrder = ProvenTerms & {
  readonly asset: AssetId;
  readonly registry: ProofRegistrySetup;
};

/**
 * Makes what is published of an epoch: long work with files of its own. Both may be asked for again at any time, and do what is
 * missing; a custodian runs them in one process at a time for each asset.
 */
export interface EpochMaker {
  /**
   * Counts claims and coins at the newest block that is booked whole, or goes on with an epoch that was begun. Returned means: an epoch is
   * there with its record and reserves. One that is refused takes no number.
   */
  make(order: EpochOrder): Promise<StoredEpoch>;
  /**
   * Writes all files of an epoch that signers have committed to: only then do they sign what belongs into them. Returned means: the files
   * are on the disk, and the digest of their manifest is stored.
   */
  bundle(epoch: StoredEpoch): Promise<void>;
}

/** Everything about proofs that is put together once; a custody without it publishes none. */
export type ProofSetup = {
  readonly registries: readonly ProofRegistrySetup[];
  readonly quorum: ProofQuorum;
  readonly maker: EpochMaker;
};
