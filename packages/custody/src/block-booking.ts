import {
  type Address,
  type AssetId,
  type BlockRef,
  type ChainId,
  type Compartment,
  CustodyError,
  type TransferRequest,
  contractOf,
  invariant,
  parseAddress,
} from '@bulkhead/domain';
import { openBook } from '@bulkhead/ledger';
import { boolean, only, type Queries, text, type Transaction } from '@bulkhead/postgres';
import { dispositionOf } from './arrival.ts';
import { listAssets } from './asset.ts';
import { firstRefusal, postAll } from './books.ts';
import { type Custody, machine } from './custody.ts';
import { detectDeposits, stepped } from './deposit-detection.ts';
import { leaveDeposits } from './deposit-left.ts';
import { depositColumns, depositOf, stepDeposit } from './deposit-row.ts';
import { enqueue } from './job.ts';
import {
  blockSent,
  movementColumns,
  movementOf,
  movesNothing,
  type StoredMovement,
  type StoredSent,
  toItself,
} from './movement.ts';
import { type ExplainedBy, type Settled, settleSent } from './settlement.ts';
import { askForVaultChecks } from './vault-code.ts';
import { wakeDue } from './vault-due.ts';
import { outflowGroup, settleVaults, type VaultsSettled } from './vault-settlement.ts';
import { wakeMoves, wakeWaiting } from './waking.ts';
import { type Wallet, walletOf } from './wallet.ts';

/** How long after a payment nobody ordered the chain is reconciled: the block has its coverage marker by then. */
export const alarmDelayMs = 5_000;

/** Why a credit was allowed; stored with each deposit. */
export type FinalityRule = {
  readonly rule: 'finalized';
  /** The final block that stood on top of the credited one. */
  readonly block: { readonly number: string; readonly hash: string };
  readonly sources: readonly string[];
  readonly required: number;
  readonly reachedAt: string;
};

export type FinalBlock = {
  readonly chain: ChainId;
  readonly block: BlockRef;
  readonly movements: readonly StoredMovement[];
  /** What token movements really brought, by movement id. */
  readonly credits: ReadonlyMap<string, bigint>;
  /** What people decided about vaults and whose nonces this block has used. */
  readonly decided: ReadonlySet<string>;
  readonly rule: FinalityRule;
  readonly now: Date;
};

export type OurWallets = ReadonlyMap<Address, Wallet>;

export function addressesOf(
  movements: readonly StoredMovement[],
  sent: readonly StoredSent[] = [],
): readonly Address[] {
  return [...movements.flatMap(({ from, to }) => [from, to]), ...sent.map(({ from }) => from)].filter(
    (address) => address !== undefined,
  );
}

export async function walletsByAddress(
  db: Queries,
  chain: ChainId,
  addresses: readonly Address[],
): Promise<OurWallets> {
  if (addresses.length === 0) return new Map();
  const rows = await db.query('select * from custody.wallet where chain = $1 and address = any ($2)', [
    chain,
    [...new Set(addresses)],
  ]);
  return new Map(rows.map((row) => [parseAddress(text(row, 'address')), walletOf(row)]));
}

/**
 * Books everything in a block that became final and moves the final block there. The caller holds the cursor. Rows are locked
 * and written in the order cursor, dispatches, withdrawals, deposits, wallets; the books come last and in one call.
 */
export async function bookFinalBlock(custody: Custody, tx: Transaction, final: FinalBlock): Promise<void> {
  const { chain, block, movements, now } = final;
  const sent = await blockSent(tx, chain, block.hash);
  const wallets = await walletsByAddress(tx, chain, addressesOf(movements, sent));
  const ours = sent.flatMap(({ from, ...rest }) => {
    const wallet = wallets.get(from);
    invariant(wallet !== undefined, 'A stored transaction was sent by an address that is not ours.', { from });
    return [{ ...rest, wallet: wallet.id }];
  });
  const settled = await settleSent(custody, tx, { chain, block, sent: ours, now });
  const { credits, decided } = final;
  const vaults = await settleVaults(custody, tx, { chain, block, movements, credits, decided, now });
  await askForVaultChecks(tx, { chain, block });
  await wakeDue(tx, { chain, block });
  await detectDeposits(tx, { chain, block: block.hash, now });
  const credited = await creditDeposits(tx, { ...final, wallets, settled, vaults });
  await explainMovements(tx, { movements, wallets, settled, vaults, deposits: credited.deposits });
  await explainSent(tx, { chain, block, settled });
  await passNonces(tx, chain, sent);
  await tx.query(
    'update custody.chain_cursor set final_number = $2, final_hash = $3, updated_at = $4 where chain = $1',
    [chain, block.number, block.hash, now],
  );
  // Coins that came and fees that fell are what workflows wait for.
  if (movements.length > 0 || sent.length > 0) {
    await wakeWaiting(tx, { chain });
    await wakeMoves(tx, chain);
  }
  if (await strangersWereHere(tx, { chain, block })) {
    // Whoever moved our coins has a key of ours. The books do not wait for the night to find the hole and freeze what it is in.
    await enqueue(tx, { task: 'reconcile', id: chain }, new Date(now.getTime() + alarmDelayMs));
  }
  const groups = [...settled.groups, ...vaults.groups, ...credited.groups];
  await openBooks(tx, groups);
  await postAll(tx, groups, now);
  // One after the other: what an exit debits is what the rest of the block, and the exits before it, left in the claims.
  for (const outflow of vaults.outflows) {
    const group = await outflowGroup(tx, outflow);
    await openBooks(tx, [group]);
    const refused = await firstRefusal(tx, [group], now);
    if (refused !== undefined) {
      // The claims were read a moment ago, and a command has held some of them since: with it the block is booked anew.
      throw new CustodyError(
        'database/busy',
        `The books refuse ${refused.transfer.code}: ${refused.reason}. Try again.`,
      );
    }
    const { compartment, asset, wallet } = outflow.outflow;
    await leaveDeposits(tx, { compartment, asset, wallet, group, now });
  }
}

