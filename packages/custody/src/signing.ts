import {
  type Chain,
  CustodyError,
  chainOf,
  type DecisionRecord,
  type FaultCode,
  invariant,
  kindOf,
  type MovementIntent,
  nativeAsset,
} from '@bulkhead/domain';
import { bytes, dateOrNull, integer, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { evidenceFor, signerSays } from './approval.ts';
import { type Custody, machine } from './custody.ts';
import { type Dispatch, dispatchWaits, findDispatch, lockDispatch, stepDispatch } from './dispatch.ts';
import { frozenBy, frozenReason } from './freeze.ts';
import { enqueue } from './job.ts';
import { storeRecord } from './signer-record.ts';
import { codeBreak } from './token-code.ts';
import { findWallet, keyOf, proven, type Wallet } from './wallet.ts';
import { lockWithdrawal, stepWithdrawal, withdrawalSigned } from './withdrawal-step.ts';

/** How every reason begins that names the signer. What waits for it is tried again every minute. */
export const signerWaits = 'The signer ';

/** How long what the signer refused is not asked again, though it says that it would sign: doubled by each refusal up to the most. */
export const askAgainMs = 60_000;
export const askAgainMsMax = 3_600_000;

/**
 * Refusals that are no record of the signer, or that a look before the next question tells of, because people are missing: nothing
 * is gained by waiting longer.
 */
const askedAtOnce: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'signer/unavailable',
  'signer/not-ready',
  'signer/other-signer-active',
  'signer/approvals-missing',
  'signer/request-missing',
  'signer/certificate-invalid',
  'signer/state-damaged',
]);

/** Why work waits, where the fault is one that passes by itself or by people; undefined for every other. */
export function stopReason(error: unknown): string | undefined {
  if (!(error instanceof CustodyError)) return undefined;
  if (error.code === 'signer/unavailable') return `${signerWaits}does not answer (${error.code}). It is asked again.`;
  if (error.code === 'wallet/address-mismatch') return error.message;
  return signerSays(error) ? `${signerWaits}refuses (${error.code}): ${error.message}` : undefined;
}

/** Runs a step that the signer or an address can stop; a stop is written down on the dispatch, everything else is thrown. */
export async function orWaits<Result>(
  custody: Custody,
  id: string,
  step: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await step();
  } catch (error) {
    const reason = stopReason(error);
    if (reason === undefined) throw error;
    await dispatchWaits(custody.db, id, { reason, now: custody.clock.now() });
    return undefined;
  }
}

/** The wallet that a dispatch pays from, with the address of its key; a receiving wallet of ours is held against its key too. */
export async function payingWallet(custody: Custody, dispatch: Dispatch): Promise<Wallet> {
  const { db } = custody;
  const wallet = await findWallet(db, dispatch.wallet);
  invariant(wallet !== undefined, 'A dispatch names a wallet that does not exist.', { dispatch: dispatch.id });
  if (dispatch.toWallet !== undefined) {
    const receiver = await findWallet(db, dispatch.toWallet);
    invariant(receiver !== undefined, 'A dispatch pays to a wallet that does not exist.', { dispatch: dispatch.id });
    await proven(custody, db, { ...receiver, address: dispatch.to });
  }
  return proven(custody, db, wallet);
}

/**
 * Whether the signer would sign, asked before a nonce is spent: a refusal afterwards leaves a gap that only a cancellation closes.
 * Where it would not, the dispatch says why; where people are missing, the withdrawal takes more of them.
 */
export async function signerWouldSign(custody: Custody, dispatch: Dispatch): Promise<boolean> {
  const evidence = await evidenceFor(custody.db, dispatch.subject, dispatch.intent);
  const outlook = await orWaits(custody, dispatch.id, () => custody.signer.outlook(dispatch.intent, evidence));
  if (outlook === undefined) return false;
  const now = custody.clock.now();
  const { approvalsNeeded, approvedBy, refusal } = outlook;
  if (refusal !== undefined) {
    const reason = `${signerWaits}refuses (${refusal.code}): ${refusal.message}`;
    await dispatchWaits(custody.db, dispatch.id, { reason, now });
    return false;
  }
  const missing = approvalsNeeded - approvedBy.length;
  const lacksRequest = outlook.requestNeeded && evidence.request === undefined;
  if (missing <= 0 && !lacksRequest) return true;
  const reason = isApproved(dispatch)
    ? missing > 0
      ? `${signerWaits}wants ${approvalsNeeded} approvals and has ${approvedBy.length} (signer/approvals-missing): let more people approve.`
      : `${signerWaits}wants the signature of ${dispatch.requestedBy}, who asked (signer/request-missing).`
    : nobodyApproves(dispatch, approvalsNeeded);
  await custody.db.transaction(async (tx) => {
    const needed = evidence.approvals.length + Math.max(missing, 0);
    await tellMissing(custody, tx, { id: dispatch.id, needed, now });
    await dispatchWaits(tx, dispatch.id, { reason, now });
  });
  return false;
}

