import { createHash } from 'node:crypto';
import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import {
  bigint,
  bigintOrNull,
  only,
  type Queries,
  type Row,
  text,
  textOrNull,
  type Transaction,
} from '@bulkhead/postgres';
import { signerSays } from './approval.ts';
import { type Custody, machine } from './custody.ts';
import { enqueue } from './job.ts';
import { record as note } from './journal.ts';
import { namesAssets } from './reviewed-code.ts';
import { readState, writeState } from './state.ts';

/** Records asked of the signer at a time. */
export const signerRecordsAtOnce = 200;
/** Rounds of one run of the job: what is left waits a minute for the next. */
export const signerRoundsMax = 50;

/** Hash of an empty log. */
export const zeroHash: string = '0'.repeat(64);

/** How far the signer's log is known here, and what is wrong with it. */
export type SignerLogView = {
  /** Newest record up to which none is missing. */
  readonly sequence: string;
  /** Hash of the log there. */
  readonly hash: string;
  /**
   * Why what the signer says cannot be true together with what it said before, which stays; or why what was last answered is not
   * believed, which goes when it answers with proof again. Null while all fits.
   */
  readonly trouble: string | null;
};

export type SignerRecordView = {
  readonly sequence: string;
  /** Canonical JSON. */
  readonly line: string;
  readonly previous: string;
  readonly following: readonly string[];
  readonly head: DecisionRecord['head'];
};

export type Log = {
  readonly sequence: bigint;
  readonly hash: string;
  readonly trouble: string | null;
  /** Why the last answer proves nothing. */
  readonly doubt: string | null;
};

function logOf(row: Row | undefined): Log {
  if (row === undefined) return { sequence: 0n, hash: zeroHash, trouble: null, doubt: null };
  return {
    sequence: bigint(row, 'sequence'),
    hash: text(row, 'hash'),
    trouble: textOrNull(row, 'trouble'),
    doubt: textOrNull(row, 'doubt'),
  };
}

const logColumns = 'sequence, hash, trouble, doubt';

export async function findLog(db: Queries): Promise<Log> {
  const [row] = await db.query(`select ${logColumns} from custody.signer_log where name = 'signer'`);
  return logOf(row);
}

async function lockLog(tx: Transaction, now: Date): Promise<Log> {
  await tx.query(
    `insert into custody.signer_log (name, sequence, hash, updated_at) values ('signer', 0, $1, $2) on conflict do nothing`,
    [zeroHash, now],
  );
  return logOf(only(await tx.query(`select ${logColumns} from custody.signer_log where name = 'signer' for update`)));
}

/** Hash of the log up to a line: SHA-256 over the hash before it and the SHA-256 of the line. */
export function hashAfter(record: Pick<DecisionRecord, 'line' | 'previous'>): string {
  const line = createHash('sha256').update(record.line, 'utf8').digest();
  return createHash('sha256').update(Buffer.from(record.previous, 'hex')).update(line).digest('hex');
}

/** Stores a record; one that is there already must be the same. Answers what is there instead. */
async function insert(tx: Transaction, record: DecisionRecord, now: Date): Promise<string | undefined> {
  const stored = await tx.query(
    `insert into custody.signer_record (sequence, line, previous, following, head, stored_at)
     values ($1, $2, $3, $4, $5, $6) on conflict (sequence) do nothing returning sequence`,
    [record.sequence, record.line, record.previous, writeState(record.following), writeState(record.head), now],
  );
  if (stored.length > 0) return undefined;
  const row = only(
    await tx.query('select line, previous from custody.signer_record where sequence = $1', [record.sequence]),
  );
  const same = text(row, 'line') === record.line && text(row, 'previous') === record.previous;
  return same
    ? undefined
    : `Record ${record.sequence} of the signer is another one than was stored before: its log forked.`;
}

/**
 * Stores the record of a grant in the transaction that stores what was granted. It may come before the records ahead of it, which
 * are fetched later. A record that contradicts what is stored stops nothing here, because the signature exists: it is made known.
 *
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged` for a record that no pinned identity stands for. Nothing
 * of the answer is stored then: a signature that the signer's log does not have is one that somebody else may have made
 */
export async function storeRecord(custody: Custody, tx: Transaction, record: DecisionRecord): Promise<void> {
  custody.verifyRecord(record);
  const now = custody.clock.now();
  const fork = await insert(tx, record, now);
  if (fork !== undefined) await trouble(tx, fork, now);
}

/**
 * Written once and shown for ever: what the signer runs on is not what it ran on, and people must find out why. Only what identities
 * have signed leads here, so that nobody else can say it.
 */
async function trouble(tx: Transaction, reason: string, now: Date): Promise<void> {
  const log = await lockLog(tx, now);
  if (log.trouble !== null) return;
  await tx.query(`update custody.signer_log set trouble = $1, updated_at = $2 where name = 'signer'`, [reason, now]);
  await note(tx, now, { actor: machine, subject: 'signer', event: 'signer-log-trouble', data: { reason } });
}

/** What was answered is not proven. It is shown until the next answer that is, and stops nothing: anybody at the socket could say it. */
async function doubt(custody: Custody, reason: string): Promise<void> {
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    const log = await lockLog(tx, now);
    if (log.trouble !== null || log.doubt === reason) return;
    await tx.query(`update custody.signer_log set doubt = $1, updated_at = $2 where name = 'signer'`, [reason, now]);
    await note(tx, now, { actor: machine, subject: 'signer', event: 'signer-answer-not-believed', data: { reason } });
  });
}

