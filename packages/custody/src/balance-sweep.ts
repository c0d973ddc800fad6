import {
  type Address,
  type AssetId,
  bisectDifference,
  type BlockRef,
  type Chain,
  type ChainId,
  type Compartment,
  CustodyError,
  type DepositState,
  type FoundDifference,
  invariant,
  nativeAsset,
  parseAddress,
  parseCompartment,
} from '@bulkhead/domain';
import { walletPositionsAt } from '@bulkhead/ledger';
import { bigint, type Queries, type Row, text, type Transaction } from '@bulkhead/postgres';
import { eventTopic } from '@bulkhead/vaults';
import { chainPort, type Cursor, lockCursor, movingCursor, storedBlock } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { storeFoundMovement } from './movement.ts';
import { writeState } from './state.ts';

/** Wallets whose balances are asked for together. */
export const sweepPageWallets = 1_000;
/** Searches that one sweep makes at one wallet; each finds at most one arrival, and the next sweep goes on. */
export const sweepSearchesMax = 16;

export type Swept = {
  /** Height up to which all balances were looked at, and wallets that were. */
  readonly height: bigint;
  readonly wallets: number;
  /** Arrivals that nothing had shown. */
  readonly found: number;
};

/** Whether as many blocks were booked since the last sweep as the policy allows. */
export async function sweepDue(custody: Custody, chain: ChainId): Promise<boolean> {
  const cursor = await movingCursor(custody.db, chain);
  return cursor.final.number - cursor.swept >= custody.policy.balanceSweepBlocks;
}

/**
 * Holds the native balance of every wallet at the final block against the books, because value can come without a transaction,
 * a log or a trace: forced by a self-destruct, as a block reward, or inside a call at a node without traces. What is there and
 * not explained is searched down to its block and stored as a movement of that block with a deposit nobody can explain; the
 * next block that is booked takes it into suspense. What is missing is left to reconciliation.
 *
 * It may end anywhere and begin again: what was found is stored under the identity of its block and address, once, and `swept`
 * moves only when every wallet was looked at. Two at once find the same.
 */
export async function sweepBalances(custody: Custody, chain: ChainId, signal?: AbortSignal): Promise<Swept> {
  const port = chainPort(custody, chain);
  const cursor = await movingCursor(custody.db, chain);
  const range = { port, from: cursor.swept, to: cursor.final };
  let wallets = 0;
  let found = 0;
  let explained = true;
  if (cursor.final.number === cursor.swept) return { height: cursor.swept, wallets, found };
  const booked = await bookedNative(custody.db, chain, cursor.final);
  for (let after = ''; signal?.aborted !== true;) {
    const page = await walletPage(custody.db, chain, after);
    const suspects = await surplusWallets(custody, page, { ...range, booked });
    for (const wallet of suspects) {
      const search = await explain(custody, wallet, range);
      found += search.found;
      explained &&= search.ended;
    }
    wallets += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < sweepPageWallets) {
      // Where a search did not come to its end the range stays, and the next sweep looks at it again.
      if (explained) await moveSwept(custody, chain, cursor);
      return { height: cursor.final.number, wallets, found };
    }
    after = last.address;
  }
  return { height: cursor.swept, wallets, found };
}

/**
 * The same of the vaults whose exit is in a block that is about to be booked, up to the block before: an exit takes what came unseen
 * as well, and afterwards no balance tells of it any more.
 */
export async function sweepBeforeExits(custody: Custody, chain: ChainId, block: BlockRef): Promise<void> {
  const rows = await custody.db.query(
    `select distinct w.id, w.address, w.compartment from custody.vault_event e
     join custody.wallet w on w.chain = e.chain and w.address = e.address and w.kind = 'vault'
     where e.chain = $1 and e.block_hash = $2 and e.removed_at is null and e.topics ->> 0 = $3 order by w.address`,
    [chain, block.hash, eventTopic(hashes, 'Exited')],
  );
  if (rows.length === 0) return;
  const { swept, final } = await movingCursor(custody.db, chain);
  if (final.number >= block.number) return;
  const range = { port: chainPort(custody, chain), from: swept, to: final };
  const booked = await bookedNative(custody.db, chain, final);
  const suspects = await surplusWallets(custody, rows.map(sweepWalletOf), { ...range, booked });
  for (const wallet of suspects) await explain(custody, wallet, range);
}

