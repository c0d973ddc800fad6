import type { AccountName } from './account.ts';
import type { AssetId } from './asset.ts';
import type { BlockRef } from './chain.ts';
import type { Compartment } from './compartment.ts';
import { invariant } from './fault.ts';
import { type Decided, type Refused, refuse } from './refusal.ts';
import type { ScreeningVerdict } from './screening.ts';
import { type TransferRequest, transferKey } from './transfer.ts';

/** What was observed and whose address it reached. `amount` is what the chain's event says, in base units. */
export type DepositTerms = {
  readonly id: string;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly wallet: string;
  readonly amount: bigint;
};

/**
 * Why value is booked where it is.
 * - `client`: to the client's quarantine, and on from there;
 * - `unassigned`: an issued address without a client; `dust`: at most the asset's dust limit; `unexplained`: native coin whose
 *   way in is unknown, or value out of a wallet of ours that nobody here sent: all to suspense;
 * - `house-funding`: the custodian's own coins arriving at a house wallet: to equity.
 */
export type Disposition = 'client' | 'unassigned' | 'dust' | 'unexplained' | 'house-funding';

/** `exited`: an exit of the vault took the whole claim before anybody released or returned it. */
export type DepositStep = 'detected' | 'final' | 'released' | 'frozen' | 'returned' | 'exited' | 'removed';

export type DepositState = {
  readonly step: DepositStep;
  /** Set at finality. */
  readonly disposition?: Disposition;
  readonly client?: string;
  /** What arrived by the balance; may be less than the event said. Zero books nothing. */
  readonly credited?: bigint;
  /** Part of the claim that left without anybody here asking: with the exit of a vault, or as the toll of a token that was flushed. */
  readonly left?: bigint;
  readonly verdict?: ScreeningVerdict;
  /** First of the two people, or the declared rule. */
  readonly releaseProposedBy?: string;
  readonly releasedBy?: string;
  readonly assignmentProposed?: { readonly by: string; readonly client: string };
  /** The withdrawal that sends it back. */
  readonly returnedBy?: string;
};

export type DepositEvent =
  | { readonly type: 'removed' }
  /** The removed block came back: a second reorg returned to the first branch. */
  | { readonly type: 'restored' }
  | {
      readonly type: 'finalized';
      readonly block: BlockRef;
      readonly credited: bigint;
      readonly disposition: Disposition;
      readonly client?: string;
    }
  | { readonly type: 'screened'; readonly verdict: ScreeningVerdict; readonly ruleReleases: boolean }
  | { readonly type: 'release-asked'; readonly by: string }
  | { readonly type: 'freeze-asked'; readonly by: string }
  | { readonly type: 'assignment-asked'; readonly by: string; readonly client: string }
  | { readonly type: 'return-asked'; readonly withdrawal: string }
  | { readonly type: 'return-ended'; readonly withdrawal: string; readonly settled: boolean }
  /** The books debited that much of the claim, because the coins left a vault or a forwarder. */
  | { readonly type: 'claim-left'; readonly amount: bigint };

/** What is still in quarantine or in suspense of a deposit that nobody has released, in base units. */
export function claimOf({ credited, left }: Pick<DepositState, 'credited' | 'left'>): bigint {
  return (credited ?? 0n) - (left ?? 0n);
}

export type DepositEffect = { readonly type: 'screen' };
export type DepositResult = Decided<DepositState, DepositEffect> | Refused;

/** One step of a deposit. */
export function decideDeposit(terms: DepositTerms, state: DepositState, event: DepositEvent): DepositResult {
  switch (event.type) {
    case 'removed':
      invariant(
        state.step === 'detected' || state.step === 'removed',
        'A deposit was removed by a reorg after its finality.',
        { id: terms.id },
      );
      return decided({ ...state, step: 'removed' });
    case 'restored':
      return decided(state.step === 'removed' ? { ...state, step: 'detected' } : state);
    case 'finalized':
      return finalized(terms, state, event);
    case 'screened':
      return screened(terms, state, event);
    case 'release-asked':
      return releaseAsked(terms, state, event.by);
    case 'freeze-asked':
      return inQuarantine(state) ? decided(frozen(state)) : wrongState(terms, state, 'in quarantine');
    case 'assignment-asked':
      return assignmentAsked(terms, state, event);
    case 'return-asked':
      return returnAsked(terms, state, event.withdrawal);
    case 'return-ended':
      return returnEnded(state, event);
    case 'claim-left':
      return claimLeft(terms, state, event.amount);
  }
}

function claimLeft(terms: DepositTerms, state: DepositState, amount: bigint): DepositResult {
  const after: DepositState = { ...state, left: (state.left ?? 0n) + amount };
  const open = state.step === 'final' || state.step === 'frozen';
  invariant(open && amount > 0n && claimOf(after) >= 0n, 'More left than the claim of a deposit.', { id: terms.id });
  return decided(claimOf(after) === 0n ? { ...after, step: 'exited' } : after);
}

function decided(state: DepositState, transfers: TransferRequest[] = [], ...effects: DepositEffect[]): DepositResult {
  return { status: 'decided', state, transfers: transfers.length === 0 ? [] : [transfers], effects };
}

function inQuarantine(state: DepositState): boolean {
  const held = state.step === 'final' || state.step === 'frozen';
  return held && state.disposition === 'client' && claimOf(state) > 0n && state.returnedBy === undefined;
}

function wrongState(terms: DepositTerms, state: DepositState, wanted: string): Refused {
  const where = state.disposition === undefined ? state.step : `${state.step} (${state.disposition})`;
  return refuse('deposit/wrong-state', `Deposit ${terms.id} is ${where}; only one that is ${wanted} can take this.`, {
    id: terms.id,
    state: state.step,
  });
}

