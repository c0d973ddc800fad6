import { auditSignerRecords, coverageCertificate, type Custody } from '@bulkhead/custody';
import { audit, auditTimeoutMs } from '@bulkhead/ledger';
import { openDatabase, text, type DatabaseAccess } from '@bulkhead/postgres';
import { verifyRecord } from '@bulkhead/signer-client';

/** What an examination found, in sentences for people. None is the proof. */
export type Finding = { readonly kind: string; readonly detail: string };

/**
 * Proves every invariant of the books, that the run of stored blocks of every chain has no hole, and that of the stored records of
 * the signer none is missing or changed. Reads only, beside a
 * running server, in a session of its own because a long history takes its time.
 */
export async function examine(access: DatabaseAccess): Promise<readonly Finding[]> {
  await using db = openDatabase({
    ...access.app,
    name: 'bulkhead-check',
    connections: 1,
    statementTimeoutMs: auditTimeoutMs,
  });
  const violations = await audit(db);
  return [
    ...violations.map(({ kind, detail }) => ({ kind, detail })),
    ...(await holes(db)),
    ...(await signerRecords(db)),
  ];
}

async function holes(db: Custody['db']): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const row of await db.query('select chain from custody.chain_cursor order by chain')) {
    const chain = text(row, 'chain');
    const certificate = await coverageCertificate(db, chain);
    for (const height of certificate?.holes ?? []) {
      found.push({
        kind: 'coverage-hole',
        detail: `Block ${height} of ${chain} is missing, or does not follow the one below it.`,
      });
    }
  }
  return found;
}

/**
 * Each record is held against the identity that it names itself, because identities follow one another: whoever signs a changed one
 * with a key of their own breaks the chain of hashes, which is looked at too.
 */
async function signerRecords(db: Custody['db']): Promise<readonly Finding[]> {
  const detail = await auditSignerRecords(db, (record) => verifyRecord(record, [record.head.identity]));
  return detail === undefined ? [] : [{ kind: 'signer-record', detail }];
}
