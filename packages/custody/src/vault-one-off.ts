import { refuse, withdrawalEnded } from '@bulkhead/domain';
import type { Hex } from '@bulkhead/vaults';
import { isSignedBy } from './client-signature.ts';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { oneOffData } from './one-off-data.ts';
import { lockLiveVaultDispatch } from './vault-dispatch.ts';
import { vaultHistory } from './vault-event.ts';
import { findVault } from './vault-row.ts';
import { lockWithdrawal } from './withdrawal-step.ts';
import { type WithdrawalView, withdrawalView } from './withdrawal-view.ts';

/** Takes the client's own signature over a one-off payment; without it nobody of the quorum is asked. */
export async function signOneOff(
  custody: Custody,
  call: WriteCall,
  input: { readonly id: string; readonly signature: Hex },
): Promise<Answer<WithdrawalView>> {
  return command(custody, call, async (tx, now) => {
    const payment = await lockLiveVaultDispatch(tx, input.id);
    const withdrawal = await lockWithdrawal(tx, input.id);
    if (withdrawal === undefined) return notFound('withdrawal', input.id);
    const { terms, state, clientSignature } = withdrawal;
    const isOneOff = terms.vault?.authorisation === 'one-off';
    const vault = withdrawal.vault === undefined ? undefined : await findVault(tx, withdrawal.vault);
    if (!isOneOff || vault === undefined || clientSignature !== undefined || withdrawalEnded(state.step)) {
      return refuse(
        'withdrawal/wrong-state',
        `Withdrawal ${input.id} (${state.step}) waits for no signature of the client: only a one-off payment of a vault that is not signed yet does.`,
        { id: input.id, state: state.step },
      );
    }
    const { state: rights } = await vaultHistory(custody, tx, vault);
    const { digest } = oneOffData(terms);
    if (!isSignedBy(rights.clientKey, Buffer.from(digest.slice(2), 'hex'), input.signature)) {
      return refuse(
        'vault/signature-invalid',
        `This is no signature of the client key of vault ${vault.id} over ${input.id}. Sign the typed data that the withdrawal shows.`,
        { vault: vault.id },
      );
    }
    await tx.query('update custody.withdrawal set client_signature = $2, updated_at = $3 where id = $1', [
      input.id,
      input.signature,
      now,
    ]);
    await record(tx, now, { actor: call.actor, subject: input.id, event: 'client-signed', data: { vault: vault.id } });
    if (payment !== undefined) await enqueue(tx, { task: 'send-vault-dispatch', id: payment.id });
    return withdrawalView(tx, input.id);
  });
}
