import { migrateAll } from '@bulkhead/custody';
import { logMigrations } from '@bulkhead/log';
import { besideRunning, loadConfiguration, reachDatabase } from '@bulkhead/server';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

export async function migrate(terminal: Terminal): Promise<ExitCode> {
  readOptions('migrate', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using database = await reachDatabase(configuration);
  const applied = await withProgress(terminal, 'migrating', () => migrateAll(database.access.owner, [logMigrations]));
  for (const file of applied) terminal.out(`applied ${file}`);
  terminal.out(
    applied.length === 0
      ? 'The database is up to date.'
      : `${applied.length} migrations applied; the database is up to date.`,
  );
  return exitCodes.ok;
}
