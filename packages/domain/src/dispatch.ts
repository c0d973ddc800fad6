import type { BlockRef, FeeTerms, Hash, TransactionSight } from './chain.ts';
import { invariant } from './fault.ts';
import type { MovementIntent } from './movement-intent.ts';
import type { Decided } from './refusal.ts';

/**
 * A dispatch carries out one intent on an account-based chain: it owns one nonce of one wallet from the moment it is given
 * one, and every attempt (first try, fee bump, cancellation) uses that nonce. Therefore at most one attempt can ever have an
 * effect, and the dispatch is over only when a final block consumed the nonce.
 */
export type Attempt = {
  /** 1, 2, … in the order of signing. */
  readonly ordinal: number;
  readonly role: 'effect' | 'cancel';
  readonly terms: FeeTerms;
  /** Set once signed. */
  readonly hash?: Hash;
  readonly chainState: ChainState;
};

/** Where an attempt stands on the chain; an axis of its own beside the state of the workflow. */
export type ChainState = 'none' | 'in-mempool' | 'in-block' | 'final' | 'replaced' | 'dropped' | 'reverted' | 'removed';

/**
 * - `succeeded`, `reverted`: an effect attempt is final;
 * - `cancelled`: the cancellation took the nonce;
 * - `superseded`: a transaction that we did not make took the nonce: whoever made it holds the key;
 * - `abandoned`: given up before a nonce was assigned, so nothing exists that could ever be sent;
 * - `impossible`: the chain said, before anything was signed, that the transaction would fail.
 */
export type DispatchOutcome = 'succeeded' | 'reverted' | 'cancelled' | 'superseded' | 'abandoned' | 'impossible';

export type DispatchState =
  | { readonly step: 'queued' }
  | {
      readonly step: 'signing' | 'broadcast';
      readonly nonce: bigint;
      readonly cancelAsked: boolean;
      readonly attempts: readonly Attempt[];
    }
  | {
      readonly step: 'done';
      readonly outcome: DispatchOutcome;
      readonly nonce?: bigint;
      readonly attempts: readonly Attempt[];
      readonly block?: BlockRef;
      /** Network fee burnt by our own transaction, in wei. */
      readonly fee: bigint;
    };

export type DispatchEvent =
  /** The nonce is ours and an unsigned transaction is made; stored before anything is signed. */
  | { readonly type: 'prepared'; readonly nonce: bigint; readonly role: 'effect' | 'cancel'; readonly terms: FeeTerms }
  | { readonly type: 'impossible' }
  | { readonly type: 'signed'; readonly ordinal: number; readonly hash: Hash }
  | { readonly type: 'sighted'; readonly hash: Hash; readonly sight: TransactionSight }
  /** The block that held the attempt left the canonical chain. */
  | { readonly type: 'removed'; readonly hash: Hash }
  | { readonly type: 'cancel-asked' }
  /** A final block contains a transaction of our wallet with our nonce. */
  | {
      readonly type: 'nonce-final';
      readonly hash: Hash;
      readonly succeeded: boolean;
      readonly fee: bigint;
      readonly block: BlockRef;
    };

export type DispatchEffect =
  | { readonly type: 'sign'; readonly ordinal: number }
  | { readonly type: 'broadcast'; readonly ordinal: number }
  | { readonly type: 'prepare-cancel' }
  | { readonly type: 'finished'; readonly outcome: DispatchOutcome };

export type Dispatch = { readonly id: string; readonly intent: MovementIntent; readonly state: DispatchState };

type Result = Decided<DispatchState, DispatchEffect>;

function to(state: DispatchState, ...effects: DispatchEffect[]): Result {
  return { status: 'decided', state, transfers: [], effects };
}

/**
 * One step of a dispatch. An event that no longer matters (a late sighting, a second report of the same final block) leaves
 * the state as it is: events come at least once and in any order.
 */
export function decideDispatch(state: DispatchState, event: DispatchEvent): Result {
  if (state.step === 'done') {
    if (event.type === 'nonce-final') {
      invariant(state.block?.hash === event.block.hash, 'A nonce became final twice in different blocks.', {
        first: state.block?.hash ?? 'none',
        second: event.block.hash,
      });
    }
    return to(state);
  }
  switch (event.type) {
    case 'prepared':
      return prepared(state, event);
    case 'impossible':
      // Only before a nonce exists is it certain that nothing was signed.
      return state.step === 'queued' ? finish([], 'impossible') : to(state);
    case 'cancel-asked':
      if (state.step === 'queued') return finish([], 'abandoned');
      return state.cancelAsked ? to(state) : to({ ...state, cancelAsked: true }, { type: 'prepare-cancel' });
    case 'signed':
    case 'sighted':
    case 'removed':
    case 'nonce-final':
      return state.step === 'queued' ? to(state) : observed(state, event);
  }
}

