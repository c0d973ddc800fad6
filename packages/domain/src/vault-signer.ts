import type { Address } from './address.ts';
import type { Evidence } from './approval.ts';
import type { ChainId } from './asset.ts';
import type { Signature } from './chain.ts';
import type { DecisionRecord, SignedStatement } from './signer.ts';
import type { VaultIntent } from './vault-intent.ts';

export type VaultSignRequest = { readonly intent: VaultIntent; readonly evidence: Evidence };

/** One member's signature over the typed data that it worked out itself from the intent and its registry. */
export type VaultGrant = {
  readonly signature: Signature;
  /** Address of the member key that signed. */
  readonly member: Address;
  readonly record: DecisionRecord;
};

/** A vault that the registry lists for this client on this chain. */
export type VaultClaim = { readonly client: string; readonly chain: ChainId; readonly vault: Address };

/** A forwarder in front of a vault. One salt is certified to one client for ever. */
export type ForwarderClaim = VaultClaim & {
  /** 64 lower-case hex digits. */
  readonly salt: string;
};

/**
 * The port to one process that holds one key of a set of signers. Like {@link Signer} it takes no digest: it finds the vault in
 * its own registry and works out what is signed. The same intent gives the same signature.
 */
export interface VaultSigner {
  signVault(request: VaultSignRequest): Promise<VaultGrant>;
  /** A `vault-certificate`: the address with the whole configuration and the initial policy, enough to deploy and to exit. */
  certifyVault(claim: VaultClaim): Promise<SignedStatement>;
  certifyForwarder(claim: ForwarderClaim): Promise<SignedStatement>;
}

/** What one of several signers said: its name in our configuration, and its answer or why there is none. */
export type SignerAnswer<T> = { readonly signer: string } & (
  | { readonly answer: T }
  | { readonly code: string; readonly message: string }
);

export type QuorumGrant = {
  /** As the contract takes them: 65 bytes each (r, s, v), as many as the threshold says, by ascending address of the member. */
  readonly signatures: Uint8Array;
  readonly grants: readonly VaultGrant[];
  /** One for each signer that was asked, refusals and silence included. */
  readonly answers: readonly SignerAnswer<VaultGrant>[];
};

/** Who signs for vaults: as many of these members as the threshold says. */
export type SignerSetMembers = { readonly members: readonly Address[]; readonly threshold: bigint };

export type SetChangeRequest = {
  readonly intent: Extract<VaultIntent, { readonly kind: 'signer-set-change' }>;
  readonly evidence: Evidence;
  /** The newest version, whose quorum the contract asks for. */
  readonly before: SignerSetMembers;
};

/** Both sides of a change of the set, as the contract takes them. */
export type SetChangeGrant = {
  /** Of the version before, as many as its threshold says. */
  readonly quorumSignatures: Uint8Array;
  /** Of those who are to be in the set, as many as the new threshold says. */
  readonly memberSignatures: Uint8Array;
  readonly grants: readonly VaultGrant[];
};

/**
 * Several signers behind one port: as many must agree as the set of signers has for its threshold, and the others may be away.
 * Every signature is verified against the digest worked out here before it is counted.
 */
export interface VaultQuorum {
  /** @throws CustodyError with the refusal that most signers gave, or `signer/unavailable`, where too few agreed */
  signVault(request: VaultSignRequest): Promise<QuorumGrant>;
  /**
   * Has a change of the set signed by those who are in it and by those who are to be.
   *
   * @throws CustodyError as {@link VaultQuorum.signVault}, where too few of either side signed
   */
  signSetChange(request: SetChangeRequest): Promise<SetChangeGrant>;
  /** Certificates of as many signers as the threshold says, each verified. */
  certifyVault(claim: VaultClaim): Promise<readonly SignedStatement[]>;
  certifyForwarder(claim: ForwarderClaim): Promise<readonly SignedStatement[]>;
}
