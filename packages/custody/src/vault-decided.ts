import { CustodyError, invariant, refuse, type Refused, type SignedStatement } from '@bulkhead/domain';
import { date, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { approvalRows, briefOf, type SignedApproval } from './approval.ts';
import { postAll } from './books.ts';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { approveIntent } from './person-approval.ts';
import { certifiedHolder } from './vault-address.ts';
import {
  type DispatchedIntent,
  lockVaultDispatch,
  type VaultDispatch,
  vaultDispatchColumns,
  vaultDispatchOf,
} from './vault-dispatch.ts';
import { endVaultDispatch } from './vault-end.ts';
import type { Vault } from './vault-row.ts';

/** What people decide about a vault and what moves nothing: it has the life of a payment, and ends by the nonce of the vault. */
export type DecidedIntent = Exclude<DispatchedIntent, { readonly kind: 'vault-withdrawal' | 'vault-fee' }>;

/** Which of them one resource of the API is about. */
export type Decided = { readonly noun: string; readonly kinds: readonly DecidedIntent['kind'][] };

export function isDecided(intent: DispatchedIntent): intent is DecidedIntent {
  return intent.kind !== 'vault-withdrawal' && intent.kind !== 'vault-fee';
}

export async function findDecided(db: Queries, id: string, { kinds }: Decided): Promise<VaultDispatch | undefined> {
  const [row] = await db.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where subject = $1 and kind = any ($2)`,
    [id, kinds],
  );
  return row === undefined ? undefined : vaultDispatchOf(row);
}

async function lockDecided(tx: Transaction, id: string, { kinds }: Decided): Promise<VaultDispatch | undefined> {
  const [row] = await tx.query('select id from custody.vault_dispatch where subject = $1 and kind = any ($2)', [
    id,
    kinds,
  ]);
  return row === undefined ? undefined : lockVaultDispatch(tx, text(row, 'id'));
}

type Shown<View> = { readonly of: Decided; readonly view: (tx: Queries) => Promise<View> };

/** Takes a person's signature over what is to be done about a vault. A job tries it after each. */
export async function approveDecided<View>(
  custody: Custody,
  call: WriteCall,
  { id, approval, of, view }: SignedApproval & Shown<View>,
): Promise<Answer<View>> {
  return approveIntent(custody, call, {
    id,
    approval,
    of: {
      noun: of.noun,
      find: async (db) => findDecided(db, id, of),
      lock: async (tx) => lockDecided(tx, id, of),
      closed: ({ state, intent }, now) => {
        if (state.step !== 'queued') return state.step;
        return BigInt(Math.floor(now.getTime() / 1000)) >= intent.deadline ? 'expired' : undefined;
      },
      stored: async (tx, locked) => {
        await enqueue(tx, { task: 'send-vault-dispatch', id: locked.id });
        return view(tx);
      },
    },
  });
}

/**
 * Gives up what was asked about a vault. Before a signer was asked it ends at once; afterwards the quorum takes its nonce, and what is
 * signed may still be carried until that is final.
 */
export async function cancelDecided<View>(
  custody: Custody,
  call: WriteCall,
  { id, of, view }: Shown<View> & { readonly id: string },
): Promise<Answer<View>> {
  return command(custody, call, async (tx, now) => {
    const locked = await lockDecided(tx, id, of);
    if (locked === undefined) return notFound(of.noun, id);
    if (locked.state.step === 'done') {
      return refuse('vault/wrong-state', `The ${of.noun} ${id} is over already (${locked.state.outcome}).`, { id });
    }
    const event = { type: 'cancel-asked' } as const;
    await postAll(tx, await endVaultDispatch(custody, tx, { dispatch: locked, event, now }), now);
    await record(tx, now, { actor: call.actor, subject: id, event: 'cancel-asked', data: {} });
    await enqueue(tx, { task: 'send-vault-dispatch', id: locked.id });
    return view(tx);
  });
}

/** An intent about a vault names a client; that of a pool one who is in it. */
export async function someClient(db: Queries, vault: Vault): Promise<string | undefined> {
  const [row] = await db.query(
    `select client from custody.wallet where compartment = $1 and chain = $2 and client is not null order by id limit 1`,
    [vault.compartment, vault.chain],
  );
  return row === undefined ? certifiedHolder(vault) : text(row, 'client');
}

export function notIssued({ id }: Vault): Refused {
  return refuse('vault/not-issued', `Vault ${id} is not certified yet: nothing of it can be changed.`, { vault: id });
}

/** How far it has come, before what the vault makes of it. */
export type DecidedState =
  | 'awaiting-approval'
  | 'signing'
  | 'broadcast'
  | 'applied'
  | 'cancelled'
  | 'expired'
  | 'failed';

const ends: Readonly<Record<string, DecidedState>> = {
  applied: 'applied',
  invalidated: 'cancelled',
  abandoned: 'cancelled',
  lapsed: 'expired',
};

const underWay: Readonly<Record<'queued' | 'signing' | 'relaying', DecidedState>> = {
  queued: 'awaiting-approval',
  signing: 'signing',
  relaying: 'broadcast',
};

export type DecidedView = {
  readonly id: string;
  readonly vaultId: string;
  readonly chain: string;
  readonly compartment: number;
  readonly state: DecidedState;
  readonly reason: string | null;
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  readonly intentDigest: string;
  readonly expiresAt: string;
  readonly transactionHash: string | null;
  readonly block: { readonly number: string; readonly hash: string } | null;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type DecidedFilter = {
  readonly id?: string;
  readonly vaultId?: string;
  readonly after: string | null;
  readonly limit: number;
};

/** Each with its intent and its row, for what a resource shows besides. */
export async function decidedViews(
  db: Queries,
  { kinds }: Decided,
  filter: DecidedFilter,
): Promise<readonly { readonly view: DecidedView; readonly intent: DecidedIntent }[]> {
  const rows = await db.query(
    `select ${vaultDispatchColumns}, intent_digest,
       (select e.transaction_hash from custody.vault_event e where e.explained = vault_dispatch.id and e.removed_at is null limit 1) as transaction_hash
     from custody.vault_dispatch
     where kind = any ($1) and ($2::text is null or subject = $2) and ($3::text is null or vault = $3) and ($4::text is null or subject > $4)
     order by subject limit $5`,
    [kinds, filter.id ?? null, filter.vaultId ?? null, filter.after, filter.limit],
  );
  const approvals = await approvalRows(
    db,
    rows.map((row) => text(row, 'subject')),
  );
  return rows.map((row) => {
    const { intent } = vaultDispatchOf(row);
    invariant(isDecided(intent), 'A payment was taken for what moves nothing.', { id: text(row, 'subject') });
    return { view: viewOf(row, { intent, approvals }), intent };
  });
}

function viewOf(
  row: Row,
  { intent, approvals }: { readonly intent: DecidedIntent; readonly approvals: readonly Row[] },
): DecidedView {
  const { subject, vault, chain, compartment, state, waitingReason, requestedBy } = vaultDispatchOf(row);
  const block = state.step === 'done' ? state.block : undefined;
  return {
    id: subject,
    vaultId: vault,
    chain,
    compartment,
    state: state.step === 'done' ? (ends[state.outcome] ?? 'failed') : underWay[state.step],
    reason: waitingReason ?? null,
    approvals: approvals
      .filter((one) => one['subject'] === subject)
      .map((one) => ({ by: text(one, 'person'), at: date(one, 'at').toISOString() })),
    intentDigest: text(row, 'intent_digest'),
    expiresAt: new Date(Number(intent.expiresAt) * 1_000).toISOString(),
    transactionHash: textOrNull(row, 'transaction_hash'),
    block: block === undefined ? null : { number: block.number.toString(), hash: block.hash },
    requestedBy,
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

/** What people are asked to sign, and what the signer says about it now. */
export type DecidedText = {
  readonly intent: DecidedIntent;
  /** Signed by the signer; null while it does not answer. */
  readonly brief: SignedStatement | null;
};

export async function decidedText(custody: Custody, id: string, of: Decided): Promise<DecidedText | undefined> {
  const found = await findDecided(custody.db, id, of);
  if (found === undefined) return undefined;
  const { intent } = found;
  if (!isDecided(intent)) throw new CustodyError('invariant/broken', `Intent ${id} moves something.`);
  return { intent, brief: await briefOf(custody, id, intent) };
}
