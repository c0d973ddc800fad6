import {
  type Address,
  type AssetId,
  type BlockRef,
  type BreakCause,
  type BreakType,
  type ChainId,
  type Compartment,
  type ReconciliationLine,
  classifyBreak,
  invariant,
  nativeAsset,
  parseAddress,
  parseAssetId,
  parseCompartment,
} from '@bulkhead/domain';
import { bigint, boolean, type Queries, type Row, text } from '@bulkhead/postgres';
import { hash } from './cursor.ts';

export type LineWallet = { readonly id: string; readonly compartment: Compartment; readonly address: Address };

/** What the chain says of one wallet and asset at the pinned block. */
export type ChainPosition = { readonly wallet: LineWallet; readonly asset: AssetId; readonly balance: bigint };

/** One wallet and asset, books against chain, with what we know of how a difference came about. */
export type WalletLine = ReconciliationLine & {
  readonly wallet: LineWallet;
  readonly asset: AssetId;
  readonly difference: bigint;
  readonly type: BreakType | undefined;
  /** Sides and fees that no book knows and that are on their way into none. */
  readonly causes: readonly BreakCause[];
};

/** Block, hash and ledger position up to which everything of the chain is in the books. */
export type Marker = BlockRef & { readonly position: bigint };

export async function chainWallets(db: Queries, chain: ChainId): Promise<readonly LineWallet[]> {
  const rows = await db.query(
    'select id, compartment, address from custody.wallet where chain = $1 order by compartment, key_index',
    [chain],
  );
  return rows.map((row) => ({
    id: text(row, 'id'),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
    address: parseAddress(text(row, 'address')),
  }));
}

/**
 * Holds the chain's balances against the books at the same block. Every position of the books must have been asked of the
 * chain; one that was not is a bug and not a line to leave out.
 */
export async function compareWithBooks(
  tx: Queries,
  chain: ChainId,
  { at, positions }: { at: BlockRef; positions: readonly ChainPosition[] },
): Promise<readonly WalletLine[]> {
  const booked = await walletPositions(tx, chain, at);
  const compared = positions.map((position) => {
    const key = lineKey(position.wallet.id, position.asset);
    const books = booked.get(key) ?? 0n;
    booked.delete(key);
    return { ...position, books, difference: position.balance - books };
  });
  const [left] = [...booked].filter(([, balance]) => balance !== 0n);
  invariant(left === undefined, `The books have a wallet position that the chain was not asked about: ${left?.[0]}.`, {
    chain,
  });
  const differing = compared.filter((line) => line.difference !== 0n).map((line) => line.wallet.id);
  const unbooked = await unbookedSides(tx, chain, { at, wallets: differing });
  return compared.map((line) => {
    const sides = line.difference === 0n ? [] : (unbooked.get(lineKey(line.wallet.id, line.asset)) ?? []);
    const sums = sumsOf(sides);
    const { wallet, asset, books, balance, difference } = line;
    const type = classifyBreak({ books, chain: balance, ...sums });
    const causes = sides.filter((side) => !side.pending).map(({ pending: _pending, ...cause }) => cause);
    return { wallet, asset, books, chain: balance, difference, type, causes, ...sums };
  });
}

export function lineKey(wallet: string, asset: string): string {
  return `${wallet} ${asset}`;
}

async function walletPositions(tx: Queries, chain: ChainId, at: BlockRef): Promise<Map<string, bigint>> {
  const rows = await tx.query('select holder, asset, balance from ledger.wallets_at($1, $2)', [chain, at.number]);
  return new Map(rows.map((row) => [lineKey(text(row, 'holder'), text(row, 'asset')), bigint(row, 'balance')]));
}

/** What the books say is at one wallet at a block. */
export async function walletPosition(
  tx: Queries,
  line: { wallet: string; asset: AssetId; chain: ChainId },
  at: BlockRef,
): Promise<bigint> {
  const [row] = await tx.query('select balance from ledger.wallets_at($1, $2) where holder = $3 and asset = $4', [
    line.chain,
    at.number,
    line.wallet,
    line.asset,
  ]);
  return row === undefined ? 0n : bigint(row, 'balance');
}

/** One of our own sides that no book knows; pending when a workflow has still to book it. */
export type Side = BreakCause & { readonly pending: boolean };

/** What no book knows of one wallet and asset up to a block, as it is now. */
export async function lineSides(
  tx: Queries,
  line: { wallet: string; asset: AssetId; chain: ChainId },
  at: BlockRef,
): Promise<readonly Side[]> {
  const sides = await unbookedSides(tx, line.chain, { at, wallets: [line.wallet] });
  return sides.get(lineKey(line.wallet, line.asset)) ?? [];
}

/**
 * Our own sides of final movements, and fees of our own transactions, that no book explains up to the block. Pending are those
 * that a workflow knows and has still to book: value found late by the balance sweep, or a transaction of a dispatch under way.
 */
