import { CustodyError, faultCodes, refusalCodes } from '@bulkhead/domain';
import type { FaultCode, RefusalCode } from '@bulkhead/domain';

/** Everything that can be said to a caller instead of an answer. */
export type ProblemCode = FaultCode | RefusalCode;

/**
 * HTTP status of every fault and refusal, the only place that knows. A code without a row does not compile.
 *
 * 400 the request cannot be read, 404 there is no such thing, 409 it conflicts with what is, 422 it is understood and business
 * says no, 503 come back later with the same key, 500 something here is wrong.
 */
export const statusOf: Readonly<Record<ProblemCode, number>> = {
  'account/unknown': 422,
  'address/checksum': 400,
  'address/malformed': 400,
  'agreement/missing': 422,
  'amount/malformed': 400,
  'amount/out-of-range': 400,
  'approval/of-another-person': 422,
  'asset/code-changed': 409,
  'asset/fee-on-transfer': 422,
  'asset/malformed': 400,
  'asset/not-allowed': 422,
  'asset/unknown': 422,
  'break/already-resolved': 409,
  'break/outdated': 409,
  'break/wrong-type': 422,
  'ceremony/damaged-bundle': 500,
  'ceremony/interrupted': 500,
  'ceremony/malformed-plan': 500,
  'ceremony/wrong-share': 500,
  'chain/behind-books': 503,
  'chain/disagreement': 503,
  'chain/finality-violated': 503,
  'chain/malformed': 400,
  'chain/nonsense': 503,
  'chain/not-stopped': 409,
  'chain/stopped': 503,
  'chain/unavailable': 503,
  'chain/unknown': 422,
  'client/duplicate-reference': 409,
  'client/segregation-fixed': 409,
  'compartment/frozen': 409,
  'compartment/out-of-range': 400,
  'compartment/wrong-kind': 422,
  'config/invalid': 500,
  'database/busy': 503,
  'database/damaged': 500,
  'database/unavailable': 503,
  'deposit/wrong-state': 409,
  'destination/own-compartment': 422,
  'destination/zero-address': 422,
  'fee/insufficient-funds': 422,
  'four-eyes/second-person-needed': 422,
  'hsm/digest-length': 500,
  'hsm/key-exists': 500,
  'hsm/key-missing': 500,
  'hsm/mechanism-missing': 500,
  'hsm/operation-active': 503,
  'hsm/pin-refused': 500,
  'hsm/refused': 500,
  'hsm/session-limit': 503,
  'hsm/signature-invalid': 500,
  'hsm/tampered-envelope': 500,
  'hsm/unavailable': 503,
  'intent/malformed': 400,
  'invariant/broken': 500,
  'key/damaged-file': 500,
  'key/derivation': 500,
  'key/file-access': 500,
  'key/file-exists': 500,
  'key/malformed-mnemonic': 500,
  'key/memory-lock': 500,
  'key/missing-file': 500,
  'key/native-module-missing': 500,
  'key/weak-passphrase': 500,
  'key/wrong-passphrase': 500,
  'ledger/malformed-transfer': 500,
  'ledger/marker-conflict': 500,
  'ledger/queue-full': 503,
  'migration/changed': 500,
  'migration/unknown': 500,
  'platform/damaged-state': 500,
  'platform/folder-busy': 500,
  'platform/folder-unreachable': 500,
  'platform/missing-binary': 500,
  'platform/port-taken': 500,
  'reconciliation/nothing-booked': 409,
  'registry-change/already-approved': 409,
  'registry-change/wrong-state': 409,
  'request/forbidden': 403,
  'request/idempotency-key-missing': 400,
  'request/idempotency-key-reused': 409,
  'request/malformed': 400,
  'request/timed-out': 503,
  'request/too-large': 413,
  'request/too-many': 429,
  'request/unauthenticated': 401,
  'request/unknown-host': 421,
  'request/unknown-route': 404,
  'request/unsupported-media-type': 415,
  'resource/not-found': 404,
  'signer/address-certified-before': 409,
  'signer/amount-above-limit': 422,
  'signer/approval-invalid': 422,
  'signer/approvals-missing': 422,
  'signer/certificate-invalid': 503,
  'signer/chain-not-development': 422,
  'signer/deadline-too-late': 422,
  'signer/destination-cooling': 422,
  'signer/fee-above-limit': 422,
  'signer/hardening': 500,
  'signer/intent-expired': 422,
  'signer/intent-spent': 409,
  'signer/malformed-transaction': 500,
  'signer/nonce-taken': 409,
  'signer/not-a-member': 503,
  'signer/not-ready': 503,
  'signer/other-signer-active': 503,
  'signer/person-not-entitled': 422,
  'signer/protocol': 500,
  'signer/registry-list': 422,
  'signer/registry-version': 409,
  'signer/request-missing': 422,
  'signer/sign-count': 422,
  'signer/state-damaged': 500,
  'signer/state-exists': 500,
  'signer/state-rewound': 500,
  'signer/too-many-attempts': 409,
  'signer/too-many-refusals': 503,
  'signer/unavailable': 503,
  'signer/unknown-asset': 422,
  'signer/unknown-chain': 422,
  'signer/unknown-client': 422,
  'signer/unknown-destination': 422,
  'signer/unknown-vault': 422,
  'signer/unknown-wallet': 422,
  'signer/velocity-exceeded': 422,
  'signer/wrong-deployment': 422,
  'segregation/forbidden': 422,
  'segregation/no-address': 409,
  'segregation/nothing-to-move': 422,
  'segregation/wrong-state': 409,
  'sweep/nothing-to-move': 422,
  'sweep/wrong-wallet': 422,
  'transaction/rejected': 422,
  'vault/backup-failed': 503,
  'vault/certificate': 400,
  'vault/configuration': 400,
  'vault/destination-not-listed': 422,
  'vault/exiting': 409,
  'vault/limit-exceeded': 422,
  'vault/malformed': 400,
  'vault/no-system': 422,
  'vault/not-issued': 409,
  'vault/receipt-missing': 409,
  'vault/refused': 422,
  'vault/signature': 400,
  'vault/signature-invalid': 422,
  'vault/system-differs': 503,
  'vault/wrong-state': 409,
  'wallet/address-mismatch': 409,
  'wallet/duty-taken': 409,
  'wallet/of-no-client': 422,
  'withdrawal/already-approved': 409,
  'withdrawal/insufficient-fee-funds': 422,
  'withdrawal/insufficient-funds': 422,
  'withdrawal/not-the-requester': 422,
  'withdrawal/requester-may-not-approve': 422,
  'withdrawal/wrong-state': 409,
};

