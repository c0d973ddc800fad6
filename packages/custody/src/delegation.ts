import {
  type Address,
  type ChainId,
  codeHashOfNothing,
  CustodyError,
  intentBytes,
  intentDigest,
  invariant,
  type MovementIntent,
  nativeAsset,
  parseAddress,
  parseChainId,
  parseCompartment,
  parseIntent,
  refuse,
  type Refused,
  type Signature,
} from '@bulkhead/domain';
import { bigint, date, only, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { bytesOf, nativeToken, standardAddress, sweepDelegateCreationCode } from '@bulkhead/vaults';
import { type Answer, commandAfterAsking, notFound, type WriteCall } from './command.ts';
import { chainPort } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { storeRecord } from './signer-record.ts';
import { stopReason } from './signing.ts';
import { readState, writeState } from './state.ts';
import { vaultsOn } from './vault-chain.ts';
import { orderRelay, relayObjection } from './vault-relay.ts';
import { findWallet, keyOf, lockWallet, proven, type Wallet } from './wallet.ts';

/** Relays of one authorisation, or of one sweep, that may come to nothing before people must look. */
export const delegationRelaysMax = 5;

type DelegationIntent = Extract<MovementIntent, { readonly kind: 'delegation' }>;

/** What an address signed to take the code of a delegate (EIP-7702), or to take that back. It takes one nonce of the address. */
export type Delegation = {
  readonly id: string;
  readonly chain: ChainId;
  readonly wallet: string;
  readonly toWallet: string;
  /** The zero address takes it back. */
  readonly delegate: Address;
  readonly nonce: bigint;
  readonly intent: DelegationIntent;
  readonly step: 'queued' | 'signed' | 'done';
  readonly outcome: 'in-force' | 'superseded' | undefined;
  readonly signature: Signature | undefined;
};

const columns = `id, chain, compartment, wallet, to_wallet, delegate, nonce, intent, intent_digest, requested_by, step, outcome,
  waiting_reason, signature::text as signature, created_at, updated_at`;

function delegationOf(row: Row): Delegation {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  invariant(intent.kind === 'delegation', 'A delegation has the intent of something else.', { id: text(row, 'id') });
  const signature = textOrNull(row, 'signature');
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    wallet: text(row, 'wallet'),
    toWallet: text(row, 'to_wallet'),
    delegate: parseAddress(text(row, 'delegate')),
    nonce: bigint(row, 'nonce'),
    intent,
    step: oneOf(text(row, 'step'), ['queued', 'signed', 'done']),
    outcome: row['outcome'] === null ? undefined : oneOf(text(row, 'outcome'), ['in-force', 'superseded']),
    signature: signature === null ? undefined : readState<Signature>(signature),
  };
}

function oneOf<const Word extends string>(value: string, words: readonly Word[]): Word {
  const word = words.find((known) => known === value);
  if (word === undefined) throw new CustodyError('invariant/broken', `"${value}" is no state of a delegation.`);
  return word;
}

/** The delegate that pays one wallet and nobody else, and what the standard factory makes it from; undefined where a chain uses none. */
export function delegateFor(
  custody: Custody,
  { chain, address }: Pick<Wallet, 'chain' | 'address'>,
): { readonly address: Address; readonly creationCode: Uint8Array } | undefined {
  const code = vaultsOn(custody, chain)?.system.delegateCode;
  if (code === undefined) return undefined;
  const creationCode = sweepDelegateCreationCode(bytesOf(code), address);
  return { address: standardAddress(hashes, creationCode), creationCode };
}

/** The code of an address that delegates, as its hash; of one that does not, that of nothing. */
function codeHashWith(delegate: Address): string {
  if (delegate === nativeToken) return codeHashOfNothing;
  return Buffer.from(hashes.keccak256(bytesOf(`0xef0100${delegate.slice(2)}`))).toString('hex');
}

/** What an address signed last, whatever became of it. */
export async function newestDelegation(db: Queries, wallet: string): Promise<Delegation | undefined> {
  const [row] = await db.query(
    `select ${columns} from custody.delegation where wallet = $1 order by nonce desc limit 1`,
    [wallet],
  );
  return row === undefined ? undefined : delegationOf(row);
}

async function findDelegation(db: Queries, id: string): Promise<Delegation | undefined> {
  const [row] = await db.query(`select ${columns} from custody.delegation where id = $1`, [id]);
  return row === undefined ? undefined : delegationOf(row);
}

async function lockDelegation(tx: Transaction, id: string): Promise<Delegation> {
  return delegationOf(only(await tx.query(`select ${columns} from custody.delegation where id = $1 for update`, [id])));
}

type Nonces = { readonly latest: bigint; readonly final: bigint };

