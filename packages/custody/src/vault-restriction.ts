import {
  type Address,
  type AssetId,
  type BlockRef,
  type Chain,
  type ChainId,
  chainOf,
  checksumAddress,
  contractOf,
  intentDigest,
  invariant,
  refuse,
  type Refused,
  type SignedStatement,
} from '@bulkhead/domain';
import { date, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { answerOf, callData, nativeToken, type VaultEvent, vaultQuestions, vaultToken } from '@bulkhead/vaults';
import { approvalRows, briefOf, canonicalOf, lodge, type SignedApproval, storeApproval } from './approval.ts';
import { assetNotAllowed, findAsset } from './asset.ts';
import { postAll } from './books.ts';
import { type Answer, command, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import {
  createVaultDispatch,
  type DispatchedIntent,
  lockVaultDispatch,
  type VaultDispatch,
  vaultDispatchColumns,
  vaultDispatchOf,
} from './vault-dispatch.ts';
import { endVaultDispatch } from './vault-end.ts';
import { vaultHistory, type VaultHistory } from './vault-event.ts';
import { certifiedHolder } from './vault-address.ts';
import { findVault, takeVaultNonce, type Vault } from './vault-row.ts';

/** What makes a vault do less, at once and by the quorum alone. None of it holds up an exit. */
export type Restriction =
  | { readonly kind: 'pause' }
  | {
      readonly kind: 'limit-lowering';
      readonly asset: AssetId;
      /** Most that the window lets through from now on, base units. */
      readonly cap: bigint;
      readonly window: 'listed' | 'unlisted';
    }
  | { readonly kind: 'destination-removal'; readonly destination: Address };

type RestrictionIntent = Extract<
  DispatchedIntent,
  { readonly kind: 'vault-pause' | 'vault-limit-lowering' | 'vault-destination-removal' }
>;

const kindSql = `('vault-pause', 'vault-limit-lowering', 'vault-destination-removal')`;

function isRestriction(intent: DispatchedIntent): intent is RestrictionIntent {
  return intent.kind !== 'vault-withdrawal' && intent.kind !== 'vault-fee';
}

/**
 * Asks for a restriction of a vault. People of the operational quorum approve it, the quorum of the set signs it, and the house carries it;
 * a frozen compartment does not hold it up. Nothing of it can be turned round by the quorum alone.
 */
export async function requestRestriction(
  custody: Custody,
  call: WriteCall,
  { vaultId, restriction }: { readonly vaultId: string; readonly restriction: Restriction },
): Promise<Answer<RestrictionView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await findVault(tx, vaultId);
    if (vault === undefined) return notFound('vault', vaultId);
    const { wallet, client = await someClient(tx, vault) } = vault;
    if (wallet === undefined || client === undefined) return notIssued(vault);
    if (restriction.kind === 'limit-lowering') {
      const { asset } = restriction;
      if (chainOf(asset) !== vault.chain || (await findAsset(tx, asset)) === undefined) return assetNotAllowed(asset);
    }
    const refused =
      withoutEffect(vault, restriction, await vaultHistory(custody, tx, vault)) ??
      (await underWay(tx, vault, restriction));
    if (refused !== undefined) return refused;
    const id = newId('vrs', now);
    const expiresAt = BigInt(Math.floor((now.getTime() + custody.policy.withdrawalTtlMs) / 1000));
    const matter = {
      deployment: custody.deployment,
      id,
      client,
      vault: vault.address,
      vaultNonce: await takeVaultNonce(tx, vault.id),
      deadline: expiresAt,
      chain: vault.chain,
      compartment: vault.compartment,
    };
    const intent = { ...matter, ...contentOf(restriction), expiresAt };
    const { name: requestedBy } = call.actor;
    await createVaultDispatch(tx, { subject: id, vault: vault.id, wallet, intent, requestedBy, now });
    await record(tx, now, { actor: call.actor, subject: id, event: 'vault-restriction-requested', data: intent });
    return restrictionView(tx, id);
  });
}

type Content = Pick<RestrictionIntent, 'kind'> & RestrictionContent;
type RestrictionContent =
  | { readonly kind: 'vault-pause' }
  | {
      readonly kind: 'vault-limit-lowering';
      readonly asset: AssetId;
      readonly cap: bigint;
      readonly window: 'listed' | 'unlisted';
    }
  | { readonly kind: 'vault-destination-removal'; readonly to: Address };

