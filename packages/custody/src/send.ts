import {
  type Attempt,
  type Chain,
  type FeeTerms,
  type TransactionPlan,
  CustodyError,
  bumpFeeTerms,
  chainOf,
  contractOf,
  feeMax,
  invariant,
  nativeAsset,
  nonceHolds,
} from '@bulkhead/domain';
import { type Queries, type Transaction, bytes, bytesOrNull } from '@bulkhead/postgres';
import { postAll } from './books.ts';
import type { Custody } from './custody.ts';
import { type Dispatch, dispatchWaits, findDispatch, lockDispatch, stepDispatch } from './dispatch.ts';
import { frozenBy, frozenReason } from './freeze.ts';
import { ensureGas } from './gas.ts';
import { recipientKnown } from './gas-recipient.ts';
import { enqueue } from './job.ts';
import { ownMovement } from './own-movement.ts';
import { type FinishedDispatch, finishDispatch } from './finish.ts';
import { orWaits, payingWallet, signerWouldSign, signMissing } from './signing.ts';
import { codeBreak, lookAtCodes } from './token-code.ts';
import { lockWallet } from './wallet.ts';

/**
 * The job `send-dispatch`: brings a dispatch one or more steps forward. Safe to run twice, at once, or after a crash at any
 * line: every step looks at what is stored and does only what is missing.
 *
 * 0. The signer is asked whether it would sign. Where it would not, or does not answer, nothing is spent and the reason is shown.
 * 1. A nonce and the unsigned transaction are committed. Crash before: nothing exists. Crash after: the same bytes are signed.
 * 2. It is signed; the signer answers a repetition with the same signature, so a crash before it is stored costs nothing.
 * 3. The signed bytes are committed. Only then are they handed to anybody.
 * 4. They are broadcast. Whether that worked is looked up by hash and nonce, never guessed; sending again is harmless.
 */
export async function sendDispatch(custody: Custody, id: string): Promise<void> {
  const dispatch = await findDispatch(custody.db, id);
  if (dispatch === undefined || dispatch.state.step === 'done') return;
  if (dispatch.state.step === 'queued') {
    if (!(await prepare(custody, dispatch))) return;
  } else if (cancelDue(dispatch.state)) {
    await prepareCancel(custody, dispatch);
  }
  await signMissing(custody, id);
  await broadcastMissing(custody, id);
}

function cancelDue(state: Dispatch['state']): boolean {
  const isLive = state.step === 'signing' || state.step === 'broadcast';
  return isLive && state.cancelAsked && !state.attempts.some(({ role }) => role === 'cancel');
}

function chainFor(custody: Custody, dispatch: Dispatch): Chain {
  const chain = custody.chains.get(dispatch.chain);
  if (chain === undefined) {
    throw new CustodyError(
      'chain/unknown',
      `${dispatch.chain} is no longer configured, but dispatch ${dispatch.id} is not over.`,
    );
  }
  return chain;
}

async function planOf(custody: Custody, dispatch: Dispatch): Promise<TransactionPlan> {
  const wallet = await payingWallet(custody, dispatch);
  const plan = { from: wallet.address, asset: dispatch.asset, to: dispatch.to, amount: dispatch.amount };
  if (dispatch.relay === undefined) return plan;
  const { callData, authorizations } = dispatch.relay;
  return { ...plan, data: callData, ...(authorizations === undefined ? {} : { authorizations }) };
}

