import {
  CustodyError,
  houseGas,
  intentBytes,
  intentDigest,
  invariant,
  parseIntent,
  type ReserveIntent,
} from '@bulkhead/domain';
import { bigintOrNull, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { decodeHeader } from '@bulkhead/proofs/header';
import { epochs } from '@bulkhead/reserves';
import { assetWord, callData, type Hex, hexOf, proofRegistryCalls } from '@bulkhead/vaults';
import { signerSays } from './approval.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import type { FinalProofEvent, ProvenAsset } from './proof-registry.ts';
import { writeState } from './state.ts';
import { failedRelays, orderRelay, relayObjection, relayShortage } from './vault-relay.ts';
import { failedRelaysMax } from './vault-sending.ts';

export type ProofActKind = 'commitment' | 'draw' | 'proof';

/** One transaction to a registry: what signers are asked for it, and whether the registry has it. */
export type ProofAct = {
  readonly id: string;
  readonly kind: ProofActKind;
  /** 64 lower-case hex digits; of a draw none. */
  readonly context: string | undefined;
  readonly window: bigint | undefined;
  /** Of a draw none: anybody may ask for it. */
  readonly intent: ReserveIntent | undefined;
  readonly signatures: Hex | undefined;
};

/** An act as it is carried now: a commitment that can only be pinned as lapsed any more is. */
export type CarriedAct = ProofAct & { readonly lapsed?: boolean };

const columns = 'id, kind, context, window_number, intent, signatures';

function actOf(row: Row): ProofAct {
  const kind = (['commitment', 'draw', 'proof'] as const).find((known) => known === row['kind']);
  invariant(kind !== undefined, 'A proof is in a form that there is not.', { id: text(row, 'id') });
  const intent = textOrNull(row, 'intent');
  const signatures = textOrNull(row, 'signatures');
  return {
    id: text(row, 'id'),
    kind,
    context: textOrNull(row, 'context') ?? undefined,
    window: bigintOrNull(row, 'window_number') ?? undefined,
    intent: intent === null ? undefined : reserveIntent(intent),
    signatures: signatures === null ? undefined : `0x${signatures.slice(2)}`,
  };
}

function reserveIntent(canonical: string): ReserveIntent {
  const intent = parseIntent(Buffer.from(canonical, 'utf8'));
  const isOurs = intent.kind === 'reserve-commitment' || intent.kind === 'reserve-proof';
  invariant(isOurs, 'A proof is stored with another intent.', { id: intent.id });
  return intent;
}

/** The one of a kind that is under way. */
export async function liveAct(db: Queries, proven: ProvenAsset, kind: ProofActKind): Promise<ProofAct | undefined> {
  const { chain, registry } = proven.registry;
  const [row] = await db.query(
    `select ${columns} from custody.proof_act
     where chain = $1 and registry = $2 and asset = $3 and kind = $4 and step in ('signing', 'relaying')`,
    [chain, registry, proven.asset, kind],
  );
  return row === undefined ? undefined : actOf(row);
}

export type NewAct = {
  readonly kind: ProofActKind;
  readonly context?: string;
  readonly window?: bigint;
  readonly intent?: (id: string) => ReserveIntent;
};

/**
 * The act that is under way, or a new one that is stored before anybody is asked: a crash before leaves nothing, after it the next run asks
 * for the same. One about something else is over, whatever became of it, and is ended.
 */
export async function actFor(custody: Custody, proven: ProvenAsset, order: NewAct): Promise<ProofAct | undefined> {
  const live = await liveAct(custody.db, proven, order.kind);
  if (live !== undefined) {
    if (live.context === order.context && live.window === order.window) return live;
    await endAct(custody, live, undefined);
  }
  const now = custody.clock.now();
  const id = newId('proof', now);
  const intent = order.intent?.(id);
  const { chain, registry } = proven.registry;
  await custody.db.transaction(async (tx) => {
    if (order.context !== undefined) {
      await lockContext(tx, order.context);
      const [given] = await epochs(tx, { context: Uint8Array.from(Buffer.from(order.context, 'hex')) });
      if (given?.abandoned !== undefined) return;
    }
    const stored = await tx.query(
      `insert into custody.proof_act (id, kind, chain, registry, asset, context, window_number, intent, intent_digest, step, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
       on conflict (chain, registry, asset, kind) where step in ('signing', 'relaying') do nothing returning id`,
      [
        id,
        order.kind,
        chain,
        registry,
        proven.asset,
        order.context ?? null,
        order.window ?? null,
        intent === undefined ? null : Buffer.from(intentBytes(intent)).toString('utf8'),
        intent === undefined ? null : intentDigest(intent),
        intent === undefined ? 'relaying' : 'signing',
        now,
      ],
    );
    if (stored.length === 0) return;
    const data = { asset: proven.asset, context: order.context, window: order.window };
    await record(tx, now, { actor: machine, subject: id, event: `reserve-${order.kind}-begun`, data });
  });
  return liveAct(custody.db, proven, order.kind);
}

/** Whether signers were asked to commit to an epoch, so that one of them may have done so for ever. */
export async function wasAsked(db: Queries, context: string): Promise<boolean> {
  const rows = await db.query(`select id from custody.proof_act where kind = 'commitment' and context = $1 limit 1`, [
    context,
  ]);
  return rows.length > 0;
}

/** Until the end of the transaction: an epoch is either given up, or signers are asked for it. */
export async function lockContext(tx: Transaction, context: string): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7412))', [context]);
}

