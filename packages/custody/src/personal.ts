import { CustodyError, type Refused } from '@bulkhead/domain';
import { bytes, type Queries, sqlState, text, type Transaction } from '@bulkhead/postgres';
import { type Answer, command, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';

/**
 * Texts that name a person. They stand in one table, with a salt, and go with it when they are erased; all other rows, the journal and
 * stored answers have the id of the row and the commitment.
 */
export type NewPersonal = {
  /** Of the client, agreement or fee that it belongs to. */
  readonly id: string;
  readonly client: string;
  readonly content: Readonly<Record<string, string>>;
  readonly now: Date;
};

/** Stores what names a person. Answers the commitment, for the journal; undefined where another client has the reference. */
export async function keepPersonal(tx: Transaction, fresh: NewPersonal): Promise<string | undefined> {
  const [row] = await tx.query(
    `insert into custody.personal (id, client, commitment, salt, content, created_at)
     select $1, $2, custody.personal_commitment(s.salt, $3::jsonb), s.salt, $3::jsonb, $4 from (select custody.new_salt() as salt offset 0) s
     on conflict ((content ->> 'reference')) where content ? 'reference' do nothing returning commitment`,
    [fresh.id, fresh.client, JSON.stringify(fresh.content), fresh.now],
  );
  return row === undefined ? undefined : Buffer.from(bytes(row, 'commitment')).toString('hex');
}

/** A write whose answer names a person. What is stored of it does not. */
export type Recalled<Kept extends object, View> = {
  readonly work: (tx: Transaction, now: Date) => Promise<Kept | Refused>;
  /** The answer, with the texts as they are now: after an erasure without them. */
  readonly recall: (db: Queries, kept: Kept) => Promise<View>;
};

/** A {@link command} whose stored answer has no personal data: that is read when it is answered, the first time and every other. */
export async function recalledCommand<Kept extends object, View>(
  custody: Custody,
  call: WriteCall,
  { work, recall }: Recalled<Kept, View>,
): Promise<Answer<View>> {
  const { outcome, ...rest } = await command<Kept>(custody, call, work);
  if (outcome.status !== 'done') return { ...rest, outcome };
  return { ...rest, outcome: { status: 'done', view: await recall(custody.db, outcome.view) } };
}

/**
 * Destroys what names a client, with salts: for the owner of the tables.
 *
 * @returns ids of the rows, for the fact of the erasure
 * @throws CustodyError `log/retained` while retention runs or the client has claims; nothing is erased
 */
export async function erasePersonal(tx: Transaction, client: string, now: Date): Promise<readonly string[]> {
  try {
    const rows = await tx.query(
      'update custody.personal set salt = null, content = null, erased_at = $2 where client = $1 and erased_at is null returning id',
      [client, now],
    );
    const ids = rows.map((row) => text(row, 'id')).toSorted();
    if (ids.length > 0) await forgetRequests(tx, ids);
    return ids;
  } catch (cause) {
    if (sqlState(cause) !== 'BH004') throw cause;
    const why = cause instanceof Error ? cause.message : 'legal retention is not over';
    throw new CustodyError('log/retained', `Nothing was erased: ${why}.`, { cause });
  }
}

/**
 * Empties the digests of the requests that were answered with these rows, or were refused for a reference: by trying out, a digest gives away
 * what it is of.
 */
async function forgetRequests(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.query(
    `update custody.command set fingerprint = '' where fingerprint <> ''
     and (answer #>> '{view,id}' = any ($1::text[]) or answer ->> 'code' = 'client/duplicate-reference')`,
    [ids],
  );
}

const findings: readonly (readonly [what: string, sql: string])[] = [
  [
    'is another one than the journal says, or was never in it',
    `select p.id from custody.personal p where not exists (
       select from custody.journal j where j.subject in (p.id, p.client) and (j.erased_at is not null or j.data ->> 'personal' = encode(p.commitment, 'hex')))`,
  ],
  [
    'is not what was committed to',
    // Not by the function of the database: whoever changes rows there can change that as well.
    `select p.id from custody.personal p where p.erased_at is null and p.commitment is distinct from
       sha256(convert_to(E'bulkhead-personal-v1\\n', 'UTF8') || p.salt || convert_to(p.content::text, 'UTF8'))`,
  ],
  [
    'was erased, and no fact says so',
    `select p.id from custody.personal p where p.erased_at is not null and not exists (
       select from custody.journal j where j.subject = 'log' and j.event = 'erased' and j.data -> 'personal' ? p.id)`,
  ],
  [
    'is gone',
    `select r.id from (select id from custody.client union all select id from custody.agreement union all select id from custody.fee) r
     where not exists (select from custody.personal p where p.id = r.id)`,
  ],
];

/** What is wrong with personal data: sentences, each with the id of a row. An erased row that a fact accounts for is not wrong. */
export async function personalFindings(db: Queries): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [what, sql] of findings) {
    for (const row of await db.query(`${sql} order by 1 limit 100`)) {
      found.push(`What names a person in ${text(row, 'id')} ${what}.`);
    }
  }
  return found;
}
