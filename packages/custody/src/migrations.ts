import { fileURLToPath } from 'node:url';
import { ledgerMigrations } from '@bulkhead/ledger';
import {
  appRole,
  type DatabaseOptions,
  migrate,
  type MigrationSource,
  openDatabase,
  type Queries,
} from '@bulkhead/postgres';
import { reservesMigrations } from '@bulkhead/reserves';
import { Logger, runMigrations } from 'graphile-worker';
import { Pool } from 'pg';

/** The numbered migrations of this package. They name the roles and nothing of the ledger's tables. */
export const custodyMigrations: MigrationSource = {
  name: 'custody',
  directory: fileURLToPath(new URL('../sql', import.meta.url)),
};

/** Everything numbered, in the order it is applied: the books first, then the workflows around them. */
export const migrationSources: readonly MigrationSource[] = [ledgerMigrations, reservesMigrations, custodyMigrations];

/**
 * Brings a database to the version of this code: ledger, custody, what else the caller has, job queue, and the rights of the
 * application on the queue.
 * Runs as the owner, before anything else runs; safe to repeat and safe for several servers at once. Returns the numbered
 * files that this call applied.
 *
 * A crash in between leaves a shorter prefix of the same list; the next call does the rest.
 *
 * @throws CustodyError `migration/changed`, `migration/unknown`, and what opening the database throws
 */
export async function migrateAll(
  owner: DatabaseOptions,
  others: readonly MigrationSource[] = [],
): Promise<readonly string[]> {
  await using db = openDatabase({ ...owner, connections: 1 });
  const applied = await migrate(db, [...migrationSources, ...others]);
  await migrateWorker(db, owner);
  return applied;
}

/**
 * Installs or upgrades the schema of the job queue as the owner and then renews the rights of the application on it, because
 * an upgrade of the library may drop and create its tables and functions.
 */
export async function migrateWorker(db: Queries, owner: DatabaseOptions): Promise<void> {
  const pgPool = new Pool({ connectionString: connectionString(owner), max: 1 });
  // A pool of its own the library forgets while its connection still closes: a server that stops just then would end this process.
  pgPool.on('error', () => undefined).on('connect', (client) => client.on('error', () => undefined));
  try {
    await runMigrations({ pgPool, logger: new Logger(() => () => undefined) });
  } finally {
    await pgPool.end();
  }
  await grantWorker(db);
}

/** The role of a session as part of its URL, for a library that opens its own connections. */
export function connectionString(access: { readonly url: string; readonly role?: string }): string {
  if (access.role === undefined) return access.url;
  const url = new URL(access.url);
  url.searchParams.set('options', `-c role=${access.role}`);
  return url.toString();
}

/** What the runner and `add_job` touch, found in their statements; see docs/decisions/0004-jobs.md. */
const tableRights = {
  // Read at start: a runner that finds the schema behind tries to migrate, and as the application it may not.
  migrations: 'select',
  _private_tasks: 'select, insert',
  // A finished job is deleted: the queue is no record. What happened is in the journal and in the workflow's own row.
  _private_jobs: 'select, insert, update, delete',
  // We name no queues, but the statements mention the table, and rights are checked before rows are.
  _private_job_queues: 'select, insert, update',
  _private_known_crontabs: 'select, insert, update',
} as const;

/** All the functions the application calls; the administrative ones (complete, fail, remove, reschedule) stay the owner's. */
const functionsCalled = ['add_job', 'add_jobs', 'force_unlock_workers'] as const;

/**
 * Gives the application the rights on the job queue that running it needs and no more. The tables of the library have
 * row-level security without any policy, which hides every row from everybody but the owner: a right alone would let the
 * application read nothing and fail on insert, so each table also gets a policy for this one role.
 */
export async function grantWorker(owner: Queries): Promise<void> {
  const tables = Object.entries(tableRights).map(
    ([table, rights]) => `revoke all on graphile_worker.${table} from public, ${appRole};
      grant ${rights} on graphile_worker.${table} to ${appRole};`,
  );
  const policies = Object.keys(tableRights)
    .filter((table) => table.startsWith('_private'))
    .map(
      (
        table,
      ) => `if not exists (select from pg_policy where polrelid = 'graphile_worker.${table}'::regclass and polname = '${appRole}') then
        create policy ${appRole} on graphile_worker.${table} for all to ${appRole} using (true) with check (true);
      end if;`,
    );
  const names = functionsCalled.map((name) => `'${name}'`).join(', ');
  // One statement, so that it is one transaction: no moment at which the application has half its rights.
  await owner.query(`do $grant$
    declare
      called regprocedure;
    begin
      -- Servers that start together grant one after the other; two updates of one catalogue row at once would fail.
      perform pg_advisory_xact_lock(hashtext('bulkhead migration'));
      grant usage on schema graphile_worker to ${appRole};
      revoke all on all functions in schema graphile_worker from public, ${appRole};
      for called in
        select oid from pg_proc where pronamespace = 'graphile_worker'::regnamespace and proname in (${names})
      loop
        execute format('grant execute on function %s to ${appRole}', called);
      end loop;
      ${tables.join('\n')}
      ${policies.join('\n')}
    end
  $grant$`);
}
