import { type AssetId, CustodyError, type Evidence, invariant, type VaultIntent } from '@bulkhead/domain';
import { text, type Transaction } from '@bulkhead/postgres';
import type { Hex } from '@bulkhead/vaults';
import { evidenceFor, signerSays } from './approval.ts';
import { postAll } from './books.ts';
import { type Custody, machine } from './custody.ts';
import { lockDispatch, stepDispatch } from './dispatch.ts';
import { finishDispatch } from './finish.ts';
import { frozenBy, frozenReason } from './freeze.ts';
import { enqueue } from './job.ts';
import { codeBreak, lookAtCodes } from './token-code.ts';
import { signerWaits } from './signing.ts';
import { writeState } from './state.ts';
import {
  findVaultDispatch,
  lockVaultDispatch,
  signUntil,
  stepVaultDispatch,
  type VaultDispatch,
  vaultDispatchWaits,
} from './vault-dispatch.ts';
import { endVaultDispatch } from './vault-end.ts';
import { deployingReason, uncheckedReason } from './vault-gate.ts';
import { type Cargo, failedRelays, orderRelay, relayCall, relayObjection } from './vault-relay.ts';
import { expectVaultsOn } from './vault-chain.ts';
import { assertSystem } from './vault-system.ts';
import { findWallet, proven } from './wallet.ts';
import { lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

/** Relays of one payment that may fail on chain, and cost the house their fee, before people must look. */
export const failedRelaysMax = 5n;

/**
 * The job `send-vault-dispatch`: brings a payment of a vault one or more steps forward. Safe to run twice, at once, or after a crash at
 * any line: every step looks at what is stored and does only what is missing.
 *
 * 0. The signer is asked whether it would sign. Where it would not, or does not answer, nothing is spent and the reason is shown.
 * 1. That signers will be asked is committed. Crash before: nothing exists, and the hold may still be released. Crash after: a
 *    signature may exist, and from here on the hold stands until a final block says what became of the nonce.
 * 2. The signers are asked. Each answers a repetition with the same signature, so a crash before they are stored costs nothing.
 * 3. The signatures and the relay that carries them are committed together. Whoever learns of them may relay them as well.
 * 4. The relay goes its own way, as any transaction of the house. Whether the vault has paid is read from the vault's events.
 */
export async function sendVaultDispatch(custody: Custody, id: string): Promise<void> {
  const dispatch = await findVaultDispatch(custody.db, id);
  if (dispatch === undefined || dispatch.state.step === 'done') return;
  if (dispatch.state.step === 'queued' && !(await begin(custody, dispatch))) return;
  await signPayment(custody, id);
  await signInvalidation(custody, id);
  await relayMissing(custody, id);
}

function seconds(custody: Custody): bigint {
  return BigInt(Math.floor(custody.clock.now().getTime() / 1000));
}

/** Whether signers may be asked now, which is then stored. */
async function begin(custody: Custody, dispatch: VaultDispatch): Promise<boolean> {
  const { db } = custody;
  if (!(await custody.db.transaction((tx) => passGates(custody, tx, dispatch.id)))) return false;
  const ready = await orWaits(custody, dispatch.id, async () => {
    if (dispatch.payment !== undefined) await lookAtCodes(custody, dispatch.chain, dispatch.payment.asset);
    const wallet = await findWallet(db, dispatch.wallet);
    invariant(wallet !== undefined, 'A payment names a vault without a wallet.', { dispatch: dispatch.id });
    await proven(custody, db, wallet);
    await assertSystem(custody, dispatch.chain);
    const reason = dispatch.payment === undefined ? undefined : await uncheckedReason(custody, dispatch);
    if (reason !== undefined) await vaultDispatchWaits(db, dispatch.id, { reason, now: custody.clock.now() });
    return reason === undefined && (await wouldSign(custody, dispatch));
  });
  if (ready !== true) return false;
  return db.transaction(async (tx) => {
    // Looked at before the signer and the chain were asked, and again here: what changed meanwhile must count.
    if (!(await passGates(custody, tx, dispatch.id))) return false;
    const locked = await lockVaultDispatch(tx, dispatch.id);
    if (locked === undefined || locked.state.step !== 'queued') return locked?.state.step !== 'done';
    const reason = locked.payment === undefined ? undefined : await deployingReason(tx, locked);
    if (reason !== undefined) {
      await vaultDispatchWaits(tx, locked.id, { reason, now: custody.clock.now() });
      return false;
    }
    await stepVaultDispatch(tx, locked, { event: { type: 'signing-started' }, now: custody.clock.now() });
    // Commit point: from here on a signature may exist at any signer. A crash right after asks them on the next run.
    return true;
  });
}

/** What must hold before anybody signs: not expired, compartment not frozen, code of the token as reviewed, the client's own signature. */
async function passGates(custody: Custody, tx: Transaction, id: string): Promise<boolean> {
  const dispatch = await lockVaultDispatch(tx, id);
  if (dispatch === undefined || dispatch.state.step !== 'queued') return false;
  const now = custody.clock.now();
  if (seconds(custody) >= signUntil(dispatch.intent)) {
    // Nobody was asked to sign, so that nothing can ever be relayed: it ends here.
    await postAll(tx, await endVaultDispatch(custody, tx, { dispatch, event: { type: 'cancel-asked' }, now }), now);
    return false;
  }
  const reason = dispatch.payment === undefined ? undefined : await standsStill(tx, dispatch, dispatch.payment.asset);
  if (reason === undefined) return true;
  await vaultDispatchWaits(tx, id, { reason, now });
  return false;
}

/** Why nothing is paid. What moves nothing and makes a vault do less is not held up: a frozen vault is one to pause. */
async function standsStill(tx: Transaction, dispatch: VaultDispatch, asset: AssetId): Promise<string | undefined> {
  const [cause] = await frozenBy(tx, dispatch.compartment);
  if (cause !== undefined) return frozenReason(dispatch.compartment, cause);
  return (await codeBreak(tx, asset))?.reason ?? clientMissing(tx, dispatch);
}

async function clientMissing(tx: Transaction, { intent, subject }: VaultDispatch): Promise<string | undefined> {
  if (intent.kind !== 'vault-withdrawal' || intent.authorisation !== 'one-off') return undefined;
  const [row] = await tx.query('select id from custody.withdrawal where id = $1 and client_signature is not null', [
    subject,
  ]);
  return row === undefined
    ? `It waits for the client: a one-off payment needs the signature of the client key, handed in with POST /v1/withdrawals/${subject}/client-signature.`
    : undefined;
}

/** Runs a step that the signers, the chain's contracts or an address can stop; a stop is written down, everything else is thrown. */
async function orWaits<Result>(custody: Custody, id: string, step: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    const reason = waitingReason(error);
    if (reason === undefined) throw error;
    await vaultDispatchWaits(custody.db, id, { reason, now: custody.clock.now() });
    return undefined;
  }
}

