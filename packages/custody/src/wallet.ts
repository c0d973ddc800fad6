import {
  type Address,
  type ChainId,
  type Compartment,
  type KeyRef,
  type KeyResidency,
  CustodyError,
  checksumAddress,
  invariant,
  houseFees,
  houseGas,
  parseAddress,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import {
  type Queries,
  type Row,
  type Transaction,
  bigint,
  bigintOrNull,
  date,
  only,
  text,
  textOrNull,
} from '@bulkhead/postgres';
import { certifiedAddress, proveAddress, residencyOf } from './certified-key.ts';
import type { Custody } from './custody.ts';
import { expectReceipt, proveContract } from './vault-address.ts';

/** `unassigned`: issued, but to no client yet: what arrives there is suspense until two people say whose it is. */
export type WalletPurpose = 'deposit' | 'unassigned' | 'pool' | 'gas' | 'fees';

/** How readily a wallet signs: by itself, after people, or only where nothing else reaches it. */
export type WalletTier = 'hot' | 'warm' | 'cold';

/**
 * What is at an address: an account of a key of ours, the vault of the compartment, or a forwarder, which can send what it gets to its
 * vault and nowhere else. `vault` is the wallet of that vault.
 */
export type WalletPlace =
  | { readonly kind: 'key'; readonly key: KeyRef }
  | { readonly kind: 'vault' }
  | { readonly kind: 'forwarder'; readonly vault: string; readonly index: number };

/** One address of one compartment on one chain. */
export type Wallet = WalletPlace & {
  readonly id: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly address: Address;
  readonly client: string | undefined;
  readonly purpose: WalletPurpose;
  readonly nextNonce: bigint | undefined;
};

/** The key of a wallet that has one. Whoever asks signs, or has a key certified: vaults and forwarders are never asked here. */
export function keyOf(wallet: Wallet): KeyRef {
  invariant(wallet.kind === 'key', 'A contract was taken for a wallet with a key.', { wallet: wallet.id });
  return wallet.key;
}

export type WalletView = {
  readonly id: string;
  readonly chain: string;
  readonly compartment: number;
  readonly clientId: string | null;
  readonly address: string;
  readonly kind: WalletPlace['kind'];
  readonly purpose: WalletPurpose;
  readonly tier: WalletTier;
  /** Null for vaults and forwarders, which have no key. */
  readonly keyResidency: KeyResidency | null;
  /** Of a key in the tree of the seed; one with a key of its own has a label instead. */
  readonly derivationPath: string | null;
  readonly keyLabel: string | null;
  /** Wallet of the vault that a forwarder is bound to. */
  readonly vaultWalletId: string | null;
  readonly createdAt: string;
};

/**
 * A wallet in a list. One whose address is not proven keeps its place and shows none: to leave it out would hide what somebody did,
 * and to fail would hide all the others.
 */
export type ListedWalletView = Omit<WalletView, 'address'> & {
  readonly address: string | null;
  /** Why no address is shown; null where one is. */
  readonly problem: WalletProblem | null;
};

/**
 * The stored address is not that of the key, the stored certificate is not the signer's, or the client has not acknowledged the
 * certificate of the vault yet.
 */
export type WalletProblem = 'wallet/address-mismatch' | 'signer/certificate-invalid' | 'vault/receipt-missing';

const purposes: readonly string[] = ['deposit', 'unassigned', 'pool', 'gas', 'fees'] satisfies WalletPurpose[];

function purposeOf(value: string): WalletPurpose {
  const found = purposes.find((purpose): purpose is WalletPurpose => purpose === value);
  if (found === undefined) throw new CustodyError('invariant/broken', `"${value}" is no purpose of a wallet.`);
  return found;
}

function tierOf(value: string): WalletTier {
  if (value === 'hot' || value === 'warm' || value === 'cold') return value;
  throw new CustodyError('invariant/broken', `"${value}" is no tier of a wallet.`);
}

function placeOf(row: Row, compartment: Compartment): WalletPlace {
  const kind = text(row, 'kind');
  switch (kind) {
    case 'key': {
      const label = textOrNull(row, 'key_label');
      const key = label === null ? { compartment, index: Number(bigint(row, 'key_index')) } : { compartment, label };
      return { kind, key };
    }
    case 'vault':
      return { kind };
    case 'forwarder':
      return { kind, vault: text(row, 'vault'), index: Number(bigint(row, 'forwarder_index')) };
    default:
      throw new CustodyError('invariant/broken', `"${kind}" is no kind of a wallet.`);
  }
}

export function walletOf(row: Row): Wallet {
  const compartment = parseCompartment(Number(bigint(row, 'compartment')));
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    compartment,
    ...placeOf(row, compartment),
    address: parseAddress(text(row, 'address')),
    client: textOrNull(row, 'client') ?? undefined,
    purpose: purposeOf(text(row, 'purpose')),
    nextNonce: bigintOrNull(row, 'next_nonce') ?? undefined,
  };
}

function viewOf(row: Row): WalletView {
  const wallet = walletOf(row);
  return {
    id: wallet.id,
    chain: wallet.chain,
    compartment: wallet.compartment,
    clientId: wallet.client ?? null,
    address: checksumAddress(wallet.address),
    kind: wallet.kind,
    purpose: wallet.purpose,
    tier: tierOf(text(row, 'tier')),
    ...keyView(row, wallet),
    vaultWalletId: wallet.kind === 'forwarder' ? wallet.vault : null,
    createdAt: date(row, 'created_at').toISOString(),
  };
}

