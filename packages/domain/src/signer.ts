import type { Address } from './address.ts';
import type { Approval, Evidence } from './approval.ts';
import type { ChainId } from './asset.ts';
import type { Signature } from './chain.ts';
import type { Compartment } from './compartment.ts';
import type { AuthorityIntent } from './authority-intent.ts';
import type { Intent } from './intent.ts';
import type { MovementIntent } from './movement-intent.ts';

/** Where a wallet's key is in the tree of its seed: `m/44'/60'/{compartment}'/0/{index}` (BIP-44). */
export type KeyPath = { readonly compartment: Compartment; readonly index: number };

/** A wallet with a key of its own in a hardware module, found there by its label. */
export type KeyLabel = { readonly compartment: Compartment; readonly label: string };

export type KeyRef = KeyPath | KeyLabel;

/** Indices of a compartment, from 0, that the signer derives by itself to see that a recipient is one of ours. Beyond, it wants to have certified the address. */
export const recipientIndexCount = 256;

/** Public half of a compartment's account level, enough to derive its addresses and nothing else. Confidential all the same: with one leaked child key it gives the account key. */
export type AccountXpub = { readonly compartment: Compartment; readonly xpub: string };

/**
 * How far the private key is from software, stated honestly.
 * - `hsm`: made in a hardware module, never leaves it; `hsm-derived`: derived inside one;
 * - `hsm-sealed`: at rest under a key of a module, in the memory of the signer while it signs; `software`: in a file.
 */
export type KeyResidency = 'software' | 'hsm' | 'hsm-derived' | 'hsm-sealed';

/**
 * Text that an identity key of the signer has signed: the statement's canonical form, the public key (Ed25519, hex) and the
 * signature over the bytes of the text (hex). `spec/statement.md` has the kinds.
 */
export type SignedStatement = { readonly statement: string; readonly identity: string; readonly signature: string };

/** An account xpub that the signer vouches for. */
export type CertifiedAccount = AccountXpub & {
  readonly residency: KeyResidency;
  readonly certificate: SignedStatement;
};

/** The address of a wallet with a key of its own, for which the signer vouches. */
export type CertifiedWallet = KeyLabel & {
  readonly address: Address;
  readonly residency: KeyResidency;
  readonly certificate: SignedStatement;
};

/** An address where a client pays in, for which the signer vouches. */
export type CertifiedDepositAddress = AddressClaim & {
  readonly address: Address;
  readonly certificate: SignedStatement;
};

/**
 * One line of the signer's log, and what proves that it stands there: the hash before it, the digests of the lines after it up
 * to the next signed head, and that head.
 */
export type DecisionRecord = {
  readonly sequence: bigint;
  /** Canonical JSON. */
  readonly line: string;
  readonly previous: string;
  readonly following: readonly string[];
  readonly head: SignedStatement;
};

export type SignRequest = {
  readonly intent: MovementIntent;
  readonly evidence: Evidence;
  readonly key: KeyRef;
  /**
   * Canonical unsigned transaction as {@link Chain.build} makes it; for a `delegation` the authorisation of EIP-7702, `0x05` and the
   * list of chain id, delegate and nonce. What is signed is the Keccak-256 of exactly these bytes.
   */
  readonly unsigned: Uint8Array;
};

export type Granted = { readonly signature: Signature; readonly record: DecisionRecord };

/** What the signer would say to an intent now, before any nonce is spent on it. */
export type Outlook = {
  /** Fault code of the refusal and its sentence; undefined where it would sign once the missing approvals are there. */
  readonly refusal?: { readonly code: string; readonly message: string };
  /** People other than the requester who must approve, and those who have, as far as the signer was given their signatures. */
  readonly approvalsNeeded: number;
  readonly requestNeeded: boolean;
  readonly approvedBy: readonly string[];
  /** For the approval page: the same and more, signed, so that the server in between cannot change it. */
  readonly brief: SignedStatement;
};

export type RegistryChange = {
  readonly intent: AuthorityIntent;
  readonly evidence: Evidence;
  /** Canonical text of the list of items; empty for `state-recovery`. */
  readonly list: string;
};

export type AddressClaim = {
  readonly client: string;
  readonly chain: ChainId;
  readonly key: KeyRef;
};

export type SignerStatus = {
  readonly deployment: string;
  readonly residency: KeyResidency;
  readonly registryVersion: bigint;
  /** Hash over all changes of the registry up to this version. */
  readonly registryHash: string;
  /** Newest record of the log. */
  readonly sequence: bigint;
  /** Public identity keys, hex: who signs statements. */
  readonly identities: readonly string[];
  /** Each place that holds keys or the head of the log, and whether it answers. */
  readonly slots: readonly { readonly name: string; readonly healthy: boolean; readonly detail: string }[];
  /** Addresses of its keys that are for sets of signers. */
  readonly members?: readonly Address[];
};

/**
 * The port to the process that holds keys and decides on its own what they sign. There is no call that signs a digest.
 *
 * The same request gives the same signature: where signing is not deterministic by itself, the signer answers a repetition from
 * its log. So a crash between signing and storing costs nothing.
 *
 * A refusal is thrown as a `CustodyError` whose code begins with `signer/`; `spec/errors.md` has them all. `signer/unavailable`
 * says that nobody answered: the work waits and is tried again.
 */
export interface Signer {
  status(): Promise<SignerStatus>;
  account(compartment: Compartment): Promise<CertifiedAccount>;
  wallet(key: KeyLabel): Promise<CertifiedWallet>;
  /** A deposit-address certificate: this address is of this client's compartment. One index is certified to one client for ever. */
  certifyAddress(claim: AddressClaim): Promise<SignedStatement>;
  outlook(intent: Intent, evidence: Evidence): Promise<Outlook>;
  /** Gives the signer one signature as soon as it is made, so that counters of passkeys arrive in order. Says whose it is. */
  lodge(intent: Intent, approval: Approval): Promise<{ readonly person: string }>;
  sign(request: SignRequest): Promise<Granted>;
  change(change: RegistryChange): Promise<{ readonly version: bigint; readonly record: DecisionRecord }>;
  /** Records after a position, oldest first. */
  records(after: bigint, limit: number): Promise<readonly DecisionRecord[]>;
}

/** Derives the address of a path from the account's xpub; no private key takes part. */
export type DeriveAddress = (account: AccountXpub, index: number) => Address;
