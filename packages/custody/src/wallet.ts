import {
  type AccountXpub,
  type Address,
  type ChainId,
  type Compartment,
  type KeyPath,
  CustodyError,
  checksumAddress,
  houseFees,
  houseGas,
  kindOf,
  parseAddress,
  parseChainId,
  parseCompartment,
  refuse,
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
import { ensureCompartment, ensurePool, findClient } from './client.ts';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';

/** `unassigned`: issued, but to no client yet: what arrives there is suspense until two people say whose it is. */
export type WalletPurpose = 'deposit' | 'unassigned' | 'pool' | 'gas' | 'fees';

/** How readily a wallet signs: by itself, after people, or only where nothing else reaches it. */
export type WalletTier = 'hot' | 'warm' | 'cold';

/** One address of one compartment on one chain. */
export type Wallet = {
  readonly id: string;
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly path: KeyPath;
  readonly address: Address;
  readonly client: string | undefined;
  readonly purpose: WalletPurpose;
  readonly nextNonce: bigint | undefined;
};

export type WalletView = {
  readonly id: string;
  readonly chain: string;
  readonly compartment: number;
  readonly clientId: string | null;
  readonly address: string;
  readonly kind: 'key';
  readonly purpose: WalletPurpose;
  readonly tier: WalletTier;
  readonly keyResidency: string;
  readonly derivationPath: string;
  readonly createdAt: string;
};

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

export function walletOf(row: Row): Wallet {
  const compartment = parseCompartment(Number(bigint(row, 'compartment')));
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    compartment,
    path: { compartment, index: Number(bigint(row, 'key_index')) },
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
    kind: 'key',
    purpose: wallet.purpose,
    tier: tierOf(text(row, 'tier')),
    keyResidency: text(row, 'residency'),
    derivationPath: `m/44'/60'/${wallet.compartment}'/0/${wallet.path.index}`,
    createdAt: date(row, 'created_at').toISOString(),
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
  const rows = await tx.query('select * from custody.wallet where chain = $1 and compartment = $2 order by key_index', [
    chain,
    compartment,
  ]);
  return rows.map(walletOf);
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

export async function walletViews(tx: Queries, filter: WalletFilter): Promise<readonly WalletView[]> {
  const rows = await tx.query(
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
  return rows.map(viewOf);
}

/** Xpubs do not change: asked from the signer once per compartment and process. */
const xpubs = new WeakMap<Custody, Map<Compartment, Promise<AccountXpub>>>();

async function accountXpub(custody: Custody, compartment: Compartment): Promise<AccountXpub> {
  const known = xpubs.get(custody) ?? new Map<Compartment, Promise<AccountXpub>>();
  xpubs.set(custody, known);
  const asked = known.get(compartment) ?? custody.signer.accountXpub(compartment);
  known.set(compartment, asked);
  try {
    return await asked;
  } catch (error) {
    known.delete(compartment);
    throw error;
  }
}

type Issue = {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly client?: string;
  readonly purpose: WalletPurpose;
  readonly actor: Actor;
  readonly now: Date;
};

/**
 * Issues the next address of a compartment. The counter row is locked from reading the index to the commit, so an index is
 * given out once; a crash before the commit gives it out again, and nobody has seen the address yet.
 */
async function issue(custody: Custody, tx: Transaction, order: Issue): Promise<WalletView> {
  const { chain, compartment, now } = order;
  await tx.query('insert into custody.address_counter (chain, compartment) values ($1, $2) on conflict do nothing', [
    chain,
    compartment,
  ]);
  const counter = only(
    await tx.query('select next_index from custody.address_counter where chain = $1 and compartment = $2 for update', [
      chain,
      compartment,
    ]),
  );
  const index = Number(bigint(counter, 'next_index'));
  const address = custody.deriveAddress(await accountXpub(custody, compartment), index);
  await tx.query('update custody.address_counter set next_index = $3 where chain = $1 and compartment = $2', [
    chain,
    compartment,
    index + 1,
  ]);
  const id = newId('wal', now);
  const row = only(
    await tx.query(
      `insert into custody.wallet (id, chain, compartment, key_index, address, client, purpose, residency, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`,
      [id, chain, compartment, index, address, order.client ?? null, order.purpose, custody.signer.residency, now],
    ),
  );
  await record(tx, now, {
    actor: order.actor,
    subject: id,
    event: 'address-issued',
    data: { chain, compartment, index, address },
  });
  return viewOf(row);
}

function chainKnown(custody: Custody, chain: ChainId): void {
  if (!custody.chains.has(chain)) {
    const known = [...custody.chains.keys()].join(', ');
    throw new CustodyError('chain/unknown', `${chain} is not configured; configured are: ${known}.`);
  }
}

/** Issues a deposit address to a client, in the compartment that the client's segregation model gives on that chain. */
export async function issueClientWallet(
  custody: Custody,
  call: WriteCall,
  input: { clientId: string; chain: ChainId },
): Promise<Answer<WalletView>> {
  chainKnown(custody, input.chain);
  return command(custody, call, async (tx, now) => {
    const client = await findClient(tx, input.clientId);
    if (client === undefined) return notFound('client', input.clientId);
    if (client.agreementId === null) {
      return refuse(
        'agreement/missing',
        `Client ${client.id} has no custody agreement on record; MiCA article 75(1) wants one before assets are held. Record it with POST /v1/clients/${client.id}/agreements.`,
        { client: client.id },
      );
    }
    const order = { chain: input.chain, actor: call.actor, now };
    const compartment = await ensureCompartment(custody, tx, { ...order, client });
    if (kindOf(compartment) === 'omnibus') await ensurePurpose(custody, tx, { ...order, compartment, purpose: 'pool' });
    return issue(custody, tx, { ...order, compartment, client: client.id, purpose: 'deposit' });
  });
}

/** Issues an address that belongs to no client: a house wallet, a pool, or a deposit address to be assigned later. */
export async function issueCompartmentWallet(
  custody: Custody,
  call: WriteCall,
  input: { compartment: Compartment; chain: ChainId; purpose: Exclude<WalletPurpose, 'deposit'> },
): Promise<Answer<WalletView>> {
  chainKnown(custody, input.chain);
  const { compartment, chain, purpose } = input;
  const kind = kindOf(compartment);
  return command(custody, call, async (tx, now) => {
    const fits =
      (purpose === 'gas' && compartment === houseGas) ||
      (purpose === 'fees' && compartment === houseFees) ||
      (purpose === 'pool' && kind === 'omnibus') ||
      (purpose === 'unassigned' && (kind === 'omnibus' || kind === 'group'));
    if (!fits) {
      return refuse(
        'compartment/wrong-kind',
        `Compartment ${compartment} (${kind}) takes no ${purpose} wallet: gas belongs in ${houseGas}, fees in ${houseFees}, a pool in an omnibus compartment; individual addresses are issued to their client.`,
        { compartment, purpose },
      );
    }
    const order = { chain, compartment, purpose, actor: call.actor, now };
    await ensurePool(tx, compartment, now);
    return purpose === 'unassigned' ? issue(custody, tx, order) : ensurePurpose(custody, tx, order);
  });
}

/** The one wallet of a compartment with a purpose, issued on first use. */
async function ensurePurpose(custody: Custody, tx: Transaction, order: Issue): Promise<WalletView> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7403))', [
    `${order.chain} ${order.compartment} ${order.purpose}`,
  ]);
  const [known] = await tx.query(
    'select * from custody.wallet where chain = $1 and compartment = $2 and purpose = $3 order by key_index limit 1',
    [order.chain, order.compartment, order.purpose],
  );
  return known === undefined ? issue(custody, tx, order) : viewOf(known);
}

/** The house wallet with a duty, or undefined while it was not issued. */
export async function houseWallet(tx: Queries, chain: ChainId, purpose: 'gas' | 'fees'): Promise<Wallet | undefined> {
  const [row] = await tx.query(
    'select * from custody.wallet where chain = $1 and compartment = $2 and purpose = $3 order by key_index limit 1',
    [chain, purpose === 'gas' ? houseGas : houseFees, purpose],
  );
  return row === undefined ? undefined : walletOf(row);
}
