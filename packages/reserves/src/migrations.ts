import { fileURLToPath } from 'node:url';
import type { MigrationSource } from '@bulkhead/postgres';

/** The schema `reserves`. It numbers its facts by the sequence of the ledger, which comes before it. */
export const reservesMigrations: MigrationSource = {
  name: 'reserves',
  directory: fileURLToPath(import.meta.resolve('../sql')),
};
