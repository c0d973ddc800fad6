import {
  type Address,
  type ChainId,
  CustodyError,
  intentBytes,
  intentDigest,
  invariant,
  parseAddress,
  parseIntent,
  refuse,
  type Refused,
  type SetChangeGrant,
  type SignedStatement,
  type SignerSetMembers,
  type VaultIntent,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, type Transaction } from '@bulkhead/postgres';
import { hexOf } from '@bulkhead/vaults';
import { briefOf, evidenceFor, type SignedApproval, signerSays } from './approval.ts';
import { type Answer, command, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { approveIntent } from './person-approval.ts';
import { registryChangeTtlMs } from './registry-change.ts';
import { setChangeView, type SetChangeView } from './signer-set-view.ts';
import {
  chainsOfSet,
  lookAtSignerSet,
  memberList,
  newestSigned,
  signedSetChange,
  type SignerSetLook,
} from './signer-set.ts';
import { signerWaits } from './signing.ts';
import { writeState } from './state.ts';
import { vaultsOn } from './vault-chain.ts';

type SetChangeIntent = Extract<VaultIntent, { readonly kind: 'signer-set-change' }>;

/** One that was asked for, with the version whose quorum signs it. */
type SetChange = {
  readonly id: string;
  readonly signerSet: Address;
  readonly number: bigint;
  readonly intent: SetChangeIntent;
  readonly before: SignerSetMembers;
  readonly step: 'queued' | 'signing' | 'signed' | 'cancelled' | 'expired';
};

export type SetChangeRequest = SignerSetMembers & {
  /** Any chain whose vaults have the set; the change counts on all of them. */
  readonly chain: ChainId;
};

const columns = `id, signer_set, number, before_members, before_threshold, intent, step`;

function changeOf(row: Row): SetChange {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  invariant(intent.kind === 'signer-set-change', 'A change of the set is stored with another intent.', {
    id: intent.id,
  });
  const steps = ['queued', 'signing', 'signed', 'cancelled', 'expired'] as const;
  const step = steps.find((known) => known === row['step']);
  invariant(step !== undefined, 'A change of the set is in a state that there is not.', { id: intent.id });
  return {
    id: text(row, 'id'),
    signerSet: parseAddress(text(row, 'signer_set')),
    number: bigint(row, 'number'),
    intent,
    before: { members: memberList(text(row, 'before_members')), threshold: bigint(row, 'before_threshold') },
    step,
  };
}

async function findChange(db: Queries, id: string): Promise<SetChange | undefined> {
  const [row] = await db.query(`select ${columns} from custody.signer_set_change where id = $1`, [id]);
  return row === undefined ? undefined : changeOf(row);
}

async function lockChange(tx: Transaction, id: string): Promise<SetChange | undefined> {
  const [row] = await tx.query(`select ${columns} from custody.signer_set_change where id = $1 for update`, [id]);
  return row === undefined ? undefined : changeOf(row);
}

/**
 * Asks for other members of a set of signers. It gets the number after the newest version of any chain, is approved by the root quorum,
 * signed by the version before and by those who are to be in the set, and carried to every chain.
 */
export async function requestSetChange(
  custody: Custody,
  call: WriteCall,
  { chain, ...wanted }: SetChangeRequest,
): Promise<Answer<SetChangeView>> {
  return commandAfterAsking<{ signerSet: Address; looks: readonly SignerSetLook[] }, SetChangeView>(custody, call, {
    ask: async () => {
      const signerSet = vaultsOn(custody, chain)?.system.signerSet;
      if (signerSet === undefined) {
        return refuse('vault/no-system', `There are no vaults on ${chain}, and so no set of signers.`, { chain });
      }
      const chains = chainsOfSet(custody, signerSet);
      return {
        signerSet,
        looks: await Promise.all(chains.map(async (one) => lookAtSignerSet(custody, one, signerSet))),
      };
    },
    work: async (tx, now, { signerSet, looks }) => {
      const before = await versionBefore(tx, signerSet, looks);
      const next = { members: wanted.members.toSorted(), threshold: wanted.threshold };
      if (next.members.join() === before.members.join() && next.threshold === before.threshold) {
        return refuse(
          'signer-set/without-effect',
          `Version ${before.number} of the set of signers ${signerSet} has these members and this threshold already.`,
          { signerSet },
        );
      }
      const id = newId('ssc', now);
      const intent: SetChangeIntent = {
        deployment: custody.deployment,
        kind: 'signer-set-change',
        id,
        signerSet,
        number: before.number + 1n,
        members: next.members.join(','),
        threshold: next.threshold,
        expiresAt: BigInt(Math.floor((now.getTime() + registryChangeTtlMs) / 1000)),
      };
      const stored = await storeChange(tx, { intent, before, requestedBy: call.actor.name, now });
      if (!stored) return underWay(signerSet);
      await record(tx, now, { actor: call.actor, subject: id, event: 'signer-set-change-requested', data: intent });
      return setChangeView(custody, tx, id);
    },
  });
}

/** The newest version that there is anywhere: on a chain, or signed here and on its way. */
async function versionBefore(
  tx: Queries,
  signerSet: Address,
  looks: readonly SignerSetLook[],
): Promise<SignerSetMembers & { readonly number: bigint }> {
  const [first, ...others] = looks.map(({ newest }) => newest);
  invariant(first !== undefined, 'A set of signers is on a chain.', { signerSet });
  const onChain = others.reduce((most, one) => (one.number > most.number ? one : most), first);
  const signed = await newestSigned(tx, signerSet);
  const change = signed > onChain.number ? await signedSetChange(tx, signerSet, signed) : undefined;
  return change ?? onChain;
}

function underWay(signerSet: Address): Refused {
  return refuse(
    'signer-set/change-under-way',
    `Another change of the set of signers ${signerSet} is not signed yet: let it be signed, or cancel it.`,
    { signerSet },
  );
}

type NewChange = {
  readonly intent: SetChangeIntent;
  readonly before: SignerSetMembers;
  readonly requestedBy: string;
  readonly now: Date;
};

/** False where another one is under way. */
async function storeChange(tx: Transaction, { intent, before, requestedBy, now }: NewChange): Promise<boolean> {
  const stored = await tx.query(
    `insert into custody.signer_set_change (id, signer_set, number, members, threshold, before_members, before_threshold, intent,
       intent_digest, expires_at, requested_by, step, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued', $12, $12)
     on conflict do nothing returning id`,
    [
      intent.id,
      intent.signerSet,
      intent.number,
      intent.members,
      intent.threshold,
      before.members.join(','),
      before.threshold,
      Buffer.from(intentBytes(intent)).toString('utf8'),
      intentDigest(intent),
      intent.expiresAt,
      requestedBy,
      now,
    ],
  );
  if (stored.length === 0) return false;
  await enqueue(tx, { task: 'send-signer-set-change', id: intent.id });
  return true;
}

/** Takes a person's signature over a change of the set. A job tries it after each: the signers know how many are enough. */
export async function approveSetChange(
  custody: Custody,
  call: WriteCall,
  { id, approval }: SignedApproval,
): Promise<Answer<SetChangeView>> {
  return approveIntent(custody, call, {
    id,
    approval,
    of: {
      noun: 'change of the set of signers',
      find: async (db) => findChange(db, id),
      lock: async (tx) => lockChange(tx, id),
      closed: (change, now) => {
        if (change.step !== 'queued') return change.step;
        return isExpired(change, now) ? 'expired' : undefined;
      },
      stored: async (tx) => {
        await enqueue(tx, { task: 'send-signer-set-change', id });
        return setChangeView(custody, tx, id);
      },
    },
  });
}

function isExpired({ intent }: SetChange, now: Date): boolean {
  return BigInt(Math.floor(now.getTime() / 1000)) > intent.expiresAt;
}

/**
 * Gives a change up that no signer was asked for. Afterwards it cannot be taken back: whoever has the signatures carries them. Another
 * change then turns it round.
 */
export async function cancelSetChange(custody: Custody, call: WriteCall, id: string): Promise<Answer<SetChangeView>> {
  return command(custody, call, async (tx, now) => {
    const change = await lockChange(tx, id);
    if (change === undefined) return notFound('change of the set of signers', id);
    if (change.step !== 'queued') {
      return refuse(
        'vault/wrong-state',
        `The change ${id} is ${change.step}: only one that no signer was asked for is given up. Ask for another change that turns it round.`,
        { id },
      );
    }
    await endChange(tx, change, { step: 'cancelled', now });
    await record(tx, now, { actor: call.actor, subject: id, event: 'cancelled', data: {} });
    return setChangeView(custody, tx, id);
  });
}

async function endChange(
  tx: Queries,
  { id }: SetChange,
  end: { readonly step: 'cancelled' | 'expired'; readonly now: Date },
): Promise<void> {
  await tx.query(
    `update custody.signer_set_change set step = $2, waiting_reason = null, updated_at = $3 where id = $1 and step in ('queued', 'signing')`,
    [id, end.step, end.now],
  );
}

/**
 * The job `send-signer-set-change`: has a change signed when enough people approved it. Safe to run twice, at once, or after a crash at
 * any line.
 *
 * 1. That signers will be asked is committed. Crash before: nothing exists, and it may still be given up.
 * 2. They are asked. Each answers a repetition with the same signature, also after the expiry, so a crash before they are stored costs
 *    nothing.
 * 3. Both sides' signatures are committed with the jobs that carry them to each chain.
 */
export async function sendSetChange(custody: Custody, id: string): Promise<void> {
  const change = await findChange(custody.db, id);
  if (change === undefined || (change.step !== 'queued' && change.step !== 'signing')) return;
  if (change.step === 'queued' && !(await begin(custody, change))) return;
  const evidence = await evidenceFor(custody.db, id, change.intent);
  const { intent, before } = change;
  const setup = custody.vaults;
  invariant(setup !== undefined, 'A change of a set was asked for, and there are no vaults.', { id });
  const granted = await orWaits(custody, change, async () => setup.quorum.signSetChange({ intent, evidence, before }));
  if (granted !== undefined) await storeSigned(custody, change, granted);
}

/** Whether signers may be asked now, which is then stored. */
async function begin(custody: Custody, change: SetChange): Promise<boolean> {
  const { id, intent } = change;
  const { db, clock } = custody;
  if (isExpired(change, clock.now())) {
    // Nobody was asked to sign, so that nothing of it can ever be carried.
    await endChange(db, change, { step: 'expired', now: clock.now() });
    return false;
  }
  const evidence = await evidenceFor(db, id, intent);
  const outlook = await orWaits(custody, change, async () => custody.signer.outlook(intent, evidence));
  if (outlook === undefined) return false;
  const { approvalsNeeded, approvedBy, refusal } = outlook;
  const missing = `${signerWaits}wants ${approvalsNeeded} approvals of people of the root quorum and has ${approvedBy.length} (signer/approvals-missing): let more people approve.`;
  if (refusal !== undefined || approvedBy.length < approvalsNeeded) {
    await waits(
      custody,
      id,
      refusal === undefined ? missing : `${signerWaits}refuses (${refusal.code}): ${refusal.message}`,
    );
    return false;
  }
  const begun = await db.query(
    `update custody.signer_set_change set step = 'signing', waiting_reason = null, updated_at = $2 where id = $1 and step = 'queued' returning id`,
    [id, clock.now()],
  );
  // Commit point: from here on a signature may exist at any signer.
  return begun.length > 0 || (await findChange(db, id))?.step === 'signing';
}

async function storeSigned(
  custody: Custody,
  { id, number, signerSet }: SetChange,
  granted: SetChangeGrant,
): Promise<void> {
  const { quorumSignatures, memberSignatures, grants } = granted;
  await custody.db.transaction(async (tx) => {
    const now = custody.clock.now();
    const stored = await tx.query(
      `update custody.signer_set_change set step = 'signed', quorum_signatures = $2, member_signatures = $3, grants = $4,
         waiting_reason = null, updated_at = $5 where id = $1 and step = 'signing' returning id`,
      [id, hexOf(quorumSignatures), hexOf(memberSignatures), writeState(grants), now],
    );
    if (stored.length === 0) return;
    await record(tx, now, { actor: machine, subject: id, event: 'signer-set-change-signed', data: { number } });
    for (const chain of chainsOfSet(custody, signerSet)) await enqueue(tx, { task: 'keep-signer-set', id: chain });
    // Commit point: the signatures are stored before anything of them leaves.
  });
}

/**
 * What signers object to is written down for people, and tried again. After its time a change is over with whatever they object to, a
 * member that never came too, or no other change could follow. Should they all have signed it unheard, they sign the same again for whoever
 * asks for the same set anew.
 */
async function orWaits<Result>(
  custody: Custody,
  change: SetChange,
  step: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
    const isLate = error.code !== 'signer/unavailable' && isExpired(change, custody.clock.now());
    if (isLate) await endChange(custody.db, change, { step: 'expired', now: custody.clock.now() });
    else await waits(custody, change.id, `${error.message} (${error.code})`);
    return undefined;
  }
}

async function waits({ db, clock }: Custody, id: string, reason: string): Promise<void> {
  await db.query(
    `update custody.signer_set_change set waiting_reason = $2, updated_at = $3
     where id = $1 and step in ('queued', 'signing') and waiting_reason is distinct from $2`,
    [id, reason, clock.now()],
  );
}

/** Changes that are not signed yet. */
export async function liveSetChanges({ db }: Custody): Promise<readonly string[]> {
  const rows = await db.query(
    `select id from custody.signer_set_change where step in ('queued', 'signing') order by id`,
  );
  return rows.map((row) => text(row, 'id'));
}

/** What people are asked to sign, and what the signer says about it now. */
export type SetChangeText = {
  readonly intent: SetChangeIntent;
  /** Signed by the signer; null while it does not answer. */
  readonly brief: SignedStatement | null;
};

export async function setChangeText(custody: Custody, id: string): Promise<SetChangeText | undefined> {
  const change = await findChange(custody.db, id);
  if (change === undefined) return undefined;
  return { intent: change.intent, brief: await briefOf(custody, id, change.intent) };
}