type Live = Extract<DispatchState, { step: 'signing' | 'broadcast' }>;

function prepared(
  state: Exclude<DispatchState, { step: 'done' }>,
  event: Extract<DispatchEvent, { type: 'prepared' }>,
): Result {
  const earlier = state.step === 'queued' ? [] : state.attempts;
  if (state.step !== 'queued') {
    invariant(state.nonce === event.nonce, 'An attempt may not change the nonce of its dispatch.');
  }
  const attempt: Attempt = { ordinal: earlier.length + 1, role: event.role, terms: event.terms, chainState: 'none' };
  return to(
    {
      step: state.step === 'broadcast' ? 'broadcast' : 'signing',
      nonce: event.nonce,
      cancelAsked: state.step === 'queued' ? false : state.cancelAsked,
      attempts: [...earlier, attempt],
    },
    { type: 'sign', ordinal: attempt.ordinal },
  );
}

function observed(
  state: Live,
  event: Exclude<DispatchEvent, { type: 'prepared' | 'impossible' | 'cancel-asked' }>,
): Result {
  switch (event.type) {
    case 'signed': {
      const signed = state.attempts.find(({ ordinal }) => ordinal === event.ordinal);
      invariant(signed !== undefined, 'A signature came for an attempt that was never made.', {
        ordinal: event.ordinal,
      });
      // Forgetting the first hash would make our own payment look like a stranger's, and give the hold back beside it.
      invariant(
        (signed.hash ?? event.hash) === event.hash,
        'A signed attempt was signed again as another transaction.',
        {
          first: signed.hash ?? 'none',
          second: event.hash,
        },
      );
      const attempts = state.attempts.map((attempt) =>
        attempt.ordinal === event.ordinal ? { ...attempt, hash: event.hash } : attempt,
      );
      return to({ ...state, step: 'broadcast', attempts }, { type: 'broadcast', ordinal: event.ordinal });
    }
    case 'sighted':
      return to(withChainState(state, event.hash, seenAs(event.sight)));
    case 'removed':
      return to(withChainState(state, event.hash, () => 'removed'));
    case 'nonce-final':
      return nonceFinal(state, event);
  }
}

function withChainState(state: Live, hash: Hash, next: (before: ChainState) => ChainState): Live {
  return {
    ...state,
    attempts: state.attempts.map((attempt) =>
      attempt.hash === hash ? { ...attempt, chainState: next(attempt.chainState) } : attempt,
    ),
  };
}

function seenAs(sight: TransactionSight): (before: ChainState) => ChainState {
  return (before) => {
    if (sight.at === 'mempool') return 'in-mempool';
    if (sight.at === 'block') return sight.succeeded ? 'in-block' : 'reverted';
    // Never seen is not the same as gone: a node may not have told its peers yet.
    return before === 'none' || before === 'removed' ? before : 'dropped';
  };
}

function nonceFinal(state: Live, event: Extract<DispatchEvent, { type: 'nonce-final' }>): Result {
  const winner = state.attempts.find((attempt) => attempt.hash === event.hash);
  const attempts = state.attempts.map((attempt): Attempt => {
    if (attempt !== winner) return { ...attempt, chainState: 'replaced' };
    return { ...attempt, chainState: event.succeeded ? 'final' : 'reverted' };
  });
  const ended = { nonce: state.nonce, block: event.block };
  if (winner === undefined) return finish(attempts, 'superseded', ended);
  const outcome = winner.role === 'cancel' ? 'cancelled' : event.succeeded ? 'succeeded' : 'reverted';
  return finish(attempts, outcome, { ...ended, fee: event.fee });
}

function finish(
  attempts: readonly Attempt[],
  outcome: DispatchOutcome,
  end: { nonce?: bigint; block?: BlockRef; fee?: bigint } = {},
): Result {
  return to({ step: 'done', outcome, attempts, ...end, fee: end.fee ?? 0n }, { type: 'finished', outcome });
}

/** The chain state to show for the whole dispatch: that of the attempt that won, or else of the youngest one. */
export function chainStateOf(state: DispatchState): ChainState {
  if (state.step === 'queued') return 'none';
  const settled = state.attempts.find((attempt) => ['final', 'reverted', 'in-block'].includes(attempt.chainState));
  return (settled ?? state.attempts.at(-1))?.chainState ?? 'none';
}
