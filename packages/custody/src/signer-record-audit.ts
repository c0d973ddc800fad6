import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import { bigint, bigintOrNull, only, type Queries, type Row, text } from '@bulkhead/postgres';
import { findLog, hashAfter, type SignerLogView, signerLogView, zeroHash } from './signer-record.ts';
import { readState } from './state.ts';

/** Records read at a time. */
const recordsAtOnce = 500;

const columns = 'sequence, line, previous, following::text as following, head::text as head';

const remedy =
  'Somebody wrote past the guards of the table: find out who, and bring the records back from a backup or from the signer.';

/**
 * Proves that the stored records are the signer's log from its first record to the position that is noted, none missing and none
 * changed, and that those that came ahead of that position with their grants are what was signed. Reads only.
 *
 * Whoever writes rows together with a position and hashes that fit them is not found here but by the signer, whose next record does
 * not follow what is stored.
 *
 * @param verify throws for a record that is not what the signed head in it stands for
 * @returns a sentence about the first record that is missing or changed; undefined where there is none
 */
export async function auditSignerRecords(
  db: Queries,
  verify: (record: DecisionRecord) => void,
): Promise<string | undefined> {
  // Read before the records are: records are added while this reads, and the position moves after them.
  const log = await findLog(db);
  let [sequence, hash] = [0n, zeroHash];
  for (;;) {
    const rows = await db.query(
      `select ${columns} from custody.signer_record where sequence > $1 order by sequence limit $2`,
      [sequence, recordsAtOnce],
    );
    for (const row of rows) {
      const at = bigint(row, 'sequence');
      if (at !== sequence + 1n && sequence < log.sequence) return missing(sequence + 1n, log.sequence);
      const fault = faultOf(row, verify);
      if (fault !== undefined) return `Record ${at} of the signer is not what was stored: ${fault} ${remedy}`;
      if (at === sequence + 1n && text(row, 'previous') !== hash) return unlike(sequence, `record ${at} follows`);
      sequence = at;
      hash = hashAfter({ line: text(row, 'line'), previous: text(row, 'previous') });
      if (at === log.sequence && hash !== log.hash) return unlike(at, 'was noted when it was stored');
    }
    if (rows.length < recordsAtOnce) return sequence < log.sequence ? missing(sequence + 1n, log.sequence) : undefined;
  }
}

function faultOf(row: Row, verify: (record: DecisionRecord) => void): string | undefined {
  try {
    verify({
      sequence: bigint(row, 'sequence'),
      line: text(row, 'line'),
      previous: text(row, 'previous'),
      following: readState<DecisionRecord['following']>(text(row, 'following')),
      head: readState<DecisionRecord['head']>(text(row, 'head')),
    });
    return undefined;
  } catch (error) {
    // What somebody wrote there need not even have the form of a proof.
    return error instanceof CustodyError ? `${error.message} (${error.code}).` : 'it holds no proof that can be read.';
  }
}

function missing(sequence: bigint, until: bigint): string {
  return `Record ${sequence} of the signer is missing, and all up to ${until} were stored. ${remedy}`;
}

function unlike(sequence: bigint, what: string): string {
  return `The log of the signer up to record ${sequence}, as it is stored, is not the one that ${what}. ${remedy}`;
}

/**
 * {@link signerLogView} with what can be said at each question: whether as many records are there as the position says, and whether
 * the newest of them has its hash. {@link auditSignerRecords} looks at every one.
 */
export async function countedSignerLogView(db: Queries): Promise<SignerLogView> {
  const view = await signerLogView(db);
  if (view.trouble !== null) return view;
  return { ...view, trouble: (await countTrouble(db, view)) ?? null };
}

async function countTrouble(db: Queries, { sequence, hash }: SignerLogView): Promise<string | undefined> {
  const until = BigInt(sequence);
  // One statement sees one moment. Positions begin with 1, so the first record that is not at its place comes after a hole.
  const placed = only(
    await db.query(
      `select count(*) as count, min(place) filter (where place <> sequence) as gap
       from (select sequence, row_number() over (order by sequence) as place from custody.signer_record where sequence <= $1) as placed`,
      [until],
    ),
  );
  const count = bigint(placed, 'count');
  if (count !== until) return missing(bigintOrNull(placed, 'gap') ?? count + 1n, until);
  if (until === 0n) return undefined;
  const [row] = await db.query('select line, previous from custody.signer_record where sequence = $1', [until]);
  if (row === undefined) return missing(until, until);
  const isNoted = hashAfter({ line: text(row, 'line'), previous: text(row, 'previous') }) === hash;
  return isNoted ? undefined : unlike(until, 'was noted when it was stored');
}