function waitingReason(error: CustodyError): string | undefined {
  if (error.code === 'signer/unavailable') return `${signerWaits}does not answer (${error.code}). It is asked again.`;
  if (error.code === 'wallet/address-mismatch' || error.code === 'vault/system-differs') return error.message;
  return signerSays(error) ? `${signerWaits}refuses (${error.code}): ${error.message}` : undefined;
}

/** Whether the signers would sign with the signatures of people that are stored; where people are missing, more are asked for. */
async function wouldSign(custody: Custody, dispatch: VaultDispatch): Promise<boolean> {
  const evidence = await evidenceFor(custody.db, dispatch.subject, dispatch.intent);
  const { approvalsNeeded, approvedBy, requestNeeded, refusal } = await custody.signer.outlook(
    dispatch.intent,
    evidence,
  );
  const now = custody.clock.now();
  if (refusal !== undefined) {
    const reason = `${signerWaits}refuses (${refusal.code}): ${refusal.message}`;
    await vaultDispatchWaits(custody.db, dispatch.id, { reason, now });
    return false;
  }
  const missing = approvalsNeeded - approvedBy.length;
  if (missing <= 0 && (!requestNeeded || evidence.request !== undefined)) return true;
  const reason = missingReason(dispatch, { approvalsNeeded, approved: approvedBy.length });
  await custody.db.transaction(async (tx) => {
    await tellMissing(custody, tx, { dispatch, needed: evidence.approvals.length + Math.max(missing, 0) });
    await vaultDispatchWaits(tx, dispatch.id, { reason, now });
  });
  return false;
}

type Missing = { readonly approvalsNeeded: number; readonly approved: number };

