import type { BlockRef } from './chain.ts';
import { invariant } from './fault.ts';
import { type Decided, type Refused, refuse } from './refusal.ts';
import type { ScreeningVerdict } from './screening.ts';
import { type TransferRequest, transferKey } from './transfer.ts';
import { feeHold, holdKey, principalHold, voidHold, voids } from './withdrawal-hold.ts';
import type { WithdrawalOutcome, WithdrawalState, WithdrawalStep, WithdrawalTerms } from './withdrawal-terms.ts';

export type WithdrawalEvent =
  | { readonly type: 'screened'; readonly verdict: ScreeningVerdict; readonly ruleReleases: boolean }
  | { readonly type: 'released'; readonly by: string }
  | { readonly type: 'request-signed'; readonly by: string; readonly needed?: number }
  /** `needed`: how many people the signer wants now, where it answered. */
  | { readonly type: 'approved'; readonly by: string; readonly needed?: number }
  /** The signer would not sign for want of signatures: its policy asks for more people than were asked before. */
  | { readonly type: 'approvals-missing'; readonly needed: number }
  | { readonly type: 'rejected'; readonly by: string; readonly reason: string }
  | { readonly type: 'cancel-asked'; readonly by: string }
  | { readonly type: 'expiry-due' }
  /** A wallet that can pay amount and fee was found and reserved, or none was. */
  | { readonly type: 'liquidity-found'; readonly wallet: string }
  | { readonly type: 'liquidity-missing'; readonly reason: string }
  | { readonly type: 'signed' }
  | {
      readonly type: 'dispatch-finished';
      readonly outcome: WithdrawalOutcome;
      readonly fee: bigint;
      readonly block?: BlockRef;
    }
  /** The exit of the vault that should pay took the asset before anybody was asked to sign. */
  | { readonly type: 'vault-exited' };

export type WithdrawalEffect =
  | { readonly type: 'screen' }
  | { readonly type: 'find-liquidity' }
  | { readonly type: 'dispatch' }
  /** The dispatch waited for a signature of a person, and has one more. */
  | { readonly type: 'retry-dispatch' }
  | { readonly type: 'cancel-dispatch' }
  | { readonly type: 'finished' };

type Withdrawal = { readonly terms: WithdrawalTerms; readonly state: WithdrawalState };

export type WithdrawalResult = Decided<WithdrawalState, WithdrawalEffect> | Refused;

const beforeSigning: ReadonlySet<WithdrawalStep> = new Set([
  'requested',
  'screened',
  'awaiting-approval',
  'approved',
  'awaiting-liquidity',
]);
const ended: ReadonlySet<WithdrawalStep> = new Set(['settled', 'failed', 'rejected', 'cancelled', 'expired']);

/** Steps in which a signature of a person may still be missing although a wallet was reserved already. */
const beforeBroadcast: ReadonlySet<WithdrawalStep> = new Set([...beforeSigning, 'signing']);

export function withdrawalEnded(step: WithdrawalStep): boolean {
  return ended.has(step);
}

/** Opens a withdrawal: principal and, where the client pays it, the highest fee are held in the same step or not at all. */
export function openWithdrawal(terms: WithdrawalTerms, wallet: string): Decided<WithdrawalState, WithdrawalEffect> {
  const state: WithdrawalState = {
    step: 'requested',
    approvedBy: [],
    requestSigned: false,
    wallet,
    reserved: false,
    holdRound: 1,
    feeHeld: terms.feePayer === 'client',
  };
  const holds = state.feeHeld ? [principalHold(terms, state), feeHold(terms, state)] : [principalHold(terms, state)];
  return { status: 'decided', state, transfers: [holds], effects: [{ type: 'screen' }] };
}

