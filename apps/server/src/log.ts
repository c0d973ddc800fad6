import { CustodyError } from '@bulkhead/domain';
import { destination, pino, type DestinationStream, type Logger } from 'pino';
import type { Section } from './config-schema.ts';

export type Log = Logger;

/** Fields whose values are secrets wherever they turn up. */
const secretFields = [
  'authorization',
  'token',
  'tokenSha256',
  'passphrase',
  'password',
  'mnemonic',
  'xpub',
  'url',
  'ownerUrl',
  'connectionString',
];

/** Characters that wait in memory for a disk that takes none; what comes after them is not logged. */
export const logHeldCharsMax = 1_000_000;

/**
 * A log of JSON lines without secrets, on standard error or in a file. Times are ISO 8601 in UTC. A disk that takes no more of it is
 * told on standard error once and ends nothing: deposits and books are worth more than their log.
 *
 * @throws CustodyError `platform/folder-unreachable`
 */
export function openLog(level: Section<'logLevel'>, file?: string): Log {
  const held = { sync: true, maxLength: logHeldCharsMax } as const;
  if (file === undefined) return logTo(level, enduring(destination({ dest: 2, ...held })));
  try {
    return logTo(level, enduring(destination({ dest: file, ...held, mkdir: true, mode: 0o600 }), file));
  } catch (error) {
    const message = `The data folder of the log ${file} cannot be used. Check owner and mode of it and of those above, or set BULKHEAD_DATA to another one.`;
    throw new CustodyError('platform/folder-unreachable', message, { cause: error });
  }
}

type Destination = ReturnType<typeof destination>;

function enduring(stream: Destination, file?: string): Destination {
  let told = file === undefined;
  return stream.on('error', (error: unknown) => {
    if (told) return;
    told = true;
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`WARNING: the log ${file} cannot be written (${why}). The server goes on without it.\n`);
  });
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

type FaultFields = {
  readonly code: string;
  readonly message: string;
  readonly details?: object;
  readonly cause?: unknown;
  readonly stack?: string;
};

/**
 * What a log line says of an error. A fault explains itself; anything else is a bug, and its stack is needed. The driver's
 * errors carry the values of the statement in `detail`: only their message is kept.
 */
function faultFields(error: unknown): FaultFields {
  if (error instanceof CustodyError) {
    const { code, message, details, cause } = error;
    return { code, message, details, ...(cause === undefined ? {} : { cause: faultFields(cause) }) };
  }
  if (error instanceof Error) {
    return { code: error.name, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
  }
  return { code: 'unknown', message: String(error) };
}
