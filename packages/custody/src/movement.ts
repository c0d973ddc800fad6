import {
  type Address,
  type AssetId,
  type BlockRef,
  type ChainId,
  type Hash,
  type Movement,
  type MovementKind,
  type ObservedBlock,
  type WatchSet,
  invariant,
  isHash,
  parseAddress,
  parseAssetId,
} from '@bulkhead/domain';
import { bigint, boolean, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { hash } from './cursor.ts';
import { newId } from './id.ts';

/** A movement as it is stored. `outExplained` and `inExplained` name what booked each side, once the block is final. */
export type StoredMovement = {
  readonly id: string;
  readonly block: BlockRef;
  readonly kind: MovementKind;
  readonly reference: string;
  readonly transaction: Hash | undefined;
  readonly asset: AssetId;
  readonly from: Address | undefined;
  readonly to: Address | undefined;
  readonly amount: bigint;
};

/** A transaction of one of our addresses as it is stored. */
export type StoredSent = {
  readonly hash: Hash;
  readonly from: Address;
  readonly nonce: bigint;
  readonly succeeded: boolean;
  readonly fee: bigint;
};

/** What explains both sides of a movement from an address to itself: nothing changed hands. */
export const toItself = 'self';
/** What explains both sides of a movement of zero. */
export const movesNothing = 'nothing';

const kinds: readonly MovementKind[] = ['native', 'internal', 'token', 'validator-withdrawal', 'balance-difference'];

export function movementKindOf(value: string): MovementKind {
  const kind = kinds.find((known) => known === value);
  invariant(kind !== undefined, `"${value}" is no kind of movement.`);
  return kind;
}

export const movementColumns = `m.id, m.block_number, m.block_hash, m.kind, m.reference, m.transaction_hash, m.asset, m.from_address,
  m.to_address, m.amount`;

/**
 * The order of movements inside a block: token transfers by log index, after the rest. It has no meaning but to be the same for
 * everybody who reads the block.
 */
export const movementOrder = `case when m.kind = 'token' then split_part(m.reference, ':', 2)::numeric end nulls first, m.kind, m.reference`;

function addressOrNone(row: Row, name: string): Address | undefined {
  const value = textOrNull(row, name);
  return value === null ? undefined : parseAddress(value);
}

export function movementOf(row: Row): StoredMovement {
  const transaction = textOrNull(row, 'transaction_hash');
  invariant(transaction === null || isHash(transaction), 'A stored movement has a malformed transaction hash.');
  return {
    id: text(row, 'id'),
    block: { number: bigint(row, 'block_number'), hash: hash(row, 'block_hash') },
    kind: movementKindOf(text(row, 'kind')),
    reference: text(row, 'reference'),
    transaction: transaction ?? undefined,
    asset: parseAssetId(text(row, 'asset')),
    from: addressOrNone(row, 'from_address'),
    to: addressOrNone(row, 'to_address'),
    amount: bigint(row, 'amount'),
  };
}

/** The movements of a block that stands, in {@link movementOrder}. */
export async function blockMovements(db: Queries, chain: ChainId, block: Hash): Promise<readonly StoredMovement[]> {
  const rows = await db.query(
    `select ${movementColumns} from custody.movement m
     where m.chain = $1 and m.block_hash = $2 and m.removed_at is null order by ${movementOrder}`,
    [chain, block],
  );
  return rows.map(movementOf);
}

/** The transactions of our addresses in a block that stands. */
export async function blockSent(db: Queries, chain: ChainId, block: Hash): Promise<readonly StoredSent[]> {
  const rows = await db.query(
    `select transaction_hash, from_address, nonce, succeeded, fee from custody.sent
     where chain = $1 and block_hash = $2 and removed_at is null order by from_address, nonce`,
    [chain, block],
  );
  return rows.map((row) => ({
    hash: hash(row, 'transaction_hash'),
    from: parseAddress(text(row, 'from_address')),
    nonce: bigint(row, 'nonce'),
    succeeded: boolean(row, 'succeeded'),
    fee: bigint(row, 'fee'),
  }));
}

export type BlockToStore = {
  readonly chain: ChainId;
  readonly block: ObservedBlock;
  readonly watch: WatchSet;
  readonly now: Date;
};

/**
 * Stores a block with everything in it that touches an address of ours. A block that a reorg had taken away and another one
 * brought back is the same block: its rows stand again, and keep their ids.
 */
export async function storeBlock(tx: Transaction, { chain, block, watch, now }: BlockToStore): Promise<void> {
  await tx.query(
    `insert into custody.block (chain, hash, number, parent_hash, mined_at) values ($1, $2, $3, $4, to_timestamp($5::bigint))
     on conflict (chain, hash) do update set removed_at = null`,
    [chain, block.hash, block.number, block.parentHash, block.timestamp],
  );
  const ours = (address: Address | undefined): boolean => address !== undefined && watch.has(address);
  const movements = block.movements.filter(({ from, to }) => ours(from) || ours(to));
  if (movements.length > 0) await storeMovements(tx, movements, { chain, block, now });
  const sent = block.sent.filter(({ from }) => ours(from));
  if (sent.length > 0) {
    await tx.query(
      `insert into custody.sent (chain, block_hash, transaction_hash, block_number, from_address, nonce, succeeded, fee)
       select $1, $2, s.hash, $3, s.from_address, s.nonce, s.succeeded, s.fee
       from unnest($4::text[], $5::text[], $6::numeric[], $7::boolean[], $8::numeric[]) as s (hash, from_address, nonce, succeeded, fee)
       on conflict (chain, block_hash, transaction_hash) do update set removed_at = null`,
      [
        chain,
        block.hash,
        block.number,
        sent.map((one) => one.hash),
        sent.map((one) => one.from),
        sent.map((one) => one.nonce),
        sent.map((one) => one.succeeded),
        sent.map((one) => one.fee),
      ],
    );
  }
}

type MovementPlace = { readonly chain: ChainId; readonly block: BlockRef; readonly now: Date };

/** Stores movements of one block; those that are there already stand again. */
async function storeMovements(
  tx: Transaction,
  movements: readonly Movement[],
  { chain, block, now }: MovementPlace,
): Promise<void> {
  await tx.query(
    `insert into custody.movement (id, chain, block_number, block_hash, kind, reference, transaction_hash, asset, from_address,
       to_address, amount, observed_at)
     select m.id, $1, $2, $3, m.kind, m.reference, m.transaction_hash, m.asset, m.from_address, m.to_address, m.amount, $4
     from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::numeric[])
       as m (id, kind, reference, transaction_hash, asset, from_address, to_address, amount)
     on conflict (chain, block_hash, kind, reference) do update set removed_at = null`,
    [
      chain,
      block.number,
      block.hash,
      now,
      movements.map(() => newId('mov', now)),
      movements.map((one) => one.kind),
      movements.map((one) => one.reference),
      movements.map((one) => one.transaction ?? null),
      movements.map((one) => one.asset),
      movements.map((one) => one.from ?? null),
      movements.map((one) => one.to ?? null),
      movements.map((one) => one.amount),
    ],
  );
}

/** Stores one movement that no block showed, or answers undefined where it is stored already. */
export async function storeFoundMovement(
  tx: Transaction,
  movement: Movement,
  place: MovementPlace,
): Promise<string | undefined> {
  const id = newId('mov', place.now);
  const stored = await tx.query(
    `insert into custody.movement (id, chain, block_number, block_hash, kind, reference, asset, from_address, to_address, amount, observed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (chain, block_hash, kind, reference) do nothing returning id`,
    [
      id,
      place.chain,
      place.block.number,
      place.block.hash,
      movement.kind,
      movement.reference,
      movement.asset,
      movement.from ?? null,
      movement.to ?? null,
      movement.amount,
      place.now,
    ],
  );
  return stored.length === 0 ? undefined : id;
}

/** Marks everything above a height as taken away by a reorg, and answers our transactions that were in those blocks. */
export async function removeAbove(
  tx: Transaction,
  chain: ChainId,
  fork: { readonly height: bigint; readonly now: Date },
): Promise<readonly Hash[]> {
  const where = 'where chain = $1 and block_number > $2 and removed_at is null';
  const values = [chain, fork.height, fork.now];
  await tx.query(
    'update custody.block set removed_at = $3 where chain = $1 and number > $2 and removed_at is null',
    values,
  );
  await tx.query(`update custody.movement set removed_at = $3 ${where}`, values);
  const sent = await tx.query(`update custody.sent set removed_at = $3 ${where} returning transaction_hash`, values);
  return sent.map((row) => hash(row, 'transaction_hash'));
}
