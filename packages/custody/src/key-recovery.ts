import { checksumAddress, CustodyError, invariant, refuse, type Refused, type VaultKeyRole } from '@bulkhead/domain';
import { bigint, date, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import {
  accountOf,
  callData,
  type ClientKey,
  type Hex,
  hexOf,
  keyId,
  parseWord,
  vaultCalls,
  vaultIntentDigest,
  vaultIntentMessage,
} from '@bulkhead/vaults';
import type { SignedApproval } from './approval.ts';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { registryChangeTtlMs } from './registry-change.ts';
import {
  approveDecided,
  cancelDecided,
  type Decided,
  type DecidedFilter,
  type DecidedIntent,
  type DecidedState,
  decidedText,
  type DecidedText,
  type DecidedView,
  decidedViews,
  findDecided,
  notIssued,
  someClient,
} from './vault-decided.ts';
import { createVaultDispatch, type VaultDispatch, vaultDispatchColumns, vaultDispatchOf } from './vault-dispatch.ts';
import { finalVaultEvents, readEvent, type StoredEvent, vaultHistory } from './vault-event.ts';
import { failedRelays, orderRelay, relayObjection } from './vault-relay.ts';
import { findVault, takeVaultNonce, type Vault } from './vault-row.ts';
import { failedRelaysMax } from './vault-sending.ts';
import { afterEvent, initialState } from './vault-state.ts';

type RecoveryIntent = Extract<DecidedIntent, { readonly kind: 'vault-key-recovery' }>;

const recoveries = { noun: 'key recovery', kinds: ['vault-key-recovery'] } as const satisfies Decided;

export type RecoveryRequest = { readonly vaultId: string; readonly role: VaultKeyRole; readonly newKey: ClientKey };

/**
 * Asks for another client key or exit key of a vault, in the place of one that the client has lost. People of the root quorum approve it,
 * the quorum of the set signs it, the house carries it; then the vault waits for its long delay, in which either key of the client vetoes.
 */
export async function requestKeyRecovery(
  custody: Custody,
  call: WriteCall,
  { vaultId, role, newKey }: RecoveryRequest,
): Promise<Answer<KeyRecoveryView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await findVault(tx, vaultId);
    if (vault === undefined) return notFound('vault', vaultId);
    const { wallet, client = await someClient(tx, vault) } = vault;
    if (wallet === undefined || client === undefined) return notIssued(vault);
    const key = keyId(hashes, newKey);
    const refused = (await withoutEffect(custody, tx, { vault, role, key })) ?? (await underWay(tx, vault, key));
    if (refused !== undefined) return refused;
    const id = newId('vkr', now);
    const expiresAt = BigInt(Math.floor((now.getTime() + registryChangeTtlMs) / 1000));
    const intent: RecoveryIntent = {
      deployment: custody.deployment,
      kind: 'vault-key-recovery',
      id,
      client,
      vault: vault.address,
      vaultNonce: await takeVaultNonce(tx, vault.id),
      deadline: expiresAt,
      chain: vault.chain,
      compartment: vault.compartment,
      role,
      newKey: key.slice(2),
      expiresAt,
    };
    const { name: requestedBy } = call.actor;
    await createVaultDispatch(tx, { subject: id, vault: vault.id, wallet, intent, requestedBy, now });
    await record(tx, now, { actor: call.actor, subject: id, event: 'key-recovery-requested', data: intent });
    return keyRecoveryView(tx, id);
  });
}

type Wanted = { readonly vault: Vault; readonly role: VaultKeyRole; readonly key: Hex };

async function withoutEffect(
  custody: Custody,
  tx: Transaction,
  { vault, role, key }: Wanted,
): Promise<Refused | undefined> {
  const { state } = await vaultHistory(custody, tx, vault);
  if (state.exitReadyAt !== undefined) {
    return refuse(
      'vault/exiting',
      `The exit of vault ${vault.id} was asked for or is open: no key of it is replaced any more.`,
      { vault: vault.id },
    );
  }
  if (key !== state.clientKey && key !== state.exitKey) return undefined;
  const has = key === (role === 'client' ? state.clientKey : state.exitKey);
  return refuse(
    'vault/recovery-without-effect',
    `${keyName(key)} is ${has ? `the ${role} key already` : 'the other key of the client, and the two are never the same'}. Name the key that the client made anew.`,
    { vault: vault.id },
  );
}