async function noncesOf(custody: Custody, { chain, address }: Wallet): Promise<Nonces> {
  const port = chainPort(custody, chain);
  const { final } = await port.heads();
  return { final: await port.nonce(address, final), latest: await port.nonce(address, 'latest') };
}

export type DelegationOrder = {
  readonly wallet: Wallet;
  readonly target: Wallet;
  readonly delegate: Address;
  readonly requestedBy: string;
  readonly now: Date;
};

/**
 * Gives an authorisation its nonce, or says what it waits for. An authorisation with a nonce that is not the next one is passed over by the
 * chain, so it is made only while nothing else of the address is under way.
 */
async function takeNonce(
  custody: Custody,
  tx: Transaction,
  { nonces, ...order }: DelegationOrder & { readonly nonces: Nonces },
): Promise<{ readonly id: string } | { readonly reason: string }> {
  const { target, delegate, now } = order;
  const wallet = await lockWallet(tx, order.wallet.id);
  const nonce = wallet.nextNonce ?? nonces.final;
  if (nonces.final !== nonce || nonces.latest !== nonce) {
    return {
      reason: `Transactions of ${wallet.address} itself are not final yet, and its delegation comes after them.`,
    };
  }
  const id = newId('dlg', now);
  const intent: DelegationIntent = {
    deployment: custody.deployment,
    kind: 'delegation',
    id,
    compartment: wallet.compartment,
    asset: nativeAsset(wallet.chain),
    to: delegate,
    amount: 0n,
    feeMax: 0n,
    wallet: target.address,
    nonce,
  };
  await tx.query('update custody.wallet set next_nonce = $2 where id = $1', [wallet.id, nonce + 1n]);
  await tx.query(
    `insert into custody.delegation (id, chain, compartment, wallet, to_wallet, delegate, nonce, intent, intent_digest, requested_by, step,
       created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $11)`,
    [
      id,
      wallet.chain,
      wallet.compartment,
      wallet.id,
      target.id,
      delegate,
      nonce,
      Buffer.from(intentBytes(intent)).toString('utf8'),
      intentDigest(intent),
      order.requestedBy,
      now,
    ],
  );
  await enqueue(tx, { task: 'send-delegation', id });
  // Commit point: the nonce belongs to this authorisation for ever. A crash right after leaves one that the job signs.
  return { id };
}

/**
 * Whether the delegate of a wallet acts for an address, or what is missing for that; where nothing is under way an authorisation is begun.
 * `refused` where the address took a delegation back, or its nonces are used by somebody else: it is never asked for again.
 */
export async function ensureDelegation(
  custody: Custody,
  order: DelegationOrder,
): Promise<{ readonly state: 'in-force' } | { readonly state: 'waits' | 'refused'; readonly reason: string }> {
  const newest = await newestDelegation(custody.db, order.wallet.id);
  if (newest?.delegate === nativeToken) {
    return { state: 'refused', reason: `The delegation of ${order.wallet.address} was taken back.` };
  }
  if (newest?.outcome === 'superseded') {
    const reason = `Something that is not ours took nonce ${newest.nonce} of ${order.wallet.address}: somebody else has its key.`;
    return { state: 'refused', reason };
  }
  if (newest !== undefined && newest.step !== 'done') {
    await enqueue(custody.db, { task: 'send-delegation', id: newest.id });
    return { state: 'waits', reason: 'The address is signing for its delegate, and the house carries that.' };
  }
  if (newest?.delegate === order.delegate) return { state: 'in-force' };
  const nonces = await noncesOf(custody, order.wallet);
  return custody.db.transaction(async (tx) => {
    const again = await newestDelegation(tx, order.wallet.id);
    if (again?.id !== newest?.id) return { state: 'waits', reason: 'The address is signing for its delegate.' };
    const taken = await takeNonce(custody, tx, { ...order, nonces });
    if ('reason' in taken) return { state: 'waits', ...taken };
    await record(tx, order.now, {
      actor: machine,
      subject: taken.id,
      event: 'delegation-requested',
      data: { wallet: order.wallet.id, delegate: order.delegate },
    });
    return { state: 'waits', reason: 'The address is signing for its delegate, and the house carries that.' };
  });
}

/**
 * The job `send-delegation`: brings an authorisation one or more steps forward. Safe to run twice, at once, or after a crash at any line.
 *
 * 1. Its nonce is committed before (`takeNonce`). Crash: the job signs what is stored.
 * 2. It is signed; the signer answers a repetition with the same signature, so a crash before it is stored costs nothing.
 * 3. The signature is committed, and a relay that carries it and does nothing else. Whoever learns of it may carry it as well.
 * 4. Whether it counts is read from nonce and code of the address at a final block, never from our own relay.
 */
