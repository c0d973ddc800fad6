import type { AccountName } from './account.ts';
import { chainOf, nativeAsset } from './asset.ts';
import { type TransferKey, type TransferRequest, transferKey } from './transfer.ts';
import type { WithdrawalState, WithdrawalTerms } from './withdrawal-terms.ts';

type Part = 'principal' | 'fee';

export function holdKey(terms: WithdrawalTerms, state: WithdrawalState, part: Part): TransferKey {
  return transferKey('withdrawal', terms.id, 'hold', part, String(state.holdRound));
}

export function voids(terms: WithdrawalTerms, state: WithdrawalState): TransferRequest[] {
  return state.feeHeld
    ? [voidHold(terms, state, 'principal'), voidHold(terms, state, 'fee')]
    : [voidHold(terms, state, 'principal')];
}

export function voidHold(terms: WithdrawalTerms, state: WithdrawalState, part: Part): TransferRequest {
  return {
    type: 'void-hold',
    key: transferKey('withdrawal', terms.id, 'void', part, String(state.holdRound)),
    hold: holdKey(terms, state, part),
    code: `${terms.kind}-void`,
    reference: terms.id,
  };
}

export function principalHold(terms: WithdrawalTerms, state: WithdrawalState): TransferRequest {
  return {
    type: 'hold',
    key: holdKey(terms, state, 'principal'),
    compartment: terms.compartment,
    asset: terms.asset,
    debit: { kind: terms.kind === 'withdrawal' ? 'available' : 'quarantine', holder: terms.client },
    credit: { kind: 'wallet', holder: state.wallet },
    amount: terms.amount,
    code: `${terms.kind}-hold`,
    reference: terms.id,
  };
}

export function feeHold(terms: WithdrawalTerms, state: WithdrawalState): TransferRequest {
  return {
    type: 'hold',
    key: holdKey(terms, state, 'fee'),
    compartment: terms.compartment,
    asset: nativeAsset(chainOf(terms.asset)),
    debit: feeAccount(terms),
    credit: { kind: 'wallet', holder: state.wallet },
    amount: terms.feeMax,
    code: 'network-fee-hold',
    reference: terms.id,
  };
}

/** The account that bears the network fee, in the native book of the compartment. */
export function feeAccount(terms: WithdrawalTerms): AccountName {
  return terms.feePayer === 'client'
    ? { kind: 'available', holder: terms.client }
    : { kind: 'gas', holder: terms.client };
}
