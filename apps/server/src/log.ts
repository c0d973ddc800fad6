import { CustodyError } from '@bulkhead/domain';
import { destination, pino, type DestinationStream, type Logger } from 'pino';
import type { Section } from './config-schema.ts';

export type Log = Logger;

/** Fields whose values are secrets wherever they turn up. */
const secretFields = ['authorization', 'token', 'tokenSha256', 'passphrase', 'password', 'mnemonic', 'xpub', 'url', 'ownerUrl', 'connectionString'];

/** A log of JSON lines without secrets, on standard error or in a file. Times are ISO 8601 in UTC. */
export function openLog(level: Section<'logLevel'>, file?: string): Log {
  return logTo(level, destination(file === undefined ? { dest: 2, sync: true } : { dest: file, sync: true, mkdir: true, mode: 0o600 }));
}

export function logTo(level: Section<'logLevel'>, stream: DestinationStream): Log {
  const paths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  const options = {
    level,
    base: { program: 'bulkhead' },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: [...paths, 'req.headers', 'headers'], censor: '[secret]' },
    serializers: { err: faultFields },
  };
  return pino(options, stream);
}

type FaultFields = { readonly code: string; readonly message: string; readonly details?: object; readonly cause?: unknown; readonly stack?: string };

/**
 * What a log line says of an error. A fault explains itself; anything else is a bug, and its stack is needed. The driver's
 * errors carry the values of the statement in `detail`: only their message is kept.
 */
function faultFields(error: unknown): FaultFields {
  if (error instanceof CustodyError) {
    const { code, message, details, cause } = error;
    return { code, message, details, ...(cause === undefined ? {} : { cause: faultFields(cause) }) };
  }
  if (error instanceof Error) return { code: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
  return { code: 'unknown', message: String(error) };
}
