import { CustodyError } from '@bulkhead/domain';

/** SQLSTATE of an error that the server sent, undefined for everything else. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/u.test(error.code) ? error.code : undefined;
}

/** Name of the constraint that an error of the server names, if any. */
export function constraintOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('constraint' in error)) return undefined;
  return typeof error.constraint === 'string' ? error.constraint : undefined;
}

/**
 * Serialization failure or deadlock: the server has rolled the whole transaction back and says so, hence the same work
 * may run again. Nothing else is: after a lost connection nobody knows whether the commit arrived.
 */
export function isRepeatable(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ENOENT',
]);
const lostMessages =
  /connection terminated|connection ended|client has encountered a connection error|client was closed|not queryable/iu;

/** True when the session behind the error is gone, so that its client must not return to the pool. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const state = sqlState(error);
  if (state !== undefined) {
    return state.startsWith('08') || state.startsWith('57P') || state === '53300' || state === '25P03';
  }
  if ('code' in error && typeof error.code === 'string' && socketCodes.has(error.code)) return true;
  return lostMessages.test(error.message);
}

/** Turns what the driver throws into a fault where the meaning is ours; constraint violations and the like stay as they are. */
export function faultOf(error: unknown): unknown {
  if (error instanceof CustodyError || !(error instanceof Error)) return error;
  if (isConnectionLost(error)) {
    return new CustodyError(
      'database/unavailable',
      `The database does not answer (${error.message}). Whether work in flight was stored is not known: look before doing it again.`,
      { cause: error },
    );
  }
  const state = sqlState(error);
  if (state === '53100' || state === '53200') {
    return new CustodyError(
      'database/unavailable',
      `The database has no room for it (${error.message}). Nothing was stored: give its disk or memory more room, then try again.`,
      { cause: error },
    );
  }
  if (state === '57014' || state === '55P03') {
    return new CustodyError(
      'database/busy',
      `The database gave up waiting (${error.message}). Nothing was stored: try again later.`,
      {
        cause: error,
      },
    );
  }
  if (state === undefined && error.message.includes('timeout exceeded when trying to connect')) {
    return new CustodyError(
      'database/busy',
      'No database connection became free in time. Nothing was stored: try again later.',
      {
        cause: error,
      },
    );
  }
  return error;
}