async function underWay(tx: Transaction, vault: Vault, key: Hex): Promise<Refused | undefined> {
  const rows = await tx.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch d where vault = $1 and kind = 'vault-key-recovery'
       and (step <> 'done' or exists (select from custody.key_recovery r where r.dispatch = d.id and r.step = 'queued'))`,
    [vault.id],
  );
  const same = rows.map(vaultDispatchOf).find(({ intent }) => 'newKey' in intent && intent.newKey === key.slice(2));
  if (same === undefined) return undefined;
  const { subject: recovery } = same;
  return refuse(
    'vault/recovery-under-way',
    `Recovery ${recovery} of vault ${vault.id} is about the same key, and is not over.`,
    { vault: vault.id, recovery },
  );
}

/** An account by its address, a passkey by its id. */
function keyName(key: Hex): string {
  const account = accountOf(key);
  return account === undefined ? key : checksumAddress(account);
}

/** Takes a person's signature over a recovery. A job tries it after each: the signers know how many are enough. */
export async function approveKeyRecovery(
  custody: Custody,
  call: WriteCall,
  { id, approval }: SignedApproval,
): Promise<Answer<KeyRecoveryView>> {
  return approveDecided(custody, call, { id, approval, of: recoveries, view: async (tx) => keyRecoveryView(tx, id) });
}

/** Gives a recovery up that the vault has not queued, as {@link cancelDecided}. What is queued the client vetoes. */
export async function cancelKeyRecovery(
  custody: Custody,
  call: WriteCall,
  id: string,
): Promise<Answer<KeyRecoveryView>> {
  return cancelDecided(custody, call, { id, of: recoveries, view: async (tx) => keyRecoveryView(tx, id) });
}

/** Follows what the vault queued, from the final block on that says so. */
export async function beginRecovery(
  tx: Transaction,
  { dispatch, event, now }: { readonly dispatch: VaultDispatch; readonly event: StoredEvent; readonly now: Date },
): Promise<void> {
  const told = readEvent(event);
  const { intent, subject, vault, chain } = dispatch;
  if (intent.kind !== 'vault-key-recovery') return;
  invariant(told?.event === 'KeyRotationQueued', 'A recovery was applied by another event.', { id: subject });
  await tx.query(
    `insert into custody.key_recovery (id, dispatch, chain, vault, role, new_key, change, ready_at, step, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $9) on conflict do nothing`,
    [subject, dispatch.id, chain, vault, told.role, told.newKey, told.change, told.readyAt, now],
  );
  await enqueue(tx, { task: 'follow-key-recovery', id: subject });
}

/** Asks for a look at the recoveries that a vault has queued: it said something about its keys. */
export async function wakeRecoveries(tx: Queries, vault: string): Promise<void> {
  const rows = await tx.query(`select id from custody.key_recovery where vault = $1 and step = 'queued'`, [vault]);
  for (const row of rows) await enqueue(tx, { task: 'follow-key-recovery', id: text(row, 'id') });
}

/** Recoveries that vaults have queued. */
export async function queuedRecoveries({ db }: Custody): Promise<readonly string[]> {
  const rows = await db.query(`select id from custody.key_recovery where step = 'queued' order by id`);
  return rows.map((row) => text(row, 'id'));
}

type Queued = {
  readonly id: string;
  readonly dispatch: string;
  readonly vault: Vault;
  readonly change: Hex;
  readonly readyAt: bigint;
};

async function queuedRecovery(db: Queries, id: string): Promise<Queued | undefined> {
  const [row] = await db.query(
    `select id, dispatch, vault, change, ready_at from custody.key_recovery where id = $1 and step = 'queued'`,
    [id],
  );
  if (row === undefined) return undefined;
  const vault = await findVault(db, text(row, 'vault'));
  invariant(vault !== undefined, 'A recovery names a vault that does not exist.', { id });
  return {
    id,
    dispatch: text(row, 'dispatch'),
    vault,
    change: parseWord(text(row, 'change')),
    readyAt: bigint(row, 'ready_at'),
  };
}

/**
 * The job `follow-key-recovery`: says what became of a key that a vault has queued, and has it put in force when its time has come. Anybody
 * may do that; the house does it at its own cost. Safe to run twice, at once, or after a crash at any line: the events of final blocks
 * decide, whoever carried what.
 */
export async function followKeyRecovery(custody: Custody, id: string): Promise<void> {
  const queued = await queuedRecovery(custody.db, id);
  if (queued === undefined) return;
  const end = endOf(queued, await finalVaultEvents(custody, custody.db, queued.vault));
  if (end !== undefined) return endRecovery(custody, queued, end);
  await waits(custody, id, await execute(custody, queued));
}

type End = { readonly step: 'executed' | 'vetoed' | 'void'; readonly event: StoredEvent };

/** The event that took the change out of the queue. */
function endOf({ change, vault }: Queued, events: readonly StoredEvent[]): End | undefined {
  let state = initialState(vault.terms);
  for (const event of events) {
    const read = event.address === vault.address ? readEvent(event) : undefined;
    if (read === undefined) continue;
    const before = state.queue.find((item) => item.change === change);
    state = afterEvent(state, read);
    if (before?.kind !== 'key' || state.queue.some((item) => item.change === change)) continue;
    if (read.event === 'Vetoed') return { step: 'vetoed', event };
    return { step: read.event === 'KeyRotated' && read.newKey === before.newKey ? 'executed' : 'void', event };
  }
  return undefined;
}

async function endRecovery(custody: Custody, { id }: Queued, { step, event }: End): Promise<void> {
  const { block, transaction } = event;
  await custody.db.transaction(async (tx) => {
    const now = custody.clock.now();
    const ended = await tx.query(
      `update custody.key_recovery set step = $2, block_number = $3, block_hash = $4, transaction_hash = $5, waiting_reason = null,
         updated_at = $6 where id = $1 and step = 'queued' returning id`,
      [id, step, block.number, block.hash, transaction, now],
    );
    if (ended.length === 0) return;
    await record(tx, now, { actor: machine, subject: id, event: `key-recovery-${step}`, data: { block, transaction } });
  });
}

/** Has the house put the key in force, unless that is under way. Says what it waits for. */
async function execute(custody: Custody, { id, vault, readyAt }: Queued): Promise<string | undefined> {
  const { state, chainSeconds } = await vaultHistory(custody, custody.db, vault);
  if (state.exitReadyAt !== undefined) return 'The exit was asked for: no key is put in force unless it is cancelled.';
  if (chainSeconds < readyAt) return undefined;
  const found = await findDecided(custody.db, id, recoveries);
  invariant(found?.intent.kind === 'vault-key-recovery', 'A queued recovery has no intent.', { id });
  const signed = vaultIntentMessage(found.intent);
  invariant(signed.name === 'keyRotation', 'A recovery is another message.', { id });
  const { chain, compartment: beneficiary } = vault;
  const asked = { config: vault.terms.config, message: signed.message };
  const call = { to: vault.address, data: callData(hashes, vaultCalls.executeKeyRotation, asked) };
  const [live] = await custody.db.query(
    `select id from custody.dispatch where relays = $1 and cargo = 'execution' and step <> 'done' limit 1`,
    [id],
  );
  if (live !== undefined) return undefined;
  const objection = await objectionTo(custody, { chain, call });
  if (objection !== undefined) return objection;
  return custody.db.transaction(async (tx) => {
    // Locked, so that of two runs at once one orders and the other finds it.
    await tx.query('select from custody.key_recovery where id = $1 for update', [id]);
    const now = custody.clock.now();
    const failed = await failedRelays(tx, { relays: id, cargo: 'execution', chain });
    if (failed >= failedRelaysMax) {
      return `It was relayed ${failed} times and failed on the chain each time: look at why.`;
    }
    // Nobody signs for it, so it carries no intent of anybody: an id of its own.
    const carries = newId('vkr', now);
    return orderRelay(custody, tx, { relays: id, carries, cargo: 'execution', beneficiary, chain, call, now });
  });
}

async function objectionTo(custody: Custody, order: Parameters<typeof relayObjection>[1]): Promise<string | undefined> {
  try {
    return await relayObjection(custody, order);
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'wallet/address-mismatch') return error.message;
    throw error;
  }
}

async function waits({ db, clock }: Custody, id: string, reason: string | undefined): Promise<void> {
  await db.query(
    `update custody.key_recovery set waiting_reason = $2, updated_at = $3
     where id = $1 and step = 'queued' and waiting_reason is distinct from $2`,
    [id, reason ?? null, clock.now()],
  );
}

export type KeyRecoveryState = Exclude<DecidedState, 'applied'> | 'queued' | 'executed' | 'vetoed' | 'void';

export type KeyRecoveryView = Omit<DecidedView, 'state'> & {
  readonly state: KeyRecoveryState;
  readonly role: VaultKeyRole;
  /** Id of the key, as the vault has it. */
  readonly newKey: string;
  /** What a veto names. */
  readonly change: string;
  /** Unix seconds of the chain from which on anybody may put it in force; null before the vault has it. */
  readonly readyAt: string | null;
  /** In which the vault ended it, whoever sent that. */
  readonly ended: {
    readonly transactionHash: string;
    readonly block: { readonly number: string; readonly hash: string };
  } | null;
};

export async function keyRecoveryViews(db: Queries, filter: DecidedFilter): Promise<readonly KeyRecoveryView[]> {
  const found = await decidedViews(db, recoveries, filter);
  const rows = await db.query(
    `select id, chain, step, ready_at, waiting_reason, block_number, block_hash, transaction_hash, updated_at
     from custody.key_recovery where id = any ($1)`,
    [found.map(({ view }) => view.id)],
  );
  return found.map(({ view, intent }) => {
    invariant(intent.kind === 'vault-key-recovery', 'Something else was taken for a recovery.', { id: view.id });
    return viewOf(
      view,
      intent,
      rows.find((row) => row['id'] === view.id),
    );
  });
}

function viewOf({ state, ...view }: DecidedView, intent: RecoveryIntent, row: Row | undefined): KeyRecoveryView {
  const about = {
    role: intent.role,
    newKey: `0x${intent.newKey}`,
    change: hexOf(vaultIntentDigest(hashes, intent)),
  };
  if (row === undefined) {
    invariant(state !== 'applied', 'A recovery that the vault has queued is not followed.', { id: view.id });
    return { ...view, ...about, state, readyAt: null, ended: null };
  }
  const steps = ['queued', 'executed', 'vetoed', 'void'] as const;
  const step = steps.find((known) => known === row['step']);
  invariant(step !== undefined, 'A recovery is in a state that there is not.', { id: view.id });
  return {
    ...view,
    ...about,
    state: step,
    reason: textOrNull(row, 'waiting_reason'),
    readyAt: bigint(row, 'ready_at').toString(),
    ended: endedOf(row),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

function endedOf(row: Row): KeyRecoveryView['ended'] {
  const transactionHash = textOrNull(row, 'transaction_hash');
  if (transactionHash === null) return null;
  return {
    transactionHash,
    block: { number: bigint(row, 'block_number').toString(), hash: text(row, 'block_hash') },
  };
}

async function keyRecoveryView(db: Queries, id: string): Promise<KeyRecoveryView> {
  const [view] = await keyRecoveryViews(db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A recovery that was just stored is not there.', { id });
  return view;
}

/** What people are asked to sign, and what the signer says about it now. */
export async function keyRecoveryText(custody: Custody, id: string): Promise<DecidedText | undefined> {
  return decidedText(custody, id, recoveries);
}
