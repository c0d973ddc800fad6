import type { LogCheckpointIntent, ReserveIntent, WalletControlIntent } from './proof-intent.ts';
import type { DecisionRecord, Granted, KeyRef, SignedStatement } from './signer.ts';
import type { QuorumGrant, VaultGrant } from './vault-signer.ts';

export type ReserveSignRequest = { readonly intent: ReserveIntent };

/** `key` is that of the wallet: the signer derives the address and compares. */
export type ControlSignRequest = { readonly intent: WalletControlIntent; readonly key: KeyRef };

export type CheckpointSignRequest = {
  readonly intent: LogCheckpointIntent;
  /** Leaves of the tree that the proof begins with: what the signer signed last, 0 where it signed nothing of this log yet. */
  readonly oldSize: bigint;
  /** Consistency of the two trees (RFC 6962, section 2.1.2), 64 lower-case hex digits each; empty for the first. */
  readonly proof: readonly string[];
};

/** Ed25519 over the text of the checkpoint, 64 bytes, and the public key that it is of, in hex. */
export type CheckpointGrant = {
  readonly signature: Uint8Array;
  readonly publicKey: string;
  readonly record: DecisionRecord;
};

/** The key of the audit log, for which the signer vouches. The verifier key of C2SP signed-note follows from name and public key. */
export type CertifiedLogKey = {
  readonly origin: string;
  /** Ed25519, 64 lower-case hex digits. */
  readonly publicKey: string;
  readonly certificate: SignedStatement;
};

/** A wallet's signature over `WalletControl`. */
export type ControlGrant = Granted;

/**
 * The port to one process, for what is shown to others. As everywhere it takes no digest and no bytes: what is signed follows from the
 * intent, and the same intent gives the same signature.
 */
export interface ProofSigner {
  /** By this signer's key of the set of signers. */
  signReserves(request: ReserveSignRequest): Promise<VaultGrant>;
  /** By the key of the wallet. @throws CustodyError `signer/unknown-context` where it has not pinned that epoch: ask for it first */
  signControl(request: ControlSignRequest): Promise<ControlGrant>;
  /**
   * By the key of the log.
   *
   * @throws CustodyError `signer/log-position` where the proof begins elsewhere than where it stands; `size` in the details says where
   *   that is. `signer/log-forked` where the tree does not continue what was signed
   */
  signCheckpoint(request: CheckpointSignRequest): Promise<CheckpointGrant>;
  /** @throws CustodyError `signer/unknown-log` where the registry lists no log whose key is here */
  logKey(): Promise<CertifiedLogKey>;
}

/** The same of several signers: reserves by as many as the set asks for, the other two by the one that has the keys. */
export interface ProofQuorum extends Omit<ProofSigner, 'signReserves'> {
  /** @throws CustodyError with the refusal that most signers gave, or `signer/unavailable`, where too few agreed */
  signReserves(request: ReserveSignRequest): Promise<QuorumGrant>;
}
