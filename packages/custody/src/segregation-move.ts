import { createHash } from 'node:crypto';
import {
  CustodyError,
  type AssetId,
  type ChainId,
  type Compartment,
  kindOf,
  parseChainId,
  parseCompartment,
  type Refused,
  refuse,
  type Segregation,
} from '@bulkhead/domain';
import { bigint, date, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { certifyWallet } from './address-certificate.ts';
import { signerSays } from './approval.ts';
import { listAssets } from './asset.ts';
import { disposable } from './books.ts';
import { type ClientView, compartmentFor, compartmentOf, findClient, lockClient, moveSegregation } from './client.ts';
import { type Answer, command, isRefused, notFound, refuseCommand, type WriteCall } from './command.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { forbiddenModel } from './jurisdiction.ts';
import { moveCertificate } from './move-certificate.ts';
import { leftBehind, openHalf, unjoined } from './move-waiting.ts';
import { readState } from './state.ts';
import { findWallet, proven, vaultWallet, type Wallet } from './wallet.ts';
import { openMoving } from './withdrawal.ts';

export type MoveStep = 'proposed' | 'moving' | 'done' | 'withdrawn';

type Move = {
  readonly id: string;
  readonly client: string;
  readonly chain: ChainId;
  readonly model: Segregation;
  readonly from: Compartment;
  readonly to: Compartment;
  readonly toWallet: string;
  readonly step: MoveStep;
  readonly proposedBy: string;
};

export type SegregationMoveView = {
  readonly id: string;
  readonly clientId: string;
  readonly chain: string;
  readonly segregation: Segregation;
  readonly fromCompartment: number;
  readonly toCompartment: number;
  readonly toWalletId: string;
  readonly state: MoveStep;
  /** What it waits for; null where nothing is known to hold it up. */
  readonly reason: string | null;
  readonly proposedBy: string;
  readonly confirmedBy: string | null;
  /** Each asset that was moved: the half that left, and the half that arrived. */
  readonly halves: readonly { readonly withdrawalId: string; readonly depositId: string | null }[];
  readonly certificate: string | null;
  readonly certificateDigest: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
};

function moveOf(row: Row): Move {
  const step = text(row, 'step');
  return {
    id: text(row, 'id'),
    client: text(row, 'client'),
    chain: parseChainId(text(row, 'chain')),
    model: text(row, 'model') === 'omnibus' ? 'omnibus' : 'individual',
    from: parseCompartment(Number(bigint(row, 'from_compartment'))),
    to: parseCompartment(Number(bigint(row, 'to_compartment'))),
    toWallet: text(row, 'to_wallet'),
    step: step === 'moving' || step === 'done' || step === 'withdrawn' ? step : 'proposed',
    proposedBy: text(row, 'proposed_by'),
  };
}

async function lockMove(tx: Transaction, id: string): Promise<Move | undefined> {
  const [row] = await tx.query('select * from custody.segregation_move where id = $1 for update', [id]);
  return row === undefined ? undefined : moveOf(row);
}

/**
 * Proposes to move a client from a pool to a compartment of its own, or back. The address that the assets will go to must be there:
 * the client's own vault, or an address of the client in the pool.
 */
export async function proposeMove(
  custody: Custody,
  call: WriteCall,
  input: { readonly clientId: string; readonly chain: ChainId; readonly model: Segregation },
): Promise<Answer<SegregationMoveView>> {
  return command(custody, call, async (tx, now) => {
    const client = await findClient(tx, input.clientId);
    if (client === undefined) return notFound('client', input.clientId);
    await lockClient(tx, client.id);
    const from = await compartmentOf(tx, client.id, input.chain);
    const refused = forbiddenModel(custody, input.model) ?? nothingToMove({ from, client, model: input.model });
    if (refused !== undefined || from === undefined) return refused ?? notFound('segregation model', client.id);
    const [open] = await tx.query(
      `select id from custody.segregation_move where client = $1 and chain = $2 and step in ('proposed', 'moving')`,
      [client.id, input.chain],
    );
    if (open !== undefined) return underWay(client, text(open, 'id'));
    const to = await compartmentFor(custody, tx, { client, model: input.model, now });
    const wallet = await receiverOf(tx, { client, chain: input.chain, to });
    if (isRefused(wallet)) return wallet;
    await proven(custody, tx, wallet);
    const id = newId('sgm', now);
    await tx.query(
      `insert into custody.segregation_move (id, client, chain, model, from_compartment, to_compartment, to_wallet, step, proposed_by, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9, $9)`,
      [id, client.id, input.chain, input.model, from, to, wallet.id, call.actor.name, now],
    );
    const data = { client: client.id, chain: input.chain, model: input.model, from, to };
    await record(tx, now, { actor: call.actor, subject: id, event: 'segregation-move-proposed', data });
    return moveView(tx, id);
  });
}

function nothingToMove(asked: {
  readonly from: Compartment | undefined;
  readonly client: ClientView;
  readonly model: Segregation;
}): Refused | undefined {
  const { from, client, model } = asked;
  const is = from === undefined ? undefined : kindOf(from);
  if (is !== undefined && is !== model) return undefined;
  return refuse(
    'segregation/nothing-to-move',
    is === undefined
      ? `Client ${client.id} has no compartment on this chain yet: change the model, and nothing has to move.`
      : `Client ${client.id} is ${model} on this chain already.`,
    { client: client.id },
  );
}

function underWay(client: ClientView, move: string): Refused {
  return refuse('segregation/wrong-state', `Client ${client.id} is being moved already: ${move}.`, { move });
}

async function receiverOf(
  tx: Queries,
  { client, chain, to }: { readonly client: ClientView; readonly chain: ChainId; readonly to: Compartment },
): Promise<Wallet | Refused> {
  const vault = await vaultWallet(tx, chain, to);
  const rows = await tx.query(
    `select id from custody.wallet where chain = $1 and compartment = $2 and client = $3 and purpose = 'deposit' order by id limit 1`,
    [chain, to, client.id],
  );
  const own = kindOf(to) === 'individual' ? vault : undefined;
  const [row] = rows;
  const wallet = own ?? (row === undefined ? undefined : await findWallet(tx, text(row, 'id')));
  if (wallet !== undefined) return wallet;
  return refuse(
    'segregation/no-address',
    `Client ${client.id} has no address in compartment ${to} on ${chain} that its assets could go to: ${kindOf(to) === 'individual' ? 'have its vault drafted, agreed, certified and acknowledged' : 'issue it an address in the pool'} first.`,
    { client: client.id, compartment: to },
  );
}

/** A second person confirms; from then on what the client may dispose of is moved, asset by asset. */
export async function confirmMove(custody: Custody, call: WriteCall, id: string): Promise<Answer<SegregationMoveView>> {
  return command(custody, call, async (tx, now) => {
    const move = await lockMove(tx, id);
    if (move === undefined) return notFound('segregation move', id);
    if (move.step !== 'proposed') return wrongStep(move);
    if (move.proposedBy === call.actor.name) {
      return refuse(
        'four-eyes/second-person-needed',
        `${call.actor.name} proposed ${id}; another person must confirm it.`,
        {
          id,
        },
      );
    }
    await tx.query(
      `update custody.segregation_move set step = 'moving', confirmed_by = $2, updated_at = $3 where id = $1`,
      [id, call.actor.name, now],
    );
    await record(tx, now, { actor: call.actor, subject: id, event: 'segregation-move-confirmed' });
    await enqueue(tx, { task: 'advance-move', id });
    return moveView(tx, id);
  });
}

/** Takes a proposal back. What is confirmed goes on: its withdrawals can be cancelled like any others, and are asked for again. */
export async function withdrawMove(
  custody: Custody,
  call: WriteCall,
  id: string,
): Promise<Answer<SegregationMoveView>> {
  return command(custody, call, async (tx, now) => {
    const move = await lockMove(tx, id);
    if (move === undefined) return notFound('segregation move', id);
    if (move.step !== 'proposed') return wrongStep(move);
    await tx.query(`update custody.segregation_move set step = 'withdrawn', updated_at = $2 where id = $1`, [id, now]);
    await record(tx, now, { actor: call.actor, subject: id, event: 'segregation-move-withdrawn' });
    return moveView(tx, id);
  });
}

function wrongStep({ id, step }: Move): Refused {
  return refuse('segregation/wrong-state', `Move ${id} is ${step}; only a proposed one can take this.`, { id, step });
}

/**
 * The job `advance-move`: asks for a withdrawal of every asset that the client can dispose of in the old compartment, joins each with
 * the deposit that it became, and ends when nothing of the client is left there. Safe to repeat, and resumed after a crash: every step
 * looks at what is stored. What is in quarantine or held waits, and is moved when it is free; what it waits for is shown.
 */
export async function advanceMove(custody: Custody, id: string): Promise<void> {
  const found = await custody.db.query('select * from custody.segregation_move where id = $1', [id]);
  const [row] = found;
  if (row === undefined || text(row, 'step') !== 'moving') return;
  const move = moveOf(row);
  await joinHalves(custody, move);
  const refusals: string[] = [];
  for (const { id: asset } of await listAssets(custody.db, move.chain)) {
    const refused = await moveAsset(custody, move, asset);
    if (refused !== undefined) refusals.push(`${asset}: ${refused.message}`);
  }
  const reason = await endMove(custody, move);
  await waits(custody, id, refusals.length === 0 ? reason : refusals.join(' '));
}

/** Characters of a reason that are kept. */
const reasonMax = 4_000;

async function waits({ db, clock }: Custody, id: string, reason: string | undefined): Promise<void> {
  await db.query(
    `update custody.segregation_move set waiting_reason = $2, updated_at = $3
     where id = $1 and step = 'moving' and waiting_reason is distinct from $2`,
    [id, reason?.slice(0, reasonMax) ?? null, clock.now()],
  );
}

/** The deposit of a half is the movement of the withdrawal's own payment to the receiving wallet. */
async function joinHalves({ db }: Custody, move: Move): Promise<void> {
  await db.query(
    `update custody.segregation_half h set deposit = d.id
     from custody.withdrawal w, custody.deposit d, custody.movement m
     where h.move = $1 and h.deposit is null and w.id = h.withdrawal and w.step = 'settled' and d.wallet = $2 and d.movement = m.id
       and d.step <> 'removed' and m.asset = w.asset
       and m.out_explained in (select p.id from custody.vault_dispatch p where p.subject = w.id
         union all select p.id from custody.dispatch p where p.subject = w.id)`,
    [move.id, move.toWallet],
  );
}

/** Says why an asset that could go does not. */
async function moveAsset(custody: Custody, move: Move, asset: AssetId): Promise<Refused | undefined> {
  return custody.db.transaction(async (tx) => {
    const locked = await lockMove(tx, move.id);
    if (locked?.step !== 'moving' || (await openHalf(tx, move, asset)) !== undefined) return undefined;
    const account = { kind: 'available', holder: move.client } as const;
    const amount = await disposable(tx, { compartment: move.from, asset, account });
    if (amount <= 0n) return undefined;
    const wallet = await findWallet(tx, move.toWallet);
    if (wallet === undefined) return undefined;
    const { address: destination } = await proven(custody, tx, wallet);
    const now = custody.clock.now();
    const opened = await openMoving(custody, tx, {
      client: move.client,
      compartment: move.from,
      asset,
      amount,
      destination,
      requestedBy: move.proposedBy,
      now,
    });
    // Frozen, exiting or without a wallet that pays: it is tried again with the next occasion.
    if (isRefused(opened)) return opened;
    await tx.query('insert into custody.segregation_half (withdrawal, move) values ($1, $2)', [opened.id, move.id]);
    const data = { withdrawal: opened.id, asset, amount };
    await record(tx, now, { actor: machine, subject: move.id, event: 'segregation-move-half', data });
    return undefined;
  });
}

/** Ends the move where all has arrived; says what is missing where not. */
async function endMove(custody: Custody, move: Move): Promise<string | undefined> {
  const destination = await certifiedDestination(custody, move);
  if (typeof destination === 'string') return destination;
  return custody.db.transaction(async (tx) => {
    await lockClient(tx, move.client);
    const locked = await lockMove(tx, move.id);
    const missing = (await leftBehind(tx, move)) ?? (await unjoined(tx, move));
    if (locked?.step !== 'moving' || missing !== undefined) return missing;
    const now = custody.clock.now();
    const certificate = await moveCertificate(custody, tx, { move, destination, now });
    const digest = createHash('sha256').update(certificate).digest('hex');
    await moveSegregation(tx, {
      ...move,
      compartment: move.to,
      actor: { name: move.proposedBy, role: 'operator' },
      now,
    });
    await tx.query(
      `update custody.segregation_move set step = 'done', certificate = $2, certificate_digest = $3, waiting_reason = null, updated_at = $4 where id = $1`,
      [move.id, certificate, digest, now],
    );
    // Commit point: the new model counts from here on, and the certificate says how the assets came there.
    await record(tx, now, {
      actor: machine,
      subject: move.id,
      event: 'segregation-moved',
      data: { certificate: digest },
    });
    return undefined;
  });
}

/** Where it went, certified; or why not yet: something is left, or no signer answers. The move ends at a later look. */
async function certifiedDestination(custody: Custody, move: Move): Promise<Wallet | string> {
  const missing = (await leftBehind(custody.db, move)) ?? (await unjoined(custody.db, move));
  if (missing !== undefined) return missing;
  const wallet = await findWallet(custody.db, move.toWallet);
  if (wallet?.client === undefined) {
    throw new CustodyError(
      'invariant/broken',
      `Move ${move.id} goes to ${move.toWallet}, which is no wallet of a client.`,
    );
  }
  try {
    await certifyWallet(custody, { ...wallet, client: wallet.client }, machine);
    return wallet;
  } catch (error) {
    if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
    return `The address that all went to is not certified yet (${error.code}): ${error.message}`;
  }
}

/** Moves that are under way, to be looked at when something became final. */
export async function openMoves(db: Queries): Promise<readonly string[]> {
  const rows = await db.query(`select id from custody.segregation_move where step = 'moving' order by id`);
  return rows.map((row) => text(row, 'id'));
}

export type MoveFilter = {
  readonly id?: string;
  readonly clientId?: string;
  readonly after: string | null;
  readonly limit: number;
};

export async function moveViews(db: Queries, filter: MoveFilter): Promise<readonly SegregationMoveView[]> {
  const rows = await db.query(
    `select s.*, (select coalesce(json_agg(json_build_object('withdrawalId', h.withdrawal, 'depositId', h.deposit) order by h.withdrawal), '[]')::text
       from custody.segregation_half h where h.move = s.id) as halves
     from custody.segregation_move s
     where ($1::text is null or id = $1) and ($2::text is null or client = $2) and ($3::text is null or id > $3) order by id limit $4`,
    [filter.id ?? null, filter.clientId ?? null, filter.after, filter.limit],
  );
  return rows.map(viewOf);
}

async function moveView(db: Queries, id: string): Promise<SegregationMoveView> {
  const [view] = await moveViews(db, { id, after: null, limit: 1 });
  return view ?? refuseCommand(notFound('segregation move', id));
}

function viewOf(row: Row): SegregationMoveView {
  const move = moveOf(row);
  return {
    id: move.id,
    clientId: move.client,
    chain: move.chain,
    segregation: move.model,
    fromCompartment: move.from,
    toCompartment: move.to,
    toWalletId: move.toWallet,
    state: move.step,
    reason: textOrNull(row, 'waiting_reason'),
    proposedBy: move.proposedBy,
    confirmedBy: textOrNull(row, 'confirmed_by'),
    halves: readState<SegregationMoveView['halves']>(text(row, 'halves')),
    certificate: textOrNull(row, 'certificate'),
    certificateDigest: textOrNull(row, 'certificate_digest'),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}
