import { CustodyError, type FaultCode } from '@bulkhead/domain';

/** What the shell is told. */
export const exitCodes = {
  /** Done, and nothing was wrong. */
  ok: 0,
  /** Something was found that must not be, the business refused, or a bug showed. */
  found: 1,
  /** The command line or the configuration cannot be used. */
  usage: 2,
  /** Database, chain, port, folder, key, signer or program: what is around us does not work. */
  environment: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The command line cannot be used. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

const environmental: ReadonlySet<string> = new Set([
  'chain',
  'database',
  'hsm',
  'key',
  'migration',
  'platform',
  'signer',
]);
/** Faults about chains and assets that whoever typed the command can mend. */
const typed: ReadonlySet<FaultCode> = new Set([
  'asset/malformed',
  'chain/malformed',
  'chain/unknown',
  'config/invalid',
]);

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof CustodyError)) return exitCodes.found;
  if (typed.has(error.code)) return exitCodes.usage;
  return environmental.has(error.code.split('/')[0] ?? '') ? exitCodes.environment : exitCodes.found;
}