type SweepWallet = { readonly id: string; readonly address: Address; readonly compartment: Compartment };
type SweepRange = { readonly port: Chain; readonly from: bigint; readonly to: BlockRef };

async function walletPage(db: Queries, chain: ChainId, after: string): Promise<readonly SweepWallet[]> {
  const rows = await db.query(
    'select id, address, compartment from custody.wallet where chain = $1 and address > $2 order by address limit $3',
    [chain, after, sweepPageWallets],
  );
  return rows.map(sweepWalletOf);
}

function sweepWalletOf(row: Row): SweepWallet {
  return {
    id: text(row, 'id'),
    address: parseAddress(text(row, 'address')),
    compartment: parseCompartment(Number(bigint(row, 'compartment'))),
  };
}

async function bookedNative(db: Queries, chain: ChainId, at: BlockRef): Promise<ReadonlyMap<string, bigint>> {
  const native = nativeAsset(chain);
  const positions = await walletPositionsAt(db, chain, at.number);
  return new Map(positions.filter(({ asset }) => asset === native).map(({ wallet, balance }) => [wallet, balance]));
}

/** The wallets of a page that have more than the books and what is known and not booked explain. */
async function surplusWallets(
  custody: Custody,
  page: readonly SweepWallet[],
  { port, to, booked }: SweepRange & { readonly booked: ReadonlyMap<string, bigint> },
): Promise<readonly SweepWallet[]> {
  if (page.length === 0) return [];
  const asset = nativeAsset(port.id);
  const balances = await port.balances(
    page.map(({ address }) => ({ asset, address })),
    to,
  );
  const unbooked = await unbookedNative(custody.db, {
    chain: port.id,
    asset,
    at: to,
    addresses: page.map(({ address }) => address),
  });
  return page.filter(({ id, address }, index) => {
    const balance = balances[index];
    invariant(balance !== undefined, 'The chain answered fewer balances than it was asked for.');
    return balance > (booked.get(id) ?? 0n) + (unbooked.get(address) ?? 0n);
  });
}

type UnbookedQuery = {
  readonly chain: ChainId;
  readonly asset: AssetId;
  readonly at: BlockRef;
  readonly addresses: readonly Address[];
};

/** What movements and fees that no book explains did to each address, up to a block. */
async function unbookedNative(
  db: Queries,
  { chain, asset, at, addresses }: UnbookedQuery,
): Promise<ReadonlyMap<string, bigint>> {
  const rows = await db.query(
    `select address, sum(change) as change from (
       select m.to_address as address, m.amount as change from custody.movement m
       where m.chain = $1 and m.asset = $2 and m.to_address = any ($4) and m.block_number <= $3 and m.removed_at is null and m.in_explained is null
       union all
       select m.from_address, -m.amount from custody.movement m
       where m.chain = $1 and m.asset = $2 and m.from_address = any ($4) and m.block_number <= $3 and m.removed_at is null and m.out_explained is null
       union all
       select s.from_address, -s.fee from custody.sent s
       where s.chain = $1 and s.from_address = any ($4) and s.block_number <= $3 and s.removed_at is null and s.explained is null
     ) changes group by address`,
    [chain, asset, at.number, addresses],
  );
  return new Map(rows.map((row) => [text(row, 'address'), bigint(row, 'change')]));
}

/** Searches what came to one wallet unseen, in the order the halving has it, and stores each as found. */
async function explain(
  custody: Custody,
  wallet: SweepWallet,
  range: SweepRange,
): Promise<{ readonly found: number; readonly ended: boolean }> {
  let found = 0;
  for (let search = 0; search < sweepSearchesMax; search += 1) {
    const changes = await knownChanges(custody.db, wallet.address, range);
    const difference = await bisectDifference(range.port, {
      address: wallet.address,
      from: range.from,
      to: range.to.number,
      expected: (height) => changesUpTo(changes, height),
    });
    // A difference that was there before the range, or that lowers the balance, is nothing this sweep can explain.
    if (difference === undefined || difference.movement.to === undefined) return { found, ended: true };
    if (await storeFound(custody, wallet, { range, difference, changes })) found += 1;
  }
  return { found, ended: false };
}

