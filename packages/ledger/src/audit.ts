import { readFile } from 'node:fs/promises';
import { type BookId, invariant, parseBookId } from '@bulkhead/domain';
import { bigintOrNull, integerOrNull, type Queries, text } from '@bulkhead/postgres';

/** Statement timeout that leaves the audit time to read a whole history. */
export const auditTimeoutMs = 3_600_000;

/** What `sql/audit.sql` can find; the file says what each one means. */
export const violationKinds = [
  'book-unbalanced',
  'entry-chain-broken',
  'balance-not-history',
  'open-holds-not-history',
  'pending-not-holds',
  'account-negative',
  'account-was-negative',
  'loss-without-obligation',
  'transfer-without-entries',
  'settlement-not-of-hold',
  'wallet-entry-without-block',
  'content-changed',
  'key-refused-and-posted',
  'markers-not-contiguous',
] as const;

export type ViolationKind = (typeof violationKinds)[number];

export type Violation = {
  readonly kind: ViolationKind;
  readonly book?: BookId;
  readonly position?: bigint;
  /** One sentence with the values, for people. */
  readonly detail: string;
};

const kinds: ReadonlySet<string> = new Set(violationKinds);

function isKind(kind: string): kind is ViolationKind {
  return kinds.has(kind);
}

/**
 * Proves every invariant of the books and answers what is broken: an empty list is the proof. One statement, so one snapshot,
 * beside which posting goes on. Reads views only and runs with the rights of the application or of an auditor. On a long history
 * give it a database opened with a statement timeout of {@link auditTimeoutMs}.
 *
 * What it cannot find: a history that somebody with the owner's rights has rewritten whole and consistently, digests included.
 * Against that stand reconciliation with the chain and copies outside.
 */
export async function audit(db: Queries): Promise<readonly Violation[]> {
  const rows = await db.query(await readFile(new URL('../sql/audit.sql', import.meta.url), 'utf8'));
  return rows.map((row) => {
    const kind = text(row, 'violation');
    invariant(isKind(kind), `The audit found the unknown violation "${kind}".`);
    const book = integerOrNull(row, 'book');
    const position = bigintOrNull(row, 'transfer_position');
    return {
      kind,
      ...(book === null ? {} : { book: parseBookId(book) }),
      ...(position === null ? {} : { position }),
      detail: text(row, 'detail'),
    };
  });
}