function finalized(
  terms: DepositTerms,
  state: DepositState,
  event: Extract<DepositEvent, { type: 'finalized' }>,
): DepositResult {
  if (state.step !== 'detected') return decided(state);
  const { client: _unknown, ...rest } = state;
  const known = event.client === undefined ? {} : { client: event.client };
  const after: DepositState = {
    ...rest,
    ...known,
    step: 'final',
    disposition: event.disposition,
    credited: event.credited,
  };
  if (event.credited === 0n) return decided(after);
  const booked: TransferRequest = {
    type: 'post',
    key: transferKey('deposit', terms.id, 'final'),
    compartment: terms.compartment,
    asset: terms.asset,
    debit: { kind: 'wallet', holder: terms.wallet },
    credit: creditedTo(event.disposition, event.client),
    amount: event.credited,
    code: `deposit-${event.disposition}`,
    reference: terms.id,
    block: event.block,
  };
  return event.disposition === 'client' ? decided(after, [booked], { type: 'screen' }) : decided(after, [booked]);
}

function creditedTo(disposition: Disposition, client: string | undefined): AccountName {
  if (disposition === 'house-funding') return { kind: 'equity', holder: '' };
  if (disposition !== 'client') return { kind: 'suspense', holder: '' };
  invariant(client !== undefined, 'A deposit for a client names no client.');
  return { kind: 'quarantine', holder: client };
}

function screened(
  terms: DepositTerms,
  state: DepositState,
  event: Extract<DepositEvent, { type: 'screened' }>,
): DepositResult {
  if (state.step !== 'final' || !inQuarantine(state)) return decided(state);
  const after: DepositState = { ...state, verdict: event.verdict };
  if (event.verdict === 'hit') return decided(frozen(after));
  if (event.verdict === 'clear') return release(terms, after, 'screening');
  // `review` and `inconclusive` wait for people; a rule may only stand in for a screening that does not exist.
  if (event.verdict === 'not-screened' && event.ruleReleases) return release(terms, after, 'rule');
  return decided(after);
}

/** Whoever proposed a release before the freeze did not know of it: two people must look again. */
function frozen(state: DepositState): DepositState {
  const { releaseProposedBy: _before, ...rest } = state;
  return { ...rest, step: 'frozen' };
}

function release(terms: DepositTerms, state: DepositState, by: string): DepositResult {
  return decided({ ...state, step: 'released', releasedBy: by }, [
    claimTransfer(terms, state, {
      key: 'release',
      from: { kind: 'quarantine', holder: state.client ?? '' },
      to: { kind: 'available', holder: state.client ?? '' },
    }),
  ]);
}

function claimTransfer(
  terms: DepositTerms,
  state: DepositState,
  move: { key: string; from: AccountName; to: AccountName },
): TransferRequest {
  return {
    type: 'post',
    key: transferKey('deposit', terms.id, move.key),
    compartment: terms.compartment,
    asset: terms.asset,
    debit: move.from,
    credit: move.to,
    amount: claimOf(state),
    code: `deposit-${move.key}`,
    reference: terms.id,
  };
}

function releaseAsked(terms: DepositTerms, state: DepositState, by: string): DepositResult {
  if (!inQuarantine(state)) return wrongState(terms, state, 'in quarantine');
  if (state.releaseProposedBy === undefined) return decided({ ...state, releaseProposedBy: by });
  if (state.releaseProposedBy === by) return secondPerson(terms, by, 'release');
  return release(terms, state, by);
}

function secondPerson(terms: DepositTerms, by: string, what: string): Refused {
  return refuse(
    'four-eyes/second-person-needed',
    `${by} proposed the ${what} of ${terms.id}; another person must confirm it.`,
    { id: terms.id },
  );
}

/** Suspense belongs to nobody until two people say whose it is; then it passes through quarantine as any deposit. */
function assignmentAsked(
  terms: DepositTerms,
  state: DepositState,
  event: Extract<DepositEvent, { type: 'assignment-asked' }>,
): DepositResult {
  const inSuspense = ['unassigned', 'dust', 'unexplained'].includes(state.disposition ?? '');
  if (state.step !== 'final' || !inSuspense || claimOf(state) === 0n) {
    return wrongState(terms, state, 'in suspense');
  }
  const proposed = state.assignmentProposed;
  if (proposed === undefined || proposed.client !== event.client) {
    return decided({ ...state, assignmentProposed: { by: event.by, client: event.client } });
  }
  if (proposed.by === event.by) return secondPerson(terms, event.by, 'assignment');
  const after: DepositState = { ...state, disposition: 'client', client: event.client };
  const move = {
    key: 'assign',
    from: { kind: 'suspense', holder: '' },
    to: { kind: 'quarantine', holder: event.client },
  } as const;
  return decided(after, [claimTransfer(terms, after, move)], { type: 'screen' });
}

function returnAsked(terms: DepositTerms, state: DepositState, withdrawal: string): DepositResult {
  if (!inQuarantine(state)) return wrongState(terms, state, 'in quarantine');
  return decided({ ...state, returnedBy: withdrawal });
}

/** Only the withdrawal that is sending it back can end the return, and only once. */
function returnEnded(state: DepositState, event: Extract<DepositEvent, { type: 'return-ended' }>): DepositResult {
  if (state.returnedBy !== event.withdrawal || state.step === 'returned') return decided(state);
  if (event.settled) return decided({ ...state, step: 'returned' });
  const { returnedBy: _failed, ...rest } = state;
  return decided(rest);
}