function missingReason({ intent, requestedBy }: VaultDispatch, { approvalsNeeded, approved }: Missing): string {
  if (intent.kind === 'vault-fee') {
    return `${signerWaits}wants ${approvalsNeeded} approvals (signer/approvals-missing), and a vault-fee cannot be approved here: it waits until the policy is changed. Have the root quorum approve a policy-change whose rule for vault-fee of ${intent.asset}, with an amountMax of at least ${intent.amount}, has approvals 0.`;
  }
  return approvalsNeeded > approved
    ? `${signerWaits}wants ${approvalsNeeded} approvals and has ${approved} (signer/approvals-missing): let more people approve.`
    : `${signerWaits}wants the signature of ${requestedBy}, who asked (signer/request-missing).`;
}

async function tellMissing(
  custody: Custody,
  tx: Transaction,
  { dispatch, needed }: { dispatch: VaultDispatch; needed: number },
): Promise<void> {
  if (dispatch.intent.kind !== 'vault-withdrawal') return;
  await lockVaultDispatch(tx, dispatch.id);
  const withdrawal = await lockWithdrawal(tx, dispatch.subject);
  invariant(withdrawal !== undefined, 'A payment names a withdrawal that does not exist.', { id: dispatch.subject });
  if (withdrawal.state.approvalsNeeded === needed) return;
  const event = { type: 'approvals-missing', needed } as const;
  await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now: custody.clock.now() });
}

/** Has it signed where it is not. Cancelled meanwhile, nobody is asked any more; expired, nobody would sign. */
async function signPayment(custody: Custody, id: string): Promise<void> {
  const dispatch = await findVaultDispatch(custody.db, id);
  if (dispatch?.state.step !== 'signing' || dispatch.state.cancelAsked) return;
  if (dispatch.signatures !== undefined || seconds(custody) >= signUntil(dispatch.intent)) return;
  const [cause] = dispatch.payment === undefined ? [] : await frozenBy(custody.db, dispatch.compartment);
  if (cause !== undefined) {
    await vaultDispatchWaits(custody.db, id, {
      reason: frozenReason(dispatch.compartment, cause),
      now: custody.clock.now(),
    });
    return;
  }
  const evidence = await evidenceFor(custody.db, dispatch.subject, dispatch.intent);
  const granted = await orWaits(custody, id, () => ask(custody, dispatch, { intent: dispatch.intent, evidence }));
  if (granted === undefined) return;
  await custody.db.transaction(async (tx) => {
    const locked = await lockVaultDispatch(tx, id);
    if (locked?.state.step !== 'signing' || locked.signatures !== undefined) return;
    const now = custody.clock.now();
    await tx.query('update custody.vault_dispatch set signatures = $2, grants = $3 where id = $1', [
      id,
      granted.signatures,
      granted.grants,
    ]);
    await stepVaultDispatch(tx, locked, { event: { type: 'signed' }, now });
    if (locked.intent.kind === 'vault-withdrawal') await tellSigned(custody, tx, { subject: locked.subject, now });
    // Commit point: the signatures are stored before anything of them leaves. A crash before asks again and gets the same ones.
  });
}

async function tellSigned(
  custody: Custody,
  tx: Transaction,
  { subject, now }: { readonly subject: string; readonly now: Date },
): Promise<void> {
  const withdrawal = await lockWithdrawal(tx, subject);
  invariant(withdrawal !== undefined, 'A payment names a withdrawal that does not exist.', { id: subject });
  await stepWithdrawal(custody, tx, { withdrawal, event: { type: 'signed' }, actor: machine, now });
}

/** Has the invalidation signed that cancels a payment for which a signature may exist. */
async function signInvalidation(custody: Custody, id: string): Promise<void> {
  const dispatch = await findVaultDispatch(custody.db, id);
  if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return;
  if (!dispatch.state.cancelAsked || dispatch.invalidation !== undefined || pastDeadline(custody, dispatch)) return;
  const { intent, chain, compartment, nonce, deadline } = dispatch;
  const invalidation: VaultIntent = {
    deployment: intent.deployment,
    kind: 'vault-invalidation',
    id: dispatch.id,
    client: intent.client,
    vault: intent.vault,
    vaultNonce: nonce,
    deadline,
    chain,
    compartment,
    cancels: intent.id,
  };
  const request = { intent: invalidation, evidence: { approvals: [] } };
  const granted = await orWaits(custody, id, () => ask(custody, dispatch, request));
  if (granted === undefined) return;
  await custody.db.query(
    'update custody.vault_dispatch set invalidation = $2, waiting_reason = null, updated_at = $3 where id = $1 and invalidation is null',
    [id, granted.signatures, custody.clock.now()],
  );
}

