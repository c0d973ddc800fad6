import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import { Pool, type PoolClient, type QueryConfig, TypeOverrides } from 'pg';
import { faultOf, isConnectionLost, isRepeatable } from './failure.ts';
import type { Row } from './row.ts';

export const connectionsDefault = 10;
export const statementTimeoutMsDefault = 30_000;
export const idleInTransactionTimeoutMsDefault = 30_000;
export const connectTimeoutMsDefault = 10_000;
/** How often work is tried that the server rolls back for a serialization failure or a deadlock. */
export const transactionAttemptsMax = 12;
export const backOffMsMax = 400;

/** What a parameter may be. `bigint` travels as decimal text; JSON is passed as a string by the caller. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null | readonly SqlValue[];

/** The one way to ask the database. `name` prepares the statement once per connection: give it to statements of hot paths. */
export interface Queries {
  query(text: string, values?: readonly SqlValue[], options?: { readonly name?: string }): Promise<readonly Row[]>;
}

export interface Transaction extends Queries {
  /**
   * Runs a part that may fail alone: if `work` throws, what it wrote is undone and the error comes back, the transaction
   * lives on. Not for serialization failures and deadlocks; those end the whole transaction and repeat it.
   */
  savepoint<T>(work: () => Promise<T>): Promise<T>;
}

export type TransactionOptions = {
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
};

export interface Database extends Queries, AsyncDisposable {
  /**
   * Runs `work` in one transaction and commits. Work that the server rolled back for a serialization failure or a deadlock
   * runs again from the start, at most {@link transactionAttemptsMax} times: it must have no effect outside the database.
   *
   * @throws CustodyError `database/busy` when the attempts are used up or a timeout struck: nothing was stored.
   * @throws CustodyError `database/unavailable` when the connection was lost: the commit may or may not have happened.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

export type DatabaseOptions = {
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly name?: string;
  /** Role the session takes at once; for a login that is more than the application needs. */
  readonly role?: string;
  readonly connections?: number;
  readonly statementTimeoutMs?: number;
  readonly idleInTransactionTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
};

/** Object ids of `date` and `timestamp`. They have no zone, and the driver would read them in the zone of this machine. */
const zoneless = [1082, 1114] as const;

function typeParsers(): TypeOverrides {
  const parsers = new TypeOverrides();
  for (const id of zoneless) parsers.setTypeParser(id, 'text', String);
  return parsers;
}

function queryConfig(text: string, values: readonly SqlValue[] | undefined, name: string | undefined): QueryConfig {
  return {
    text,
    ...(values === undefined ? {} : { values: [...values] }),
    ...(name === undefined ? {} : { name }),
  };
}

/**
 * Work that failed against others takes its turn with everything else that failed, one at a time, so that a crowd on the same
 * rows thins out instead of colliding for ever. Taken before the transaction begins, because a transaction that needs
 * one snapshot must take it after the wait; held by the session, so it goes when the connection does.
 */
const turnstile = '4776193308411254213';

async function backOff(attempt: number): Promise<void> {
  const ceiling = Math.min(backOffMsMax, 4 * 2 ** attempt);
  await sleep(randomInt(1, ceiling + 1));
}

async function repeated<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isRepeatable(error)) throw faultOf(error);
      if (attempt >= transactionAttemptsMax) {
        throw new CustodyError(
          'database/busy',
          `The work was rolled back ${attempt} times because others changed the same rows. Nothing was stored: try again later.`,
          { cause: error, details: { attempts: attempt } },
        );
      }
    }
    await backOff(attempt);
  }
}

class PooledTransaction implements Transaction {
  readonly #client: PoolClient;
  #depth = 0;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async query(
    text: string,
    values?: readonly SqlValue[],
    options?: { readonly name?: string },
  ): Promise<readonly Row[]> {
    const result = await this.#client.query<Row>(queryConfig(text, values, options?.name));
    return result.rows;
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    this.#depth += 1;
    const name = `part_${this.#depth}`;
    try {
      await this.#client.query(`savepoint ${name}`);
      const result = await work();
      await this.#client.query(`release savepoint ${name}`);
      return result;
    } catch (error) {
      if (!isRepeatable(error) && !isConnectionLost(error)) {
        await this.#client.query(`rollback to savepoint ${name}; release savepoint ${name}`);
      }
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }
}

class PooledDatabase implements Database {
  readonly #pool: Pool;
  #closing: Promise<void> | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * A single statement commits or rolls back on its own, so the rule of repetition holds for it too: after 40001 or
   * 40P01 nothing of it is stored.
   */
  async query(
    text: string,
    values?: readonly SqlValue[],
    options?: { readonly name?: string },
  ): Promise<readonly Row[]> {
    return repeated(async () => {
      const result = await this.#pool.query<Row>(queryConfig(text, values, options?.name));
      return result.rows;
    });
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const begin = `begin isolation level ${options.isolation ?? 'read committed'}${options.readOnly === true ? ' read only' : ''}`;
    return repeated((attempt) => this.#once(begin, work, attempt));
  }

  async #once<T>(begin: string, work: (transaction: Transaction) => Promise<T>, attempt: number): Promise<T> {
    const client = await this.#pool.connect();
    let lost: Error | undefined;
    const onError = (error: Error): void => {
      lost = error;
    };
    client.on('error', onError);
    const isTurned = attempt > 1;
    try {
      if (isTurned) await client.query(`select pg_advisory_lock(${turnstile})`);
      await client.query(begin);
      const result = await work(new PooledTransaction(client));
      // The commit point. If the answer to this statement is lost, the transaction may be stored or not, so the error
      // leaves here as `database/unavailable` and is never repeated; whoever asked finds out by idempotency key.
      const commit = await client.query('commit');
      if (commit.command !== 'COMMIT') {
        throw new CustodyError(
          'invariant/broken',
          'A statement failed inside the transaction and the error was swallowed: it was rolled back.',
        );
      }
      return result;
    } catch (error) {
      if (isConnectionLost(error)) lost = error instanceof Error ? error : new Error(String(error));
      else lost = await rolledBack(client, lost);
      throw error;
    } finally {
      if (isTurned) lost = await leftTurnstile(client, lost);
      client.off('error', onError);
      client.release(lost);
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Gives the turnstile back; a session that cannot loses it with its connection. */
async function leftTurnstile(client: PoolClient, lost: Error | undefined): Promise<Error | undefined> {
  if (lost !== undefined) return lost;
  try {
    await client.query(`select pg_advisory_unlock(${turnstile})`);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Rolls back; a client that cannot even do that is reported as lost so that the pool throws it away. */
async function rolledBack(client: PoolClient, lost: Error | undefined): Promise<Error | undefined> {
  if (lost !== undefined) return lost;
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Opens a pool. Connections are made when first needed; a wrong address shows at the first query. */
export function openDatabase(options: DatabaseOptions): Database {
  const sessionOptions = options.role === undefined ? {} : { options: `-c role=${options.role}` };
  const pool = new Pool({
    connectionString: options.url,
    application_name: options.name ?? 'bulkhead',
    max: options.connections ?? connectionsDefault,
    connectionTimeoutMillis: options.connectTimeoutMs ?? connectTimeoutMsDefault,
    statement_timeout: options.statementTimeoutMs ?? statementTimeoutMsDefault,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? idleInTransactionTimeoutMsDefault,
    types: typeParsers(),
    ...sessionOptions,
  });
  // An idle connection that the server closes is replaced at the next use; without a listener it would end the process.
  pool.on('error', () => undefined);
  return new PooledDatabase(pool);
}