function contentOf(restriction: Restriction): Content {
  switch (restriction.kind) {
    case 'pause':
      return { kind: 'vault-pause' };
    case 'limit-lowering': {
      const { asset, cap, window } = restriction;
      return { kind: 'vault-limit-lowering', asset, cap, window };
    }
    case 'destination-removal':
      return { kind: 'vault-destination-removal', to: restriction.destination };
  }
}

/** An intent about a vault names a client; that of a pool one who is in it. */
async function someClient(db: Queries, vault: Vault): Promise<string | undefined> {
  const [row] = await db.query(
    `select client from custody.wallet where compartment = $1 and chain = $2 and client is not null order by id limit 1`,
    [vault.compartment, vault.chain],
  );
  return row === undefined ? certifiedHolder(vault) : text(row, 'client');
}

function notIssued({ id }: Vault): Refused {
  return refuse('vault/not-issued', `Vault ${id} is not certified yet: nothing of it can be restricted.`, {
    vault: id,
  });
}

/** Why the vault would not take it, or not change by it, as of the final block. */
function withoutEffect(
  vault: Vault,
  restriction: Restriction,
  { state, chainSeconds }: VaultHistory,
): Refused | undefined {
  const says = (fact: string): Refused =>
    refuse('vault/restriction-without-effect', `${fact} Look at the vault's state.`, { vault: vault.id });
  switch (restriction.kind) {
    case 'pause': {
      const until = state.pausedUntil.quorum;
      const next = until === undefined ? 0n : until + vault.terms.config.pauseSeconds;
      return chainSeconds < next
        ? says(
            `The quorum paused vault ${vault.id} until ${until}, and may pause it again from ${next} on (Unix seconds).`,
          )
        : undefined;
    }
    case 'limit-lowering': {
      const { asset, cap, window } = restriction;
      const caps = window === 'listed' ? state.limits : state.unlisted;
      const current = caps.get(vaultToken(asset)) ?? 0n;
      return cap < current
        ? undefined
        : says(
            `The window lets ${current} of ${asset} through, and ${cap} is not less. The client key raises a limit.`,
          );
    }
    case 'destination-removal': {
      const { destination } = restriction;
      const isRemoved = state.destinations.has(destination) && state.destinations.get(destination) === undefined;
      return isRemoved ? says(`${checksumAddress(destination)} is removed already.`) : undefined;
    }
  }
}

async function underWay(tx: Transaction, vault: Vault, restriction: Restriction): Promise<Refused | undefined> {
  const rows = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where vault = $1 and kind in ${kindSql} and step <> 'done'`,
    [vault.id],
  );
  const wanted = contentOf(restriction);
  // By what it does, so that the event of the vault tells which one it is.
  const same = rows
    .map(vaultDispatchOf)
    .find(({ intent }) => isRestriction(intent) && placeOf(intent) === placeOf(wanted));
  if (same === undefined) return undefined;
  return refuse(
    'vault/restriction-under-way',
    `Restriction ${same.subject} of vault ${vault.id} is about the same, and is not over.`,
    {
      vault: vault.id,
      restriction: same.subject,
    },
  );
}

function placeOf(content: RestrictionContent): string {
  switch (content.kind) {
    case 'vault-pause':
      return content.kind;
    case 'vault-limit-lowering':
      return `${content.kind} ${content.asset} ${content.window}`;
    case 'vault-destination-removal':
      return `${content.kind} ${content.to}`;
  }
}

async function lockRestriction(tx: Transaction, id: string): Promise<VaultDispatch | undefined> {
  const [row] = await tx.query(`select id from custody.vault_dispatch where subject = $1 and kind in ${kindSql}`, [id]);
  return row === undefined ? undefined : lockVaultDispatch(tx, text(row, 'id'));
}

async function findRestriction(db: Queries, id: string): Promise<VaultDispatch | undefined> {
  const [row] = await db.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch where subject = $1 and kind in ${kindSql}`,
    [id],
  );
  return row === undefined ? undefined : vaultDispatchOf(row);
}