/** Whether people can approve it here: they approve what pays somebody outside. */
function isApproved({ kind }: Dispatch): boolean {
  return kind === 'withdrawal' || kind === 'deposit-return';
}

/** What moves between our own wallets has no place where people could approve it, so it would wait for ever: the rule is to change. */
function nobodyApproves({ intent, compartment }: Dispatch, approvals: number): string {
  const of = `${intent.kind} of ${intent.asset} from ${kindOf(compartment)} compartments`;
  return `${signerWaits}wants ${approvals} approvals (signer/approvals-missing), and a ${intent.kind} cannot be approved here: it waits until the policy is changed. Have the root quorum approve a policy-change whose rule for ${of}, with an amountMax of at least ${intent.amount}, has approvals 0.`;
}

async function tellMissing(
  custody: Custody,
  tx: Transaction,
  { id, needed, now }: { id: string; needed: number; now: Date },
): Promise<void> {
  const dispatch = await lockDispatch(tx, id);
  if (dispatch === undefined || !isApproved(dispatch)) return;
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A dispatch names a withdrawal that does not exist.', { id: dispatch.subject });
  const event = { type: 'approvals-missing', needed } as const;
  if (withdrawal.state.approvalsNeeded === needed) return;
  await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, dispatch, now });
}

function intentFor(
  dispatch: Dispatch,
  attempt: { role: string; nonce: bigint; self: MovementIntent['to'] },
): MovementIntent {
  if (attempt.role === 'effect') return dispatch.intent;
  return {
    deployment: dispatch.intent.deployment,
    kind: 'cancel',
    id: dispatch.id,
    cancels: dispatch.intent.id,
    compartment: dispatch.compartment,
    asset: nativeAsset(chainOf(dispatch.asset)),
    to: attempt.self,
    amount: 0n,
    feeMax: dispatch.feeMax,
    nonce: attempt.nonce,
  };
}

/** Signs every attempt that is stored and not signed. One that the signer refuses stays as it is, and the dispatch says why. */
export async function signMissing(custody: Custody, id: string): Promise<void> {
  const rows = await custody.db.query(
    `select ordinal, role, unsigned, refusals, refusal, ask_again_at from custody.attempt
     where dispatch = $1 and raw is null order by ordinal`,
    [id],
  );
  for (const row of rows) {
    const dispatch = await findDispatch(custody.db, id);
    if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return;
    const isEffect = text(row, 'role') === 'effect';
    // Cancelled before it was signed: what was never signed need not be raced on chain. The nonce is used up all the same.
    if (dispatch.state.cancelAsked && isEffect) continue;
    // Frozen between its nonce and its signature: it waits here as it would have waited for the nonce. What is signed may settle.
    const isFirst = !dispatch.state.attempts.some(({ hash }) => hash !== undefined);
    const stop = isFirst && isEffect ? await standsStill(custody, dispatch) : undefined;
    if (stop !== undefined) {
      await dispatchWaits(custody.db, id, { reason: stop, now: custody.clock.now() });
      continue;
    }
    const { nonce } = dispatch.state;
    if (!(await mayAsk(custody, { dispatch, nonce, row }))) continue;
    const end = await orWaits(custody, id, () => signAttempt(custody, { dispatch, nonce, row }));
    if (end === 'expired') return giveUp(custody, id);
  }
}

/**
 * What was refused before is looked at first: each refusal is a record for ever. Where the signer would sign by that look and yet
 * refused, it is asked again after a while, and after a longer one the next time. Only its own no ends what expired.
 */
async function mayAsk(custody: Custody, { dispatch, row }: Unsigned): Promise<boolean> {
  const isEffect = text(row, 'role') === 'effect';
  const wasRefused = integer(row, 'refusals') > 0 || dispatch.waitingReason?.startsWith(signerWaits) === true;
  if (!wasRefused || (isEffect && expired(custody, dispatch))) return true;
  if (isEffect && !(await signerWouldSign(custody, dispatch))) {
    // As soon as the look says otherwise the reason is gone, and nothing is to be waited for.
    await custody.db.query(
      'update custody.attempt set ask_again_at = null where dispatch = $1 and ordinal = $2 and ask_again_at is not null',
      [dispatch.id, integer(row, 'ordinal')],
    );
    return false;
  }
  const due = dateOrNull(row, 'ask_again_at');
  const now = custody.clock.now();
  if (due === null || due <= now) return true;
  const reason = `${textOrNull(row, 'refusal') ?? ''} It is asked again at ${due.toISOString()}.`;
  await dispatchWaits(custody.db, dispatch.id, { reason, now });
  return false;
}