/** All codes, sorted. */
export const problemCodes: readonly ProblemCode[] = [...faultCodes, ...refusalCodes].toSorted();

type Foreign = { readonly code: FaultCode; readonly message: string };

const unreadable: Foreign = {
  code: 'request/malformed',
  message:
    'The address or the framing of the request cannot be read: a path parameter is too long or not well encoded.',
};

/** Errors of the framework that are the caller's to mend. Any other one is ours. */
const foreignFaults: Readonly<Record<string, Foreign>> = {
  FST_ERR_BAD_URL: unreadable,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: unreadable,
  FST_ERR_MAX_PARAM_LENGTH: unreadable,
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'request/too-large',
    message: 'The body is larger than this server reads. No operation needs one that large.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'request/unsupported-media-type',
    message: 'The body is not announced as JSON: send it with Content-Type: application/json.',
  },
};

/**
 * The fault behind whatever was thrown. What nobody planned for is a bug: it becomes `invariant/broken` with a sentence that
 * tells the caller nothing of our insides, and keeps the cause for the log.
 */
export function faultFrom(thrown: unknown): CustodyError {
  if (thrown instanceof CustodyError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  const foreign = typeof code === 'string' ? foreignFaults[code] : undefined;
  if (foreign !== undefined) return new CustodyError(foreign.code, foreign.message, { cause: thrown });
  return new CustodyError(
    'invariant/broken',
    'The server met a situation that it was not made for and stopped this request. Look for the instance in its log.',
    { cause: thrown },
  );
}
