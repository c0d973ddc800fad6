import {
  type Address,
  chainOf,
  type Compartment,
  contractOf,
  CustodyError,
  type FaultDetails,
  houseFees,
  type MovementIntent,
} from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { IsOwn } from './judgement.ts';
import type { UnsignedTransaction } from './transaction.ts';

/** What a signature would be given for. */
export type Proposal = {
  readonly intent: MovementIntent;
  /** Compartment of the key that would sign, and the key's own address. */
  readonly compartment: Compartment;
  readonly own: Address;
  readonly transaction: UnsignedTransaction;
  readonly isOwn: IsOwn;
};

/** `transfer(address,uint256)` of ERC-20. */
const transferSelector = 'a9059cbb';

/**
 * Asserts that a transaction does exactly what its intent says, and nothing beside it. The checks run in a fixed order, and the
 * first difference is the one that is named.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function assertConforms(proposal: Proposal): void {
  const { intent, compartment, transaction } = proposal;
  same('compartment of the key', String(intent.compartment), String(compartment));
  same('chain', chainOf(intent.asset), transaction.chain);
  same('length of the access list', '0', String(transaction.accessListLength));
  assertFee(intent, transaction);
  switch (intent.kind) {
    case 'cancel':
      assertCancel(proposal);
      return;
    case 'sweep':
      assertOurs(intent.compartment, 'listed', proposal);
      assertTransfer(intent, transaction);
      return;
    case 'fee-payment':
      assertOurs(houseFees, 'listed', proposal);
      assertTransfer(intent, transaction);
      return;
    case 'gas-grant':
      assertOurs(intent.beneficiary, 'derived', proposal);
      assertTransfer(intent, transaction);
      return;
    case 'relay':
    case 'delegation':
      throw difference('kind of the intent', 'one that is a transfer', intent.kind);
    case 'withdrawal':
    case 'deposit-return':
      assertTransfer(intent, transaction);
      return;
  }
}

function assertFee(intent: MovementIntent, transaction: UnsignedTransaction): void {
  const worst = transaction.gasLimit * transaction.maxFeePerGas;
  if (worst > intent.feeMax) {
    throw difference('highest network fee in wei', `at most ${intent.feeMax}`, String(worst));
  }
  if (transaction.maxPriorityFeePerGas > transaction.maxFeePerGas) {
    throw difference(
      'priority fee per gas in wei',
      `at most maxFeePerGas (${transaction.maxFeePerGas})`,
      String(transaction.maxPriorityFeePerGas),
    );
  }
}

function assertTransfer(intent: MovementIntent, transaction: UnsignedTransaction): void {
  const data = bytesToHex(transaction.data);
  const contract = contractOf(intent.asset);
  if (contract === undefined) {
    same('recipient', intent.to, transaction.to ?? 'none');
    same('value in wei', String(intent.amount), String(transaction.value));
    same('data', '', data);
    return;
  }
  same('contract called', contract, transaction.to ?? 'none');
  same('value in wei', '0', String(transaction.value));
  same('length of the call data in bytes', '68', String(transaction.data.length));
  same('selector of the call', transferSelector, data.slice(0, 8));
  same('recipient in the call data', intent.to.slice(2).padStart(64, '0'), data.slice(8, 72));
  same('amount in the call data', intent.amount.toString(16).padStart(64, '0'), data.slice(72));
}

/** Nobody approves these kinds one by one, so the recipient must be ours by derivation. */
function assertOurs(compartment: Compartment, among: 'listed' | 'derived', { intent, isOwn }: Proposal): void {
  if (!isOwn(compartment, intent.to, among)) {
    throw difference(
      'recipient of the intent',
      `${among === 'listed' ? 'a listed wallet' : 'an own address'} of compartment ${compartment}`,
      intent.to,
    );
  }
}

/** That a cancellation moves nothing is checked with the intent itself; here, that it moves it from and to the same address. */
function assertCancel(proposal: Proposal): void {
  const { intent, own, transaction } = proposal;
  if (intent.kind !== 'cancel') return;
  same('recipient of the intent', own, intent.to);
  same('recipient', own, transaction.to ?? 'none');
  same('value in wei', '0', String(transaction.value));
  same('data', '', bytesToHex(transaction.data));
  same('nonce', String(intent.nonce), String(transaction.nonce));
}

function same(name: string, wanted: string, found: string): void {
  if (wanted !== found) throw difference(name, wanted, found);
}

function difference(name: string, wanted: string, found: string): CustodyError {
  const details: FaultDetails = { difference: name, wanted: shorten(wanted), found: shorten(found) };
  return new CustodyError(
    'signer/malformed-transaction',
    `The transaction is not the one of the intent. ${name}: wanted ${shorten(wanted) || 'nothing'}, found ${shorten(found) || 'nothing'}. Nothing was signed; build the transaction from the intent again.`,
    { details },
  );
}

function shorten(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 160)}…`;
}