/** One step of a withdrawal. Refusals are for people's commands; events of machines that come late change nothing. */
export function decideWithdrawal(withdrawal: Withdrawal, event: WithdrawalEvent, now: Date): WithdrawalResult {
  const { terms, state } = withdrawal;
  switch (event.type) {
    case 'screened':
      return screened(terms, state, event);
    case 'request-signed':
      return requestSigned(withdrawal, event, now);
    case 'released':
    case 'approved':
    case 'rejected':
      return personDecides(withdrawal, event, now);
    case 'approvals-missing':
      return withdrawalEnded(state.step) || state.approvalsNeeded === event.needed
        ? stay(state)
        : decided({ ...state, approvalsNeeded: event.needed });
    case 'cancel-asked':
      return cancelAsked(terms, state, event.by);
    case 'expiry-due':
      return beforeSigning.has(state.step) && now >= terms.expiresAt
        ? close(terms, { ...state, step: 'expired', reason: 'Nobody finished it in time.' })
        : stay(state);
    case 'liquidity-found':
      return liquidityFound(withdrawal, event.wallet, now);
    case 'liquidity-missing':
      return waitsForLiquidity(state)
        ? decided({ ...state, step: 'awaiting-liquidity', reason: event.reason })
        : stay(state);
    case 'signed':
      return state.step === 'signing' ? decided({ ...state, step: 'broadcast' }) : stay(state);
    case 'dispatch-finished':
      return dispatchFinished(terms, state, event);
    case 'vault-exited':
      return beforeSigning.has(state.step)
        ? close(terms, { ...state, step: 'failed', reason: takenByExit })
        : stay(state);
  }
}

const takenByExit = 'The exit of the vault took what it had of the asset; nothing is held any more.';

function decided(state: WithdrawalState, ...effects: WithdrawalEffect[]): Decided<WithdrawalState, WithdrawalEffect> {
  return { status: 'decided', state, transfers: [], effects };
}

const stay = (state: WithdrawalState): WithdrawalResult => decided(state);

function waitsForLiquidity(state: WithdrawalState): boolean {
  return state.step === 'approved' || state.step === 'awaiting-liquidity';
}

function wrongState(terms: WithdrawalTerms, state: WithdrawalState, wanted: string): Refused {
  return refuse(
    'withdrawal/wrong-state',
    `Withdrawal ${terms.id} is ${state.step}; only one that is ${wanted} can take this.`,
    {
      id: terms.id,
      state: state.step,
    },
  );
}

/** People who must approve: as many as at the request, or more where the signer asked for more since. */
export function approvalsNeededOf(terms: WithdrawalTerms, state: WithdrawalState): number {
  return Math.max(terms.quorum, state.approvalsNeeded ?? 0);
}

/** Goes on to `approved` with the quorum and the requester's signature, and not with one of them alone. */
function advance(terms: WithdrawalTerms, state: WithdrawalState): WithdrawalResult {
  const needed = approvalsNeededOf(terms, state);
  const complete = state.approvedBy.length >= needed && (state.requestSigned || needed === 0);
  if (!complete) return decided(state);
  return state.step === 'awaiting-approval'
    ? decided({ ...state, step: 'approved' }, { type: 'find-liquidity' })
    : decided(state, ...retry(state));
}

function retry(state: WithdrawalState): readonly WithdrawalEffect[] {
  return state.step === 'signing' ? [{ type: 'retry-dispatch' }] : [];
}

function withNeeded(state: WithdrawalState, needed: number | undefined): WithdrawalState {
  return needed === undefined ? state : { ...state, approvalsNeeded: needed };
}

/** The requester may sign from the request on; screening does not wait for it, and approvers need not either. */
function requestSigned(
  { terms, state }: Withdrawal,
  event: Extract<WithdrawalEvent, { type: 'request-signed' }>,
  now: Date,
): WithdrawalResult {
  if (event.by !== terms.requestedBy) {
    return refuse(
      'withdrawal/not-the-requester',
      `${terms.requestedBy} asked for ${terms.id}; ${event.by} cannot sign that request.`,
      { id: terms.id },
    );
  }
  if (!beforeBroadcast.has(state.step)) return wrongState(terms, state, 'not signed yet');
  if (now >= terms.expiresAt) return wrongState(terms, state, 'not past its expiry');
  if (state.requestSigned) return wrongState(terms, state, 'without the signature of its requester');
  const after = { ...withNeeded(state, event.needed), requestSigned: true };
  return state.step === 'requested' || state.step === 'screened' ? decided(after) : advance(terms, after);
}

