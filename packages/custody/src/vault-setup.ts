import { type Address, type ChainId, type Compartment, type SignedStatement, type VaultQuorum } from '@bulkhead/domain';
import type { Hex, VaultConfig, VaultProfile, VaultSystem, VaultTerms } from '@bulkhead/vaults';

/** The contracts of one chain, as the registry of the signers lists them, and who is in the set of signers. */
export type ChainVaults = VaultSystem & {
  readonly members: readonly Address[];
  readonly threshold: bigint;
  /** Creation code of what addresses with keys delegate to (EIP-7702); where it is left out, gas is sent to them for a sweep. */
  readonly delegateCode?: Hex;
};

/** What the custodian offers; a client agrees to it, and then it never changes for that vault. */
export type HouseTerms = Pick<
  VaultConfig,
  | 'feeBpsYear'
  | 'windowSeconds'
  | 'changeDelay'
  | 'recoveryDelay'
  | 'exitDelay'
  | 'exitChangeDelay'
  | 'heartbeatPeriod'
  | 'pauseSeconds'
>;

/** What a certificate of a vault must say. */
export type CertifiedVault = {
  readonly certificate: SignedStatement;
  readonly client: string;
  readonly compartment: Compartment;
  readonly chain: ChainId;
  readonly address: Address;
  readonly terms: VaultTerms;
};

/**
 * Where certificates of vaults are kept outside of the database. Returned means: it was written, is on the disk, and was read back and
 * is the same.
 */
export interface CertificateBackup {
  /** @throws CustodyError `vault/backup-failed`, or what the place throws; the certificate is not given out then */
  store(name: string, bytes: Uint8Array): Promise<void>;
}

/** What a certificate of a forwarder must say. */
export type CertifiedForwarder = {
  readonly certificate: SignedStatement;
  readonly client: string;
  readonly compartment: Compartment;
  readonly chain: ChainId;
  readonly vault: Address;
  /** 64 lower-case hex digits. */
  readonly salt: string;
  readonly address: Address;
};

/** Everything about vaults that is put together once; a custody without it has none. */
export type VaultSetup = {
  readonly systems: ReadonlyMap<ChainId, ChainVaults>;
  readonly quorum: VaultQuorum;
  /** @throws CustodyError `signer/certificate-invalid` for a certificate that is not of the pinned signers, or says something else */
  readonly verifyVault: (certified: CertifiedVault) => void;
  /** The same for a certificate of a forwarder. */
  readonly verifyForwarder: (certified: CertifiedForwarder) => void;
  readonly backup: CertificateBackup;
  readonly terms: HouseTerms;
  readonly profile: VaultProfile;
  /** Seconds after which the signers of a set show again that they are there; 0: somebody else sees to it. */
  readonly heartbeatEverySeconds: bigint;
};