export async function sendDelegation(custody: Custody, id: string): Promise<void> {
  const found = await findDelegation(custody.db, id);
  if (found === undefined || found.step === 'done') return;
  const wallet = await findWallet(custody.db, found.wallet);
  invariant(wallet !== undefined, 'A delegation names a wallet that does not exist.', { id });
  if (found.step === 'queued' && !(await sign(custody, found, wallet))) return;
  if (await settled(custody, found, wallet)) return;
  await carry(custody, id, wallet);
}

async function sign(custody: Custody, { id, intent, toWallet, nonce }: Delegation, wallet: Wallet): Promise<boolean> {
  const port = chainPort(custody, wallet.chain);
  const unsigned = port.authorization(intent.to, nonce);
  try {
    await proven(custody, custody.db, wallet);
    const target = await findWallet(custody.db, toWallet);
    invariant(target !== undefined, 'A delegation pays a wallet that does not exist.', { id });
    await proven(custody, custody.db, { ...target, address: intent.wallet });
    const request = { intent, evidence: { approvals: [] }, key: keyOf(wallet), unsigned };
    const { signature, record: decision } = await custody.signer.sign(request);
    invariant(port.authorizedBy(unsigned, signature) === wallet.address, 'The signature is not that of the address.', {
      id,
    });
    await custody.db.transaction(async (tx) => {
      const locked = await lockDelegation(tx, id);
      if (locked.step !== 'queued') return;
      await tx.query(
        `update custody.delegation set step = 'signed', signature = $2, waiting_reason = null, updated_at = $3 where id = $1`,
        [id, writeState(signature), custody.clock.now()],
      );
      await storeRecord(custody, tx, decision);
      // Commit point: the signature is stored before it is carried anywhere. A crash before asks again and gets the same one.
    });
    return true;
  } catch (error) {
    const reason = stopReason(error);
    if (reason === undefined) throw error;
    await waits(custody, id, reason);
    return false;
  }
}

async function waits(custody: Custody, id: string, reason: string): Promise<void> {
  await custody.db.query(
    `update custody.delegation set waiting_reason = $2, updated_at = $3 where id = $1 and step <> 'done' and waiting_reason is distinct from $2`,
    [id, reason, custody.clock.now()],
  );
}

/** Whether a final block has its nonce, which is then stored with what came of it. */
async function settled(custody: Custody, { id, delegate, nonce }: Delegation, wallet: Wallet): Promise<boolean> {
  const port = chainPort(custody, wallet.chain);
  const { final } = await port.heads();
  if ((await port.nonce(wallet.address, final)) <= nonce) return false;
  const isInForce = (await port.codeHash(wallet.address, final)) === codeHashWith(delegate);
  await custody.db.transaction(async (tx) => {
    const locked = await lockDelegation(tx, id);
    if (locked.step !== 'signed') return;
    const now = custody.clock.now();
    const outcome = isInForce ? 'in-force' : 'superseded';
    await tx.query(
      `update custody.delegation set step = 'done', outcome = $2, waiting_reason = null, updated_at = $3 where id = $1`,
      [id, outcome, now],
    );
    const data = { outcome, block: final };
    await record(tx, now, { actor: machine, subject: id, event: 'delegation-finished', data });
    const sweeps = await tx.query(
      `select id from custody.delegated_sweep where wallet = $1 and step <> 'done' order by id`,
      [wallet.id],
    );
    for (const row of sweeps) await enqueue(tx, { task: 'send-delegated-sweep', id: text(row, 'id') });
  });
  return true;
}

async function carry(custody: Custody, id: string, wallet: Wallet): Promise<void> {
  const found = await findDelegation(custody.db, id);
  if (found?.signature === undefined) return;
  const { signature, delegate, nonce } = found;
  const { chain, compartment: beneficiary, address: to } = wallet;
  const relay = { chain, call: { to, data: '0x' }, authorizations: [{ delegate, nonce, signature }] } as const;
  const objection = await relayObjection(custody, relay);
  if (objection !== undefined) return waits(custody, id, objection);
  const reason = await custody.db.transaction(async (tx) => {
    const { step } = await lockDelegation(tx, id);
    if (step !== 'signed') return undefined;
    if ((await fruitless(tx, id)) >= delegationRelaysMax) {
      return `${delegationRelaysMax} transactions that carried it came to nothing: look at why before another one is tried.`;
    }
    // Commit point: the relay and its job. A crash before orders it on the next run, one after finds it under way.
    const now = custody.clock.now();
    return orderRelay(custody, tx, { ...relay, relays: id, carries: id, cargo: 'delegation', beneficiary, now });
  });
  if (reason !== undefined) await waits(custody, id, reason);
}

