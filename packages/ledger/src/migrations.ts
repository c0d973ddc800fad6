import { fileURLToPath } from 'node:url';
import type { MigrationSource } from '@bulkhead/postgres';

/** The schema `ledger`. Owner of its tables; apply it before the schemas of packages that post. */
export const ledgerMigrations: MigrationSource = {
  name: 'ledger',
  directory: fileURLToPath(import.meta.resolve('../sql')),
};
