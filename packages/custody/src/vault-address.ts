import { type Address, type ChainId, checksumAddress, CustodyError, type SignedStatement } from '@bulkhead/domain';
import { type Queries, text } from '@bulkhead/postgres';
import { forwarderAddress, forwarderSalt, vaultAddress } from '@bulkhead/vaults';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';
import { certificatesIn, type Vault, vaultOfWallet } from './vault-row.ts';
import { expectVaultsOn } from './vault-chain.ts';
import type { CertifiedVault } from './vault-setup.ts';

type ContractWallet = { readonly id: string; readonly chain: ChainId; readonly address: Address } & (
  | { readonly kind: 'vault' }
  | { readonly kind: 'forwarder'; readonly vault: string; readonly index: number }
);

/** Certificates that this process verified, by the wallet of the vault: verified once, and again when the text is another. */
const verified = new WeakMap<Custody, Map<string, string>>();

/**
 * Holds the stored address of a vault or forwarder against the one that follows from the contracts and from the configuration inside
 * the certificates of the signers.
 *
 * @throws CustodyError `wallet/address-mismatch`, `signer/certificate-invalid`, `vault/system-differs`
 */
export async function proveContract(custody: Custody, db: Queries, wallet: ContractWallet): Promise<void> {
  const vault = await vaultOfWallet(db, wallet.kind === 'vault' ? wallet.id : wallet.vault);
  if (vault === undefined) {
    throw new CustodyError(
      'signer/certificate-invalid',
      `Wallet ${wallet.id} is a ${wallet.kind} and no vault belongs to it: rows are missing. Restore them as the owner of the tables.`,
    );
  }
  const { system } = expectVaultsOn(custody, vault.chain);
  const right = vaultAddress(hashes, system, vault.terms.config);
  if (right !== vault.address || wallet.chain !== vault.chain) throw mismatch(wallet, right);
  verifyStored(custody, vault);
  const expected =
    wallet.kind === 'vault'
      ? right
      : forwarderAddress(hashes, system, { vault: right, salt: forwarderSalt(BigInt(wallet.index)) });
  if (expected !== wallet.address) throw mismatch(wallet, expected);
}

function verifyStored(custody: Custody, vault: Vault): void {
  const { setup } = expectVaultsOn(custody, vault.chain);
  const known = verified.get(custody) ?? new Map<string, string>();
  verified.set(custody, known);
  const stored = vault.certificateText ?? '';
  const name = `${vault.address} ${stored}`;
  if (known.get(vault.id) === name) return;
  const certificates = stored === '' ? [] : certificatesIn(stored);
  const { threshold } = expectVaultsOn(custody, vault.chain).system;
  const identities = new Set(certificates.map(({ identity }) => identity));
  if (BigInt(identities.size) < threshold) {
    throw new CustodyError(
      'signer/certificate-invalid',
      `Vault ${vault.id} has certificates of ${identities.size} signers, and ${threshold} must vouch for it.`,
    );
  }
  for (const certificate of certificates) setup.verifyVault(certifiedVault(vault, certificate));
  known.set(vault.id, name);
}

/** What a certificate must say of a vault. A pool has no client: its compartment stands in the place of one. */
export function certifiedVault(vault: Vault, certificate: SignedStatement): CertifiedVault {
  const { compartment, chain, address, terms } = vault;
  return { certificate, client: certifiedHolder(vault), compartment, chain, address, terms };
}

/** Whom a vault is certified to: its client, or the pool as such. */
export function certifiedHolder({ client, compartment }: Pick<Vault, 'client' | 'compartment'>): string {
  return client ?? `pool_${compartment}`;
}

/** @throws CustodyError `vault/receipt-missing` while the client has not acknowledged the certificate of the vault of a wallet */
export async function expectReceipt(db: Queries, vaultWallet: string): Promise<void> {
  const [row] = await db.query('select id, step from custody.vault where wallet = $1', [vaultWallet]);
  if (row !== undefined && text(row, 'step') === 'issued') return;
  throw new CustodyError(
    'vault/receipt-missing',
    `The address of vault ${row === undefined ? vaultWallet : text(row, 'id')} is not shown before the client holds its certificate: hand it out and take the receipt of the client key with POST /v1/vaults/…/receipt.`,
  );
}

function mismatch(wallet: ContractWallet, right: Address): CustodyError {
  return new CustodyError(
    'wallet/address-mismatch',
    `Wallet ${wallet.id} is stored with the address ${checksumAddress(wallet.address)}; its configuration has ${checksumAddress(right)}. The wallet is neither shown nor used until the owner of the tables has corrected the row: find out who changed it.`,
    { details: { wallet: wallet.id } },
  );
}
