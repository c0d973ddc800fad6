import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { type Database, bigint, only } from '@bulkhead/postgres';
import { accountCount, timeOrderedReference } from './ledger-load.ts';
import type { Candidate } from './measure.ts';

const batchRows = 512;
/** One connection that never pauses: what a bulk load does. */
const lanes = 1;

/** Tables of the two baselines: a ledger as textbooks have it, and one shaped like ours, with the same indexes and no rules. */
export async function createBaselines(owner: Database): Promise<void> {
  await owner.query(`create schema baseline;
    create table baseline.account (id integer primary key, balance numeric(78, 0) not null);
    create table baseline.entry (
      id bigint generated always as identity primary key,
      transfer uuid not null,
      account integer not null references baseline.account (id),
      amount numeric(78, 0) not null,
      created_at timestamptz not null default now()
    );
    create index on baseline.entry (account, id);
    insert into baseline.account select i, 10::numeric ^ 30 from generate_series(0, ${accountCount - 1}) i;
    create table baseline.bare (like ledger.transfer including defaults including indexes);
    create sequence baseline.bare_position`);
}

/** begin, select for update twice, two inserts, two updates, commit; accounts in one order so that it does not deadlock. */
export function textbookCandidate(name: string, db: Database, pair: () => readonly [number, number]): Candidate {
  return {
    name,
    clients: 512,
    async operation() {
      const [debit, credit] = pair();
      const amount = BigInt(randomInt(1, 1_000_000)) * 10n ** 12n;
      const key = randomUUID();
      await db.transaction(async (transaction) => {
        const balances = new Map<number, bigint>();
        for (const account of debit < credit ? [debit, credit] : [credit, debit]) {
          const row = only(
            await transaction.query('select balance from baseline.account where id = $1 for update', [account], {
              name: 'lock',
            }),
          );
          balances.set(account, bigint(row, 'balance'));
        }
        if ((balances.get(debit) ?? 0n) < amount) throw new Error('The bench ran out of funds.');
        const insert = 'insert into baseline.entry (transfer, account, amount) values ($1, $2, $3)';
        await transaction.query(insert, [key, debit, -amount], { name: 'insert' });
        await transaction.query(insert, [key, credit, amount], { name: 'insert' });
        const update = 'update baseline.account set balance = balance + $2 where id = $1';
        await transaction.query(update, [debit, -amount], { name: 'update' });
        await transaction.query(update, [credit, amount], { name: 'update' });
      });
      return 1;
    },
  };
}

const insertBare = `insert into baseline.bare (position, key, type, book, debit, credit, amount, debit_after, credit_after, code, reference, digest)
  select nextval('baseline.bare_position'), r.* from unnest($1::uuid[], $2::ledger.transfer_type[], $3::integer[], $4::integer[], $5::integer[],
    $6::numeric[], $7::numeric[], $8::numeric[], $9::text[], $10::text[], $11::bytea[]) r`;

/** The same rows into the same indexes by one insert per batch: no keys looked up, no locks, no balances, no rules. */
export function bareCandidate(name: string, db: Database): Candidate {
  const constant = (value: string): string => `{${Array.from({ length: batchRows }, () => value).join(',')}}`;
  const made = (value: () => string): string => `{${Array.from({ length: batchRows }, value).join(',')}}`;
  const types = constant('post');
  const books = constant('1');
  const codes = constant('bench');
  return {
    name,
    clients: lanes,
    async operation() {
      const keys = Array.from({ length: batchRows }, () => randomUUID());
      const account = (): string => String(randomInt(accountCount));
      await db.query(
        insertBare,
        [
          `{${keys.join(',')}}`,
          types,
          books,
          made(account),
          made(account),
          made(() => `${randomInt(1, 1_000_000)}000000000000`),
          made(() => `1000000000000${randomInt(100_000, 1_000_000)}000000000000`),
          made(() => `1000000000000${randomInt(100_000, 1_000_000)}000000000000`),
          codes,
          made(timeOrderedReference),
          made(() => `"\\\\x${randomBytes(32).toString('hex')}"`),
        ],
        { name: 'bare' },
      );
      return batchRows;
    },
  };
}