function screened(
  terms: WithdrawalTerms,
  state: WithdrawalState,
  event: Extract<WithdrawalEvent, { type: 'screened' }>,
): WithdrawalResult {
  if (state.step !== 'requested') return stay(state);
  const after: WithdrawalState = { ...state, step: 'screened', verdict: event.verdict };
  const passes = event.verdict === 'clear' || (event.ruleReleases && event.verdict === 'not-screened');
  if (!passes) return decided(after);
  const releasedBy = event.verdict === 'clear' ? 'screening' : 'rule';
  return advance(terms, { ...after, step: 'awaiting-approval', releasedBy });
}

type PersonEvent = Extract<WithdrawalEvent, { type: 'released' | 'approved' | 'rejected' }>;

function personDecides({ terms, state }: Withdrawal, event: PersonEvent, now: Date): WithdrawalResult {
  if (event.type === 'rejected') {
    if (!beforeSigning.has(state.step)) return wrongState(terms, state, 'not signed yet');
    return close(terms, { ...state, step: 'rejected', reason: event.reason });
  }
  if (event.by === terms.requestedBy) {
    return refuse(
      'withdrawal/requester-may-not-approve',
      `${event.by} asked for ${terms.id} and cannot decide on it too.`,
      { id: terms.id },
    );
  }
  if (now >= terms.expiresAt) return wrongState(terms, state, 'not past its expiry');
  if (event.type === 'released') {
    if (state.step !== 'screened') return wrongState(terms, state, 'screened and waits for a release');
    return advance(terms, { ...state, step: 'awaiting-approval', releasedBy: event.by });
  }
  return approved({ terms, state }, event);
}

function approved(
  { terms, state: before }: Withdrawal,
  event: Extract<WithdrawalEvent, { type: 'approved' }>,
): WithdrawalResult {
  const state = withNeeded(before, event.needed);
  // Where the signer wants more people than had been asked, they may still come while nothing is signed.
  const late =
    (state.step === 'approved' || state.step === 'awaiting-liquidity' || state.step === 'signing') &&
    state.approvedBy.length < approvalsNeededOf(terms, state);
  if (state.step !== 'awaiting-approval' && !late) return wrongState(terms, state, 'awaiting-approval');
  if (state.approvedBy.includes(event.by)) {
    return refuse('withdrawal/already-approved', `${event.by} has approved ${terms.id} already; another person must.`, {
      id: terms.id,
    });
  }
  return advance(terms, { ...state, approvedBy: [...state.approvedBy, event.by] });
}

function cancelAsked(terms: WithdrawalTerms, state: WithdrawalState, by: string): WithdrawalResult {
  if (beforeSigning.has(state.step)) {
    return close(terms, { ...state, step: 'cancelled', cancelAskedBy: by, reason: `Cancelled by ${by}.` });
  }
  if (ended.has(state.step)) return wrongState(terms, state, 'not over');
  if (state.cancelAskedBy !== undefined) return stay(state);
  // A signature may exist: the hold stays until a final block has consumed the nonce, whoever's transaction that is.
  return decided({ ...state, cancelAskedBy: by }, { type: 'cancel-dispatch' });
}

function liquidityFound({ terms, state }: Withdrawal, wallet: string, now: Date): WithdrawalResult {
  if (!waitsForLiquidity(state)) return stay(state);
  if (now >= terms.expiresAt) return stay(state);
  const { reason: _waited, ...rest } = state;
  const next: WithdrawalState = { ...rest, step: 'signing', wallet, reserved: true };
  const transfers: TransferRequest[] = [];
  if (wallet !== state.wallet) {
    transfers.push(...voids(terms, state));
    invariant(terms.vault === undefined, 'A withdrawal of a vault was to be paid by another wallet.', { id: terms.id });
    const moved = { ...next, holdRound: state.holdRound + 1, feeHeld: true };
    transfers.push(principalHold(terms, moved), feeHold(terms, moved));
    return { status: 'decided', state: moved, transfers: [transfers], effects: [{ type: 'dispatch' }] };
  }
  // The fee of a vault's payment is paid by whoever relays it, out of coins that are in no client's book.
  const feeHeld = terms.vault === undefined;
  if (feeHeld && !state.feeHeld) transfers.push(feeHold(terms, next));
  return {
    status: 'decided',
    state: { ...next, feeHeld },
    transfers: transfers.length === 0 ? [] : [transfers],
    effects: [{ type: 'dispatch' }],
  };
}