/** Takes a person's signature over a restriction. A job tries it after each: the signers know how many are enough. */
export async function approveRestriction(
  custody: Custody,
  call: WriteCall,
  { id, approval }: SignedApproval,
): Promise<Answer<RestrictionView>> {
  const person = call.actor.name;
  return commandAfterAsking<{ digest: string }, RestrictionView>(custody, call, {
    ask: async () => {
      const found = await findRestriction(custody.db, id);
      if (found === undefined) return notFound('vault restriction', id);
      const refused =
        (await objection(custody.db, found, { person, now: custody.clock.now() })) ??
        (await lodge(custody, call.actor, { intent: found.intent, approval }));
      return refused ?? { digest: intentDigest(found.intent) };
    },
    work: async (tx, now, { digest }) => {
      const locked = await lockRestriction(tx, id);
      invariant(locked !== undefined, 'A restriction that somebody signs has vanished.', { id });
      invariant(intentDigest(locked.intent) === digest, 'What was signed is not what is stored.', { id });
      const refused = await objection(tx, locked, { person, now });
      if (refused !== undefined) return refused;
      await storeApproval(tx, { subject: id, role: 'approval', approval, digest, now });
      await record(tx, now, { actor: call.actor, subject: id, event: 'approved', data: { digest } });
      await enqueue(tx, { task: 'send-vault-dispatch', id: locked.id });
      // Commit point: the approval and the job that tries the restriction. Without the job the schedule would try it later.
      return restrictionView(tx, id);
    },
  });
}

async function objection(
  db: Queries,
  { subject, state, intent }: VaultDispatch,
  { person, now }: { readonly person: string; readonly now: Date },
): Promise<Refused | undefined> {
  const isOver = BigInt(Math.floor(now.getTime() / 1000)) >= intent.deadline;
  if (state.step !== 'queued' || isOver) {
    return refuse(
      'vault/wrong-state',
      `Restriction ${subject} is ${isOver ? 'expired' : state.step}: only one that waits for people is approved.`,
      {
        id: subject,
      },
    );
  }
  const [known] = await db.query('select from custody.approval where subject = $1 and person = $2', [subject, person]);
  if (known === undefined) return undefined;
  return refuse('withdrawal/already-approved', `${person} has approved ${subject} already; another person must.`, {
    id: subject,
  });
}

/**
 * Gives a restriction up. Before a signer was asked it ends at once; afterwards the quorum takes its nonce, and what is signed may still
 * be carried until that is final.
 */
export async function cancelRestriction(
  custody: Custody,
  call: WriteCall,
  id: string,
): Promise<Answer<RestrictionView>> {
  return command(custody, call, async (tx, now) => {
    const locked = await lockRestriction(tx, id);
    if (locked === undefined) return notFound('vault restriction', id);
    if (locked.state.step === 'done') {
      return refuse('vault/wrong-state', `Restriction ${id} is over already (${locked.state.outcome}).`, { id });
    }
    const event = { type: 'cancel-asked' } as const;
    await postAll(tx, await endVaultDispatch(custody, tx, { dispatch: locked, event, now }), now);
    await record(tx, now, { actor: call.actor, subject: id, event: 'cancel-asked', data: {} });
    await enqueue(tx, { task: 'send-vault-dispatch', id: locked.id });
    return restrictionView(tx, id);
  });
}

export type AppliedOrder = { readonly chain: ChainId; readonly block: BlockRef };

/**
 * Restrictions whose nonce a block has used, of vaults that said something in it. Events of restrictions name no nonce, and the vault itself
 * is asked, at exactly this block, so that nobody's other pause is taken for ours.
 */
export async function takenRestrictions(
  db: Queries,
  port: Chain,
  { chain, block }: AppliedOrder,
): Promise<ReadonlySet<string>> {
  const rows = await db.query(
    `select ${vaultDispatchColumns}, (select v.address from custody.vault v where v.id = vault_dispatch.vault) as vault_address
     from custody.vault_dispatch where chain = $1 and kind in ${kindSql} and step in ('signing', 'relaying')
       and exists (select from custody.vault v join custody.vault_event e on e.chain = v.chain and e.address = v.address
         where v.id = vault_dispatch.vault and e.block_hash = $2 and e.removed_at is null) order by id`,
    [chain, block.hash],
  );
  const taken = new Set<string>();
  for (const dispatch of rows.map(vaultDispatchOf)) {
    const question = vaultQuestions.nonceUsed;
    const asked = callData(hashes, question, { side: 'quorum', nonce: dispatch.nonce });
    const { vault } = dispatch.intent;
    if (answerOf(question, await port.read(vault, asked, block))) taken.add(dispatch.id);
  }
  return taken;
}

