import {
  type Address,
  type AssetId,
  type Compartment,
  type FeePayer,
  type Refused,
  type WithdrawalEvent,
  type WithdrawalTerms,
  chainOf,
  checksumAddress,
  intentDigest,
  invariant,
  openWithdrawal,
  refuse,
  withdrawalEnded,
  withdrawalIntent,
} from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { peopleNeeded } from './approval.ts';
import { assetNotAllowed, findAsset } from './asset.ts';
import { type RefusedTransfer, firstRefusal, lacksFunds, postAll } from './books.ts';
import { compartmentOf, findClient } from './client.ts';
import {
  type Answer,
  command,
  commandAfterAsking,
  isRefused,
  notFound,
  refuseCommand,
  type WriteCall,
} from './command.ts';
import { type Actor, type Custody, machine } from './custody.ts';
import { lockLiveDispatch } from './dispatch.ts';
import { feeCap } from './fee-cap.ts';
import { frozenBy } from './freeze.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { payingWallets, walletThatCanPay } from './liquidity.ts';
import { askScreening } from './screening.ts';
import { writeState } from './state.ts';
import { lockLiveVaultDispatch } from './vault-dispatch.ts';
import { throughVault, withVaultNonce } from './vault-terms.ts';
import { findWalletByAddress } from './wallet.ts';
import { findWithdrawal, lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';
import { type WithdrawalView, withdrawalView } from './withdrawal-view.ts';

export type WithdrawalRequest = {
  readonly clientId: string;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly destination: Address;
  readonly feePayer: FeePayer;
  /** Out of a vault to anywhere and above any limit: the client key must sign it too. */
  readonly oneOff?: boolean;
};

/**
 * Asks for a withdrawal: checks, and in the same transaction holds the amount and, where the client pays it, the highest fee. How
 * many people must approve is asked of the signer before; where it does not answer, the policy says it for the time being.
 */
export async function requestWithdrawal(
  custody: Custody,
  call: WriteCall,
  request: WithdrawalRequest,
): Promise<Answer<WithdrawalView>> {
  const draft = (db: Queries, order: { now: Date; quorum: number }): Promise<WithdrawalTerms | Refused> =>
    termsOf(custody, db, { ...order, request, actor: call.actor });
  return commandAfterAsking<{ quorum: number }, WithdrawalView>(custody, call, {
    ask: async () => {
      const terms = await draft(custody.db, { now: custody.clock.now(), quorum: custody.policy.quorum });
      return isRefused(terms) ? terms : { quorum: await quorumOf(custody, terms) };
    },
    work: async (tx, now, { quorum }) => {
      const terms = await draft(tx, { now, quorum });
      if (isRefused(terms)) return terms;
      return openStored(tx, { terms: await withVaultNonce(tx, terms), actor: call.actor, now });
    },
  });
}

/** People who must approve, by the signer, or by the policy of the server while the signer does not say. */
export async function quorumOf(custody: Custody, terms: WithdrawalTerms): Promise<number> {
  return (await peopleNeeded(custody, withdrawalIntent(terms), { approvals: [] })) ?? custody.policy.quorum;
}

type Draft = {
  readonly request: WithdrawalRequest;
  readonly actor: Actor;
  readonly quorum: number;
  readonly now: Date;
};

async function termsOf(
  custody: Custody,
  db: Queries,
  { request, actor, quorum, now }: Draft,
): Promise<WithdrawalTerms | Refused> {
  const client = await findClient(db, request.clientId);
  if (client === undefined) return notFound('client', request.clientId);
  if ((await findAsset(db, request.asset)) === undefined) return assetNotAllowed(request.asset);
  const compartment = await compartmentOf(db, client.id, chainOf(request.asset));
  if (compartment === undefined) return noFunds(request);
  const terms: WithdrawalTerms = {
    deployment: custody.deployment,
    id: newId('wd', now),
    kind: 'withdrawal',
    client: client.id,
    compartment,
    asset: request.asset,
    amount: request.amount,
    destination: request.destination,
    feePayer: request.feePayer,
    feeMax: feeCap(custody, request.asset),
    requestedBy: actor.name,
    quorum,
    expiresAt: new Date(now.getTime() + custody.policy.withdrawalTtlMs),
  };
  const refused = await destinationRefused(db, terms);
  if (refused !== undefined) return refused;
  return throughVault(custody, db, { terms, oneOff: request.oneOff === true, now });
}

export type Moving = {
  readonly client: string;
  /** The compartment that the assets leave, whatever model counts now. */
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly destination: Address;
  readonly requestedBy: string;
  readonly now: Date;
};

/**
 * Opens a withdrawal that moves a client's assets to its other compartment. It is approved, signed and settled like any other; what the
 * vault pays nobody by itself is a one-off payment, which the client key signs. Where keys pay, the fee comes out of what is moved.
 */
export async function openMoving(
  custody: Custody,
  tx: Transaction,
  moving: Moving,
): Promise<{ readonly id: string } | Refused> {
  const { client, compartment, asset, destination, requestedBy, now } = moving;
  const feeMax = feeCap(custody, asset);
  const terms: WithdrawalTerms = {
    deployment: custody.deployment,
    id: newId('wd', now),
    kind: 'withdrawal',
    client,
    compartment,
    asset,
    amount: moving.amount,
    destination,
    feePayer: 'house',
    feeMax,
    requestedBy,
    quorum: custody.policy.quorum,
    expiresAt: new Date(now.getTime() + custody.policy.withdrawalTtlMs),
  };
  const agreed = await throughVault(custody, tx, { terms, oneOff: false, now });
  const isOdd = isRefused(agreed) && ['vault/destination-not-listed', 'vault/limit-exceeded'].includes(agreed.code);
  const final = isOdd ? await throughVault(custody, tx, { terms, oneOff: true, now }) : agreed;
  if (isRefused(final)) return final;
  const view = await openStored(tx, { terms: await withVaultNonce(tx, final), actor: machine, now });
  return isRefused(view) ? view : { id: view.id };
}

function noFunds(request: { asset: AssetId; amount: bigint }): Refused {
  return refuse(
    'withdrawal/insufficient-funds',
    `The client has less than ${request.amount} of ${request.asset} available.`,
    {
      asset: request.asset,
      amount: request.amount.toString(),
    },
  );
}

const zeroAddress = `0x${'0'.repeat(40)}`;

export async function destinationRefused(tx: Queries, terms: WithdrawalTerms): Promise<Refused | undefined> {
  if (terms.destination === zeroAddress) {
    return refuse(
      'destination/zero-address',
      'The destination is the zero address: nobody has its key and the assets would be gone.',
    );
  }
  const own = await findWalletByAddress(tx, chainOf(terms.asset), terms.destination);
  if (own?.compartment === terms.compartment) {
    return refuse(
      'destination/own-compartment',
      `${checksumAddress(terms.destination)} belongs to compartment ${terms.compartment} itself: assets there are the client's already. Use a sweep to move them inside.`,
      { compartment: terms.compartment },
    );
  }
  return undefined;
}

export type Opening = {
  readonly terms: WithdrawalTerms;
  readonly actor: Actor;
  readonly now: Date;
  readonly deposit?: string;
};

/** Stores a withdrawal whose terms were checked, or refuses for want of funds. Runs inside a command, which undoes on refusal. */
export async function openStored(tx: Transaction, opening: Opening): Promise<WithdrawalView | Refused> {
  const { terms, now } = opening;
  const [frozen] = await frozenBy(tx, terms.compartment);
  if (frozen !== undefined) {
    return refuse(
      'compartment/frozen',
      `Compartment ${terms.compartment} is frozen by ${frozen}; withdrawals wait until that break is resolved.`,
      {
        compartment: terms.compartment,
        break: frozen,
      },
    );
  }
  const wallets = await payingWallets(tx, terms);
  const wallet = (await walletThatCanPay(tx, wallets, terms)) ?? wallets[0];
  if (wallet === undefined) return noFunds(terms);
  const { state, transfers, effects } = openWithdrawal(terms, wallet.id);
  invariant(
    effects.every((effect) => effect.type === 'screen'),
    'A new withdrawal is screened first.',
    { id: terms.id },
  );
  await tx.query(
    `insert into custody.withdrawal (deployment, id, kind, client, chain, compartment, asset, amount, destination, fee_payer, fee_max, requested_by,
       quorum, expires_at, intent_digest, deposit, step, wallet, state, vault, vault_nonce, authorisation, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, (select v.id from custody.vault v where v.wallet = $20),
       $21, $22, $23, $23)`,
    [
      terms.deployment,
      terms.id,
      terms.kind,
      terms.client,
      chainOf(terms.asset),
      terms.compartment,
      terms.asset,
      terms.amount,
      terms.destination,
      terms.feePayer,
      terms.feeMax,
      terms.requestedBy,
      terms.quorum,
      terms.expiresAt,
      intentDigest(withdrawalIntent(terms)),
      opening.deposit ?? null,
      state.step,
      state.wallet,
      writeState(state),
      terms.vault === undefined ? null : state.wallet,
      terms.vault?.nonce ?? null,
      terms.vault?.authorisation ?? null,
      now,
    ],
  );
  await record(tx, now, {
    actor: opening.actor,
    subject: terms.id,
    event: `${terms.kind}-requested`,
    data: withdrawalIntent(terms),
  });
  await enqueue(tx, { task: 'screen-withdrawal', id: terms.id });
  const refusedTransfer = await firstRefusal(tx, transfers, now);
  if (refusedTransfer !== undefined) return refusedHold(terms, refusedTransfer);
  // Commit point: the request, its holds, its screening job and the answer to the caller are stored together or not at all.
  return withdrawalView(tx, terms.id);
}

function refusedHold(terms: WithdrawalTerms, refused: RefusedTransfer): Refused {
  invariant(lacksFunds(refused), `The books refuse a hold: ${refused.reason}.`, { id: terms.id });
  if (refused.transfer.code === 'network-fee-hold') {
    return refuse(
      'withdrawal/insufficient-fee-funds',
      `The client pays the network fee, up to ${terms.feeMax} wei beside the amount, and has less available. Deposit native coin or let the house pay.`,
      { feeMax: terms.feeMax.toString() },
    );
  }
  return noFunds(terms);
}

type PersonEvent = Extract<WithdrawalEvent, { type: 'released' | 'rejected' | 'cancel-asked' }>;

async function decideAs(
  custody: Custody,
  call: WriteCall,
  step: { id: string; event: PersonEvent },
): Promise<Answer<WithdrawalView>> {
  return command(custody, call, async (tx, now) => {
    const dispatch = await lockLiveDispatch(tx, step.id);
    const payment = await lockLiveVaultDispatch(tx, step.id);
    const withdrawal = await lockWithdrawal(tx, step.id);
    if (withdrawal === undefined) return notFound('withdrawal', step.id);
    const stepped = await stepWithdrawal(custody, tx, {
      withdrawal,
      event: step.event,
      actor: call.actor,
      dispatch,
      payment,
      now,
    });
    if (stepped.status === 'refused') return refuseCommand(stepped);
    await postAll(tx, stepped.transfers, now);
    return withdrawalView(tx, step.id);
  });
}

/** Releases a withdrawal that screening did not clear; by a person who is not the requester. */
export async function releaseWithdrawal(
  custody: Custody,
  call: WriteCall,
  id: string,
): Promise<Answer<WithdrawalView>> {
  return decideAs(custody, call, { id, event: { type: 'released', by: call.actor.name } });
}

export async function rejectWithdrawal(
  custody: Custody,
  call: WriteCall,
  input: { id: string; reason: string },
): Promise<Answer<WithdrawalView>> {
  return decideAs(custody, call, {
    id: input.id,
    event: { type: 'rejected', by: call.actor.name, reason: input.reason },
  });
}

/**
 * Cancels. Before a nonce was taken the withdrawal ends at once; afterwards a self-transfer races it for the nonce, and the hold
 * stands until a final block shows which one won.
 */
export async function cancelWithdrawal(custody: Custody, call: WriteCall, id: string): Promise<Answer<WithdrawalView>> {
  return decideAs(custody, call, { id, event: { type: 'cancel-asked', by: call.actor.name } });
}

/** The job `screen-withdrawal`. */
export async function screenWithdrawal(custody: Custody, id: string): Promise<void> {
  const found = await findWithdrawal(custody.db, id);
  if (found === undefined || found.state.step !== 'requested') return;
  const { terms } = found;
  const answer = await askScreening(custody, {
    direction: 'out',
    asset: terms.asset,
    amount: terms.amount,
    counterparty: terms.destination,
    reference: terms.id,
  });
  await machineStep(custody, id, {
    type: 'screened',
    verdict: answer.verdict,
    ruleReleases: custody.policy.releaseUnscreenedWithdrawals,
  });
}

/** Ends withdrawals whose time is over and that were not signed. Returns how many ended. */
export async function expireWithdrawals(custody: Custody): Promise<number> {
  const rows = await custody.db.query(
    `select id from custody.withdrawal
     where step in ('requested', 'screened', 'awaiting-approval', 'approved', 'awaiting-liquidity') and expires_at <= $1 order by id limit 500`,
    [custody.clock.now()],
  );
  for (const row of rows) await machineStep(custody, text(row, 'id'), { type: 'expiry-due' });
  const queued = await custody.db.query(
    `select d.id from custody.dispatch d join custody.withdrawal w on w.id = d.subject
     where d.step = 'queued' and w.expires_at <= $1 order by d.id limit 500`,
    [custody.clock.now()],
  );
  for (const row of queued) await enqueue(custody.db, { task: 'send-dispatch', id: text(row, 'id') });
  return rows.length;
}

async function machineStep(custody: Custody, id: string, event: WithdrawalEvent): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const withdrawal = await lockWithdrawal(tx, id);
    if (withdrawal === undefined || withdrawalEnded(withdrawal.state.step)) return;
    const now = custody.clock.now();
    const stepped = await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now });
    invariant(stepped.status === 'stepped', 'A machine step of a withdrawal cannot be refused.', { id });
    await postAll(tx, stepped.transfers, now);
  });
}
