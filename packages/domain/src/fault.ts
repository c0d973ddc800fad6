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
  'ceremony/damaged-bundle',
  'ceremony/interrupted',
  'ceremony/malformed-plan',
  'ceremony/wrong-share',
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
  'hsm/digest-length',
  'hsm/key-exists',
  'hsm/key-missing',
  'hsm/mechanism-missing',
  'hsm/operation-active',
  'hsm/pin-refused',
  'hsm/refused',
  'hsm/session-limit',
  'hsm/signature-invalid',
  'hsm/tampered-envelope',
  'hsm/unavailable',
  'intent/malformed',
  'invariant/broken',
  'key/damaged-file',
  'key/derivation',
  'key/file-access',
  'key/file-exists',
  'key/malformed-mnemonic',
  'key/memory-lock',
  'key/missing-file',
  'key/native-module-missing',
  'key/weak-passphrase',
  'key/wrong-passphrase',
  'ledger/malformed-transfer',
  'ledger/marker-conflict',
  'ledger/queue-full',
  'log/malformed',
  'log/retained',
  'log/unproven',
  'migration/changed',
  'migration/unknown',
  'platform/damaged-state',
  'platform/folder-busy',
  'platform/folder-unreachable',
  'platform/missing-binary',
  'platform/port-taken',
  'proof/malformed',
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
  'reserves/chain-has-less',
  'reserves/damaged-work',
  'reserves/insolvent',
  'reserves/maker-busy',
  'reserves/not-covered',
  'reserves/unknown-epoch',
  'reserves/wrong-state',
  'signer/address-certified-before',
  'signer/amount-above-limit',
  'signer/approval-invalid',
  'signer/approvals-missing',
  'signer/certificate-invalid',
  'signer/chain-not-development',
  'signer/deadline-too-late',
  'signer/destination-cooling',
  'signer/epoch-out-of-order',
  'signer/epoch-taken',
  'signer/fee-above-limit',
  'signer/hardening',
  'signer/header-mismatch',
  'signer/intent-expired',
  'signer/intent-spent',
  'signer/log-forked',
  'signer/log-position',
  'signer/malformed-transaction',
  'signer/nonce-taken',
  'signer/not-a-member',
  'signer/not-ready',
  'signer/other-signer-active',
  'signer/person-not-entitled',
  'signer/protocol',
  'signer/registry-list',
  'signer/registry-version',
  'signer/request-missing',
  'signer/sign-count',
  'signer/state-damaged',
  'signer/state-exists',
  'signer/state-rewound',
  'signer/too-many-attempts',
  'signer/too-many-refusals',
  'signer/unavailable',
  'signer/unknown-asset',
  'signer/unknown-chain',
  'signer/unknown-client',
  'signer/unknown-context',
  'signer/unknown-destination',
  'signer/unknown-log',
  'signer/unknown-proof-registry',
  'signer/unknown-vault',
  'signer/unknown-wallet',
  'signer/velocity-exceeded',
  'signer/wrong-deployment',
  'transaction/rejected',
  'vault/backup-failed',
  'vault/certificate',
  'vault/configuration',
  'vault/malformed',
  'vault/receipt-missing',
  'vault/refused',
  'vault/signature',
  'vault/system-differs',
  'wallet/address-mismatch',
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
