import { type AuthorityIntent, CustodyError, type Intent, invariant, isAuthority, parseIntent } from '@bulkhead/domain';
import {
  bigint,
  bigintOrNull,
  date,
  integer,
  type Queries,
  type Row,
  text,
  textOrNull,
  type Transaction,
} from '@bulkhead/postgres';
import { approvalRows, canonicalOf } from './approval.ts';

export type RegistryChangeKind = 'enrolment' | 'policy-change';
/** `open`: people may approve; the others are for ever. */
export type RegistryChangeState = 'open' | 'applied' | 'refused' | 'expired';

/** A change as stored. */
export type Change = {
  readonly id: string;
  readonly state: RegistryChangeState;
  readonly before: bigint;
  readonly intent: AuthorityIntent;
  readonly list: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
};

const changeColumns = 'id, state, before_version, intent, list, expires_at, created_at';

function changeOf(row: Row): Change {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  invariant(isAuthority(intent), 'A change of the registry is an intent of authority.', { id: intent.id });
  return {
    id: text(row, 'id'),
    state: stateOf(text(row, 'state')),
    before: bigint(row, 'before_version'),
    intent,
    list: text(row, 'list'),
    expiresAt: date(row, 'expires_at'),
    createdAt: date(row, 'created_at'),
  };
}

function stateOf(value: string): RegistryChangeState {
  if (value === 'open' || value === 'applied' || value === 'refused' || value === 'expired') return value;
  throw new CustodyError('invariant/broken', `"${value}" is no state of a registry change.`);
}

export async function findChange(db: Queries, id: string): Promise<Change | undefined> {
  const [row] = await db.query(`select ${changeColumns} from custody.registry_change where id = $1`, [id]);
  return row === undefined ? undefined : changeOf(row);
}

export async function lockChange(tx: Transaction, id: string): Promise<Change | undefined> {
  const [row] = await tx.query(`select ${changeColumns} from custody.registry_change where id = $1 for update`, [id]);
  return row === undefined ? undefined : changeOf(row);
}

export type RegistryChangeView = {
  readonly id: string;
  readonly kind: RegistryChangeKind;
  /** Version of the registry that the list changes. */
  readonly before: string;
  readonly itemsCount: number;
  readonly listDigest: string;
  readonly intentDigest: string;
  readonly state: RegistryChangeState;
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  /** Version that it led to. */
  readonly version: string | null;
  readonly expiresAt: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type RegistryChangeFilter = {
  readonly id?: string;
  readonly state?: string;
  readonly after: string | null;
  readonly limit: number;
};

/** Changes without their lists, which may be long: see {@link registryChangeText}. */
export async function registryChangeViews(
  db: Queries,
  filter: RegistryChangeFilter,
): Promise<readonly RegistryChangeView[]> {
  const rows = await db.query(
    `select id, kind, before_version, list_digest, items, intent_digest, state, reason, version, requested_by, expires_at,
       created_at, updated_at
     from custody.registry_change
     where ($1::text is null or id = $1) and ($2::text is null or state = $2) and ($3::text is null or id > $3)
     order by id limit $4`,
    [filter.id ?? null, filter.state ?? null, filter.after, filter.limit],
  );
  const approvals = await approvalRows(
    db,
    rows.map((row) => text(row, 'id')),
  );
  return rows.map((row) => viewOf(row, approvals));
}

export async function changeView(db: Queries, id: string): Promise<RegistryChangeView> {
  const [view] = await registryChangeViews(db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A registry change that was just stored is not there.', { id });
  return view;
}

function viewOf(row: Row, approvals: readonly Row[]): RegistryChangeView {
  const id = text(row, 'id');
  const kind = text(row, 'kind');
  invariant(kind === 'enrolment' || kind === 'policy-change', `"${kind}" is no kind of registry change.`);
  return {
    id,
    kind,
    before: bigint(row, 'before_version').toString(),
    itemsCount: integer(row, 'items'),
    listDigest: text(row, 'list_digest'),
    intentDigest: text(row, 'intent_digest'),
    state: stateOf(text(row, 'state')),
    reason: textOrNull(row, 'reason'),
    requestedBy: text(row, 'requested_by'),
    approvals: approvals
      .filter((one) => one['subject'] === id)
      .map((one) => ({ by: text(one, 'person'), at: date(one, 'at').toISOString() })),
    version: bigintOrNull(row, 'version')?.toString() ?? null,
    expiresAt: date(row, 'expires_at').toISOString(),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

/** The texts that people read and sign. */
export type RegistryChangeText = {
  /** Canonical text of the list of items. */
  readonly list: string;
  readonly intent: Intent;
  /** The canonical text of the intent, and SHA-256 of its bytes. */
  readonly canonical: string;
  readonly digest: string;
};

export async function registryChangeText(db: Queries, id: string): Promise<RegistryChangeText | undefined> {
  const change = await findChange(db, id);
  return change === undefined ? undefined : { list: change.list, intent: change.intent, ...canonicalOf(change.intent) };
}
