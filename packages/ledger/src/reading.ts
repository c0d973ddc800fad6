import {
  type AccountKind,
  accountRules,
  type AccountPosition,
  type AccountSide,
  type AssetId,
  type BlockRef,
  type BookId,
  type ChainId,
  type Compartment,
  type Hash,
  invariant,
  parseBookId,
  parseAssetId,
  parseChainId,
  parseCompartment,
  parseHash,
  parseTransferKey,
  type TransferKey,
} from '@bulkhead/domain';
import {
  bigint,
  bigintOrNull,
  bytesOrNull,
  date,
  dateOrNull,
  integer,
  type Queries,
  type Row,
  type SqlValue,
  text,
  textOrNull,
} from '@bulkhead/postgres';

/** Most rows of one page, whatever the caller asks for. */
export const pageRowsMax = 1_000;
export const pageRowsDefault = 100;

export type Book = {
  readonly book: BookId;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly chain: ChainId;
};

/** Sums of a book by side of its accounts; equal unless the books are broken. */
export type BookTotals = Book & { readonly debit: bigint; readonly credit: bigint };

/** An account of a transfer: its number in the book and its name. */
export type AccountReference = { readonly number: number; readonly kind: AccountKind; readonly holder: string };

export type TransferType = 'post' | 'hold' | 'post-hold' | 'void-hold' | 'expire-hold';

/** A transfer as the ledger keeps it. The balances are those behind it, absent where nothing was posted. */
export type StoredTransfer = Book & {
  readonly position: bigint;
  readonly key: TransferKey;
  readonly type: TransferType;
  readonly debit: AccountReference;
  readonly credit: AccountReference;
  readonly amount: bigint;
  readonly debitAfter?: bigint;
  readonly creditAfter?: bigint;
  readonly hold?: TransferKey;
  readonly expiresAt?: Date;
  readonly block?: BlockRef;
  readonly code: string;
  readonly reference: string;
  readonly link?: string;
  readonly recordedAt: Date;
};

/** One side of a posted transfer. `amount` is signed on the normal side of the account. */
export type AccountEntry = {
  readonly position: bigint;
  readonly key: TransferKey;
  readonly amount: bigint;
  readonly balanceAfter: bigint;
  readonly counterAccount: number;
  readonly block?: BlockRef;
  readonly code: string;
  readonly reference: string;
  readonly recordedAt: Date;
};

export type OpenHold = Book & {
  readonly key: TransferKey;
  readonly position: bigint;
  readonly debit: AccountReference;
  readonly credit: AccountReference;
  readonly amount: bigint;
  readonly reference: string;
  readonly expiresAt?: Date;
};

export type PositionFilter = {
  readonly book?: BookId;
  readonly compartment?: Compartment;
  readonly asset?: AssetId;
  readonly chain?: ChainId;
  readonly kind?: AccountKind;
  readonly holder?: string;
};

export type TransferFilter = {
  readonly book?: BookId;
  readonly compartment?: Compartment;
  readonly asset?: AssetId;
  readonly reference?: string;
  readonly link?: string;
  readonly key?: TransferKey;
};

/** Newest first. `before` is the position of the last row of the page before. */
export type Page = { readonly before?: bigint; readonly limit?: number };

function rowsOf(page: Page): number {
  const limit = page.limit ?? pageRowsDefault;
  invariant(Number.isInteger(limit) && limit > 0, `A page of ${limit} rows makes no sense.`);
  return Math.min(limit, pageRowsMax);
}

function isAccountKind(kind: string): kind is AccountKind {
  return Object.hasOwn(accountRules, kind);
}

function accountKind(row: Row, name: string): AccountKind {
  const kind = text(row, name);
  invariant(isAccountKind(kind), `The ledger has an account of unknown kind "${kind}".`);
  return kind;
}

function accountSide(row: Row): AccountSide {
  const side = text(row, 'side');
  invariant(side === 'debit' || side === 'credit', `The ledger has an account of unknown side "${side}".`);
  return side;
}

const transferTypes: ReadonlySet<string> = new Set<TransferType>([
  'post',
  'hold',
  'post-hold',
  'void-hold',
  'expire-hold',
]);

