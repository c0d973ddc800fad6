import { CustodyError, invariant, recipientIndexCount } from '@bulkhead/domain';
import { date, only, type Queries } from '@bulkhead/postgres';
import { certifyWallet, storedCertificates } from './address-certificate.ts';
import { signerSays } from './approval.ts';
import { type Custody, machine } from './custody.ts';
import { type Dispatch, dispatchWaits } from './dispatch.ts';
import { signerWaits } from './signing.ts';
import { findWallet, keyOf, type Wallet } from './wallet.ts';

/** How long a certificate that was refused is not asked for again: each refusal is a record of the signer for ever. */
export const certifyAgainMs = 3_600_000;

const refusedWords = `${signerWaits}does not certify`;

/**
 * Whether the signer will know the receiver of a gas grant for one of ours. An address beyond the indices that it derives is
 * certified to its client first, which is asked for once and kept; where that fails, the dispatch says why.
 *
 * Done before a nonce is taken, and safe to repeat: the signer answers a repetition with the same certificate.
 */
export async function recipientKnown(custody: Custody, dispatch: Dispatch): Promise<boolean> {
  const { db } = custody;
  if (dispatch.kind !== 'gas-grant' || dispatch.toWallet === undefined) return true;
  const wallet = await findWallet(db, dispatch.toWallet);
  invariant(wallet !== undefined, 'A gas grant goes to a wallet that does not exist.', { dispatch: dispatch.id });
  const key = keyOf(wallet);
  if ('label' in key || key.index < recipientIndexCount) return true;
  if ((await storedCertificates(db, wallet.id)) !== undefined) return true;
  const reason = await certified(custody, dispatch, wallet);
  if (reason === undefined) return true;
  await dispatchWaits(db, dispatch.id, { reason, now: custody.clock.now() });
  return false;
}

async function certified(custody: Custody, dispatch: Dispatch, wallet: Wallet): Promise<string | undefined> {
  const now = custody.clock.now();
  const { client } = wallet;
  if (client === undefined) {
    return `Wallet ${wallet.id} belongs to no client and its index is not below ${recipientIndexCount}, so that the signer cannot know it: have it listed in the registry by the root quorum.`;
  }
  if (dispatch.waitingReason?.startsWith(refusedWords) === true) {
    if (now.getTime() < (await lastRefusedMs(custody.db, dispatch.id)) + certifyAgainMs) return dispatch.waitingReason;
  }
  try {
    await certifyWallet(custody, { ...wallet, client }, machine);
    return undefined;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    if (error.code === 'signer/unavailable') return `${signerWaits}does not answer (${error.code}). It is asked again.`;
    if (error.code === 'wallet/address-mismatch') return error.message;
    if (!signerSays(error)) throw error;
    const again = new Date(now.getTime() + certifyAgainMs).toISOString();
    return `${refusedWords} wallet ${wallet.id} to client ${client} (${error.code}), and without that it does not know the wallet for one of ours: ${error.message} It is asked again at ${again}.`;
  }
}

/** A reason names its time, so that the row was changed when it was written. */
async function lastRefusedMs(db: Queries, id: string): Promise<number> {
  return date(
    only(await db.query('select updated_at from custody.dispatch where id = $1', [id])),
    'updated_at',
  ).getTime();
}
