import { readFile } from 'node:fs/promises';
import { softwareSigner } from '@bulkhead/log';
import { type Database, openDatabase, text } from '@bulkhead/postgres';
import { besideRunning, type Configuration, loadConfiguration, publishedLogKey, reachDatabase } from '@bulkhead/server';
import { parseCheckpointText, parseSignedNote, parseVerifierKey, type VerifierKey } from '@bulkhead/tlog';
import type { Terminal } from '../terminal.ts';

/** A verification reads everything that was ever written. */
const verificationMsMax = 3_600_000;

export type Reached = AsyncDisposable & { readonly configuration: Configuration; readonly db: Database };

/** Reaches the database of this folder, beside its server where that runs. */
export async function reached(terminal: Terminal, as: 'owner' | 'app'): Promise<Reached> {
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using parts = new AsyncDisposableStack();
  const database = parts.use(await reachDatabase(configuration));
  const db = parts.use(openDatabase({ ...database.access[as], connections: 2, statementTimeoutMs: verificationMsMax }));
  const owned = parts.move();
  return { configuration, db, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The key that was given, or the one that signs here: in the file of the configuration, or as the signer certifies it. */
export async function keyOf(
  given: string | undefined,
  { configuration, db }: Reached,
): Promise<VerifierKey | undefined> {
  if (given !== undefined) return parseVerifierKey(given);
  const { keyFile, origin } = configuration.log;
  const [row] = await db.query('select note from log.checkpoint order by size desc limit 1');
  if (row === undefined) return undefined;
  if (keyFile === undefined) return publishedLogKey(configuration);
  const name = origin ?? parseCheckpointText(parseSignedNote(text(row, 'note')).text).origin;
  return softwareSigner(await readFile(keyFile, 'utf8'), name, 'ed25519').key;
}
