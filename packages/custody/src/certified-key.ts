import {
  type Address,
  type CertifiedAccount,
  type CertifiedWallet,
  type Compartment,
  CustodyError,
  checksumAddress,
  type KeyLabel,
  type KeyRef,
  type KeyResidency,
  parseAddress,
  type SignedStatement,
} from '@bulkhead/domain';
import { type Queries, type Row, text } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { readState, writeState } from './state.ts';

/** Public keys that one process has verified and holds in memory; beyond, the oldest are read and verified again. */
export const certifiedKeysCachedMax = 50_000;

type Known = {
  readonly accounts: Map<Compartment, CertifiedAccount>;
  readonly wallets: Map<string, CertifiedWallet>;
  /** Questions to the signer that are under way, so that many who need one key ask once. */
  readonly asked: Map<string, Promise<unknown>>;
};

/** What was verified stays true: a certificate is asked for once, and verified once per process. */
const verified = new WeakMap<Custody, Known>();

function knownTo(custody: Custody): Known {
  const known = verified.get(custody) ?? { accounts: new Map(), wallets: new Map(), asked: new Map() };
  verified.set(custody, known);
  return known;
}

function remember<Key, Value>(cache: Map<Key, Value>, key: Key, value: Value): Value {
  const [oldest] = cache.keys();
  if (cache.size >= certifiedKeysCachedMax && oldest !== undefined) cache.delete(oldest);
  cache.set(key, value);
  return value;
}

async function once(custody: Custody, name: string, ask: () => Promise<unknown>): Promise<void> {
  const { asked } = knownTo(custody);
  const asking = asked.get(name) ?? ask();
  asked.set(name, asking);
  try {
    await asking;
  } finally {
    if (asked.get(name) === asking) asked.delete(name);
  }
}

/**
 * Makes sure that the certified account key of a compartment, whose row is there, is stored; asks the signer where it is not.
 * Runs outside of any transaction: nobody waits for the signer with rows locked.
 *
 * A crash before the row is committed asks again; the signer always certifies the same key.
 *
 * @throws CustodyError `signer/unavailable` while it is not stored and nobody answers, `signer/certificate-invalid`
 */
export async function ensureAccountKey(custody: Custody, compartment: Compartment): Promise<void> {
  if (knownTo(custody).accounts.has(compartment)) return;
  await once(custody, `account ${compartment}`, async () => {
    if ((await storedAccount(custody, custody.db, compartment)) !== undefined) return;
    const account = await custody.signer.account(compartment);
    verifyAccount(custody, account, compartment);
    await custody.db.query(
      `insert into custody.account_key (compartment, xpub, residency, certificate, created_at)
       values ($1, $2, $3, $4, $5) on conflict (compartment) do nothing`,
      [compartment, account.xpub, account.residency, writeState(account.certificate), custody.clock.now()],
    );
  });
}

/** The same for a wallet with a key of its own. */
export async function ensureWalletKey(custody: Custody, key: KeyLabel): Promise<void> {
  if (knownTo(custody).wallets.has(nameOf(key))) return;
  await once(custody, `wallet ${nameOf(key)}`, async () => {
    if ((await storedWallet(custody, custody.db, key)) !== undefined) return;
    const wallet = await custody.signer.wallet(key);
    verifyWallet(custody, wallet, key);
    await custody.db.query(
      `insert into custody.wallet_key (compartment, label, address, residency, certificate, created_at)
       values ($1, $2, $3, $4, $5, $6) on conflict (compartment, label) do nothing`,
      [
        key.compartment,
        key.label,
        wallet.address,
        wallet.residency,
        writeState(wallet.certificate),
        custody.clock.now(),
      ],
    );
  });
}

function nameOf({ compartment, label }: KeyLabel): string {
  return `${compartment}/${label}`;
}

/** A certificate of another compartment is valid too, and would move the addresses of one to the other. */
function verifyAccount(custody: Custody, account: CertifiedAccount, compartment: Compartment): void {
  if (account.compartment !== compartment) throw ofAnother(`compartment ${compartment}`, String(account.compartment));
  custody.verifyAccount(account);
}