/** Whether the dispatch has its nonce now. */
async function prepare(custody: Custody, dispatch: Dispatch): Promise<boolean> {
  const chain = chainFor(custody, dispatch);
  const gate = await custody.db.transaction((tx) => passGates(custody, tx, dispatch.id));
  if (!gate) return false;
  if (!(await recipientKnown(custody, dispatch))) return false;
  if (!(await signerWouldSign(custody, dispatch))) return false;
  if (contractOf(dispatch.asset) !== undefined) {
    await lookAtCodes(custody, dispatch.chain, dispatch.asset);
    if (await codeDiffers(custody.db, dispatch, custody.clock.now())) return false;
  }
  const plan = await orWaits(custody, dispatch.id, () => planOf(custody, dispatch));
  if (plan === undefined) return false;
  const terms = await termsFor(custody, chain, { dispatch, plan });
  if (terms === undefined) return false;
  const { final } = await chain.heads();
  const finalNonce = await chain.nonce(plan.from, final);
  const latestNonce = await chain.nonce(plan.from, 'latest');
  return custody.db.transaction((tx) =>
    takeNonce(custody, tx, { id: dispatch.id, chain, plan, terms, finalNonce, latestNonce }),
  );
}

/** What must hold before anything irreversible: not expired, compartment not frozen, code of the token as reviewed, gas there. */
async function passGates(custody: Custody, tx: Transaction, id: string): Promise<boolean> {
  const dispatch = await lockDispatch(tx, id);
  if (dispatch === undefined || dispatch.state.step !== 'queued') return false;
  const now = custody.clock.now();
  if ('expiresAt' in dispatch.intent && BigInt(Math.floor(now.getTime() / 1000)) >= dispatch.intent.expiresAt) {
    const step = await stepDispatch(tx, dispatch, { event: { type: 'cancel-asked' }, now });
    await postAll(tx, await finishDispatch(custody, tx, finished(step.dispatch, now)), now);
    return false;
  }
  if (await frozen(tx, dispatch, now)) return false;
  if (await codeDiffers(tx, dispatch, now)) return false;
  if (dispatch.kind === 'sweep' || dispatch.kind === 'fee-payment') return gasReady(custody, tx, { dispatch, now });
  return true;
}

/** The break that stops a dispatch: that of the compartment it pays from, a house compartment like any other. */
async function stoppedBy(tx: Queries, dispatch: Dispatch): Promise<string | undefined> {
  return (await frozenBy(tx, dispatch.compartment))[0];
}

async function frozen(tx: Transaction, dispatch: Dispatch, now: Date): Promise<boolean> {
  const cause = await stoppedBy(tx, dispatch);
  if (cause === undefined) return false;
  await dispatchWaits(tx, dispatch.id, { reason: frozenReason(dispatch.compartment, cause), now });
  return true;
}

/** Which look it goes by: the newest one of anybody. It is woken when one finds the reviewed code. */
async function codeDiffers(db: Queries, { id, asset }: Dispatch, now: Date): Promise<boolean> {
  const found = await codeBreak(db, asset);
  if (found === undefined) return false;
  await dispatchWaits(db, id, { reason: found.reason, now });
  return true;
}

async function gasReady(
  custody: Custody,
  tx: Transaction,
  { dispatch, now }: { dispatch: Dispatch; now: Date },
): Promise<boolean> {
  const wallet = await lockWallet(tx, dispatch.wallet);
  const gas = await ensureGas(custody, tx, {
    wallet,
    client: dispatch.client ?? '',
    need: dispatch.feeMax,
    // This dispatch is among the wallet's living ones; its own fee is what the gas is for.
    alreadyReserved: dispatch.feeMax,
    paidBeside: 0n,
    now,
  });
  if (gas.ready) return true;
  await dispatchWaits(tx, dispatch.id, { reason: gas.reason, now });
  return false;
}

function finished(dispatch: Dispatch, now: Date): FinishedDispatch {
  invariant(dispatch.state.step === 'done', 'A dispatch that is not over was taken for finished.', { id: dispatch.id });
  const { outcome, fee, block, nonce } = dispatch.state;
  return { dispatch, outcome, fee, hadNonce: nonce !== undefined, now, ...(block === undefined ? {} : { block }) };
}

