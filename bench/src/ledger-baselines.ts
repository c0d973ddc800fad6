import { randomBytes, randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Database, bigint, only } from '@bulkhead/postgres';
import { accountCount, timeOrderedKey, timeOrderedReference } from './ledger-load.ts';
import type { Candidate } from './measure.ts';

const batchRows = 512;

/**
 * Tables of the two baselines. The textbook has a transfer with its idempotency key and two entries with the balance behind
 * them. The bare table has the columns and all indexes of ours (primary key, unique key, unique hold, both accounts, block, reference,
 * link) and none of its check constraints or triggers.
 */
export async function createBaselines(owner: Database): Promise<void> {
  await owner.query(`create schema baseline;
    create table baseline.account (id integer primary key, balance numeric(78, 0) not null);
    create table baseline.transfer (
      key uuid primary key,
      debit integer not null,
      credit integer not null,
      amount numeric(78, 0) not null,
      created_at timestamptz not null default now()
    );
    create table baseline.entry (
      id bigint generated always as identity primary key,
      transfer uuid not null,
      account integer not null references baseline.account (id),
      amount numeric(78, 0) not null,
      balance_after numeric(78, 0) not null
    );
    create index on baseline.entry (account, id);
    insert into baseline.account select i, 10::numeric ^ 30 from generate_series(0, ${accountCount - 1}) i;
    create table baseline.bare (like ledger.transfer including defaults including indexes);
    create sequence baseline.bare_position`);
}

const insertTransfer = 'insert into baseline.transfer (key, debit, credit, amount) values ($1, $2, $3, $4)';
const insertEntries = `insert into baseline.entry (transfer, account, amount, balance_after)
  values ($1, $2, $3, $4), ($1, $5, $6, $7)`;
const updateBalance = 'update baseline.account set balance = $2 where id = $1';
const lockBalance = 'select balance from baseline.account where id = $1 for update';

/**
 * begin, select for update twice, two inserts (the transfer, its two entries), two updates, commit. Accounts are locked in one order
 * so that it does not deadlock; statements are prepared; what the key says is left to its unique index.
 */
export function textbookCandidate(name: string, db: Database, pair: () => readonly [number, number]): Candidate {
  return {
    name,
    clients: 512,
    async operation() {
      const [debit, credit] = pair();
      const amount = BigInt(randomInt(1, 1_000_000)) * 10n ** 12n;
      const key = timeOrderedKey();
      await db.transaction(async (transaction) => {
        const balances = new Map<number, bigint>();
        for (const account of debit < credit ? [debit, credit] : [credit, debit]) {
          const row = only(await transaction.query(lockBalance, [account], { name: 'lock' }));
          balances.set(account, bigint(row, 'balance'));
        }
        const debitAfter = (balances.get(debit) ?? 0n) - amount;
        const creditAfter = (balances.get(credit) ?? 0n) + amount;
        if (debitAfter < 0n) throw new Error('The bench ran out of funds.');
        await transaction.query(insertTransfer, [key, debit, credit, amount], { name: 'transfer' });
        const entries = [key, debit, -amount, debitAfter, credit, amount, creditAfter];
        await transaction.query(insertEntries, entries, { name: 'entries' });
        await transaction.query(updateBalance, [debit, debitAfter], { name: 'update' });
        await transaction.query(updateBalance, [credit, creditAfter], { name: 'update' });
      });
      return 1;
    },
  };
}

const insertBare = `insert into baseline.bare (position, key, type, book, debit, credit, amount, debit_after, credit_after, code, reference, digest)
  select nextval('baseline.bare_position'), r.* from unnest($1::uuid[], $2::ledger.transfer_type[], $3::integer[], $4::integer[], $5::integer[],
    $6::numeric[], $7::numeric[], $8::numeric[], $9::text[], $10::text[], $11::bytea[]) r`;

/**
 * The same rows into the same indexes by one insert per batch: no keys looked up, no locks, no balances, no rules. The rows of
 * the next batch are made while the database works, so each connection never pauses.
 */
export function bareCandidate(name: string, db: Database, connections: number): Candidate {
  const constant = (value: string): string => `{${Array.from({ length: batchRows }, () => value).join(',')}}`;
  const made = (value: () => string): string => `{${Array.from({ length: batchRows }, value).join(',')}}`;
  const [types, books, codes] = [constant('post'), constant('1'), constant('bench')];
  const account = (): string => String(randomInt(accountCount));
  const balance = (): string => `1000000000000${randomInt(100_000, 1_000_000)}000000000000`;
  const rows = (): readonly string[] => [
    made(timeOrderedKey),
    types,
    books,
    made(account),
    made(account),
    made(() => `${randomInt(1, 1_000_000)}000000000000`),
    made(balance),
    made(balance),
    codes,
    made(timeOrderedReference),
    made(() => `"\\\\x${randomBytes(32).toString('hex')}"`),
  ];
  const next = Array.from({ length: connections }, rows);
  return {
    name,
    clients: connections,
    async operation(client) {
      const inserted = db.query(insertBare, next[client] ?? rows(), { name: 'bare' });
      await nextTurn();
      next[client] = rows();
      await inserted;
      return batchRows;
    },
  };
}
