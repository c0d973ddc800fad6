import type { Address } from './address.ts';
import type { Signature } from './chain.ts';
import type { Compartment } from './compartment.ts';
import type { Intent } from './intent.ts';

/** Where a wallet's key is: `m/44'/60'/{compartment}'/0/{index}` (BIP-44). */
export type KeyPath = { readonly compartment: Compartment; readonly index: number };

/** Public half of a compartment's account level, enough to derive its addresses and nothing else. Confidential all the same: with one leaked child key it gives the account key. */
export type AccountXpub = { readonly compartment: Compartment; readonly xpub: string };

/** How far the private key is from software, stated honestly. */
export type KeyResidency = 'software' | 'hsm' | 'hsm-derived' | 'hsm-sealed';

export type SignRequest = {
  readonly intent: Intent;
  readonly path: KeyPath;
  /** Canonical unsigned transaction as {@link Chain.build} makes it. */
  readonly unsigned: Uint8Array;
};

/**
 * The port to whatever holds keys. Signing is deterministic (RFC 6979): the same request gives the same signature, so a
 * crash between signing and storing costs nothing. There is no call that signs a digest.
 *
 * Throws `signer/chain-not-development` (a software key on a chain that is not listed as development),
 * `signer/malformed-transaction` (bytes that are not the transaction of the intent: chain, sender, recipient, asset, amount
 * or fee above the intent's cap), `signer/intent-expired` and `intent/malformed`.
 */
export interface Signer {
  readonly residency: KeyResidency;
  accountXpub(compartment: Compartment): Promise<AccountXpub>;
  sign(request: SignRequest): Promise<Signature>;
}

/** Derives the address of a path from the account's xpub; no private key takes part. */
export type DeriveAddress = (account: AccountXpub, index: number) => Address;
