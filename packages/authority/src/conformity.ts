import { type Address, chainOf, type Compartment, contractOf, houseFees, type MovementIntent } from '@bulkhead/domain';
import { bytesOf, nativeToken, standardAddress, sweepDelegateCreationCode } from '@bulkhead/vaults';
import { bytesToHex } from '@noble/hashes/utils.js';
import { difference } from './difference.ts';
import type { Hashes } from './hashes.ts';
import type { IsOwn } from './judgement.ts';
import type { Registry } from './registry.ts';
import { isVaultOf } from './registry-vault.ts';
import { assertRelayed, type Relay, relayAuthorizationsMax, relayBytesMax } from './relay.ts';
import type { Authorization, UnsignedTransaction } from './transaction.ts';

/** What a signature would be given for. */
export type Proposal = {
  readonly intent: MovementIntent;
  /** Compartment of the key that would sign, and the key's own address. */
  readonly compartment: Compartment;
  readonly own: Address;
  readonly transaction: UnsignedTransaction;
  readonly isOwn: IsOwn;
  readonly registry: Registry;
  /** Of a relay: what was granted here under the id that it carries ({@link RelayedCall}). */
  readonly granted?: string | undefined;
};

/** `transfer(address,uint256)` of ERC-20. */
const transferSelector = 'a9059cbb';

/**
 * Asserts that a transaction does exactly what its intent says, and nothing beside it. The checks run in a fixed order, and the
 * first difference is the one that is named.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function assertConforms(hashes: Hashes, proposal: Proposal): void {
  const { intent, compartment, transaction } = proposal;
  same('compartment of the key', String(intent.compartment), String(compartment));
  same('chain', chainOf(intent.asset), transaction.chain);
  same('length of the access list', '0', String(transaction.accessListLength));
  assertFee(intent, transaction);
  if (intent.kind !== 'relay') same('number of authorisations', '0', String(transaction.authorizations.length));
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
      assertRelay(hashes, proposal, intent);
      return;
    case 'delegation':
      throw difference('kind of the intent', 'one that is a transaction', intent.kind);
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
function assertOurs(
  compartment: Compartment,
  among: 'listed' | 'derived',
  { intent, isOwn, registry }: Proposal,
): void {
  const at = { chain: chainOf(intent.asset), compartment, address: intent.to };
  const vault = intent.kind === 'sweep' && isVaultOf(registry, at);
  if (!vault && !isOwn(compartment, intent.to, among)) {
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

/** The house pays for the call, and for nothing else: no coin goes along. */
function assertRelay(hashes: Hashes, proposal: Proposal, intent: Relay): void {
  const { transaction, registry, isOwn, granted } = proposal;
  const { data, authorizations } = transaction;
  same('contract called', intent.to, transaction.to ?? 'none');
  same('value in wei', '0', String(transaction.value));
  same('digest of the call data', intent.callDigest, bytesToHex(hashes.sha256(data)));
  if (data.length > relayBytesMax) {
    throw difference('length of the call data in bytes', `at most ${relayBytesMax}`, String(data.length));
  }
  if (data.length === 0 && authorizations.length === 0) throw difference('call data', 'a function', 'nothing');
  assertRelayed(hashes, { registry, intent, data, isOwn, granted });
  if (authorizations.length > relayAuthorizationsMax) {
    throw difference('number of authorisations', `at most ${relayAuthorizationsMax}`, String(authorizations.length));
  }
  // Whose code an address takes is decided where it signs; here it only costs gas.
  for (const { chain } of authorizations) same('chain of an authorisation', chainOf(intent.asset), chain);
}

/** What an address is to sign so that its tokens can be swept without gas of its own. */
export type Delegated = {
  readonly intent: Extract<MovementIntent, { readonly kind: 'delegation' }>;
  /** Compartment of the key that would sign. */
  readonly compartment: Compartment;
  readonly own: Address;
  readonly authorization: Authorization;
  readonly registry: Registry;
};

/**
 * Asserts that an authorisation is the one of its intent, and its delegate the one that pays nobody but the wallet of the intent: its
 * address is worked out here.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function assertDelegates(hashes: Hashes, proposal: Delegated): void {
  const { intent, compartment, own, authorization, registry } = proposal;
  const { systems } = registry;
  const chain = chainOf(intent.asset);
  same('compartment of the key', String(intent.compartment), String(compartment));
  same('chain', chain, authorization.chain);
  same('nonce', String(intent.nonce), String(authorization.nonce));
  same('delegate', intent.to, authorization.delegate);
  if (intent.wallet === own) throw difference('wallet that is paid', 'another than the address itself', own);
  if (intent.to === nativeToken) return;
  const code = systems.get(chain)?.delegateCode ?? '';
  if (code === '') throw difference('delegate', 'one that the registry has for this chain', intent.to);
  same('delegate of the wallet', delegateOf(hashes, code, intent.wallet), intent.to);
}

/** Where the delegate of one wallet is: the standard factory puts it there, and its code pays nobody else. */
export function delegateOf(hashes: Hashes, delegateCode: string, wallet: Address): Address {
  return standardAddress(hashes, sweepDelegateCreationCode(bytesOf(`0x${delegateCode}`), wallet));
}

function same(name: string, wanted: string, found: string): void {
  if (wanted !== found) throw difference(name, wanted, found);
}
