import type { Address, ChainId, Compartment, KeyRef, SignedStatement } from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import { forwarderSalt, type Hex, type VaultConfig } from '@bulkhead/vaults';
import { storedCertificates } from './address-certificate.ts';
import type { Custody } from './custody.ts';
import { certificatesIn, vaultOfWallet } from './vault-row.ts';
import { findWallet, proven, type Wallet, walletOf } from './wallet.ts';

/** Wallets read at once. */
export const reserveWalletsRead = 5_000;

/** A wallet as far as a proof of reserves needs it. */
export type ReserveWalletView = {
  readonly id: string;
  readonly compartment: Compartment;
  readonly address: Address;
  readonly sort: Wallet['kind'];
};

/** All wallets of a chain, ascending by compartment and id, page by page in the caller's snapshot: a million of them need no memory. */
export async function* reserveWallets(db: Queries, chain: ChainId): AsyncGenerator<ReserveWalletView, undefined> {
  let after: { readonly compartment: number; readonly id: string } = { compartment: -1, id: '' };
  for (;;) {
    const rows = await db.query(
      `select * from custody.wallet where chain = $1 and (compartment, id) > ($2::bigint, $3::text)
       order by compartment, id limit ${reserveWalletsRead}`,
      [chain, after.compartment, after.id],
    );
    for (const row of rows) {
      const { id, compartment, address, kind } = walletOf(row);
      after = { compartment, id };
      yield { id, compartment, address, sort: kind };
    }
    if (rows.length < reserveWalletsRead) return;
  }
}

/** What is known here of a wallet: whose it is by statements of signers, and what its control follows from. */
export type ReserveWalletProof = {
  readonly compartment: Compartment;
  readonly address: Address;
  readonly certificates: readonly SignedStatement[];
} & (
  | { readonly sort: 'key'; readonly key: KeyRef }
  | { readonly sort: 'vault'; readonly config: VaultConfig }
  | { readonly sort: 'forwarder'; readonly vault: ReserveWalletProof; readonly salt: Hex }
);

/**
 * What shows that a wallet is one of its compartment, from what is stored; nobody is asked. The address is held against its key or its
 * contracts first: a row that somebody changed is proven to nobody.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/certificate-invalid`, `vault/system-differs`
 */
export async function reserveWalletProof(custody: Custody, id: string): Promise<ReserveWalletProof | undefined> {
  const { db } = custody;
  const found = await findWallet(db, id);
  if (found === undefined) return undefined;
  const wallet = await proven(custody, db, found);
  const { compartment, address } = wallet;
  const own = (await storedCertificates(db, id)) ?? [];
  switch (wallet.kind) {
    case 'key':
      return { sort: 'key', compartment, address, certificates: own, key: wallet.key };
    case 'vault': {
      const vault = await vaultOfWallet(db, id);
      const certificates = vault?.certificateText === undefined ? own : certificatesIn(vault.certificateText);
      return vault && { sort: 'vault', compartment, address, certificates, config: vault.terms.config };
    }
    case 'forwarder': {
      const vault = await reserveWalletProof(custody, wallet.vault);
      const salt = forwarderSalt(BigInt(wallet.index));
      return vault && { sort: 'forwarder', compartment, address, certificates: own, vault, salt };
    }
  }
}
