import {
  type AccountKind,
  type AssetId,
  type Compartment,
  type CompartmentKind,
  accountRules,
  compartmentFirst,
  compartmentMax,
  invariant,
  kindOf,
  parseCompartment,
} from '@bulkhead/domain';
import {
  bigint,
  bigintOrNull,
  date,
  dateOrNull,
  integer,
  type Queries,
  type Row,
  text,
  textOrNull,
} from '@bulkhead/postgres';

/** One account of a book, as the books have it now. Amounts in base units on the account's normal side. */
export type AccountView = {
  readonly compartment: number;
  readonly asset: string;
  readonly number: number;
  readonly kind: AccountKind;
  readonly holder: string | null;
  readonly side: 'debit' | 'credit';
  readonly posted: string;
  readonly pendingOut: string;
  readonly pendingIn: string;
};

export type LegView = {
  readonly number: number;
  readonly kind: AccountKind;
  readonly holder: string | null;
  readonly balanceAfter: string | null;
};

export type TransferView = {
  readonly key: string;
  readonly position: string;
  readonly type: 'post' | 'hold' | 'post-hold' | 'void-hold' | 'expire-hold';
  readonly compartment: number;
  readonly asset: string;
  readonly debit: LegView;
  readonly credit: LegView;
  readonly amount: string;
  readonly code: string;
  readonly reference: string;
  readonly block: { readonly number: string; readonly hash: string } | null;
  readonly hold: string | null;
  readonly link: string | null;
  readonly expiresAt: string | null;
  readonly createdAt: string;
};

/** Claims of one client in one book. What is held is taken off the account it is held on. */
export type BalanceView = {
  readonly asset: string;
  readonly compartment: number;
  readonly available: string;
  readonly held: string;
  readonly quarantine: string;
  readonly gas: string;
  readonly feePayable: string;
};

function accountKind(row: Row, name: string): AccountKind {
  const value = text(row, name);
  const isKind = (kind: string): kind is AccountKind => Object.hasOwn(accountRules, kind);
  invariant(isKind(value), `"${value}" is no kind of account.`);
  return value;
}

function sideOf(row: Row): 'debit' | 'credit' {
  const side = text(row, 'side');
  invariant(side === 'debit' || side === 'credit', `"${side}" is no side of an account.`);
  return side;
}

export type AccountFilter = {
  readonly compartment?: Compartment;
  readonly asset?: AssetId;
  readonly kind?: AccountKind;
  readonly holder?: string;
  /** Number of the last account of the page before; numbers are unique in the whole ledger. */
  readonly after: number | null;
  readonly limit: number;
};

/** Accounts in the order in which they were opened. */
export async function accountViews(db: Queries, filter: AccountFilter): Promise<readonly AccountView[]> {
  const rows = await db.query(
    `select * from ledger.accounts
     where ($1::integer is null or compartment = $1) and ($2::text is null or asset = $2) and ($3::text is null or kind = $3)
       and ($4::text is null or holder = $4) and ($5::integer is null or number > $5)
     order by number limit $6`,
    [
      filter.compartment ?? null,
      filter.asset ?? null,
      filter.kind ?? null,
      filter.holder ?? null,
      filter.after,
      filter.limit,
    ],
  );
  return rows.map((row) => ({
    compartment: integer(row, 'compartment'),
    asset: text(row, 'asset'),
    number: integer(row, 'number'),
    kind: accountKind(row, 'kind'),
    holder: text(row, 'holder') || null,
    side: sideOf(row),
    posted: bigint(row, 'posted').toString(),
    pendingOut: bigint(row, 'pending_out').toString(),
    pendingIn: bigint(row, 'pending_in').toString(),
  }));
}

export type TransferViewFilter = {
  readonly compartment?: Compartment;
  readonly asset?: AssetId;
  readonly reference?: string;
  /** Number of an account; both of its sides are listed. */
  readonly account?: number;
  /** Position of the last transfer of the page before. */
  readonly after: bigint | null;
  readonly limit: number;
};

