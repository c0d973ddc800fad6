import { invariant } from '@bulkhead/domain';
import type { BreakType } from '@bulkhead/domain';
import { bigint, date, integer, type Queries, type Row, text } from '@bulkhead/postgres';
import type { SourceAgreement } from './custody.ts';
import { readState } from './state.ts';

export type ReconciliationView = {
  readonly id: string;
  readonly chain: string;
  readonly state: 'finished';
  readonly block: { readonly number: string; readonly hash: string };
  readonly ledgerPosition: string;
  readonly sources: readonly string[];
  readonly sourcesRequired: number;
  readonly walletsCount: number;
  readonly linesCount: number;
  readonly breaksCount: number;
  readonly reason: null;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly finishedAt: string;
};

export type ReconciliationLineView = {
  readonly compartment: number;
  readonly walletId: string;
  readonly address: string;
  readonly asset: string;
  readonly books: string;
  readonly onChain: string;
  readonly difference: string;
  readonly pendingIn: string;
  readonly pendingOut: string;
  readonly unbookedIn: string;
  readonly unbookedOut: string;
  readonly unbookedFees: string;
  readonly breakType: BreakType | null;
  readonly breakId: string | null;
};

const columns = `id, chain, block_number, block_hash, ledger_position, sources::text as sources, wallets,
  jsonb_array_length(lines) as lines, breaks, requested_by, started_at, finished_at`;

function viewOf(row: Row): ReconciliationView {
  const { sources, required } = readState<SourceAgreement>(text(row, 'sources'));
  return {
    id: text(row, 'id'),
    chain: text(row, 'chain'),
    state: 'finished',
    block: { number: bigint(row, 'block_number').toString(), hash: text(row, 'block_hash') },
    ledgerPosition: bigint(row, 'ledger_position').toString(),
    sources,
    sourcesRequired: required,
    walletsCount: integer(row, 'wallets'),
    linesCount: integer(row, 'lines'),
    breaksCount: integer(row, 'breaks'),
    reason: null,
    requestedBy: text(row, 'requested_by'),
    createdAt: date(row, 'started_at').toISOString(),
    finishedAt: date(row, 'finished_at').toISOString(),
  };
}

export async function findReconciliation(db: Queries, id: string): Promise<ReconciliationView | undefined> {
  const [row] = await db.query(`select ${columns} from custody.reconciliation where id = $1`, [id]);
  return row === undefined ? undefined : viewOf(row);
}

export type ReconciliationFilter = { readonly chain?: string; readonly after: string | null; readonly limit: number };

/** Reconciliations in the order of their ids, which is that of time. */
export async function reconciliationViews(
  db: Queries,
  filter: ReconciliationFilter,
): Promise<readonly ReconciliationView[]> {
  const rows = await db.query(
    `select ${columns} from custody.reconciliation
     where ($1::text is null or chain = $1) and ($2::text is null or id > $2) order by id limit $3`,
    [filter.chain ?? null, filter.after, filter.limit],
  );
  return rows.map(viewOf);
}

export type LineFilter = {
  readonly reconciliationId: string;
  readonly compartment?: number;
  readonly asset?: string;
  /** True: only lines that differ; false: only lines that agree. */
  readonly breaks?: boolean;
  /** Place of the last line of the page before; 0 to begin. */
  readonly after: number;
  readonly limit: number;
};

/** Lines of one reconciliation that are not zero on both sides, each with its place to go on from. */
export async function reconciliationLines(
  db: Queries,
  filter: LineFilter,
): Promise<readonly { readonly place: number; readonly line: ReconciliationLineView }[]> {
  const rows = await db.query(
    `select place::integer as place, line::text as line
     from custody.reconciliation r, jsonb_array_elements(r.lines) with ordinality as l (line, place)
     where r.id = $1 and place > $2
       and ($3::bigint is null or (line ->> 'compartment')::bigint = $3) and ($4::text is null or line ->> 'asset' = $4)
       and ($5::boolean is null or (line ->> 'breakType' is not null) = $5)
     order by place limit $6`,
    [
      filter.reconciliationId,
      filter.after,
      filter.compartment ?? null,
      filter.asset ?? null,
      filter.breaks ?? null,
      filter.limit,
    ],
  );
  return rows.map((row) => ({
    place: integer(row, 'place'),
    line: readState<ReconciliationLineView>(text(row, 'line')),
  }));
}

/** The view of a row that this transaction has written. */
export async function storedReconciliation(db: Queries, id: string): Promise<ReconciliationView> {
  const view = await findReconciliation(db, id);
  invariant(view !== undefined, 'A reconciliation that was just stored is not there.', { id });
  return view;
}
