import { fileURLToPath } from 'node:url';
import type { MigrationSource } from '@bulkhead/postgres';

/** The schema `log`. It names no table of another schema, and can be applied before or after any. */
export const logMigrations: MigrationSource = {
  name: 'log',
  directory: fileURLToPath(import.meta.resolve('../sql')),
};
