import type { BlockRef } from './chain.ts';
import { invariant } from './fault.ts';
import type { Decided } from './refusal.ts';

/**
 * A vault dispatch carries out one intent of a vault's quorum: it owns one nonce of the vault for ever. What is signed for it can be
 * relayed by anybody, so that our own transaction says nothing: it is over when a final block consumed the nonce, or when a final
 * block is later than the deadline and the nonce is unused, because the vault takes nothing after its deadline.
 *
 * - `paid`: the vault made exactly this payment;
 * - `applied`: the vault did what moves nothing, and does less from now on;
 * - `invalidated`: the quorum took the nonce without effect, which is how a signed payment is cancelled;
 * - `superseded`: the nonce was taken by a payment that is not ours: whoever made it has keys of the quorum;
 * - `lapsed`: the deadline is final in the past, and nothing can pay it any more;
 * - `abandoned`: given up before the first signer was asked;
 * - `exited`: the client's exit took what the vault had of the asset.
 */
export type VaultOutcome = 'paid' | 'applied' | 'invalidated' | 'superseded' | 'lapsed' | 'abandoned' | 'exited';

export type VaultDispatchState =
  | { readonly step: 'queued' }
  /** From `signing` on a signature may exist, at whichever signer; from `relaying` on there are as many as the vault wants. */
  | { readonly step: 'signing' | 'relaying'; readonly cancelAsked: boolean }
  | { readonly step: 'done'; readonly outcome: VaultOutcome; readonly block?: BlockRef };

/** What took a nonce: our payment, our restriction, something that we did not ask for, or an invalidation. */
export type NonceTaker = 'ours' | 'restriction' | 'other' | 'invalidation';

const takenBy: Readonly<Record<NonceTaker, VaultOutcome>> = {
  ours: 'paid',
  restriction: 'applied',
  other: 'superseded',
  invalidation: 'invalidated',
};

export type VaultDispatchEvent =
  /** Stored before anybody is asked to sign. */
  | { readonly type: 'signing-started' }
  /** All signatures that the vault wants are stored. */
  | { readonly type: 'signed' }
  | { readonly type: 'cancel-asked' }
  /** A final block consumed our nonce. */
  | { readonly type: 'nonce-final'; readonly by: NonceTaker; readonly block: BlockRef }
  /** A final block is later than the deadline, and no block up to it consumed the nonce. */
  | { readonly type: 'deadline-final'; readonly block: BlockRef }
  /** A final block has the exit of the asset. */
  | { readonly type: 'exited'; readonly block: BlockRef };

export type VaultDispatchEffect =
  | { readonly type: 'sign' }
  | { readonly type: 'relay' }
  | { readonly type: 'invalidate' }
  | { readonly type: 'finished'; readonly outcome: VaultOutcome };

type Result = Decided<VaultDispatchState, VaultDispatchEffect>;

function to(state: VaultDispatchState, ...effects: VaultDispatchEffect[]): Result {
  return { status: 'decided', state, transfers: [], effects };
}

function finish(outcome: VaultOutcome, block?: BlockRef): Result {
  const end = block === undefined ? {} : { block };
  return to({ step: 'done', outcome, ...end }, { type: 'finished', outcome });
}

/** One step of a vault dispatch. Events come at least once and in any order; one that no longer matters changes nothing. */
export function decideVaultDispatch(state: VaultDispatchState, event: VaultDispatchEvent): Result {
  if (state.step === 'done') {
    invariant(
      event.type !== 'nonce-final' || event.by !== 'ours' || ['paid', 'exited'].includes(state.outcome),
      'A vault paid what nothing could pay any more.',
      { outcome: state.outcome },
    );
    return to(state);
  }
  switch (event.type) {
    case 'signing-started':
      return state.step === 'queued' ? to({ step: 'signing', cancelAsked: false }, { type: 'sign' }) : to(state);
    case 'signed':
      // Cancelled while the signers were asked: what is signed is stored, and not carried to the chain by us.
      if (state.step !== 'signing') return to(state);
      return state.cancelAsked
        ? to({ ...state, step: 'relaying' })
        : to({ ...state, step: 'relaying' }, { type: 'relay' });
    case 'cancel-asked':
      // Only before the first signer was asked is it certain that nobody has a signature.
      if (state.step === 'queued') return finish('abandoned');
      return state.cancelAsked ? to(state) : to({ ...state, cancelAsked: true }, { type: 'invalidate' });
    case 'nonce-final':
      return finish(takenBy[event.by], event.block);
    case 'deadline-final':
      return finish('lapsed', event.block);
    case 'exited':
      return finish('exited', event.block);
  }
}