async function termsFor(
  custody: Custody,
  chain: Chain,
  { dispatch, plan }: { dispatch: Dispatch; plan: TransactionPlan },
): Promise<FeeTerms | undefined> {
  try {
    const terms = await chain.estimate(plan);
    if (feeMax(terms) <= dispatch.feeMax) return terms;
    const reason = `The chain asks for up to ${feeMax(terms)} wei; the cap of this dispatch is ${dispatch.feeMax}. It is tried again when fees fall.`;
    await dispatchWaits(custody.db, dispatch.id, { reason, now: custody.clock.now() });
    return undefined;
  } catch (error) {
    if (!(error instanceof CustodyError) || error.code !== 'transaction/rejected') throw error;
    // The chain says that it would fail, and nothing is signed: ending it here is safe and returns what was held.
    await custody.db.transaction(async (tx) => {
      const locked = await lockDispatch(tx, dispatch.id);
      if (locked === undefined || locked.state.step !== 'queued') return;
      const now = custody.clock.now();
      const step = await stepDispatch(tx, locked, { event: { type: 'impossible' }, now });
      await postAll(tx, await finishDispatch(custody, tx, finished(step.dispatch, now)), now);
    });
    return undefined;
  }
}

type NonceOrder = {
  readonly id: string;
  readonly chain: Chain;
  readonly plan: TransactionPlan;
  readonly terms: FeeTerms;
  readonly finalNonce: bigint;
  readonly latestNonce: bigint;
};

async function takeNonce(custody: Custody, tx: Transaction, order: NonceOrder): Promise<boolean> {
  // Asked before the chain was, and again here: a freeze, an expiry, or gas that another dispatch took in between must count.
  if (!(await passGates(custody, tx, order.id))) return false;
  const dispatch = await lockDispatch(tx, order.id);
  if (dispatch === undefined || dispatch.state.step !== 'queued') return false;
  const now = custody.clock.now();
  const wallet = await lockWallet(tx, dispatch.wallet);
  // What is not final can vanish: a first nonce built on it would wait for ever for one that nobody sends.
  const nonce = wallet.nextNonce ?? order.finalNonce;
  if (order.latestNonce > nonce) {
    const reason = `The chain counts ${order.latestNonce} transactions of ${wallet.address}, we know of ${nonce}: waiting until theirs are final and counted.`;
    await dispatchWaits(tx, order.id, { reason, now });
    return false;
  }
  await stepDispatch(tx, dispatch, { event: { type: 'prepared', nonce, role: 'effect', terms: order.terms }, now });
  await tx.query('update custody.wallet set next_nonce = $2 where id = $1', [wallet.id, nonce + 1n]);
  await storeAttempt(tx, {
    dispatch: order.id,
    ordinal: 1,
    role: 'effect',
    unsigned: order.chain.build(order.plan, order.terms, nonce),
    now,
  });
  const movement = await ownMovement(tx, dispatch);
  if (movement !== undefined) await postAll(tx, [nonceHolds(movement)], now);
  // Commit point: from here on the nonce belongs to this dispatch for ever, and its holds stand until a final block says who
  // used it. A crash right after leaves an unsigned transaction that the next run signs.
  return true;
}

type NewAttempt = {
  readonly dispatch: string;
  readonly ordinal: number;
  readonly role: 'effect' | 'cancel';
  readonly unsigned: Uint8Array;
  readonly now: Date;
};

async function storeAttempt(tx: Transaction, attempt: NewAttempt): Promise<void> {
  await tx.query(
    'insert into custody.attempt (dispatch, ordinal, role, unsigned, created_at) values ($1, $2, $3, $4, $5)',
    [attempt.dispatch, attempt.ordinal, attempt.role, attempt.unsigned, attempt.now],
  );
}

/** A zero self-transfer with the same nonce and a higher fee. Whichever of the two is mined, the other never can be. */
async function prepareCancel(custody: Custody, dispatch: Dispatch): Promise<void> {
  const chain = chainFor(custody, dispatch);
  const plan = await orWaits(custody, dispatch.id, () => planOf(custody, dispatch));
  if (plan === undefined) return;
  const self: TransactionPlan = {
    from: plan.from,
    to: plan.from,
    amount: 0n,
    asset: nativeAsset(chainOf(dispatch.asset)),
  };
  await replace(custody, { id: dispatch.id, chain, plan: self, role: 'cancel', current: await chain.estimate(self) });
}

