import type { FaultDetails } from './fault.ts';
import type { TransferRequest } from './transfer.ts';

/**
 * Refusals: business answers "no" that a caller must expect. They are values, they consume the idempotency key, and the same
 * request gets the same refusal again. `spec/refusals.md` has a row for each.
 */
export const refusalCodes = [
  'agreement/missing',
  'approval/of-another-person',
  'asset/code-changed',
  'asset/fee-on-transfer',
  'asset/not-allowed',
  'break/already-resolved',
  'break/outdated',
  'break/wrong-type',
  'chain/not-stopped',
  'client/duplicate-reference',
  'client/erased',
  'client/segregation-fixed',
  'compartment/frozen',
  'compartment/wrong-kind',
  'deposit/wrong-state',
  'destination/own-compartment',
  'destination/zero-address',
  'fee/insufficient-funds',
  'four-eyes/second-person-needed',
  'log/receipt-pending',
  'reconciliation/nothing-booked',
  'registry-change/already-approved',
  'registry-change/wrong-state',
  'resource/not-found',
  'segregation/forbidden',
  'segregation/no-address',
  'segregation/nothing-to-move',
  'segregation/wrong-state',
  'signer-set/change-under-way',
  'signer-set/without-effect',
  'sweep/nothing-to-move',
  'sweep/wrong-state',
  'sweep/wrong-wallet',
  'vault/destination-not-listed',
  'vault/exiting',
  'vault/fee-not-due',
  'vault/fee-under-way',
  'vault/limit-exceeded',
  'vault/no-system',
  'vault/not-issued',
  'vault/recovery-under-way',
  'vault/recovery-without-effect',
  'vault/restriction-under-way',
  'vault/restriction-without-effect',
  'vault/signature-invalid',
  'vault/wrong-state',
  'wallet/duty-taken',
  'wallet/of-no-client',
  'withdrawal/already-approved',
  'withdrawal/insufficient-fee-funds',
  'withdrawal/insufficient-funds',
  'withdrawal/not-the-requester',
  'withdrawal/requester-may-not-approve',
  'withdrawal/wrong-state',
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

export type Refused = {
  readonly status: 'refused';
  readonly code: RefusalCode;
  /** The fact, the values, and what to do. */
  readonly message: string;
  readonly details: FaultDetails;
};

export function refuse(code: RefusalCode, message: string, details: FaultDetails = {}): Refused {
  return { status: 'refused', code, message, details };
}

/** What a step of a workflow leads to: the next state, linked groups of transfers, and effects to run after the commit. */
export type Decided<State, Effect> = {
  readonly status: 'decided';
  readonly state: State;
  readonly transfers: readonly (readonly TransferRequest[])[];
  readonly effects: readonly Effect[];
};