/** Transfers, the newest first. */
export async function transferViews(db: Queries, filter: TransferViewFilter): Promise<readonly TransferView[]> {
  const rows = await db.query(
    `select position, key::text as key, type, compartment, asset, debit, debit_kind, debit_holder, debit_after, credit, credit_kind,
       credit_holder, credit_after, amount, code, reference, block_number, '0x' || encode(block_hash, 'hex') as block_hash,
       hold::text as hold, link, expires_at, recorded_at
     from ledger.transfers
     where ($1::integer is null or compartment = $1) and ($2::text is null or asset = $2) and ($3::text is null or reference = $3)
       and ($4::integer is null or debit = $4 or credit = $4) and ($5::bigint is null or position < $5)
     order by position desc limit $6`,
    [
      filter.compartment ?? null,
      filter.asset ?? null,
      filter.reference ?? null,
      filter.account ?? null,
      filter.after,
      filter.limit,
    ],
  );
  return rows.map(transferOf);
}

function transferOf(row: Row): TransferView {
  const blockNumber = bigintOrNull(row, 'block_number');
  return {
    key: text(row, 'key'),
    position: bigint(row, 'position').toString(),
    type: transferType(row),
    compartment: integer(row, 'compartment'),
    asset: text(row, 'asset'),
    debit: legOf(row, 'debit'),
    credit: legOf(row, 'credit'),
    amount: bigint(row, 'amount').toString(),
    code: text(row, 'code'),
    reference: text(row, 'reference'),
    block: blockNumber === null ? null : { number: blockNumber.toString(), hash: text(row, 'block_hash') },
    hold: textOrNull(row, 'hold'),
    link: textOrNull(row, 'link'),
    expiresAt: dateOrNull(row, 'expires_at')?.toISOString() ?? null,
    createdAt: date(row, 'recorded_at').toISOString(),
  };
}

function transferType(row: Row): TransferView['type'] {
  const type = text(row, 'type');
  const known = (['post', 'hold', 'post-hold', 'void-hold', 'expire-hold'] as const).find((one) => one === type);
  invariant(known !== undefined, `"${type}" is no type of transfer.`);
  return known;
}

function legOf(row: Row, side: 'debit' | 'credit'): LegView {
  return {
    number: integer(row, side),
    kind: accountKind(row, `${side}_kind`),
    holder: text(row, `${side}_holder`) || null,
    balanceAfter: bigintOrNull(row, `${side}_after`)?.toString() ?? null,
  };
}

export type BalanceFilter = {
  readonly clientId: string;
  readonly asset?: AssetId;
  readonly after: number | null;
  readonly limit: number;
};

/** Claims of a client, one row per book in the order the books were opened, each with its book to go on from. */
export async function balanceViews(
  db: Queries,
  filter: BalanceFilter,
): Promise<readonly { readonly book: number; readonly balance: BalanceView }[]> {
  const rows = await db.query(
    `select book, compartment, asset, ${freeOf('available')}, ${freeOf('quarantine')}, ${freeOf('gas')}, ${freeOf('fee-payable')},
       sum(pending_out) as held
     from ledger.accounts
     where holder = $1 and kind in ('available', 'quarantine', 'gas', 'fee-payable')
       and ($2::text is null or asset = $2) and ($3::integer is null or book > $3)
     group by book, compartment, asset order by book limit $4`,
    [filter.clientId, filter.asset ?? null, filter.after, filter.limit],
  );
  return rows.map((row) => ({
    book: integer(row, 'book'),
    balance: {
      asset: text(row, 'asset'),
      compartment: integer(row, 'compartment'),
      available: bigint(row, 'available').toString(),
      held: bigint(row, 'held').toString(),
      quarantine: bigint(row, 'quarantine').toString(),
      gas: bigint(row, 'gas').toString(),
      feePayable: bigint(row, 'fee-payable').toString(),
    },
  }));
}

/** Posted less held, summed over the accounts of a kind. */
function freeOf(kind: AccountKind): string {
  return `coalesce(sum(posted - pending_out) filter (where kind = '${kind}'), 0) as "${kind}"`;
}

/** Sums of one book. Held amounts are taken off their accounts: wallet + loss + networkFee equals all the others together. */
export type BookView = {
  readonly asset: string;
  readonly wallet: string;
  readonly loss: string;
  readonly available: string;
  readonly held: string;
  readonly quarantine: string;
  readonly gas: string;
  readonly feePayable: string;
  readonly suspense: string;
  readonly equity: string;
  readonly feeIncome: string;
  readonly networkFee: string;
  readonly obligation: string;
};