/** Asks the chain what it takes now and replaces the youngest attempt by one that pays more, if the cap allows. */
export async function bumpDispatch(custody: Custody, dispatch: Dispatch): Promise<boolean> {
  if (dispatch.state.step !== 'broadcast') return false;
  const youngest = dispatch.state.attempts.at(-1);
  invariant(youngest !== undefined, 'A broadcast dispatch has an attempt.', { id: dispatch.id });
  // One that the signer does not sign is no reason for another with a higher fee.
  if (youngest.hash === undefined) return false;
  const chain = chainFor(custody, dispatch);
  const plan = await orWaits(custody, dispatch.id, () => planOf(custody, dispatch));
  if (plan === undefined) return false;
  const role = youngest.role;
  // What expired is not signed again; the signed attempts stay valid, and cancelling them is still possible.
  const nowSeconds = BigInt(Math.floor(custody.clock.now().getTime() / 1000));
  if (role === 'effect' && 'expiresAt' in dispatch.intent && nowSeconds >= dispatch.intent.expiresAt) return false;
  const next: TransactionPlan =
    role === 'effect'
      ? plan
      : { from: plan.from, to: plan.from, amount: 0n, asset: nativeAsset(chainOf(dispatch.asset)) };
  return replace(custody, {
    id: dispatch.id,
    chain,
    plan: next,
    role,
    current: await currentTerms(chain, next, youngest.terms),
  });
}

/** Terms of now; where the estimate fails because the pending transaction already took the coins, those of before. */
async function currentTerms(chain: Chain, plan: TransactionPlan, before: FeeTerms): Promise<FeeTerms> {
  try {
    return await chain.estimate(plan);
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'transaction/rejected') return before;
    throw error;
  }
}

type Replacement = {
  readonly id: string;
  readonly chain: Chain;
  readonly plan: TransactionPlan;
  readonly role: 'effect' | 'cancel';
  readonly current: FeeTerms;
};

async function replace(custody: Custody, order: Replacement): Promise<boolean> {
  return custody.db.transaction(async (tx) => {
    const dispatch = await lockDispatch(tx, order.id);
    if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return false;
    const { attempts, nonce } = dispatch.state;
    const youngest = attempts.at(-1);
    invariant(youngest !== undefined, 'A dispatch with a nonce has an attempt.', { id: order.id });
    if (youngest.role === 'cancel' && order.role === 'effect') return false;
    // The replaced attempt may be mined all the same; both burn at most the cap, and only one of them can be mined.
    const terms =
      order.role === youngest.role
        ? bumpFeeTerms(youngest.terms, order.current, dispatch.feeMax)
        : cancelTerms(attempts, order.current, dispatch.feeMax);
    if (terms === undefined) return false;
    const now = custody.clock.now();
    await stepDispatch(tx, dispatch, { event: { type: 'prepared', nonce, role: order.role, terms }, now });
    const unsigned = order.chain.build(order.plan, terms, nonce);
    await storeAttempt(tx, { dispatch: order.id, ordinal: attempts.length + 1, role: order.role, unsigned, now });
    await enqueue(tx, { task: 'send-dispatch', id: order.id });
    return true;
  });
}

/**
 * Terms of the first cancellation. It outbids what was signed; what never was competes with nobody, so the cancellation then
 * pays what the chain asks or what the cap allows, and cannot be impossible: a nonce that nothing signs would block the wallet.
 */