function pastDeadline(custody: Custody, { deadline }: VaultDispatch): boolean {
  return seconds(custody) >= deadline;
}

type Asked = { readonly intent: VaultIntent; readonly evidence: Evidence };

async function ask(
  custody: Custody,
  { chain }: VaultDispatch,
  request: Asked,
): Promise<{ readonly signatures: Hex; readonly grants: string }> {
  const { setup } = expectVaultsOn(custody, chain);
  const { signatures, grants } = await setup.quorum.signVault(request);
  return { signatures: `0x${Buffer.from(signatures).toString('hex')}`, grants: writeState(grants) };
}

/** Orders a relay of what is signed, unless one is under way. */
async function relayMissing(custody: Custody, id: string): Promise<void> {
  const dispatch = await findVaultDispatch(custody.db, id);
  if (dispatch === undefined || dispatch.state.step === 'done' || dispatch.state.step === 'queued') return;
  const { cancelAsked } = dispatch.state;
  if (cancelAsked) await withdrawRelay(custody, id);
  const cargo: Cargo = cancelAsked ? 'invalidation' : 'payment';
  const signed = cancelAsked ? dispatch.invalidation : dispatch.signatures;
  // Later than its deadline the vault takes nothing: it is over as soon as that is final.
  if (signed === undefined || pastDeadline(custody, dispatch) || (await underWay(custody, id, cargo))) return;
  const call = await relayCall(custody, dispatch, cargo);
  const order = { chain: dispatch.chain, call };
  const reason = await relayObjection(custody, order);
  const now = custody.clock.now();
  if (reason !== undefined) return vaultDispatchWaits(custody.db, id, { reason, now });
  await custody.db.transaction(async (tx) => {
    const locked = await lockVaultDispatch(tx, id);
    if (locked === undefined || locked.state.step === 'done' || locked.state.step === 'queued') return;
    if (locked.state.cancelAsked !== cancelAsked) return;
    const failed = await failedRelays(tx, { relays: id, cargo, chain: locked.chain });
    const carries = cargo === 'payment' ? locked.subject : locked.id;
    const missing =
      failed < failedRelaysMax
        ? await orderRelay(custody, tx, { ...order, relays: id, carries, cargo, beneficiary: locked.compartment, now })
        : `${failed} relays of it failed on chain, at the cost of the house: look at why before another one is tried. It lapses with its deadline.`;
    if (missing !== undefined) await vaultDispatchWaits(tx, id, { reason: missing, now });
    // Commit point: the relay and its job. A crash before orders it on the next run, one after finds it under way.
  });
}

/**
 * Our own relay of a payment that is cancelled has an earlier nonce of the house than what invalidates it, and would come first: it is
 * taken back, as any transaction is. One that is mined all the same has paid, and the invalidation fails.
 */
async function withdrawRelay(custody: Custody, id: string): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const [row] = await tx.query(
      `select id from custody.dispatch where relays = $1 and cargo = 'payment' and step <> 'done'`,
      [id],
    );
    const relay = row === undefined ? undefined : await lockDispatch(tx, text(row, 'id'));
    if (relay === undefined || relay.state.step === 'done') return;
    const now = custody.clock.now();
    const { dispatch, effects } = await stepDispatch(tx, relay, { event: { type: 'cancel-asked' }, now });
    if (dispatch.state.step === 'done') {
      const end = { dispatch, outcome: dispatch.state.outcome, fee: 0n, hadNonce: false, now };
      await postAll(tx, await finishDispatch(custody, tx, end), now);
    } else if (effects.length > 0) {
      await enqueue(tx, { task: 'send-dispatch', id: relay.id });
    }
  });
}

async function underWay({ db }: Custody, id: string, cargo: Cargo): Promise<boolean> {
  const rows = await db.query(
    `select id from custody.dispatch where relays = $1 and cargo = $2 and step <> 'done' limit 1`,
    [id, cargo],
  );
  return rows.length > 0;
}

/** Asks for a look at every payment that is signed and not over. */
export async function liveVaultDispatches(custody: Custody): Promise<readonly string[]> {
  const rows = await custody.db.query(`select id from custody.vault_dispatch where step <> 'done' order by id`);
  return rows.map((row) => text(row, 'id'));
}
