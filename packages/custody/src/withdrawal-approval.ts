import {
  decideWithdrawal,
  type Intent,
  intentDigest,
  invariant,
  type SignedStatement,
  withdrawalIntent,
} from '@bulkhead/domain';
import { date, only, type Queries } from '@bulkhead/postgres';
import {
  type ApprovalRole,
  briefOf,
  canonicalOf,
  evidenceFor,
  lodge,
  peopleNeeded,
  type SignedApproval,
  storeApproval,
} from './approval.ts';
import { postAll } from './books.ts';
import { type Answer, commandAfterAsking, notFound, refuseCommand, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { lockLiveDispatch } from './dispatch.ts';
import { lockLiveVaultDispatch } from './vault-dispatch.ts';
import { findWithdrawal, lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';
import { type WithdrawalView, withdrawalView } from './withdrawal-view.ts';

/**
 * Takes the approval of a person: a signature over the intent, which the signer verifies before it counts here. With the last one
 * needed, and the requester's own, the withdrawal goes on.
 *
 * @throws CustodyError `signer/…`; `signer/unavailable` says that nobody can approve for the moment
 */
export async function approveWithdrawal(
  custody: Custody,
  call: WriteCall,
  signed: SignedApproval,
): Promise<Answer<WithdrawalView>> {
  return takeSignature(custody, call, { ...signed, role: 'approval' });
}

/** Takes the signature of the person who asked, over exactly what was made of the request: amount, highest fee, expiry. */
export async function signWithdrawalRequest(
  custody: Custody,
  call: WriteCall,
  signed: SignedApproval,
): Promise<Answer<WithdrawalView>> {
  return takeSignature(custody, call, { ...signed, role: 'request' });
}

type Signature = SignedApproval & { readonly role: ApprovalRole };

type Lodged = { readonly digest: string; readonly needed: number | undefined };

async function takeSignature(
  custody: Custody,
  call: WriteCall,
  { id, approval, role }: Signature,
): Promise<Answer<WithdrawalView>> {
  const by = call.actor.name;
  const eventOf = (
    needed: number | undefined,
  ): { type: 'approved' | 'request-signed'; by: string; needed?: number } => ({
    type: role === 'approval' ? 'approved' : 'request-signed',
    by,
    ...(needed === undefined ? {} : { needed }),
  });
  return commandAfterAsking<Lodged, WithdrawalView>(custody, call, {
    ask: async () => {
      const found = await findWithdrawal(custody.db, id);
      if (found === undefined) return notFound('withdrawal', id);
      const intent = withdrawalIntent(found.terms);
      const needed = await peopleNeeded(custody, intent, await evidenceFor(custody.db, id, intent));
      // What would be refused here is not given to the signer: it keeps what it was given.
      const foreseen = decideWithdrawal(found, eventOf(needed), custody.clock.now());
      if (foreseen.status === 'refused') return foreseen;
      const refused = await lodge(custody, call.actor, { intent, approval });
      return refused ?? { digest: intentDigest(intent), needed };
    },
    work: async (tx, now, { digest, needed }) => {
      const dispatch = await lockLiveDispatch(tx, id);
      const payment = await lockLiveVaultDispatch(tx, id);
      const withdrawal = await lockWithdrawal(tx, id);
      invariant(withdrawal !== undefined, 'A withdrawal that somebody signs has vanished.', { id });
      invariant(intentDigest(withdrawalIntent(withdrawal.terms)) === digest, 'What was signed is not what is stored.', {
        id,
      });
      const order = { withdrawal, event: eventOf(needed), actor: call.actor, dispatch, payment, now };
      const stepped = await stepWithdrawal(custody, tx, order);
      if (stepped.status === 'refused') return refuseCommand(stepped);
      await storeApproval(tx, { subject: id, role, approval, digest, now });
      await postAll(tx, stepped.transfers, now);
      // Commit point: the step and the signature that allows it are stored together or not at all. A crash before leaves a
      // signature with the signer that nobody counts; the retry hands in the same one.
      return withdrawalView(tx, id);
    },
  });
}

/** What people are asked to sign, and what the signer says about it now. */
export type WithdrawalIntentText = {
  readonly withdrawalId: string;
  readonly intent: Intent;
  /** The canonical text of the intent, and SHA-256 of its bytes. */
  readonly canonical: string;
  readonly digest: string;
  readonly requestedBy: string;
  readonly requestSigned: boolean;
  /** Signed by the signer; null while it does not answer. */
  readonly brief: SignedStatement | null;
  readonly createdAt: string;
};

/** The intent of a withdrawal to be read and signed; undefined where there is no such withdrawal. */
export async function withdrawalIntentText(custody: Custody, id: string): Promise<WithdrawalIntentText | undefined> {
  const found = await findWithdrawal(custody.db, id);
  if (found === undefined) return undefined;
  const intent = withdrawalIntent(found.terms);
  return {
    withdrawalId: id,
    intent,
    ...canonicalOf(intent),
    requestedBy: found.terms.requestedBy,
    requestSigned: found.state.requestSigned,
    brief: await briefOf(custody, id, intent),
    createdAt: await createdAt(custody.db, id),
  };
}

async function createdAt(db: Queries, id: string): Promise<string> {
  const row = only(await db.query('select created_at from custody.withdrawal where id = $1', [id]));
  return date(row, 'created_at').toISOString();
}