function cancelTerms(attempts: readonly Attempt[], current: FeeTerms, cap: bigint): FeeTerms | undefined {
  const signed = attempts.findLast((attempt) => attempt.hash !== undefined);
  if (signed !== undefined) {
    const base = { ...signed.terms, gasLimit: current.gasLimit };
    return bumpFeeTerms(base, current, cap) ?? bumpFeeTerms(base, base, cap);
  }
  const affordable = cap / current.gasLimit;
  const maxFeePerGas = current.maxFeePerGas < affordable ? current.maxFeePerGas : affordable;
  const maxPriorityFeePerGas =
    current.maxPriorityFeePerGas < maxFeePerGas ? current.maxPriorityFeePerGas : maxFeePerGas;
  return { gasLimit: current.gasLimit, maxFeePerGas, maxPriorityFeePerGas };
}

async function broadcastMissing(custody: Custody, id: string): Promise<void> {
  const rows = await custody.db.query(
    `select a.ordinal, a.raw from custody.attempt a join custody.dispatch d on d.id = a.dispatch
     where a.dispatch = $1 and a.raw is not null and a.broadcast_at is null and d.step <> 'done' order by a.ordinal`,
    [id],
  );
  for (const row of rows) {
    await broadcastAttempt(custody, { id, ordinal: Number(row['ordinal']), raw: bytes(row, 'raw') });
  }
}

/** Hands signed bytes to the chain (again). The outcome is a note; what happened is decided by final blocks. */
export async function broadcastAttempt(
  custody: Custody,
  order: { id: string; ordinal: number; raw: Uint8Array },
): Promise<void> {
  const dispatch = await findDispatch(custody.db, order.id);
  if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return;
  // Once a cancellation exists it goes alone: where nobody has seen the payment yet, telling of it would undo the cancellation.
  const { attempts } = dispatch.state;
  const isEffect = attempts.some(({ ordinal, role }) => ordinal === order.ordinal && role === 'effect');
  if (isEffect && attempts.some(({ role }) => role === 'cancel')) return;
  const outcome = await chainFor(custody, dispatch).broadcast(order.raw);
  await custody.db.query(
    'update custody.attempt set broadcast_at = $3, last_broadcast = $4 where dispatch = $1 and ordinal = $2',
    [order.id, order.ordinal, custody.clock.now(), outcome],
  );
}

/**
 * The job `watch-dispatch`: looks where the youngest attempt is. One that no node knows any more is sent again, as it is; one
 * that waits too long in the mempool is replaced by one that pays more.
 */
export async function watchDispatch(custody: Custody, id: string): Promise<void> {
  const before = await findDispatch(custody.db, id);
  // A cancellation that is asked for comes before another word about the payment.
  if (before !== undefined && cancelDue(before.state)) await sendDispatch(custody, id);
  const dispatch = await findDispatch(custody.db, id);
  if (dispatch === undefined || dispatch.state.step === 'done') return;
  if (dispatch.state.step !== 'broadcast') return sendDispatch(custody, id);
  const youngest = dispatch.state.attempts.findLast((attempt) => attempt.hash !== undefined);
  if (youngest?.hash === undefined) return sendDispatch(custody, id);
  const { hash, ordinal } = youngest;
  const sight = await chainFor(custody, dispatch).sight(hash);
  await custody.db.transaction(async (tx) => {
    const locked = await lockDispatch(tx, id);
    if (locked !== undefined) {
      await stepDispatch(tx, locked, { event: { type: 'sighted', hash, sight }, now: custody.clock.now() });
    }
  });
  if (sight.at === 'block') return;
  const [row] = await custody.db.query(
    'select raw, signed_at from custody.attempt where dispatch = $1 and ordinal = $2',
    [id, ordinal],
  );
  const raw = row === undefined ? null : bytesOrNull(row, 'raw');
  if (row === undefined || raw === null) return;
  const signedAt = row['signed_at'];
  const waitedMs = signedAt instanceof Date ? custody.clock.now().getTime() - signedAt.getTime() : 0;
  if (sight.at === 'unknown') await broadcastAttempt(custody, { id, ordinal, raw });
  else if (waitedMs >= custody.policy.bumpAfterMs) await bumpDispatch(custody, dispatch);
  await sendDispatch(custody, id);
}