export type CompartmentView = {
  readonly number: number;
  readonly kind: CompartmentKind;
  readonly clientId: string | null;
  readonly frozen: boolean;
  readonly frozenBy: readonly string[];
  readonly books: readonly BookView[];
  readonly createdAt: string;
};

export type CompartmentFilter = {
  readonly number?: Compartment;
  readonly kind?: CompartmentKind;
  readonly frozen?: boolean;
  /** Number of the last compartment of the page before. */
  readonly after: number | null;
  readonly limit: number;
};

/** Compartments by number, each with its books and with what freezes it. */
export async function compartmentViews(db: Queries, filter: CompartmentFilter): Promise<readonly CompartmentView[]> {
  const range = filter.kind === undefined ? undefined : rangeOf(filter.kind);
  const rows = await db.query(
    `select c.number, c.owner, c.created_at, coalesce(f.causes, '{}') as causes
     from custody.compartment c
     left join lateral (
       select array_agg(f.cause order by f.frozen_at, f.cause) as causes
       from custody.freeze f where f.compartment = c.number and f.lifted_at is null
     ) f on true
     where ($1::bigint is null or c.number = $1) and ($2::bigint is null or c.number between $2 and $3)
       and ($4::boolean is null or (f.causes is not null) = $4) and ($5::bigint is null or c.number > $5)
     order by c.number limit $6`,
    [
      filter.number ?? null,
      range?.first ?? null,
      range?.last ?? null,
      filter.frozen ?? null,
      filter.after,
      filter.limit,
    ],
  );
  const numbers = rows.map((row) => parseCompartment(Number(bigint(row, 'number'))));
  const books = await booksOf(db, numbers);
  return rows.map((row, n) => {
    const number = numbers[n];
    invariant(number !== undefined, 'A compartment has no number.');
    const frozenBy = causesOf(row);
    return {
      number,
      kind: kindOf(number),
      clientId: textOrNull(row, 'owner'),
      frozen: frozenBy.length > 0,
      frozenBy,
      books: books.get(number) ?? [],
      createdAt: date(row, 'created_at').toISOString(),
    };
  });
}

function causesOf(row: Row): readonly string[] {
  const causes: unknown = row['causes'];
  invariant(Array.isArray(causes), 'The query returned no list of causes.');
  return causes.map(String);
}

/** First and last number of a kind, as the numbers of the next kind begin. */
function rangeOf(kind: CompartmentKind): { readonly first: number; readonly last: number } {
  const first = compartmentFirst[kind];
  const above = Object.values(compartmentFirst).filter((number) => number > first);
  return { first, last: above.length === 0 ? compartmentMax : Math.min(...above) - 1 };
}

async function booksOf(
  db: Queries,
  compartments: readonly Compartment[],
): Promise<ReadonlyMap<number, readonly BookView[]>> {
  const found = new Map<number, BookView[]>();
  if (compartments.length === 0) return found;
  const kinds = Object.keys(accountRules);
  const sums = kinds.map(
    (kind) =>
      `coalesce(sum(posted - case side when 'credit' then pending_out else 0 end) filter (where kind = '${kind}'), 0) as "${kind}"`,
  );
  const rows = await db.query(
    `select compartment, asset, ${sums.join(', ')}, coalesce(sum(pending_out) filter (where side = 'credit'), 0) as held
     from ledger.accounts where compartment = any ($1) group by book, compartment, asset order by compartment, asset`,
    [compartments],
  );
  for (const row of rows) {
    const compartment = integer(row, 'compartment');
    found.set(compartment, [...(found.get(compartment) ?? []), bookOf(row)]);
  }
  return found;
}

function bookOf(row: Row): BookView {
  const sum = (column: AccountKind | 'held'): string => bigint(row, column).toString();
  return {
    asset: text(row, 'asset'),
    wallet: sum('wallet'),
    loss: sum('loss'),
    available: sum('available'),
    held: sum('held'),
    quarantine: sum('quarantine'),
    gas: sum('gas'),
    feePayable: sum('fee-payable'),
    suspense: sum('suspense'),
    equity: sum('equity'),
    feeIncome: sum('fee-income'),
    networkFee: sum('network-fee'),
    obligation: sum('obligation'),
  };
}
