import type { Hashes } from '@bulkhead/authority';
import {
  type Clock,
  type KeyResidency,
  type ProofSigner,
  recipientIndexCount,
  type Signer,
  type VaultSigner,
} from '@bulkhead/domain';
import type { HeadStore, IdentityKey, KeyDriver } from '@bulkhead/keys';
import type { StateFile } from './state-file.ts';

/** Records that are made durable together at most. A log may be ahead of the heads by one such group and no more. */
export const groupRecordsMax: number = 64;

export type CoreLimits = {
  /** Refusals written down in a minute; beyond, requests are refused without a record. */
  readonly refusalRecordsPerMinuteMax: number;
  /** Intents of a compartment that nobody approves (sweeps, gas grants, fee payments) granted in a minute. */
  readonly unattendedPerMinuteMax: number;
  /** Nonces of nobody that are cancelled in a compartment in a minute. */
  readonly freeCancelsPerMinuteMax: number;
  /** Grants of one intent: the first, and its replacements. */
  readonly attemptsPerIntentMax: number;
  /** Address certificates written in a minute. */
  readonly certificatesPerMinuteMax: number;
  /** Commitments, proofs and roots of statements signed in a minute. */
  readonly reservesPerMinuteMax: number;
  /** Wallets of a compartment that say in a minute that they are controlled. */
  readonly controlsPerMinuteMax: number;
  /** Checkpoints of the audit log signed in a minute. */
  readonly checkpointsPerMinuteMax: number;
  /** Head stores that must have taken a head before anything leaves. Absent: all of them. */
  readonly headsRequired?: number;
  /** Addresses and account keys kept derived; the least recently used goes first. */
  readonly derivationsCachedMax: number;
  /** First addresses of a compartment that are tried when a recipient must be its own. */
  readonly recipientIndexCount: number;
  /** Requests decided at the same time; further ones wait. */
  readonly decisionsAtOnceMax: number;
};

export const coreLimitDefaults: CoreLimits = {
  refusalRecordsPerMinuteMax: 600,
  unattendedPerMinuteMax: 300,
  freeCancelsPerMinuteMax: 4,
  attemptsPerIntentMax: 64,
  certificatesPerMinuteMax: 600,
  reservesPerMinuteMax: 300,
  controlsPerMinuteMax: 600,
  checkpointsPerMinuteMax: 60,
  derivationsCachedMax: 8_192,
  recipientIndexCount,
  decisionsAtOnceMax: 32,
};

/** Who computes with keys. `tree` answers for paths of the seed, `labelled` for wallets with a key of their own. */
export type CoreDrivers = { readonly tree?: KeyDriver; readonly labelled?: KeyDriver };

/** The key of the audit log. Its token may be away for a while: checkpoints wait for it, and nothing else does. */
export type LogKey = {
  readonly residency: KeyResidency;
  /** @throws CustodyError `hsm/…` */
  readonly open: () => Promise<IdentityKey>;
};

/**
 * Everything the core is given. It opens nothing else: no socket, no other file. Drivers, identity keys and head stores stay the
 * caller's, who closes them after the core.
 */
export type SignerCoreOptions = {
  /** Folder of the state log, for this process alone. It exists, with mode 0700. */
  readonly stateDirectory: string;
  readonly drivers: CoreDrivers;
  /**
   * Of those that count by the registry, the first that answers signs. The log must have named each of them; one that no longer counts
   * is left aside.
   */
  readonly identities: readonly IdentityKey[];
  /** Signs checkpoints of the audit log, and nothing else; absent where another signer has it. */
  readonly logKey?: LogKey;
  readonly heads: readonly HeadStore[];
  /** Native ones: see {@link Hashes}. */
  readonly hashes: Hashes;
  readonly clock: Clock;
  /** Seconds that nobody can set, against which the clock is held; the kernel's by default. */
  readonly monotonic?: () => bigint;
  /** The clock is right although it is long after the newest record: said by whoever starts, once. */
  readonly acceptLongStandstill?: boolean;
  readonly limits?: Partial<CoreLimits>;
  /** How the state file is opened; {@link openStateFile} by default. */
  readonly openFile?: (directory: string) => Promise<StateFile>;
};

export type ReplayReport = { readonly records: number; readonly durationMs: number };

/**
 * - `ready`: everything works;
 * - `recovery`: the state is an older copy than the heads remember; `status`, `records` and `change` with a `state-recovery` work.
 */
export type CoreMode = 'ready' | 'recovery';

/** The signer without its shell: the port, what it found at the start, and what ends it. Disposing gives the folder back. */
export type SignerCore = Signer &
  VaultSigner &
  ProofSigner &
  AsyncDisposable & {
    readonly mode: () => CoreMode;
    readonly replay: ReplayReport;
  };

/** The first record: what a ceremony decides. */
export type Genesis = {
  readonly deployment: string;
  /** Canonical text of the first list of registry items. */
  readonly list: string;
};

export type CreateStateOptions = Omit<SignerCoreOptions, 'drivers' | 'limits'> & { readonly genesis: Genesis };
