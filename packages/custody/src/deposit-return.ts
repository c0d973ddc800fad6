import { type Address, type FeePayer, type WithdrawalTerms, invariant, parseAddress, refuse } from '@bulkhead/domain';
import { type Queries, textOrNull } from '@bulkhead/postgres';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Custody } from './custody.ts';
import { type DepositRow, lockDeposit, stepDeposit } from './deposit-row.ts';
import { type DepositView, depositView } from './deposit-view.ts';
import { feeCap } from './fee-cap.ts';
import { newId } from './id.ts';
import { destinationRefused, openStored } from './withdrawal.ts';

export type ReturnRequest = {
  readonly id: string;
  /** Where it goes back to; the sender where nobody says. */
  readonly destination?: Address;
  /** The house unless somebody says otherwise: a client whose deposit is refused may have nothing else to pay with. */
  readonly feePayer?: FeePayer;
};

/**
 * Sends a quarantined deposit back by a withdrawal of kind `deposit-return`: screened, approved by a quorum and signed like any
 * other, paid from quarantine instead of from what the client may dispose of.
 */
export async function returnDeposit(
  custody: Custody,
  call: WriteCall,
  request: ReturnRequest,
): Promise<Answer<DepositView>> {
  return command(custody, call, async (tx, now) => {
    const deposit = await lockDeposit(tx, request.id);
    if (deposit === undefined) return notFound('deposit', request.id);
    const destination = request.destination ?? (await senderOf(tx, deposit));
    const id = newId('wd', now);
    const asked = await stepDeposit(tx, {
      deposit,
      event: { type: 'return-asked', withdrawal: id },
      actor: call.actor,
      now,
    });
    if (asked.status === 'refused') return asked;
    const { client, credited } = deposit.state;
    invariant(client !== undefined && credited !== undefined, 'A deposit in quarantine has a client and an amount.', {
      id: request.id,
    });
    if (destination === undefined) {
      return refuse('deposit/wrong-state', `Nobody knows who sent ${request.id}: name a destination to return it to.`, {
        id: request.id,
      });
    }
    const { compartment, asset } = deposit.terms;
    const terms: WithdrawalTerms = {
      id,
      kind: 'deposit-return',
      client,
      compartment,
      asset,
      amount: credited,
      destination,
      feePayer: request.feePayer ?? 'house',
      feeMax: feeCap(custody, asset),
      requestedBy: call.actor.name,
      quorum: custody.policy.quorum,
      expiresAt: new Date(now.getTime() + custody.policy.withdrawalTtlMs),
    };
    const refused = await destinationRefused(tx, terms);
    if (refused !== undefined) return refused;
    const opened = await openStored(tx, { terms, actor: call.actor, now, deposit: request.id });
    if ('status' in opened) return opened;
    const view = await depositView(tx, request.id);
    invariant(view !== undefined, 'A deposit that was just changed is not there.', { id: request.id });
    return view;
  });
}

async function senderOf(tx: Queries, deposit: DepositRow): Promise<Address | undefined> {
  const [row] = await tx.query('select from_address from custody.movement where id = $1', [deposit.movement]);
  const from = row === undefined ? null : textOrNull(row, 'from_address');
  return from === null ? undefined : parseAddress(from);
}