/** Whether the block has a payment or a transaction of one of our addresses that no dispatch of ours ordered. */
async function strangersWereHere(
  tx: Queries,
  { chain, block }: { readonly chain: ChainId; readonly block: BlockRef },
): Promise<boolean> {
  const row = only(
    await tx.query(
      `select exists (select 1 from custody.sent s where s.chain = $1 and s.block_hash = $2 and s.explained is null)
         or exists (
           select 1 from custody.movement m join custody.wallet w on w.chain = m.chain and w.address = m.from_address
           where m.chain = $1 and m.block_hash = $2 and m.out_explained is null and m.amount > 0
         ) as strangers`,
      [chain, block.hash],
    ),
  );
  return boolean(row, 'strangers');
}

type Crediting = FinalBlock & {
  readonly wallets: OurWallets;
  readonly settled: Settled;
  readonly vaults: VaultsSettled;
};
type Credited = {
  readonly groups: readonly (readonly TransferRequest[])[];
  readonly deposits: ReadonlyMap<string, string>;
};

/**
 * Credits the deposits of the block, and those that the balance sweep found in earlier ones: whatever the chain did is posted
 * by whoever holds its cursor, and by nobody else.
 */
async function creditDeposits(tx: Transaction, crediting: Crediting): Promise<Credited> {
  const { chain, block, wallets, settled, now } = crediting;
  const rows = await tx.query(
    `select ${depositColumns} from custody.deposit d join custody.movement m on m.id = d.movement
     where d.chain = $1 and d.step = 'detected' and m.removed_at is null
       and (m.block_hash = $2 or (m.kind = 'balance-difference' and m.block_number <= $3))
     order by d.id for update of d`,
    [chain, block.hash, block.number],
  );
  const found = rows.map(depositOf);
  const movements = await movementsById(
    tx,
    found.map(({ movement }) => movement),
  );
  const receivers = await walletsById(
    tx,
    found.map(({ terms }) => terms.wallet),
  );
  const dust = await dustLimits(tx, chain);
  const deposits = new Map<string, string>();
  const groups: (readonly TransferRequest[])[] = [];
  for (const deposit of found) {
    const movement = movements.get(deposit.movement);
    const receiver = receivers.get(deposit.terms.wallet);
    const dustMax = dust.get(deposit.terms.asset);
    invariant(
      movement !== undefined && receiver !== undefined && dustMax !== undefined,
      'A deposit lacks what it was made from.',
      {
        id: deposit.terms.id,
      },
    );
    const dispatch = movement.transaction === undefined ? undefined : settled.explained.get(movement.transaction);
    const sender = movement.from === undefined ? undefined : wallets.get(movement.from);
    const bySender = isOrdered(dispatch, { asset: movement.asset, sender });
    const ordered = bySender || crediting.vaults.out.has(movement.id);
    invariant(
      !bySender || dispatch?.toWallet !== receiver.id,
      'A deposit was opened for what a dispatch of ours brought.',
      { id: deposit.terms.id },
    );
    const credited = creditedBy(movement, crediting.credits);
    const { purpose, client } = receiver;
    const fromOwnWallet = sender !== undefined && !ordered;
    const disposition = dispositionOf({ kind: movement.kind, credited, dustMax, purpose, client, fromOwnWallet });
    const owner = disposition === 'client' && client !== undefined ? { client } : {};
    const event = { type: 'finalized', block: movement.block, credited, disposition, ...owner } as const;
    const { transfers } = stepped(
      await stepDeposit(tx, { deposit, event, actor: machine, now, finality: crediting.rule }),
    );
    groups.push(...transfers);
    deposits.set(movement.id, deposit.terms.id);
    // The block of what the sweep found was booked before; its movement is not among those of this one.
    if (movement.block.hash !== block.hash) {
      await tx.query('update custody.movement set in_explained = $2 where id = $1', [movement.id, deposit.terms.id]);
    }
  }
  return { groups, deposits };
}

