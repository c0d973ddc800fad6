import {
  type AccountKind,
  accountRules,
  type AccountSide,
  type AssetId,
  type BlockRef,
  type BookId,
  type ChainId,
  type Compartment,
  CustodyError,
  type Hash,
  invariant,
  parseBookId,
  parseAssetId,
  parseCompartment,
  parseHash,
} from '@bulkhead/domain';
import {
  bigint,
  bytes,
  type Database,
  integer,
  only,
  type Queries,
  type Row,
  sqlState,
  text,
} from '@bulkhead/postgres';

/** Everything the chain did up to and including `block` is in the books at or below `position`. */
export type Marker = { readonly chain: ChainId; readonly block: BlockRef; readonly position: bigint };

export type WalletPosition = {
  readonly book: BookId;
  readonly number: number;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  /** Id of the wallet. */
  readonly wallet: string;
  readonly balance: bigint;
};

export type ClaimPosition = {
  readonly book: BookId;
  readonly number: number;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly kind: AccountKind;
  readonly holder: string;
  readonly side: AccountSide;
  readonly balance: bigint;
};

function hashBytes(hash: Hash): Uint8Array {
  return Buffer.from(hash.slice(2), 'hex');
}

function hashText(value: Uint8Array): Hash {
  return parseHash(`0x${Buffer.from(value).toString('hex')}`);
}

/**
 * Marks a block as covered and answers the ledger position of the marker: call it after the postings of the block have
 * committed, in a transaction of its own. The first marker of a chain may be at any block, each later one at the next. The same
 * block and hash again answers the same position.
 *
 * Exact under concurrent posting. Every post holds the lock of its chain shared from before it takes its first position until
 * it has committed; the marker takes the lock alone. So no post of the chain is between the two, all positions given out to
 * the chain are committed, and every later one is higher.
 *
 * @throws CustodyError `ledger/marker-conflict` when the block is marked with another hash or does not follow the last marker
 */
export async function mark(db: Database, at: { readonly chain: ChainId; readonly block: BlockRef }): Promise<bigint> {
  try {
    const row = only(
      await db.query('select ledger.mark($1::text, $2::bigint, $3::bytea) as position', [
        at.chain,
        at.block.number,
        hashBytes(at.block.hash),
      ]),
    );
    return bigint(row, 'position');
  } catch (error) {
    const state = sqlState(error);
    if (state === 'BH002' || state === 'BH003') {
      const fact = error instanceof Error ? error.message : '';
      throw new CustodyError(
        'ledger/marker-conflict',
        `The coverage marker was refused: ${fact}. Blocks are marked one after the other, once.`,
        {
          cause: error,
          details: { chain: at.chain, block: at.block.number.toString() },
        },
      );
    }
    throw error;
  }
}

function markerOf(row: Row, chain: ChainId): Marker {
  return {
    chain,
    block: { number: bigint(row, 'block_number'), hash: hashText(bytes(row, 'block_hash')) },
    position: bigint(row, 'position'),
  };
}

/** The newest marker of a chain, undefined before the first. */
export async function lastMarker(db: Queries, chain: ChainId): Promise<Marker | undefined> {
  const [row] = await db.query(
    'select block_number, block_hash, position from ledger.markers where chain = $1 order by block_number desc limit 1',
    [chain],
  );
  return row === undefined ? undefined : markerOf(row, chain);
}

/** The marker of one block, undefined when the block is not covered. */
export async function markerAt(db: Queries, chain: ChainId, block: bigint): Promise<Marker | undefined> {
  const [row] = await db.query(
    'select block_number, block_hash, position from ledger.markers where chain = $1 and block_number = $2',
    [chain, block],
  );
  return row === undefined ? undefined : markerOf(row, chain);
}

/** What the books say each wallet of a chain held behind a block: the sum of its entries with a block at or below it. */
export async function walletPositionsAt(
  db: Queries,
  chain: ChainId,
  block: bigint,
): Promise<readonly WalletPosition[]> {
  const rows = await db.query('select * from ledger.wallets_at($1::text, $2::bigint)', [chain, block]);
  return rows.map((row) => ({
    book: parseBookId(integer(row, 'book')),
    number: integer(row, 'number'),
    compartment: parseCompartment(integer(row, 'compartment')),
    asset: parseAssetId(text(row, 'asset')),
    wallet: text(row, 'holder'),
    balance: bigint(row, 'balance'),
  }));
}

function isAccountKind(kind: string): kind is AccountKind {
  return Object.hasOwn(accountRules, kind);
}

/**
 * Every account of a chain that is not a wallet (claims, losses, house accounts) as of a ledger position. At the position of a
 * marker these are the claims that face {@link walletPositionsAt} of the marker's block.
 */
export async function claimsAt(
  db: Queries,
  at: { readonly chain: ChainId; readonly position: bigint },
): Promise<readonly ClaimPosition[]> {
  const rows = await db.query('select * from ledger.claims_at($1::text, $2::bigint)', [at.chain, at.position]);
  return rows.map((row) => {
    const kind = text(row, 'kind');
    const side = text(row, 'side');
    invariant(isAccountKind(kind), `The ledger has an account of unknown kind "${kind}".`);
    invariant(side === 'debit' || side === 'credit', `The ledger has an account of unknown side "${side}".`);
    return {
      book: parseBookId(integer(row, 'book')),
      number: integer(row, 'number'),
      compartment: parseCompartment(integer(row, 'compartment')),
      asset: parseAssetId(text(row, 'asset')),
      kind,
      holder: text(row, 'holder'),
      side,
      balance: bigint(row, 'balance'),
    };
  });
}