function isTransferType(type: string): type is TransferType {
  return transferTypes.has(type);
}

function transferType(row: Row): TransferType {
  const type = text(row, 'type');
  invariant(isTransferType(type), `The ledger has a transfer of unknown type "${type}".`);
  return type;
}

function storedHash(bytes: Uint8Array): Hash {
  return parseHash(`0x${Buffer.from(bytes).toString('hex')}`);
}

/** A block column pair, as an object to spread. */
function blockOf(row: Row): { readonly block?: BlockRef } {
  const number = bigintOrNull(row, 'block_number');
  const hash = bytesOrNull(row, 'block_hash');
  return number === null || hash === null ? {} : { block: { number, hash: storedHash(hash) } };
}

function bookOf(row: Row): Book {
  return {
    book: parseBookId(integer(row, 'book')),
    compartment: parseCompartment(integer(row, 'compartment')),
    asset: parseAssetId(text(row, 'asset')),
    chain: parseChainId(text(row, 'chain')),
  };
}

function accountOf(row: Row, side: AccountSide): AccountReference {
  return { number: integer(row, side), kind: accountKind(row, `${side}_kind`), holder: text(row, `${side}_holder`) };
}

/** Joins the conditions that are asked for: equality per column, with its parameter. */
class Conditions {
  readonly values: SqlValue[] = [];
  readonly #parts: string[] = [];

  add(condition: (parameter: string) => string, value: SqlValue | undefined): void {
    if (value === undefined) return;
    this.values.push(value);
    this.#parts.push(condition(`$${this.values.length}`));
  }

  equal(column: string, value: SqlValue | undefined): void {
    this.add((parameter) => `${column} = ${parameter}`, value);
  }

  text(): string {
    return this.#parts.length === 0 ? 'true' : this.#parts.join(' and ');
  }
}

/** All books, or those of a compartment or a chain. */
export async function books(
  db: Queries,
  filter: Omit<PositionFilter, 'kind' | 'holder'> = {},
): Promise<readonly Book[]> {
  const where = new Conditions();
  where.equal('book', filter.book);
  where.equal('compartment', filter.compartment);
  where.equal('asset', filter.asset);
  where.equal('chain', filter.chain);
  const rows = await db.query(
    `select book, compartment, asset, chain from ledger.books where ${where.text()} order by compartment, asset`,
    where.values,
  );
  return rows.map(bookOf);
}

/** Sum of the posted balances per side of each book. */
export async function bookTotals(
  db: Queries,
  filter: Omit<PositionFilter, 'kind' | 'holder'> = {},
): Promise<readonly BookTotals[]> {
  const where = new Conditions();
  where.equal('book', filter.book);
  where.equal('compartment', filter.compartment);
  where.equal('asset', filter.asset);
  where.equal('chain', filter.chain);
  const rows = await db.query(
    `select * from ledger.book_totals where ${where.text()} order by compartment, asset`,
    where.values,
  );
  return rows.map((row) => ({
    ...bookOf(row),
    debit: bigint(row, 'debit_total'),
    credit: bigint(row, 'credit_total'),
  }));
}

/** What the books say now of the accounts that match. Accounts that were never used do not exist and are absent. */
export async function positions(db: Queries, filter: PositionFilter = {}): Promise<readonly AccountPosition[]> {
  const where = new Conditions();
  where.equal('book', filter.book);
  where.equal('compartment', filter.compartment);
  where.equal('asset', filter.asset);
  where.equal('chain', filter.chain);
  where.equal('kind', filter.kind);
  where.equal('holder', filter.holder);
  const rows = await db.query(
    `select book, number, compartment, asset, kind, holder, side, posted, pending_out, pending_in
     from ledger.accounts where ${where.text()} order by compartment, asset, kind, holder`,
    where.values,
  );
  return rows.map((row) => ({
    book: parseBookId(integer(row, 'book')),
    number: integer(row, 'number'),
    compartment: parseCompartment(integer(row, 'compartment')),
    asset: parseAssetId(text(row, 'asset')),
    kind: accountKind(row, 'kind'),
    holder: text(row, 'holder'),
    side: accountSide(row),
    posted: bigint(row, 'posted'),
    pendingOut: bigint(row, 'pending_out'),
    pendingIn: bigint(row, 'pending_in'),
  }));
}

