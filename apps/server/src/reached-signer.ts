import type { ProofRegistrySetup } from '@bulkhead/custody';
import type { ChainId, ProofSigner, Signer, VaultSigner } from '@bulkhead/domain';
import type { Pinned } from '@bulkhead/signer-client';
import type { ConfiguredSystem } from './config-vaults.ts';

/** A signer that can be asked, and whom of it this server believes. */
export type ReachedSigner = {
  /** Which one it is, within a sentence. */
  readonly name: string;
  readonly signer: Signer & VaultSigner & ProofSigner;
  readonly pinned: Pinned;
  /** Where commands beside this server reach it. */
  readonly endpoint: string;
  /** Process id of the one that this server runs, which changes when it is started again; undefined where somebody else runs it. */
  readonly pid: (() => number) | undefined;
};

/** The signer that holds the keys of the wallets, and beside it those that have, like it, a key of the signer set of the vaults. */
export type ReachedSigners = ReachedSigner & {
  readonly vaultSigners: readonly ReachedSigner[];
  /** The contracts of vaults of each chain that has any. */
  readonly vaultSystems: ReadonlyMap<ChainId, ConfiguredSystem>;
  /** The registries of proofs, each of another chain. */
  readonly proofRegistries: readonly ProofRegistrySetup[];
};

/** How people are told which signer it is: the first, or one of the others, which begin with 2. */
export function signerName(number: number): string {
  return number === 1 ? 'the signer' : `vault signer ${number}`;
}