function dispatchFinished(
  terms: WithdrawalTerms,
  state: WithdrawalState,
  event: Extract<WithdrawalEvent, { type: 'dispatch-finished' }>,
): WithdrawalResult {
  if (ended.has(state.step)) return stay(state);
  invariant(
    state.step === 'signing' || state.step === 'broadcast',
    'A dispatch finished for a withdrawal that had none.',
    { id: terms.id },
  );
  switch (event.outcome) {
    case 'succeeded':
      return settle(terms, state, event);
    case 'reverted':
      return close(
        terms,
        { ...state, step: 'failed', reason: 'The transaction reverted on chain; only its network fee is gone.' },
        event,
      );
    case 'cancelled':
      // Nobody asked: its expiry passed after it had a nonce, and a cancellation used the nonce up.
      return state.cancelAskedBy === undefined
        ? close(
            terms,
            {
              ...state,
              step: 'expired',
              reason: 'It expired before it could be signed; a cancellation took its nonce.',
            },
            event,
          )
        : close(terms, { ...state, step: 'cancelled', reason: `Cancelled by ${state.cancelAskedBy} on chain.` }, event);
    case 'abandoned':
      // Given up before a nonce existed: somebody cancelled, or the expiry passed while it waited to be signed.
      return state.cancelAskedBy === undefined
        ? close(terms, { ...state, step: 'expired', reason: 'It expired before it could be signed.' })
        : close(terms, { ...state, step: 'cancelled', reason: `Cancelled by ${state.cancelAskedBy} before signing.` });
    case 'superseded':
      return close(terms, {
        ...state,
        step: 'failed',
        reason: 'A transaction that is not ours took the nonce; ours can no longer happen.',
      });
    case 'impossible':
      return close(terms, {
        ...state,
        step: 'failed',
        reason: 'The chain says that the transaction would fail; nothing was signed.',
      });
    case 'lapsed': {
      const step = state.cancelAskedBy === undefined ? 'expired' : 'cancelled';
      const reason = 'Its deadline passed in a final block and the vault had not paid: nothing can pay it any more.';
      return close(terms, { ...state, step, reason });
    }
    case 'exited':
      return close(terms, { ...state, step: 'failed', reason: takenByExit });
  }
}

type Burnt = { readonly fee: bigint; readonly block?: BlockRef };

function settle(terms: WithdrawalTerms, state: WithdrawalState, burnt: Burnt): WithdrawalResult {
  invariant(burnt.block !== undefined, 'A settlement needs the block that moved the coins.', { id: terms.id });
  const principal: TransferRequest = {
    type: 'post-hold',
    key: transferKey('withdrawal', terms.id, 'settle'),
    hold: holdKey(terms, state, 'principal'),
    amount: terms.amount,
    code: `${terms.kind}-settle`,
    reference: terms.id,
    block: burnt.block,
  };
  return {
    status: 'decided',
    state: { ...state, step: 'settled', reserved: false },
    transfers: [[principal, ...feeEnd(terms, state, burnt)]],
    effects: [{ type: 'finished' }],
  };
}

/** Ends without payment: the principal goes back whole, and only a fee that was really burnt is taken. */
function close(terms: WithdrawalTerms, state: WithdrawalState, burnt: Burnt = { fee: 0n }): WithdrawalResult {
  return {
    status: 'decided',
    state: { ...state, reserved: false },
    transfers: [[voidHold(terms, state, 'principal'), ...feeEnd(terms, state, burnt)]],
    effects: [{ type: 'finished' }],
  };
}

function feeEnd(terms: WithdrawalTerms, state: WithdrawalState, burnt: Burnt): TransferRequest[] {
  if (!state.feeHeld) return [];
  if (burnt.fee === 0n || burnt.block === undefined) return [voidHold(terms, state, 'fee')];
  return [
    {
      type: 'post-hold',
      key: transferKey('withdrawal', terms.id, 'fee'),
      hold: holdKey(terms, state, 'fee'),
      amount: burnt.fee,
      code: 'network-fee',
      reference: terms.id,
      block: burnt.block,
    },
  ];
}
