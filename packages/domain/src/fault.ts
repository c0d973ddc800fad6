/**
 * Faults: what went wrong with a request or with the world around us, in one class with one closed set of codes.
 *
 * A refusal that a caller must expect (no funds, wrong state) is a value; a fault is thrown. `spec/errors.md` has a row
 * for every code: meaning, why, what to do. HTTP status is the business of `api` alone.
 */
export const faultCodes = [
  'account/unknown',
  'address/checksum',
  'address/malformed',
  'amount/malformed',
  'amount/out-of-range',
  'asset/malformed',
  'asset/unknown',
  'chain/behind-books',
  'chain/disagreement',
  'chain/finality-violated',
  'chain/malformed',
  'chain/nonsense',
  'chain/stopped',
  'chain/unavailable',
  'chain/unknown',
  'compartment/out-of-range',
  'config/invalid',
  'database/busy',
  'database/damaged',
  'database/unavailable',
  'intent/malformed',
  'invariant/broken',
  'key/damaged-file',
  'key/derivation',
  'key/file-access',
  'key/file-exists',
  'key/malformed-mnemonic',
  'key/missing-file',
  'key/weak-passphrase',
  'key/wrong-passphrase',
  'ledger/malformed-transfer',
  'ledger/marker-conflict',
  'ledger/queue-full',
  'migration/changed',
  'migration/unknown',
  'platform/damaged-state',
  'platform/folder-busy',
  'platform/folder-unreachable',
  'platform/missing-binary',
  'platform/port-taken',
  'request/forbidden',
  'request/idempotency-key-missing',
  'request/idempotency-key-reused',
  'request/malformed',
  'request/timed-out',
  'request/too-large',
  'request/too-many',
  'request/unauthenticated',
  'request/unknown-host',
  'request/unknown-route',
  'request/unsupported-media-type',
  'signer/chain-not-development',
  'signer/intent-expired',
  'signer/malformed-transaction',
  'transaction/rejected',
] as const;

export type FaultCode = (typeof faultCodes)[number];

/** Values that explain a fault. Never secrets: they reach logs and problem documents. */
export type FaultDetails = Readonly<Record<string, string | number | boolean>>;

export class CustodyError extends Error {
  readonly code: FaultCode;
  readonly details: FaultDetails;

  constructor(code: FaultCode, message: string, options: { details?: FaultDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CustodyError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/**
 * States what must be true if the code has no bug. A broken invariant stops the work at hand: guessing on with money is
 * worse than standing still.
 */
export function invariant(condition: boolean, message: string, details: FaultDetails = {}): asserts condition {
  if (!condition) throw new CustodyError('invariant/broken', message, { details });
}