function keyView(row: Row, wallet: Wallet): Pick<WalletView, 'keyResidency' | 'derivationPath' | 'keyLabel'> {
  if (wallet.kind !== 'key') return { keyResidency: null, derivationPath: null, keyLabel: null };
  const { compartment, key } = wallet;
  return {
    keyResidency: residencyOf(row),
    derivationPath: 'label' in key ? null : `m/44'/60'/${compartment}'/0/${key.index}`,
    keyLabel: 'label' in key ? key.label : null,
  };
}

export async function findWallet(tx: Queries, id: string): Promise<Wallet | undefined> {
  const [row] = await tx.query('select * from custody.wallet where id = $1', [id]);
  return row === undefined ? undefined : walletOf(row);
}

export async function findWalletByAddress(tx: Queries, chain: ChainId, address: Address): Promise<Wallet | undefined> {
  const [row] = await tx.query('select * from custody.wallet where chain = $1 and address = $2', [chain, address]);
  return row === undefined ? undefined : walletOf(row);
}

/** Wallets of a compartment on a chain, the oldest first. */
export async function compartmentWallets(
  tx: Queries,
  chain: ChainId,
  compartment: Compartment,
): Promise<readonly Wallet[]> {
  const rows = await tx.query(
    'select * from custody.wallet where chain = $1 and compartment = $2 order by key_index, key_label, forwarder_index',
    [chain, compartment],
  );
  return rows.map(walletOf);
}

/**
 * The wallet itself, once its stored address was held against that of its key. Whoever pays to a wallet or from it goes through
 * here: the database alone is not believed about an address.
 *
 * @throws CustodyError `wallet/address-mismatch`
 */
export async function proven(custody: Custody, tx: Queries, wallet: Wallet): Promise<Wallet> {
  if (wallet.kind === 'key') await proveAddress(custody, tx, wallet);
  else await proveContract(custody, tx, wallet);
  return wallet;
}

/** Locks a wallet against every other step that reserves its coins or takes its nonces. */
export async function lockWallet(tx: Transaction, id: string): Promise<Wallet> {
  return walletOf(only(await tx.query('select * from custody.wallet where id = $1 for update', [id])));
}

export type WalletFilter = {
  readonly client?: string;
  readonly compartment?: number;
  readonly chain?: string;
  readonly purpose?: WalletPurpose;
  readonly after: string | null;
  readonly limit: number;
};

/**
 * A page of wallets. Each address is derived again from the certified key; where that gives another one, or the certificate is not
 * the signer's, the wallet is shown with the problem in the place of the address.
 */
export async function walletViews(custody: Custody, filter: WalletFilter): Promise<readonly ListedWalletView[]> {
  const { db } = custody;
  const rows = await db.query(
    `select * from custody.wallet
     where ($1::text is null or client = $1) and ($2::bigint is null or compartment = $2) and ($3::text is null or chain = $3)
       and ($4::text is null or purpose = $4) and ($5::text is null or id > $5)
     order by id limit $6`,
    [
      filter.client ?? null,
      filter.compartment ?? null,
      filter.chain ?? null,
      filter.purpose ?? null,
      filter.after,
      filter.limit,
    ],
  );
  const views: ListedWalletView[] = [];
  for (const row of rows) views.push(await listedView(custody, db, row));
  return views;
}

async function listedView(custody: Custody, db: Queries, row: Row): Promise<ListedWalletView> {
  try {
    return { ...(await provenView(custody, db, row)), problem: null };
  } catch (error) {
    const problem = error instanceof CustodyError ? problemOf(error) : undefined;
    if (problem === undefined) throw error;
    return { ...viewOf(row), address: null, problem };
  }
}

function problemOf({ code }: CustodyError): WalletProblem | undefined {
  return code === 'wallet/address-mismatch' || code === 'signer/certificate-invalid' || code === 'vault/receipt-missing'
    ? code
    : undefined;
}

/** What a row shows, with the address and the residency that the certificate gives. */
export async function provenView(custody: Custody, db: Queries, row: Row): Promise<WalletView> {
  const wallet = await proven(custody, db, walletOf(row));
  if (wallet.kind !== 'key') {
    await expectReceipt(db, wallet.kind === 'vault' ? wallet.id : wallet.vault);
    return viewOf(row);
  }
  const { residency } = await certifiedAddress(custody, db, wallet.key);
  return { ...viewOf(row), keyResidency: residency };
}

/** The vault of a compartment on a chain, or undefined where it has none. Its address may not be shown yet. */
export async function vaultWallet(tx: Queries, chain: ChainId, compartment: Compartment): Promise<Wallet | undefined> {
  const [row] = await tx.query(
    `select * from custody.wallet where chain = $1 and compartment = $2 and kind = 'vault'`,
    [chain, compartment],
  );
  return row === undefined ? undefined : walletOf(row);
}

/** The house wallet with a duty, or undefined while it was not issued. */
export async function houseWallet(tx: Queries, chain: ChainId, purpose: 'gas' | 'fees'): Promise<Wallet | undefined> {
  const [row] = await tx.query(
    'select * from custody.wallet where chain = $1 and compartment = $2 and purpose = $3 order by key_index, key_label limit 1',
    [chain, purpose === 'gas' ? houseGas : houseFees, purpose],
  );
  return row === undefined ? undefined : walletOf(row);
}