async function noteRefusal(custody: Custody, { dispatch, row }: Unsigned, error: CustodyError): Promise<void> {
  if (!error.code.startsWith('signer/') || askedAtOnce.has(error.code)) return;
  const pauseMs = Math.min(askAgainMs * 2 ** Math.min(integer(row, 'refusals'), 20), askAgainMsMax);
  await custody.db.query(
    `update custody.attempt set refusals = refusals + 1, refusal = $3, ask_again_at = $4
     where dispatch = $1 and ordinal = $2 and raw is null`,
    [
      dispatch.id,
      integer(row, 'ordinal'),
      stopReason(error) ?? error.message,
      new Date(custody.clock.now().getTime() + pauseMs),
    ],
  );
}

/** Why nothing that is not signed yet may be signed now. */
async function standsStill({ db }: Custody, { asset, compartment }: Dispatch): Promise<string | undefined> {
  const [cause] = await frozenBy(db, compartment);
  return cause === undefined ? (await codeBreak(db, asset))?.reason : frozenReason(compartment, cause);
}

function expired(custody: Custody, { intent }: Dispatch): boolean {
  return 'expiresAt' in intent && BigInt(Math.floor(custody.clock.now().getTime() / 1000)) >= intent.expiresAt;
}

type Unsigned = { readonly dispatch: Dispatch; readonly nonce: bigint; readonly row: Row };

/** A signer does not sign an effect after its expiry. The nonce is taken already, so it is used up by a cancellation. */
async function signAttempt(custody: Custody, asked: Unsigned): Promise<'signed' | 'expired' | 'waits'> {
  const { dispatch, nonce, row } = asked;
  const chain = custody.chains.get(dispatch.chain);
  invariant(chain !== undefined, `${dispatch.chain} is no longer configured.`, { dispatch: dispatch.id });
  const wallet = await payingWallet(custody, dispatch);
  const unsigned = bytes(row, 'unsigned');
  const role = text(row, 'role');
  const intent = intentFor(dispatch, { role, nonce, self: wallet.address });
  const evidence =
    role === 'effect' ? await evidenceFor(custody.db, dispatch.subject, dispatch.intent) : { approvals: [] };
  try {
    const { signature, record } = await custody.signer.sign({ intent, evidence, key: keyOf(wallet), unsigned });
    const signed = chain.assemble(unsigned, signature);
    invariant(signed.from === wallet.address, 'The signature is not that of the wallet.', {
      dispatch: dispatch.id,
      wallet: wallet.id,
    });
    const order = { id: dispatch.id, ordinal: Number(row['ordinal']), signed, record };
    await custody.db.transaction((tx) => storeSignature(custody, tx, order));
    return 'signed';
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    if (error.code === 'signer/intent-expired') return 'expired';
    // Its policy changed after the nonce was taken: whoever is missing may still sign, and only a look says how many.
    const isMissing = error.code === 'signer/approvals-missing' || error.code === 'signer/request-missing';
    // Where that look does not find it missing, the refusal itself is what is shown.
    if (role === 'effect' && isMissing && !(await signerWouldSign(custody, dispatch))) return 'waits';
    await noteRefusal(custody, asked, error);
    throw error;
  }
}

async function giveUp(custody: Custody, id: string): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const dispatch = await lockDispatch(tx, id);
    if (dispatch === undefined || dispatch.state.step === 'done') return;
    const { effects } = await stepDispatch(tx, dispatch, { event: { type: 'cancel-asked' }, now: custody.clock.now() });
    if (effects.length > 0) await enqueue(tx, { task: 'send-dispatch', id });
  });
}

type Signed = {
  readonly id: string;
  readonly ordinal: number;
  readonly signed: ReturnType<Chain['assemble']>;
  readonly record: DecisionRecord;
};

async function storeSignature(
  custody: Custody,
  tx: Transaction,
  { id, ordinal, signed, record }: Signed,
): Promise<void> {
  const dispatch = await lockDispatch(tx, id);
  if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return;
  const now = custody.clock.now();
  const stored = await tx.query(
    'update custody.attempt set raw = $3, hash = $4, signed_at = $5 where dispatch = $1 and ordinal = $2 and raw is null returning ordinal',
    [id, ordinal, signed.raw, signed.hash, now],
  );
  if (stored.length === 0) return;
  // The decision is stored with what it allowed.
  await storeRecord(custody, tx, record);
  await stepDispatch(tx, dispatch, { event: { type: 'signed', ordinal, hash: signed.hash }, now });
  await withdrawalSigned(custody, tx, { dispatch, now });
}
