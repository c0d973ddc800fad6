export { databaseAccess, type DatabaseAccess } from './access.ts';
export {
  backOffMsMax,
  connectionsDefault,
  connectTimeoutMsDefault,
  type Database,
  type DatabaseOptions,
  idleInTransactionTimeoutMsDefault,
  openDatabase,
  type Queries,
  type SqlValue,
  statementTimeoutMsDefault,
  type Transaction,
  transactionAttemptsMax,
  type TransactionOptions,
} from './database.ts';
export {
  embeddedConnections,
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedVersion,
  startEmbedded,
} from './embedded.ts';
export { type Guard, takeGuard } from './guard.ts';
export { constraintOf, isConnectionLost, isRepeatable, sqlState } from './failure.ts';
export { migrate, type MigrationSource, migrationTimeoutMs } from './migration.ts';
export { appRole, auditorRole } from './roles.ts';
export {
  bigint,
  bigintOrNull,
  boolean,
  bytes,
  bytesOrNull,
  date,
  dateOrNull,
  integer,
  integerOrNull,
  json,
  only,
  type Row,
  text,
  textOrNull,
  texts,
} from './row.ts';
