import { ledgerMigrations } from '@bulkhead/ledger';
import type { MigrationSource, Queries } from '@bulkhead/postgres';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { newKeyPem, type NoteSigner, softwareSigner } from '../log-key.ts';
import { logMigrations } from '../migrations.ts';

export const logName = 'bulkhead.example.com/log';

export function newLogSigner(name: string = logName): NoteSigner {
  return softwareSigner(newKeyPem(), name, 'ed25519');
}

export const views = ['ledger.facts', 'diary.facts'] as const;

/** A package with facts of its own, as small as it can be. */
const diary = `
  create schema diary;
  create table diary.note (
    position bigint primary key default ledger.next_position(),
    id text not null,
    content text not null,
    erased boolean not null default false
  );
  create view diary.facts as
    select position, case when content like '%"erased"%' then 'erasure' else 'approval' end as kind, id, 1790000000000::bigint as time_ms,
      case when not erased then content end as content
    from diary.note;
  grant usage on schema diary to bulkhead_app;
  grant select, insert on diary.note to bulkhead_app;
  grant select on diary.facts to bulkhead_app;
`;

export type LogDatabase = TestDatabase;

/** Ledger, log, and a table of facts. */
export async function logDatabase(connections = 10): Promise<LogDatabase> {
  const migrations: readonly MigrationSource[] = [ledgerMigrations, logMigrations];
  const db = await testDatabase({ migrations, connections });
  await db.owner.query(diary);
  return db;
}

/** Writes facts, in the transaction of the caller. */
export async function note(db: Queries, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await db.query('insert into diary.note (id, content) values ($1, $2)', [id, JSON.stringify({ said: id })]);
  }
}

export async function notes(db: Queries, count: number): Promise<void> {
  await db.query(
    `insert into diary.note (id, content) select 'n' || n, '{"said": "n' || n || '"}' from generate_series(1, $1) n`,
    [count],
  );
}