async function believe(custody: Custody, log: Log): Promise<void> {
  if (log.doubt === null) return;
  await custody.db.query(`update custody.signer_log set doubt = null, updated_at = $1 where name = 'signer'`, [
    custody.clock.now(),
  ]);
}

/**
 * The job `pull-signer-records`: fetches what the signer decided since, record by record and without a hole, and holds each
 * against the one before it. What the signer had once recorded and no longer has, or has differently, is said in
 * {@link SignerLogView.trouble}; nothing more is fetched then. Records that no pinned identity stands for are not stored, and the
 * next run asks again.
 *
 * Each round commits its records with the position up to which they go; a crash repeats a round, which finds its records there.
 * While the signer does not answer there is nothing to fetch, and the next run asks again.
 */
export async function pullSignerRecords(custody: Custody): Promise<void> {
  try {
    await pull(custody);
  } catch (error) {
    if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
  }
}

async function pull(custody: Custody): Promise<void> {
  for (let round = 0; round < signerRoundsMax; round += 1) {
    const log = await findLog(custody.db);
    if (log.trouble !== null) return;
    const records = await custody.signer.records(log.sequence, signerRecordsAtOnce);
    if (records.length === 0) return checkNotRewound(custody, log);
    const { proven, reason } = provenOf(custody, records);
    const isWhole =
      proven.length === 0 || (await custody.db.transaction((tx) => takeRecords(custody, tx, { log, records: proven })));
    if (reason !== undefined) return doubt(custody, reason);
    if (!isWhole) return;
    await believe(custody, log);
  }
}

/** The records before the first one that proves nothing, and what is wrong with that one. */
function provenOf(
  custody: Custody,
  records: readonly DecisionRecord[],
): { readonly proven: readonly DecisionRecord[]; readonly reason?: string } {
  for (const [n, record] of records.entries()) {
    try {
      custody.verifyRecord(record);
    } catch (error) {
      if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
      const reason = `Record ${record.sequence} that the signer gives is not stored (${error.code}): ${error.message}`;
      return { proven: records.slice(0, n), reason };
    }
  }
  return { proven: records };
}

async function takeRecords(
  custody: Custody,
  tx: Transaction,
  { log, records }: { log: Log; records: readonly DecisionRecord[] },
): Promise<boolean> {
  const now = custody.clock.now();
  const locked = await lockLog(tx, now);
  // Another process took them meanwhile.
  if (locked.sequence !== log.sequence || locked.trouble !== null) return locked.trouble === null;
  let { sequence, hash } = log;
  for (const record of records) {
    const wrong =
      record.sequence !== sequence + 1n
        ? `After record ${sequence} the signer gives ${record.sequence}: records are missing.`
        : record.previous !== hash
          ? `Record ${record.sequence} of the signer does not follow record ${sequence} as it is stored: its log forked.`
          : await insert(tx, record, now);
    if (wrong !== undefined) {
      await advance(tx, { sequence, hash, now });
      await trouble(tx, wrong, now);
      return false;
    }
    sequence = record.sequence;
    hash = hashAfter(record);
  }
  if (records.some(namesAssets)) {
    for (const chain of custody.chains.keys()) await enqueue(tx, { task: 'check-token-codes', id: chain });
  }
  await advance(tx, { sequence, hash, now });
  return true;
}

async function advance(tx: Transaction, to: { sequence: bigint; hash: string; now: Date }): Promise<void> {
  await tx.query(`update custody.signer_log set sequence = $1, hash = $2, updated_at = $3 where name = 'signer'`, [
    to.sequence,
    to.hash,
    to.now,
  ]);
}

/**
 * A signer that was put back to an older copy, tokens and all, cannot see it. Who kept its records can. That it has fewer is a word
 * without a signature, so it is shown and no more; the first record that it makes there is signed, and shows the fork for ever.
 */
async function checkNotRewound(custody: Custody, log: Log): Promise<void> {
  // Asked before the signer is: what is stored here by then was durable there before it was given out.
  const [row] = await custody.db.query('select max(sequence) as newest from custody.signer_record');
  const newest = row === undefined ? null : bigintOrNull(row, 'newest');
  const { sequence } = await custody.signer.status();
  if (newest === null || newest <= sequence) return believe(custody, log);
  const reason = `The signer says that it has ${sequence} records, and ${newest} were stored here before: it runs on an older state, or another process answers for it.`;
  await doubt(custody, reason);
}

export async function signerLogView(db: Queries): Promise<SignerLogView> {
  const { sequence, hash, trouble: reason, doubt: unproven } = await findLog(db);
  return { sequence: sequence.toString(), hash, trouble: reason ?? unproven };
}

/** Records after a position, oldest first. */
export async function signerRecordViews(
  db: Queries,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<readonly SignerRecordView[]> {
  const rows = await db.query(
    `select sequence, line, previous, following::text as following, head::text as head from custody.signer_record
     where sequence > $1 order by sequence limit $2`,
    [after ?? '0', limit],
  );
  return rows.map((row) => ({
    sequence: bigint(row, 'sequence').toString(),
    line: text(row, 'line'),
    previous: text(row, 'previous'),
    following: readState<readonly string[]>(text(row, 'following')),
    head: readState<DecisionRecord['head']>(text(row, 'head')),
  }));
}

/** How often the signer refused, by code, in the records that are stored. */
export async function signerRefusalCounts(db: Queries): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query(
    'select refused, count(*) from custody.signer_record where refused is not null group by refused',
  );
  return new Map(rows.map((row) => [text(row, 'refused'), Number(bigint(row, 'count'))]));
}
