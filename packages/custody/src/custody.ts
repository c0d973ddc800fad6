import type {
  CertifiedAccount,
  CertifiedDepositAddress,
  CertifiedWallet,
  Chain,
  ChainId,
  Clock,
  Compartment,
  DecisionRecord,
  DeriveAddress,
  Screening,
  Signer,
} from '@bulkhead/domain';
import type { Database } from '@bulkhead/postgres';
import type { JurisdictionProfile } from './jurisdiction-profile.ts';
import type { ProofSetup } from './proof-setup.ts';
import type { VaultSetup } from './vault-setup.ts';

/** Most a transaction of a chain may ever cost, in wei per gas and in gas. The product is what a client's fee hold covers. */
export type FeeCaps = {
  readonly maxFeePerGas: bigint;
  readonly nativeGas: bigint;
  readonly tokenGas: bigint;
};

/** Who must say the same before a chain is believed: recorded with every credit. */
export type SourceAgreement = {
  /** Names of the configured sources; never their addresses, which may carry keys. */
  readonly sources: readonly string[];
  /** How many of them must agree. */
  readonly required: number;
};

/** What the custodian decides; the configuration fills it. */
export type Policy = {
  /** Approvals by different people, none the requester, that are asked for while the signer does not say how many it wants. */
  readonly quorum: number;
  readonly withdrawalTtlMs: number;
  /** Declared rules that stand in for a screening that does not exist. */
  readonly releaseUnscreenedDeposits: boolean;
  readonly releaseUnscreenedWithdrawals: boolean;
  /** The pool that `omnibus` clients join. */
  readonly omnibusCompartment: Compartment;
  readonly feeCaps: ReadonlyMap<ChainId, FeeCaps>;
  readonly agreement: ReadonlyMap<ChainId, SourceAgreement>;
  /** A transaction that waits longer in the mempool is replaced by one that pays more. */
  readonly bumpAfterMs: number;
  /** A gas grant pays for this many transactions at the fee cap, so that not every transaction needs one of its own. */
  readonly gasGrantTransactions: bigint;
  /** Blocks between two checks of every watched balance for native coin that no trace showed. */
  readonly balanceSweepBlocks: bigint;
  /** What the law of the place forbids; absent where nothing more than the rest of the policy. */
  readonly jurisdiction?: JurisdictionProfile;
  readonly breakOwner: string;
  readonly breakDeadlineMs: number;
};

/** Everything the workflows need, put together once by the server, the simulator or a test. */
export type Custody = {
  /** The installation that every intent names: 32 lower-case hex digits. */
  readonly deployment: string;
  readonly db: Database;
  readonly chains: ReadonlyMap<ChainId, Chain>;
  readonly signer: Signer;
  readonly deriveAddress: DeriveAddress;
  /**
   * Holds a certificate against the pinned identities of the signer, and what it says against what it came with. An xpub that
   * does not pass issues no address.
   *
   * @throws CustodyError `signer/certificate-invalid`
   */
  readonly verifyAccount: (account: CertifiedAccount) => void;
  /** The same for the address of a wallet with a key of its own. */
  readonly verifyWallet: (wallet: CertifiedWallet) => void;
  /** The same for the certificate of a deposit address, before it is stored and each time that it is given out. */
  readonly verifyDepositAddress: (address: CertifiedDepositAddress) => void;
  /**
   * Holds a record of the signer's log against the pinned identities: that one of them signed a head below which exactly this line
   * stands. What does not pass is stored nowhere, because whoever answers at the socket could say it.
   *
   * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
   */
  readonly verifyRecord: (record: DecisionRecord) => void;
  readonly screening: Screening;
  readonly clock: Clock;
  readonly policy: Policy;
  /** Client vaults; without it every wallet has a key. */
  readonly vaults?: VaultSetup;
  /** Proofs of reserves; without it none are published. */
  readonly proofs?: ProofSetup;
  /**
   * What the chain is to hold of the audit log; a heartbeat states it. Without it, and while nothing is signed there, heartbeats state
   * nothing.
   */
  readonly anchor?: () => Promise<LogAnchor | undefined>;
};

/** A checkpoint of the audit log, in 32 bytes. */
export type LogAnchor = {
  /** Leaves under it. */
  readonly size: number;
  /** SHA-256 of what its signature covers, 64 lower-case hex digits. */
  readonly digest: string;
};

/** Who asks: a person or robot of the configuration. */
export type Actor = { readonly name: string; readonly role: string };

/** Actor of steps that no person asked for. */
export const machine: Actor = { name: 'bulkhead', role: 'machine' };