type Change = { readonly height: bigint; readonly amount: bigint };

/** What is known to have changed the native balance of an address in the range, booked or not, in one statement: at one moment. */
async function knownChanges(db: Queries, address: Address, { port, from, to }: SweepRange): Promise<readonly Change[]> {
  const rows = await db.query(
    `select m.block_number as height, case when m.to_address = $3 then m.amount else 0 end - case when m.from_address = $3 then m.amount else 0 end as amount
     from custody.movement m
     where m.chain = $1 and m.asset = $2 and (m.to_address = $3 or m.from_address = $3) and m.removed_at is null
       and m.block_number > $4 and m.block_number <= $5
     union all
     select s.block_number, -s.fee from custody.sent s
     where s.chain = $1 and s.from_address = $3 and s.removed_at is null and s.block_number > $4 and s.block_number <= $5`,
    [port.id, nativeAsset(port.id), address, from, to.number],
  );
  return rows.map((row) => ({ height: bigint(row, 'height'), amount: bigint(row, 'amount') }));
}

function changesUpTo(changes: readonly Change[], height: bigint): bigint {
  return changes.reduce((sum, change) => (change.height <= height ? sum + change.amount : sum), 0n);
}

type Found = { readonly range: SweepRange; readonly difference: FoundDifference; readonly changes: readonly Change[] };

/**
 * Stores what was found. Under the lock of the cursor nothing that was final can change, so if what is known by now is what the
 * search started from, the difference is still unexplained; otherwise somebody else explained it and nothing is stored.
 */
async function storeFound(
  custody: Custody,
  wallet: SweepWallet,
  { range, difference, changes }: Found,
): Promise<boolean> {
  const { block, movement } = difference;
  const chain = range.port.id;
  const now = custody.clock.now();
  return custody.db.transaction(async (tx) => {
    const { final } = await lockCursor(tx, chain);
    const stored = await storedBlock(tx, chain, block.number);
    if (stored?.hash !== block.hash || block.number > final.number) return false;
    const known = await knownChanges(tx, wallet.address, range);
    if (changesUpTo(known, block.number) !== changesUpTo(changes, block.number)) return false;
    const id = await storeFoundMovement(tx, movement, { chain, block, now });
    if (id === undefined) return false;
    await openUnexplained(tx, { wallet, chain, movement: { id, asset: movement.asset, amount: movement.amount }, now });
    return true;
  });
}

type Unexplained = {
  readonly wallet: SweepWallet;
  readonly chain: ChainId;
  readonly movement: { readonly id: string; readonly asset: AssetId; readonly amount: bigint };
  readonly now: Date;
};

async function openUnexplained(tx: Transaction, { wallet, chain, movement, now }: Unexplained): Promise<void> {
  const id = newId('dep', now);
  const state: DepositState = { step: 'detected' };
  await tx.query(
    `insert into custody.deposit (id, movement, chain, compartment, wallet, asset, amount, step, state, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, 'detected', $8, $9, $9)`,
    [id, movement.id, chain, wallet.compartment, wallet.id, movement.asset, movement.amount, writeState(state), now],
  );
  await record(tx, now, {
    actor: machine,
    subject: id,
    event: 'deposit-found',
    data: { movement: movement.id, amount: movement.amount },
  });
}

/** All wallets were looked at: the next sweep begins above. Never back, should a slower sweep end later. */
async function moveSwept(custody: Custody, chain: ChainId, cursor: Cursor): Promise<void> {
  await custody.db.query(
    'update custody.chain_cursor set swept_number = greatest(swept_number, $2), updated_at = $3 where chain = $1',
    [chain, cursor.final.number, custody.clock.now()],
  );
}

/**
 * A sweep before a reconciliation that somebody asks for: coin that came without a trace is then on its way to suspense, and not
 * a difference nobody can explain, which would freeze a compartment for a stranger's gift. A chain that stands still is
 * reconciled as it is.
 */
export async function lookForUnseen(custody: Custody, chain: ChainId): Promise<void> {
  try {
    await sweepBalances(custody, chain);
  } catch (error) {
    if (!(error instanceof CustodyError) || (error.code !== 'chain/stopped' && error.code !== 'chain/unknown')) {
      throw error;
    }
  }
}
