import type { Compartment, KeyRef, KeyResidency, Signature } from '@bulkhead/domain';

/**
 * Whatever keeps the keys of wallets. It lives in the signer's process alone; the signer decides, a driver only computes. Each
 * signature has its `s` in the lower half (EIP-2) and was recovered to the public key before it is given out.
 *
 * Throws `hsm/…` and `key/…` faults; none of them carries key material.
 */
export interface KeyDriver extends AsyncDisposable {
  readonly name: 'software' | 'pkcs11-key' | 'pkcs11-sealed-seed' | 'luna-bip32' | 'aws-kms';
  readonly residency: KeyResidency;
  /** BIP-32 account xpub of `m/44'/60'/{compartment}'`. Undefined where the driver has no tree of keys. */
  accountXpub?(compartment: Compartment): Promise<string>;
  /** Uncompressed secp256k1 point, 65 bytes. Throws `hsm/key-missing` for a key it does not have. */
  publicKey(key: KeyRef): Promise<Uint8Array>;
  /** ECDSA over exactly 32 bytes. The caller has decided that this may be signed. */
  sign(key: KeyRef, digest: Uint8Array): Promise<Signature>;
  health(): Promise<readonly SlotHealth[]>;
}

export type SlotHealth = { readonly name: string; readonly healthy: boolean; readonly detail: string };

/** Signs the signer's own statements: certificates, heads of its log, briefs. Ed25519 (RFC 8032). */
export interface IdentityKey extends AsyncDisposable {
  /** 32 bytes, hex. */
  readonly publicKey: string;
  readonly residency: KeyResidency;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** Newest record of the signer's log, as a slot remembers it. */
export type RememberedHead = { readonly sequence: bigint; readonly hash: string };

/**
 * A small data object beside the keys (PKCS#11: CKO_DATA), which a restored copy of the signer's files does not take back in time.
 * `read` answers undefined where none was ever written.
 */
export interface HeadStore {
  readonly name: string;
  /** Whether it lies in a hardware module; a file beside the log protects against accidents only. */
  readonly protects: boolean;
  read(): Promise<RememberedHead | undefined>;
  write(head: RememberedHead): Promise<void>;
  /**
   * Who works with the keys now: a random text, 32 hex digits. A signer writes its own before it reads the head, and reads it after each
   * head that it writes, before it answers. Two signers that follow this cannot both answer: either the one sees the other's claim, or the
   * other sees its head.
   */
  readClaim(): Promise<string | undefined>;
  writeClaim(claim: string): Promise<void>;
}