/** Whether an event of a vault is what a restriction asks for. */
export function isAppliedBy(intent: DispatchedIntent, event: VaultEvent): boolean {
  switch (intent.kind) {
    case 'vault-pause':
      return event.event === 'Paused' && event.side === 'quorum';
    case 'vault-limit-lowering':
      return (
        event.event === 'LimitSet' &&
        event.token === (contractOf(intent.asset) ?? nativeToken) &&
        event.cap === intent.cap &&
        event.unlisted === (intent.window === 'unlisted')
      );
    case 'vault-destination-removal':
      return event.event === 'DestinationRemoved' && event.side === 'quorum' && event.to === intent.to;
    case 'vault-withdrawal':
    case 'vault-fee':
      return false;
  }
}

export type RestrictionState =
  | 'awaiting-approval'
  | 'signing'
  | 'broadcast'
  | 'applied'
  | 'cancelled'
  | 'expired'
  | 'failed';

export type RestrictionView = {
  readonly id: string;
  readonly vaultId: string;
  readonly chain: string;
  readonly compartment: number;
  readonly kind: Restriction['kind'];
  readonly asset: string | null;
  readonly cap: string | null;
  readonly window: 'listed' | 'unlisted' | null;
  readonly destination: string | null;
  readonly state: RestrictionState;
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

const ends: Readonly<Record<string, RestrictionState>> = {
  applied: 'applied',
  invalidated: 'cancelled',
  abandoned: 'cancelled',
  lapsed: 'expired',
};

export type RestrictionFilter = {
  readonly id?: string;
  readonly vaultId?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function restrictionViews(db: Queries, filter: RestrictionFilter): Promise<readonly RestrictionView[]> {
  const rows = await db.query(
    `select ${vaultDispatchColumns}, intent_digest,
       (select e.transaction_hash from custody.vault_event e where e.explained = vault_dispatch.id and e.removed_at is null limit 1) as transaction_hash
     from custody.vault_dispatch
     where kind in ${kindSql} and ($1::text is null or subject = $1) and ($2::text is null or vault = $2) and ($3::text is null or subject > $3)
     order by subject limit $4`,
    [filter.id ?? null, filter.vaultId ?? null, filter.after, filter.limit],
  );
  const approvals = await approvalRows(
    db,
    rows.map((row) => text(row, 'subject')),
  );
  return rows.map((row) => viewOf(row, approvals));
}

async function restrictionView(db: Queries, id: string): Promise<RestrictionView> {
  const [view] = await restrictionViews(db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A restriction that was just stored is not there.', { id });
  return view;
}

function viewOf(row: Row, approvals: readonly Row[]): RestrictionView {
  const { subject, vault, chain, compartment, intent, state, waitingReason, requestedBy } = vaultDispatchOf(row);
  invariant(isRestriction(intent), 'A payment was taken for a restriction.', { id: subject });
  const shown: Record<'queued' | 'signing' | 'relaying', RestrictionState> = {
    queued: 'awaiting-approval',
    signing: 'signing',
    relaying: 'broadcast',
  };
  const block = state.step === 'done' ? state.block : undefined;
  const isLowering = intent.kind === 'vault-limit-lowering';
  return {
    id: subject,
    vaultId: vault,
    chain,
    compartment,
    kind: isLowering ? 'limit-lowering' : intent.kind === 'vault-pause' ? 'pause' : 'destination-removal',
    asset: isLowering ? intent.asset : null,
    cap: isLowering ? intent.cap.toString() : null,
    window: isLowering ? intent.window : null,
    destination: intent.kind === 'vault-destination-removal' ? checksumAddress(intent.to) : null,
    state: state.step === 'done' ? (ends[state.outcome] ?? 'failed') : shown[state.step],
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
export type RestrictionText = {
  readonly intent: RestrictionIntent;
  readonly canonical: string;
  readonly digest: string;
  /** Signed by the signer; null while it does not answer. */
  readonly brief: SignedStatement | null;
};

export async function restrictionText(custody: Custody, id: string): Promise<RestrictionText | undefined> {
  const found = await findRestriction(custody.db, id);
  if (found === undefined || !isRestriction(found.intent)) return undefined;
  const { intent } = found;
  return { intent, ...canonicalOf(intent), brief: await briefOf(custody, id, intent) };
}