/** What signers were asked for when the epoch of a context was committed. */
export async function committedIntent(db: Queries, context: string): Promise<ReserveIntent | undefined> {
  const [row] = await db.query(
    `select intent from custody.proof_act where kind = 'commitment' and context = $1 and step = 'done' order by id desc limit 1`,
    [context],
  );
  return row === undefined ? undefined : reserveIntent(text(row, 'intent'));
}

/** Ends an act: by the final event that says that the registry has it, or without effect. */
export async function endAct(custody: Custody, { id, kind }: ProofAct, by: FinalProofEvent | undefined): Promise<void> {
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    const ended = await tx.query(
      `update custody.proof_act set step = $2, waiting_reason = null, transaction_hash = $3, block_number = $4, updated_at = $5
       where id = $1 and step in ('signing', 'relaying') returning id`,
      [id, by === undefined ? 'failed' : 'done', by?.transaction ?? null, by?.block ?? null, now],
    );
    if (ended.length === 0) return;
    const how = by === undefined ? 'given-up' : by.event.event === 'Lapsed' ? 'lapsed' : 'final';
    const event = `reserve-${kind}-${how}`;
    const data = by === undefined ? {} : { transaction: by.transaction, block: by.block };
    await record(tx, now, { actor: machine, subject: id, event, data });
  });
}

/**
 * Has an act signed where that is missing, and relayed where that is not under way. Safe to run twice, at once, or after a crash at any line:
 * signers answer a repetition with the same signatures, which are stored before anything of them leaves; only what the registry has at a
 * final block ends it, whoever carried what.
 *
 * @returns why it does not move; undefined where it does
 */
export async function carryAct(custody: Custody, proven: ProvenAsset, act: CarriedAct): Promise<string | undefined> {
  try {
    // Signers sign one commitment of an epoch for ever, and the registry takes it for a while only: nothing is signed that could not leave.
    const shortage = act.signatures === undefined ? await relayShortage(custody, proven.registry.chain) : undefined;
    if (shortage !== undefined) {
      await waits(custody, act.id, shortage);
      return shortage;
    }
    const signed = act.signatures ?? (await sign(custody, proven, act));
    const reason = await relay(custody, proven, { act, data: callOf(proven, act, signed) });
    await waits(custody, act.id, reason);
    return reason;
  } catch (error) {
    // What signers, chain or gas wallet object to is written down for people, and tried again; everything else is thrown.
    if (!(error instanceof CustodyError)) throw error;
    const passes = error.code === 'transaction/rejected' || signerSays(error);
    if (!passes) throw error;
    const reason = `${error.message} (${error.code})`;
    await waits(custody, act.id, reason);
    return reason;
  }
}