async function unbookedSides(
  tx: Queries,
  chain: ChainId,
  { at, wallets }: { at: BlockRef; wallets: readonly string[] },
): Promise<Map<string, readonly Side[]>> {
  if (wallets.length === 0) return new Map();
  const rows = await tx.query(
    `with ours as (
       select id, address from custody.wallet where chain = $1 and id = any ($3)
     ), live as (
       select a.hash from custody.attempt a join custody.dispatch d on d.id = a.dispatch
       where d.chain = $1 and d.step <> 'done' and a.hash is not null
     )
     select o.id as wallet, m.asset, 'in' as kind, m.id as reference, m.amount, m.block_number, m.block_hash,
       exists (select from custody.deposit d where d.movement = m.id and d.step = 'detected')
         or exists (select from live where live.hash = m.transaction_hash) as pending
     from ours o join custody.movement m on m.chain = $1 and m.to_address = o.address
     where m.block_number <= $2 and m.removed_at is null and m.in_explained is null
     union all
     select o.id, m.asset, 'out', m.id, m.amount, m.block_number, m.block_hash,
       exists (select from live where live.hash = m.transaction_hash)
     from ours o join custody.movement m on m.chain = $1 and m.from_address = o.address
     where m.block_number <= $2 and m.removed_at is null and m.out_explained is null
     union all
     select o.id, $4, 'fee', s.transaction_hash, s.fee, s.block_number, s.block_hash,
       exists (select from live where live.hash = s.transaction_hash)
     from ours o join custody.sent s on s.chain = $1 and s.from_address = o.address
     where s.block_number <= $2 and s.removed_at is null and s.explained is null
     order by block_number, kind, reference`,
    [chain, at.number, wallets, nativeAsset(chain)],
  );
  const sides = new Map<string, Side[]>();
  for (const row of rows) {
    const key = lineKey(text(row, 'wallet'), parseAssetId(text(row, 'asset')));
    sides.set(key, [...(sides.get(key) ?? []), sideOf(row)]);
  }
  return sides;
}

function sideOf(row: Row): Side {
  const kind = text(row, 'kind');
  invariant(kind === 'in' || kind === 'out' || kind === 'fee', `"${kind}" is no side of a movement.`);
  return {
    kind,
    reference: text(row, 'reference'),
    amount: bigint(row, 'amount'),
    block: { number: bigint(row, 'block_number'), hash: hash(row, 'block_hash') },
    pending: boolean(row, 'pending'),
  };
}

function sumsOf(sides: readonly Side[]): Omit<ReconciliationLine, 'books' | 'chain'> {
  const sum = (kind: Side['kind'], pending: boolean): bigint =>
    sides
      .filter((side) => side.kind === kind && side.pending === pending)
      .reduce((total, side) => total + side.amount, 0n);
  return {
    unbookedIn: sum('in', false),
    unbookedOut: sum('out', false),
    unbookedFees: sum('fee', false),
    pendingIn: sum('in', true),
    pendingOut: sum('out', true) + sum('fee', true),
  };
}

/**
 * The equation of each book at a marker: what is at the wallets by block equals claims less receivables by ledger position.
 * It holds by the order of posting, since everything of a block is posted before its marker and nothing of a later one is.
 * Corrections that were dated back to a block after its marker are taken off the wallets' side.
 */
export async function checkEquation(tx: Queries, chain: ChainId, marker: Marker): Promise<void> {
  const [wrong] = await tx.query(
    `with wallets as (
       select book, sum(balance) as total from ledger.wallets_at($1, $2) group by book
     ), claims as (
       select book, sum(case side when 'credit' then balance else -balance end) as total from ledger.claims_at($1, $3) group by book
     ), later as (
       select book, sum(case debit_kind when 'wallet' then amount else 0 end - case credit_kind when 'wallet' then amount else 0 end) as total
       from ledger.transfers
       where chain = $1 and position > $3 and block_number <= $2 group by book
     )
     select b.compartment, b.asset, coalesce(w.total, 0) - coalesce(l.total, 0) as wallets, coalesce(c.total, 0) as claims
     from ledger.books b
     left join wallets w on w.book = b.book left join claims c on c.book = b.book left join later l on l.book = b.book
     where b.chain = $1 and coalesce(w.total, 0) - coalesce(l.total, 0) <> coalesce(c.total, 0)
     order by b.compartment, b.asset limit 1`,
    [chain, marker.number, marker.position],
  );
  if (wrong === undefined) return;
  const book = `compartment ${bigint(wrong, 'compartment')}, ${text(wrong, 'asset')}`;
  invariant(
    false,
    `The books contradict themselves at block ${marker.number}: wallets of ${book} hold ${bigint(wrong, 'wallets')}, claims less receivables are ${bigint(wrong, 'claims')}.`,
    { chain, block: marker.number.toString(), position: marker.position.toString() },
  );
}