/** Entries of one account, newest first. */
export async function accountEntries(
  db: Queries,
  account: { readonly book: BookId; readonly number: number },
  page: Page = {},
): Promise<readonly AccountEntry[]> {
  const rows = await db.query(
    `select position, key, amount, balance_after, counter_account, block_number, block_hash, code, reference, recorded_at
     from ledger.entries where book = $1 and account = $2 and position < $3 order by position desc limit $4`,
    [account.book, account.number, page.before ?? 2n ** 63n - 1n, rowsOf(page)],
  );
  return rows.map((row) => ({
    position: bigint(row, 'position'),
    key: parseTransferKey(text(row, 'key')),
    amount: bigint(row, 'amount'),
    balanceAfter: bigint(row, 'balance_after'),
    counterAccount: integer(row, 'counter_account'),
    ...blockOf(row),
    code: text(row, 'code'),
    reference: text(row, 'reference'),
    recordedAt: date(row, 'recorded_at'),
  }));
}

function transferOf(row: Row): StoredTransfer {
  const debitAfter = bigintOrNull(row, 'debit_after');
  const creditAfter = bigintOrNull(row, 'credit_after');
  const hold = textOrNull(row, 'hold');
  const expiresAt = dateOrNull(row, 'expires_at');
  const link = textOrNull(row, 'link');
  return {
    ...bookOf(row),
    position: bigint(row, 'position'),
    key: parseTransferKey(text(row, 'key')),
    type: transferType(row),
    debit: accountOf(row, 'debit'),
    credit: accountOf(row, 'credit'),
    amount: bigint(row, 'amount'),
    ...(debitAfter === null ? {} : { debitAfter }),
    ...(creditAfter === null ? {} : { creditAfter }),
    ...(hold === null ? {} : { hold: parseTransferKey(hold) }),
    ...(expiresAt === null ? {} : { expiresAt }),
    ...blockOf(row),
    code: text(row, 'code'),
    reference: text(row, 'reference'),
    ...(link === null ? {} : { link }),
    recordedAt: date(row, 'recorded_at'),
  };
}

/** Transfers that match, newest first. */
export async function transfers(
  db: Queries,
  filter: TransferFilter = {},
  page: Page = {},
): Promise<readonly StoredTransfer[]> {
  const where = new Conditions();
  where.equal('book', filter.book);
  where.equal('compartment', filter.compartment);
  where.equal('asset', filter.asset);
  where.equal('reference', filter.reference);
  where.equal('link', filter.link);
  where.equal('key', filter.key);
  where.add((parameter) => `position < ${parameter}`, page.before);
  const rows = await db.query(
    `select position, key, type, book, compartment, asset, chain, debit, debit_kind, debit_holder, credit, credit_kind, credit_holder,
       amount, debit_after, credit_after, hold, expires_at, block_number, block_hash, code, reference, link, recorded_at
     from ledger.transfers where ${where.text()} order by position desc limit ${rowsOf(page)}`,
    where.values,
  );
  return rows.map(transferOf);
}

/** Holds that are neither posted nor released, oldest first. */
export async function openHolds(
  db: Queries,
  filter: { readonly reference?: string; readonly book?: BookId; readonly key?: TransferKey } = {},
): Promise<readonly OpenHold[]> {
  const where = new Conditions();
  where.equal('reference', filter.reference);
  where.equal('book', filter.book);
  where.equal('key', filter.key);
  const rows = await db.query(`select * from ledger.open_holds where ${where.text()} order by position`, where.values);
  return rows.map((row) => {
    const expiresAt = dateOrNull(row, 'expires_at');
    return {
      ...bookOf(row),
      key: parseTransferKey(text(row, 'key')),
      position: bigint(row, 'position'),
      debit: accountOf(row, 'debit'),
      credit: accountOf(row, 'credit'),
      amount: bigint(row, 'amount'),
      reference: text(row, 'reference'),
      ...(expiresAt === null ? {} : { expiresAt }),
    };
  });
}