function verifyWallet(custody: Custody, wallet: CertifiedWallet, key: KeyLabel): void {
  if (nameOf(wallet) !== nameOf(key)) throw ofAnother(`key ${nameOf(key)}`, nameOf(wallet));
  custody.verifyWallet(wallet);
}

function ofAnother(asked: string, got: string): CustodyError {
  return new CustodyError(
    'signer/certificate-invalid',
    `The certificate of ${asked} is that of ${got}: nothing is issued. Compare it with the signer's.`,
  );
}

async function storedAccount(
  custody: Custody,
  db: Queries,
  compartment: Compartment,
): Promise<CertifiedAccount | undefined> {
  const [row] = await db.query(
    'select xpub, residency, certificate::text from custody.account_key where compartment = $1',
    [compartment],
  );
  if (row === undefined) return undefined;
  const account = {
    compartment,
    xpub: text(row, 'xpub'),
    residency: residencyOf(row),
    certificate: readState<SignedStatement>(text(row, 'certificate')),
  };
  verifyAccount(custody, account, compartment);
  return remember(knownTo(custody).accounts, compartment, account);
}

async function storedWallet(custody: Custody, db: Queries, key: KeyLabel): Promise<CertifiedWallet | undefined> {
  const [row] = await db.query(
    'select address, residency, certificate::text from custody.wallet_key where compartment = $1 and label = $2',
    [key.compartment, key.label],
  );
  if (row === undefined) return undefined;
  const wallet = {
    ...key,
    address: parseAddress(text(row, 'address')),
    residency: residencyOf(row),
    certificate: readState<SignedStatement>(text(row, 'certificate')),
  };
  verifyWallet(custody, wallet, key);
  return remember(knownTo(custody).wallets, nameOf(key), wallet);
}

const residencies: readonly KeyResidency[] = ['software', 'hsm', 'hsm-derived', 'hsm-sealed'];

export function residencyOf(row: Row): KeyResidency {
  const value = text(row, 'residency');
  const known = residencies.find((residency) => residency === value);
  if (known === undefined) throw new CustodyError('invariant/broken', `"${value}" is no residency of a key.`);
  return known;
}

export type CertifiedAddress = { readonly address: Address; readonly residency: KeyResidency };

/** The address of a key by what the signer certified, derived here and never read from the row of a wallet. */
export async function certifiedAddress(custody: Custody, db: Queries, key: KeyRef): Promise<CertifiedAddress> {
  const { accounts, wallets } = knownTo(custody);
  if ('label' in key) {
    const wallet = wallets.get(nameOf(key)) ?? (await storedWallet(custody, db, key)) ?? missing(nameOf(key));
    return { address: wallet.address, residency: wallet.residency };
  }
  const { compartment, index } = key;
  const account =
    accounts.get(compartment) ??
    (await storedAccount(custody, db, compartment)) ??
    missing(`of compartment ${compartment}`);
  return { address: custody.deriveAddress(account, index), residency: account.residency };
}

function missing(key: string): never {
  throw new CustodyError(
    'signer/certificate-invalid',
    `There is no certificate of key ${key} in the database, though it has a wallet: rows are missing. Restore them as the owner of the tables.`,
  );
}

type StoredAddress = { readonly id: string; readonly key: KeyRef; readonly address: Address };

/**
 * Holds the stored address of a wallet against that of its key, before it is shown or used.
 *
 * @throws CustodyError `wallet/address-mismatch` naming the wallet
 */
export async function proveAddress(custody: Custody, db: Queries, wallet: StoredAddress): Promise<void> {
  const { address } = await certifiedAddress(custody, db, wallet.key);
  if (address === wallet.address) return;
  throw new CustodyError(
    'wallet/address-mismatch',
    `Wallet ${wallet.id} is stored with the address ${checksumAddress(wallet.address)}; its key has ${checksumAddress(address)}. The wallet is neither shown nor used until the owner of the tables has corrected the row: find out who changed it.`,
    { details: { wallet: wallet.id } },
  );
}
