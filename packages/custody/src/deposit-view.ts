import {
  checksumAddress,
  type DepositState,
  type Disposition,
  type MovementKind,
  parseAddress,
  type ScreeningVerdict,
} from '@bulkhead/domain';
import { bigint, date, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import type { FinalityRule } from './block-booking.ts';
import { movementKindOf } from './movement.ts';
import { readState } from './state.ts';

export type DepositView = {
  readonly id: string;
  readonly clientId: string | null;
  readonly compartment: number;
  readonly walletId: string;
  readonly address: string;
  readonly asset: string;
  readonly amount: string;
  readonly credited: string | null;
  readonly state: DepositState['step'];
  readonly disposition: Disposition | null;
  readonly verdict: ScreeningVerdict | null;
  readonly releaseProposedBy: string | null;
  readonly releasedBy: string | null;
  readonly assignmentProposed: { readonly by: string; readonly clientId: string } | null;
  readonly returnWithdrawalId: string | null;
  readonly transactionHash: string | null;
  readonly block: { readonly number: string; readonly hash: string };
  readonly from: string | null;
  readonly movementKind: MovementKind;
  readonly finality: FinalityRule | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

const viewColumns = `d.id, d.client, d.compartment, d.wallet, w.address, d.asset, d.amount, d.state::text as state, d.finality::text as finality,
  d.created_at, d.updated_at, m.transaction_hash, m.block_number, m.block_hash, m.from_address, m.kind`;
const viewTables = `custody.deposit d join custody.movement m on m.id = d.movement join custody.wallet w on w.id = d.wallet`;

function viewOf(row: Row): DepositView {
  const state = readState<DepositState>(text(row, 'state'));
  const finality = textOrNull(row, 'finality');
  const from = textOrNull(row, 'from_address');
  const proposed = state.assignmentProposed;
  return {
    id: text(row, 'id'),
    clientId: textOrNull(row, 'client'),
    compartment: Number(bigint(row, 'compartment')),
    walletId: text(row, 'wallet'),
    address: checksumAddress(parseAddress(text(row, 'address'))),
    asset: text(row, 'asset'),
    amount: bigint(row, 'amount').toString(),
    credited: state.credited?.toString() ?? null,
    state: state.step,
    disposition: state.disposition ?? null,
    verdict: state.verdict ?? null,
    releaseProposedBy: state.releaseProposedBy ?? null,
    releasedBy: state.releasedBy ?? null,
    assignmentProposed: proposed === undefined ? null : { by: proposed.by, clientId: proposed.client },
    returnWithdrawalId: state.returnedBy ?? null,
    transactionHash: textOrNull(row, 'transaction_hash'),
    block: { number: bigint(row, 'block_number').toString(), hash: text(row, 'block_hash') },
    from: from === null ? null : checksumAddress(parseAddress(from)),
    movementKind: movementKindOf(text(row, 'kind')),
    finality: finality === null ? null : readState<FinalityRule>(finality),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

export async function depositView(db: Queries, id: string): Promise<DepositView | undefined> {
  const [row] = await db.query(`select ${viewColumns} from ${viewTables} where d.id = $1`, [id]);
  return row === undefined ? undefined : viewOf(row);
}

export type DepositFilter = {
  readonly client?: string;
  readonly compartment?: number;
  readonly state?: string;
  readonly chain?: string;
  readonly asset?: string;
  readonly after: string | null;
  readonly limit: number;
};

/** Deposits in the order they were detected, after `after`. */
export async function depositViews(db: Queries, filter: DepositFilter): Promise<readonly DepositView[]> {
  const rows = await db.query(
    `select ${viewColumns} from ${viewTables}
     where ($1::text is null or d.client = $1) and ($2::bigint is null or d.compartment = $2) and ($3::text is null or d.step = $3)
       and ($4::text is null or d.chain = $4) and ($5::text is null or d.asset = $5) and ($6::text is null or d.id > $6)
     order by d.id limit $7`,
    [
      filter.client ?? null,
      filter.compartment ?? null,
      filter.state ?? null,
      filter.chain ?? null,
      filter.asset ?? null,
      filter.after,
      filter.limit,
    ],
  );
  return rows.map(viewOf);
}