/** Relays that reached the chain and are over, of something that is not; since people had it tried again, where they did. */
export async function fruitless(tx: Queries, relays: string): Promise<number> {
  const row = only(
    await tx.query(
      `select count(*) as ended from custody.dispatch d where relays = $1 and kind = 'relay' and step = 'done' and outcome <> 'impossible'
         and created_at > coalesce((select retried_at from custody.delegation where id = $1),
           (select retried_at from custody.delegated_sweep where id = $1), '-infinity')`,
      [relays],
    ),
  );
  return Number(bigint(row, 'ended'));
}

/** Lets what an address signed be carried some times more, after people have looked why it came to nothing. */
export async function retryDelegation(tx: Transaction, wallet: string, now: Date): Promise<void> {
  const rows = await tx.query(
    `update custody.delegation set retried_at = $2, waiting_reason = null, updated_at = $2 where wallet = $1 and step <> 'done' returning id`,
    [wallet, now],
  );
  for (const row of rows) await enqueue(tx, { task: 'send-delegation', id: text(row, 'id') });
}

export type DelegationView = {
  readonly id: string;
  readonly chain: string;
  readonly compartment: number;
  readonly walletId: string;
  readonly toWalletId: string;
  /** Null for one that takes a delegation back. */
  readonly delegate: string | null;
  readonly state: 'queued' | 'signed' | 'in-force' | 'superseded';
  readonly reason: string | null;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type DelegationFilter = {
  readonly walletId?: string;
  readonly ids?: readonly string[];
  readonly after: string | null;
  readonly limit: number;
};

export async function delegationViews(db: Queries, filter: DelegationFilter): Promise<readonly DelegationView[]> {
  const rows = await db.query(
    `select ${columns} from custody.delegation
     where ($1::text is null or wallet = $1) and ($2::text[] is null or id = any ($2)) and ($3::text is null or id > $3) order by id limit $4`,
    [filter.walletId ?? null, filter.ids ?? null, filter.after, filter.limit],
  );
  return rows.map((row) => {
    const { id, chain, wallet, toWallet, delegate, step, outcome } = delegationOf(row);
    return {
      id,
      chain,
      compartment: parseCompartment(Number(bigint(row, 'compartment'))),
      walletId: wallet,
      toWalletId: toWallet,
      delegate: delegate === nativeToken ? null : delegate,
      state: step === 'done' ? (outcome ?? 'superseded') : step,
      reason: textOrNull(row, 'waiting_reason'),
      requestedBy: text(row, 'requested_by'),
      createdAt: date(row, 'created_at').toISOString(),
      updatedAt: date(row, 'updated_at').toISOString(),
    };
  });
}

/** Has an address take its delegation back. From then on it is swept with gas of its own, as if it had never delegated. */
export async function revokeDelegation(
  custody: Custody,
  call: WriteCall,
  walletId: string,
): Promise<Answer<DelegationView>> {
  return commandAfterAsking<Nonces, DelegationView>(custody, call, {
    ask: async () => {
      const wallet = await findWallet(custody.db, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      return (await notInForce(custody.db, wallet)) ?? noncesOf(custody, wallet);
    },
    work: async (tx, now, nonces) => {
      const wallet = await findWallet(tx, walletId);
      if (wallet === undefined) return notFound('wallet', walletId);
      const refused = await notInForce(tx, wallet);
      if (refused !== undefined) return refused;
      const given = await newestDelegation(tx, wallet.id);
      const target = given === undefined ? undefined : await findWallet(tx, given.toWallet);
      invariant(target !== undefined, 'A delegation pays a wallet that does not exist.', { wallet: wallet.id });
      const requestedBy = call.actor.name;
      const taken = await takeNonce(custody, tx, { wallet, target, delegate: nativeToken, requestedBy, now, nonces });
      if ('reason' in taken) return refuse('sweep/wrong-wallet', `${taken.reason} Ask again when they are.`);
      await record(tx, now, {
        actor: call.actor,
        subject: taken.id,
        event: 'delegation-taken-back',
        data: { wallet: wallet.id, delegate: given?.delegate },
      });
      const [view] = await delegationViews(tx, { ids: [taken.id], after: null, limit: 1 });
      invariant(view !== undefined, 'A delegation that was just stored is not there.', { id: taken.id });
      return view;
    },
  });
}

async function notInForce(db: Queries, wallet: Wallet): Promise<Refused | undefined> {
  const newest = await newestDelegation(db, wallet.id);
  if (newest?.outcome === 'in-force' && newest.delegate !== nativeToken) return undefined;
  return refuse(
    'sweep/wrong-wallet',
    `${wallet.address} has no delegation in force: ${newest === undefined ? 'it never signed one' : 'the newest one is not final, or took the one before back'}.`,
    { wallet: wallet.id },
  );
}

/** Authorisations that are not over. */
export async function liveDelegations({ db }: Custody): Promise<readonly string[]> {
  const rows = await db.query(`select id from custody.delegation where step <> 'done' order by id`);
  return rows.map((row) => text(row, 'id'));
}