/** Whether a dispatch ordered this payment: whatever else its transaction set off, others paid or took. */
function isOrdered(
  by: ExplainedBy | undefined,
  { asset, sender }: { readonly asset: AssetId; readonly sender: Wallet | undefined },
): boolean {
  return by !== undefined && by.asset === asset && by.wallet === sender?.id;
}

/** Native coin is credited as it was seen; of a token, what the balance says came. */
function creditedBy(movement: StoredMovement, credits: ReadonlyMap<string, bigint>): bigint {
  if (contractOf(movement.asset) === undefined) return movement.amount;
  const credited = credits.get(movement.id);
  invariant(credited !== undefined, 'A token arrived and its balance was not asked for.', { movement: movement.id });
  return credited;
}

async function movementsById(tx: Queries, ids: readonly string[]): Promise<ReadonlyMap<string, StoredMovement>> {
  const rows = await tx.query(`select ${movementColumns} from custody.movement m where m.id = any ($1)`, [ids]);
  return new Map(rows.map(movementOf).map((movement) => [movement.id, movement]));
}

async function walletsById(tx: Queries, ids: readonly string[]): Promise<ReadonlyMap<string, Wallet>> {
  const rows = await tx.query('select * from custody.wallet where id = any ($1)', [ids]);
  return new Map(rows.map(walletOf).map((wallet) => [wallet.id, wallet]));
}

async function dustLimits(tx: Queries, chain: ChainId): Promise<ReadonlyMap<string, bigint>> {
  const assets = await listAssets(tx, chain);
  return new Map(assets.map((asset) => [asset.id, asset.dustMax]));
}

type Explaining = {
  readonly movements: readonly StoredMovement[];
  readonly wallets: OurWallets;
  readonly settled: Settled;
  readonly vaults: VaultsSettled;
  /** Deposits by the movement they were made from. */
  readonly deposits: ReadonlyMap<string, string>;
};

/**
 * Writes down what booked each of our own sides. A side that nothing booked stays open: value that left without a dispatch of
 * ours is not booked by a machine, reconciliation reports it.
 */
async function explainMovements(
  tx: Transaction,
  { movements, wallets, settled, vaults, deposits }: Explaining,
): Promise<void> {
  const sides = movements.map(({ id, asset, from, to, amount, transaction }) => {
    if (amount === 0n) return { id, out: movesNothing, in: movesNothing };
    if (from === to) return { id, out: toItself, in: toItself };
    const by = transaction === undefined ? undefined : settled.explained.get(transaction);
    const sender = from === undefined ? undefined : wallets.get(from);
    const receiver = to === undefined ? undefined : wallets.get(to);
    const ordered = isOrdered(by, { asset, sender }) ? by : undefined;
    const sent = ordered?.dispatch ?? null;
    const brought = receiver !== undefined && ordered?.toWallet === receiver.id ? ordered.dispatch : null;
    return {
      id,
      out: sent ?? vaults.out.get(id) ?? null,
      in: brought ?? vaults.in.get(id) ?? deposits.get(id) ?? null,
    };
  });
  if (sides.length === 0) return;
  await tx.query(
    `update custody.movement m set out_explained = s.out, in_explained = s.in
     from unnest($1::text[], $2::text[], $3::text[]) as s (id, out, "in") where m.id = s.id`,
    [sides.map((side) => side.id), sides.map((side) => side.out), sides.map((side) => side.in)],
  );
}

async function explainSent(
  tx: Transaction,
  final: { readonly chain: ChainId; readonly block: BlockRef; readonly settled: Settled },
): Promise<void> {
  for (const [hash, { dispatch }] of final.settled.explained) {
    await tx.query(
      'update custody.sent set explained = $4 where chain = $1 and block_hash = $2 and transaction_hash = $3',
      [final.chain, final.block.hash, hash, dispatch],
    );
  }
}

/** A nonce that the chain has seen is used up, whoever used it: no dispatch may be given it any more. */
async function passNonces(tx: Transaction, chain: ChainId, sent: readonly StoredSent[]): Promise<void> {
  if (sent.length === 0) return;
  await tx.query(
    `update custody.wallet w set next_nonce = s.next
     from (select address, max(nonce) + 1 as next from unnest($2::text[], $3::numeric[]) as u (address, nonce) group by address) s
     where w.chain = $1 and w.address = s.address and coalesce(w.next_nonce, 0) < s.next`,
    [chain, sent.map((one) => one.from), sent.map((one) => one.nonce)],
  );
}

/** Opens the books that are posted to for the first time. */
async function openBooks(tx: Transaction, groups: readonly (readonly TransferRequest[])[]): Promise<void> {
  const books = new Map<string, { readonly compartment: Compartment; readonly asset: AssetId }>();
  for (const request of groups.flat()) {
    if (request.type !== 'post' && request.type !== 'hold') continue;
    const { compartment, asset } = request;
    books.set(`${compartment} ${asset}`, { compartment, asset });
  }
  for (const book of books.values()) await openBook(tx, book);
}
