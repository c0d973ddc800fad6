import {
  type Address,
  type FeePayer,
  type Refused,
  type WithdrawalTerms,
  claimOf,
  invariant,
  parseAddress,
  refuse,
} from '@bulkhead/domain';
import { type Queries, textOrNull } from '@bulkhead/postgres';
import { type Answer, type WriteCall, commandAfterAsking, isRefused, notFound } from './command.ts';
import type { Custody } from './custody.ts';
import { type DepositRow, findDeposit, lockDeposit, stepDeposit } from './deposit-row.ts';
import { type DepositView, depositView } from './deposit-view.ts';
import { feeCap } from './fee-cap.ts';
import { newId } from './id.ts';
import { throughVault, withVaultNonce } from './vault-terms.ts';
import { destinationRefused, openStored, quorumOf } from './withdrawal.ts';

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
  const actor = call.actor.name;
  return commandAfterAsking<{ quorum: number }, DepositView>(custody, call, {
    ask: async () => {
      const { quorum } = custody.policy;
      const deposit = await findDeposit(custody.db, request.id);
      if (deposit === undefined) return notFound('deposit', request.id);
      const terms = await termsOf(custody, custody.db, {
        request,
        deposit,
        actor,
        quorum,
        id: newId('wd', custody.clock.now()),
      });
      return { quorum: isRefused(terms) ? quorum : await quorumOf(custody, terms) };
    },
    work: async (tx, now, { quorum }) => {
      const deposit = await lockDeposit(tx, request.id);
      if (deposit === undefined) return notFound('deposit', request.id);
      const id = newId('wd', now);
      const event = { type: 'return-asked', withdrawal: id } as const;
      const asked = await stepDeposit(tx, { deposit, event, actor: call.actor, now });
      if (asked.status === 'refused') return asked;
      const terms = await termsOf(custody, tx, { request, deposit, actor, quorum, id });
      if (isRefused(terms)) return terms;
      const withNonce = await withVaultNonce(tx, terms);
      const opened = await openStored(tx, { terms: withNonce, actor: call.actor, now, deposit: request.id });
      if (isRefused(opened)) return opened;
      const view = await depositView(tx, request.id);
      invariant(view !== undefined, 'A deposit that was just changed is not there.', { id: request.id });
      return view;
    },
  });
}

type Draft = {
  readonly request: ReturnRequest;
  readonly deposit: DepositRow;
  readonly actor: string;
  readonly quorum: number;
  readonly id: string;
};

/** The terms of the return, or why there are none: nothing in quarantine, or nobody to send it to. */
async function termsOf(
  custody: Custody,
  db: Queries,
  { request, deposit, actor, quorum, id }: Draft,
): Promise<WithdrawalTerms | Refused> {
  const destination = request.destination ?? (await senderOf(db, deposit));
  const { client, credited } = deposit.state;
  if (client === undefined || credited === undefined || destination === undefined) {
    return refuse('deposit/wrong-state', `Nobody knows who sent ${request.id}: name a destination to return it to.`, {
      id: request.id,
    });
  }
  const { compartment, asset } = deposit.terms;
  const terms: WithdrawalTerms = {
    deployment: custody.deployment,
    id,
    kind: 'deposit-return',
    client,
    compartment,
    asset,
    amount: claimOf(deposit.state),
    destination,
    feePayer: request.feePayer ?? 'house',
    feeMax: feeCap(custody, asset),
    requestedBy: actor,
    quorum,
    expiresAt: new Date(custody.clock.now().getTime() + custody.policy.withdrawalTtlMs),
  };
  const refused = await destinationRefused(db, terms);
  if (refused !== undefined) return refused;
  const now = custody.clock.now();
  const asAgreed = await throughVault(custody, db, { terms, oneOff: false, now });
  // Who sent it is rarely a destination that the client agreed to: then the client key signs the return.
  const isOdd = isRefused(asAgreed) && ['vault/destination-not-listed', 'vault/limit-exceeded'].includes(asAgreed.code);
  return isOdd ? throughVault(custody, db, { terms, oneOff: true, now }) : asAgreed;
}

async function senderOf(tx: Queries, deposit: DepositRow): Promise<Address | undefined> {
  const [row] = await tx.query('select from_address from custody.movement where id = $1', [deposit.movement]);
  const from = row === undefined ? null : textOrNull(row, 'from_address');
  return from === null ? undefined : parseAddress(from);
}
