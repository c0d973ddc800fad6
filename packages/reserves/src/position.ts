import {
  type Address,
  type AssetId,
  type BlockRef,
  type Chain,
  type ChainId,
  chainOf,
  type Compartment,
  compartmentFirst,
  CustodyError,
  invariant,
  parseCompartment,
} from '@bulkhead/domain';
import { lastMarker, markerAt, type Marker } from '@bulkhead/ledger';
import { bigint, integer, type Queries, type Transaction } from '@bulkhead/postgres';

/** An address that reserves of a compartment can lie at, and what it is. */
export type ReserveWallet = {
  readonly id: string;
  readonly compartment: Compartment;
  readonly address: Address;
  readonly sort: 'key' | 'vault' | 'forwarder';
};

/** Wallets of a chain, ascending by compartment, each once; the caller answers for the addresses, the books know ids alone. */
export type WalletSource = (tx: Transaction, chain: ChainId) => AsyncIterable<ReserveWallet>;

/** Balances asked of the chain in one call; the adapter batches them by hundreds. */
export const balancesAsked = 10_000;

/**
 * The block that a proof is pinned to: one that is booked whole and that the chain still has; the newest where none is named.
 *
 * @throws CustodyError `reserves/not-covered`, `chain/behind-books`, `chain/finality-violated`
 */
export async function pinnedMarker(
  db: Queries,
  chain: Chain,
  order: { readonly block?: bigint | undefined },
): Promise<Marker> {
  const marker = order.block === undefined ? await lastMarker(db, chain.id) : await markerAt(db, chain.id, order.block);
  if (marker === undefined) {
    const which = order.block === undefined ? 'No block' : `Block ${order.block}`;
    throw new CustodyError(
      'reserves/not-covered',
      `${which} of ${chain.id} is booked whole: a proof is of a block that is final and followed. Name another one, or wait until it is booked.`,
    );
  }
  const { number, hash } = marker.block;
  const found = await chain.hashAt(number);
  if (found === hash) return marker;
  const details = { chain: chain.id, block: number.toString() };
  if (found === undefined) {
    throw new CustodyError(
      'chain/behind-books',
      `${chain.id} has no block ${number}, which is in the books as final: the sources are behind, or serve another chain. Nothing was proven.`,
      { details },
    );
  }
  throw new CustodyError(
    'chain/finality-violated',
    `Block ${number} of ${chain.id} is in the books as ${hash}, and the sources have ${found}. Reconcile before anything is proven.`,
    { details },
  );
}

/** Unix second of a block. @throws CustodyError `chain/unavailable` where it is gone meanwhile */
export async function blockTime(chain: Chain, { number, hash }: BlockRef): Promise<bigint> {
  const block = await chain.block(number, { has: () => false });
  if (block?.hash === hash) return block.timestamp;
  throw new CustodyError(
    'chain/unavailable',
    `${chain.id} gives no block ${number} with the hash ${hash} at this moment.`,
  );
}

/** What the books say lies in each compartment of clients at a block, in the asset's smallest unit. */
export async function bookedReserves(
  tx: Queries,
  at: { readonly asset: AssetId; readonly block: bigint },
): Promise<ReadonlyMap<Compartment, bigint>> {
  const rows = await tx.query(
    `select w.compartment, sum(w.balance) as balance from ledger.wallets_at($1, $2) w
     where w.asset = $3 and w.compartment >= $4 group by w.compartment`,
    [chainOf(at.asset), at.block, at.asset, compartmentFirst.group],
  );
  return new Map(rows.map((row) => [parseCompartment(integer(row, 'compartment')), bigint(row, 'balance')]));
}

/** A wallet that holds something. */
export type HeldWallet = ReserveWallet & { readonly balance: bigint };

/**
 * What the chain says is at wallets, at exactly the pinned block. Wallets of the house are left out, and so are empty ones: a million
 * addresses of deposits mostly are.
 */
export async function* heldWallets(
  chain: Chain,
  at: { readonly asset: AssetId; readonly block: BlockRef },
  wallets: AsyncIterable<ReserveWallet> | Iterable<ReserveWallet>,
): AsyncGenerator<HeldWallet, undefined> {
  let part: ReserveWallet[] = [];
  for await (const wallet of wallets) {
    if (wallet.compartment < compartmentFirst.group) continue;
    part.push(wallet);
    if (part.length < balancesAsked) continue;
    yield* await heldOf(chain, at, part);
    part = [];
  }
  yield* await heldOf(chain, at, part);
}

async function heldOf(
  chain: Chain,
  { asset, block }: { readonly asset: AssetId; readonly block: BlockRef },
  wallets: readonly ReserveWallet[],
): Promise<readonly HeldWallet[]> {
  if (wallets.length === 0) return [];
  const balances = await chain.balances(
    wallets.map(({ address }) => ({ asset, address })),
    block,
  );
  invariant(
    balances.length === wallets.length,
    `${wallets.length} balances were asked for and ${balances.length} came.`,
  );
  return wallets.flatMap((wallet, at) => {
    const balance = balances[at] ?? 0n;
    return balance > 0n ? [{ ...wallet, balance }] : [];
  });
}

/** One compartment: what it owes, what the books say that it has, and what the chain says. In the asset's smallest unit. */
export type CompartmentPosition = {
  readonly compartment: Compartment;
  readonly owed: bigint;
  readonly booked: bigint;
  readonly held: bigint;
};

/** Compartments that a message names; the number of the others is said. */
const namedMax = 5;

/** Compartments whose coins on the chain are other than in the books. */
export function differing(positions: Iterable<CompartmentPosition>): readonly CompartmentPosition[] {
  return [...positions].filter(({ booked, held }) => booked !== held);
}

/**
 * Refuses an epoch in which a compartment has less on the chain than in its books and nobody declared that. What is proven is what the
 * chain has: a declared hole is not proven away, it only no longer stands in the way of the compartment's own proof.
 *
 * @throws CustodyError `reserves/chain-has-less`
 */
export function expectOnChain(positions: Iterable<CompartmentPosition>, declared: ReadonlySet<number>): void {
  const less = [...positions].filter(({ compartment, booked, held }) => held < booked && !declared.has(compartment));
  if (less.length === 0) return;
  const named = less.map(({ compartment, booked, held }) => `compartment ${compartment} has ${held} of ${booked}`);
  throw new CustodyError(
    'reserves/chain-has-less',
    `The chain has less than the books: ${listed(named)}. Reconcile and book what happened, or declare the compartments; nothing was proven.`,
    { details: { compartments: less.length } },
  );
}

/**
 * Refuses an epoch in which a compartment owes more units than it holds, whatever the others have. @throws CustodyError
 * `reserves/insolvent`
 */
export function expectSolvent(
  rows: Iterable<{ readonly compartment: number; readonly liabilities: bigint; readonly reserves: bigint }>,
): void {
  const short = [...rows].filter(({ liabilities, reserves }) => liabilities > reserves);
  if (short.length === 0) return;
  const named = short.map(
    ({ compartment, liabilities, reserves }) =>
      `compartment ${compartment} owes ${liabilities} units and holds ${reserves}`,
  );
  throw new CustodyError(
    'reserves/insolvent',
    `Not every compartment holds what it owes: ${listed(named)}. What others have more does not count. Bring the missing coins there and book them; nothing was proven.`,
    { details: { compartments: short.length } },
  );
}

function listed(named: readonly string[]): string {
  const rest = named.length - namedMax;
  return `${named.slice(0, namedMax).join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
}