async function sign(custody: Custody, { setup }: ProvenAsset, { id, intent }: ProofAct): Promise<Hex | undefined> {
  if (intent === undefined) return undefined;
  const { signatures, grants } = await setup.quorum.signReserves({ intent });
  const bytes = hexOf(signatures);
  await custody.db.query(
    `update custody.proof_act set step = 'relaying', signatures = $2, grants = $3, waiting_reason = null, updated_at = $4
     where id = $1 and step = 'signing'`,
    [id, bytes, writeState(grants), custody.clock.now()],
  );
  return bytes;
}

/** The call that anybody may send to the registry. */
function callOf({ asset: id }: ProvenAsset, { intent, window, lapsed }: CarriedAct, signatures: Hex | undefined): Hex {
  const asset = assetWord(hashes, id);
  if (intent === undefined || signatures === undefined) {
    invariant(window !== undefined, 'A draw is of a window.');
    return callData(hashes, proofRegistryCalls.draw, { asset, number: window });
  }
  if (intent.kind === 'reserve-proof') {
    invariant(window !== undefined, 'A proof is of a window.');
    const proof: Hex = `0x${intent.proof}`;
    return callData(hashes, proofRegistryCalls.prove, { asset, number: window, proof, signatures });
  }
  invariant(intent.kind === 'reserve-commitment', 'What a registry is told is a commitment or a proof.');
  const header = decodeHeader(Uint8Array.from(Buffer.from(intent.header, 'hex')));
  invariant(header !== undefined, 'The header of an epoch that was signed cannot be read.', { id: intent.id });
  const fields = {
    asset: header.asset,
    epoch: header.epoch,
    tier: header.tier,
    bits: BigInt(header.bits),
    unitExponent: BigInt(header.unitExponent),
    blockNumber: header.blockNumber,
    blockHash: hexOf(header.blockHash),
    ledgerPosition: header.ledgerPosition,
    takenAt: header.takenAt,
  };
  const { record: recordHash, reserves } = intent;
  return callData(hashes, lapsed === true ? proofRegistryCalls.lapse : proofRegistryCalls.commit, {
    header: fields,
    record: `0x${recordHash}`,
    reserves,
    signatures,
  });
}

const cargos = { commitment: 'reserve-commitment', draw: 'reserve-draw', proof: 'reserve-proof' } as const;

type Relayed = { readonly act: CarriedAct; readonly data: Hex };

/** Has the house carry it, unless that is under way. The chain is asked first, so that no transaction is made for nothing. */
async function relay(
  custody: Custody,
  { registry: { chain, registry } }: ProvenAsset,
  { act: { id, kind, lapsed }, data }: Relayed,
): Promise<string | undefined> {
  // With a count of its own: what came too late may have failed as a commitment often enough.
  const cargo = lapsed === true ? 'reserve-lapse' : cargos[kind];
  const [running] = await custody.db.query(
    `select id from custody.dispatch where relays = $1 and cargo = $2 and step <> 'done' limit 1`,
    [id, cargo],
  );
  if (running !== undefined) return undefined;
  const call = { to: registry, data };
  const objection = await relayObjection(custody, { chain, call });
  if (objection !== undefined) return objection;
  const order = { relays: id, carries: id, cargo, beneficiary: houseGas, chain, call } as const;
  return custody.db.transaction(async (tx) => orderOnce(custody, tx, { ...order, now: custody.clock.now() }));
}

async function orderOnce(
  custody: Custody,
  tx: Transaction,
  order: Parameters<typeof orderRelay>[2],
): Promise<string | undefined> {
  // Locked, so that of two runs at once one orders and the other finds it.
  const live = await tx.query(`select id from custody.proof_act where id = $1 and step = 'relaying' for update`, [
    order.relays,
  ]);
  if (live.length === 0) return undefined;
  const failed = await failedRelays(tx, order);
  return failed < failedRelaysMax
    ? orderRelay(custody, tx, order)
    : `It was relayed ${failed} times and failed on the chain each time: look at the transactions, and at whether the registry is the configured one.`;
}

async function waits({ db, clock }: Custody, id: string, reason: string | undefined): Promise<void> {
  await db.query(
    `update custody.proof_act set waiting_reason = $2, updated_at = $3
     where id = $1 and step in ('signing', 'relaying') and waiting_reason is distinct from $2`,
    [id, reason ?? null, clock.now()],
  );
}
