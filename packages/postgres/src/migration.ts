import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CustodyError, invariant } from '@bulkhead/domain';
import type { Database, Queries } from './database.ts';
import { createRoles } from './roles.ts';
import { integer, text } from './row.ts';

/** Where a package keeps its numbered, forward-only migrations: `0001_books.sql`, `0002_….sql`. */
export type MigrationSource = {
  /** Name of the owning package, e.g. `ledger`. */
  readonly name: string;
  readonly directory: string;
};

export type Migration = {
  readonly source: string;
  readonly number: number;
  readonly file: string;
  readonly sql: string;
  readonly sha256: string;
};

export const migrationTimeoutMs = 600_000;
const fileName = /^(?<number>[0-9]{4})_[a-z0-9][a-z0-9-]*\.sql$/u;

/** Reads the migrations of one package in order. Numbers start at 1 and have no gap. Other files are left alone. */
export async function readMigrations(source: MigrationSource): Promise<readonly Migration[]> {
  const files = (await readdir(source.directory)).filter((file) => fileName.test(file)).toSorted();
  return Promise.all(
    files.map(async (file, index) => {
      const number = Number(file.slice(0, 4));
      invariant(
        number === index + 1,
        `Migrations of "${source.name}" must be numbered 1, 2, 3 …; found ${file} at place ${index + 1}.`,
      );
      const sql = await readFile(join(source.directory, file), 'utf8');
      return { source: source.name, number, file, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function prepare(owner: Database): Promise<void> {
  await createRoles(owner);
  await owner.transaction(async (transaction) => {
    // `create schema if not exists` of two sessions at once can collide in the catalogue; the lock lets one wait.
    await transaction.query(`select pg_advisory_xact_lock(hashtext('bulkhead migration'))`);
    await transaction.query(`create schema if not exists migration;
      create table if not exists migration.applied (
        source text not null,
        number integer not null,
        file text not null,
        sha256 text not null,
        applied_at timestamptz not null default now(),
        primary key (source, number)
      )`);
  });
}

async function check(owner: Queries, migrations: readonly Migration[], source: string): Promise<void> {
  const applied = await owner.query(
    'select number, file, sha256 from migration.applied where source = $1 order by number',
    [source],
  );
  for (const row of applied) {
    const number = integer(row, 'number');
    const known = migrations.find((migration) => migration.number === number);
    if (known === undefined) {
      throw new CustodyError(
        'migration/unknown',
        `The database has migration ${text(row, 'file')} of "${source}", which this version does not know: the database is newer. Start the newer version.`,
        { details: { source, number } },
      );
    }
    if (known.sha256 !== text(row, 'sha256')) {
      throw new CustodyError(
        'migration/changed',
        `Migration ${known.file} of "${source}" was changed after it was applied. Restore the file and put the change into a new migration.`,
        { details: { source, number } },
      );
    }
  }
}

/** Applies one migration, or finds that somebody did. Returns whether it was us. */
async function apply(owner: Database, migration: Migration): Promise<boolean> {
  return owner.transaction(async (transaction) => {
    await transaction.query(`set local statement_timeout = ${migrationTimeoutMs}`);
    // The row comes first: its primary key is the lock. A second server waits here until the first has committed and then
    // finds the row; if the first fails, its row goes with it and the second applies the file.
    const inserted = await transaction.query(
      'insert into migration.applied (source, number, file, sha256) values ($1, $2, $3, $4) on conflict do nothing returning number',
      [migration.source, migration.number, migration.file, migration.sha256],
    );
    if (inserted.length === 0) return false;
    await transaction.query(migration.sql);
    return true;
  });
}

/**
 * Brings the database to the version of the code: roles first, then the missing migrations of each source in the given
 * order, each in a transaction of its own. Returns the files this call applied.
 *
 * @throws CustodyError `migration/changed` when an applied file differs from the one here
 * @throws CustodyError `migration/unknown` when the database is newer than the code
 */
export async function migrate(owner: Database, sources: readonly MigrationSource[]): Promise<readonly string[]> {
  await prepare(owner);
  const done: string[] = [];
  for (const source of sources) {
    const migrations = await readMigrations(source);
    await check(owner, migrations, source.name);
    for (const migration of migrations) {
      if (await apply(owner, migration)) done.push(`${source.name}/${migration.file}`);
    }
    await check(owner, migrations, source.name);
  }
  return done;
}
