import { readFile } from 'node:fs/promises';
import { type BookId, invariant } from '@bulkhead/domain';
import { bigintOrNull, type Database, integerOrNull, text } from '@bulkhead/postgres';
import { bookId } from './posting.ts';

/** Longest time the audit may take: it reads the whole history. */
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
 * Proves every invariant of the books in one snapshot and answers what is broken: an empty list is the proof. Reads views only
 * and runs with the rights of the application or of an auditor.
 *
 * What it cannot find: a history that somebody with the owner's rights has rewritten whole and consistently, digests included.
 * Against that stand reconciliation with the chain and copies outside.
 */
export async function audit(db: Database): Promise<readonly Violation[]> {
  const sql = await readFile(new URL('../sql/audit.sql', import.meta.url), 'utf8');
  const rows = await db.transaction(
    async (transaction) => {
      await transaction.query(`set local statement_timeout = ${auditTimeoutMs}`);
      return transaction.query(sql);
    },
    { isolation: 'repeatable read', readOnly: true },
  );
  return rows.map((row) => {
    const kind = text(row, 'violation');
    invariant(isKind(kind), `The audit found the unknown violation "${kind}".`);
    const book = integerOrNull(row, 'book');
    const position = bigintOrNull(row, 'transfer_position');
    return {
      kind,
      ...(book === null ? {} : { book: bookId(book) }),
      ...(position === null ? {} : { position }),
      detail: text(row, 'detail'),
    };
  });
}
