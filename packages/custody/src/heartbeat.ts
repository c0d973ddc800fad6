import {
  type Address,
  type BlockRef,
  type ChainId,
  CustodyError,
  houseGas,
  intentBytes,
  intentDigest,
  invariant,
  parseChainId,
  parseIntent,
  type VaultIntent,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import { answerOf, callData, type Hex, hexOf, parseWord, signerSetCalls, signerSetQuestions } from '@bulkhead/vaults';
import { signerSays } from './approval.ts';
import { chainTime } from './chain-time.ts';
import { chainPort, hash } from './cursor.ts';
import { type Custody, type LogAnchor, machine } from './custody.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { writeState } from './state.ts';
import { type OfChain, vaultsOn } from './vault-chain.ts';
import { failedRelays, orderRelay, relayObjection } from './vault-relay.ts';
import { failedRelaysMax } from './vault-sending.ts';

/** Blocks that a contract still knows the hash of, with some left for the transaction to be mined (EIP-2935 keeps 8,191). */
export const heartbeatBlocksMax = 8_000n;

/** What a heartbeat states where there is no checkpoint. */
export const noStatement: string = '0'.repeat(64);

export type HeartbeatIntent = Extract<VaultIntent, { readonly kind: 'signer-set-heartbeat' }>;

/** One that was asked for, until the contract has it or cannot take it any more. */
type Heartbeat = {
  readonly id: string;
  readonly chain: ChainId;
  readonly block: BlockRef;
  /** Unix seconds of the one before. */
  readonly before: bigint;
  readonly intent: HeartbeatIntent;
  readonly signatures: Hex | undefined;
};

/** What a final block says of a set of signers. */
export type HeartbeatLook = { readonly signerSet: Address; readonly final: BlockRef; readonly last: bigint };

/** Unix seconds of the newest heartbeat, as a final block has it; the deployment counts as the first. */
export async function lookAtHeartbeat(custody: Custody, chain: ChainId, signerSet: Address): Promise<HeartbeatLook> {
  const port = chainPort(custody, chain);
  const { final } = await port.heads();
  const question = signerSetQuestions.lastHeartbeat;
  const last = answerOf(question, await port.read(signerSet, callData(hashes, question, {}), final));
  return { signerSet, final, last };
}

export type HeartbeatOrder = {
  readonly id: string;
  readonly chain: ChainId;
  readonly signerSet: Address;
  readonly block: BlockRef;
  /** What the chain is to hold of the audit log. */
  readonly anchor: LogAnchor | undefined;
};

/** What the signers are asked: they are there at this block, of which nobody knew the hash before. */
export function heartbeatIntent(
  { deployment }: Pick<Custody, 'deployment'>,
  { id, chain, signerSet, block, anchor }: HeartbeatOrder,
): HeartbeatIntent {
  const blockHash = parseWord(block.hash).slice(2);
  const about = { blockNumber: block.number, blockHash, statement: anchor?.digest ?? noStatement };
  return { deployment, kind: 'signer-set-heartbeat', id, chain, signerSet, ...about };
}

/** The call that anybody may send to the signer set. */
export function heartbeatCall({ blockNumber, blockHash, statement }: HeartbeatIntent, signatures: Hex): Hex {
  const beat = { blockNumber, blockHash: parseWord(`0x${blockHash}`), statement: parseWord(`0x${statement}`) };
  return callData(hashes, signerSetCalls.heartbeat, { beat, signatures });
}

/**
 * The job `keep-heartbeat`: looks when the signers of a chain were last shown to be there, and when it is time has them sign again and the
 * house carry it. Safe to run twice, at once, or after a crash at any line.
 *
 * 1. What will be asked is stored. A crash before leaves nothing; after, the next run asks for the same.
 * 2. The signers are asked. They answer a repetition with the same signatures.
 * 3. Signatures are stored, then the relay that carries them is ordered, as any transaction of the house. Only what the contract says at a
 *    final block ends it, whoever carried what.
 */
export async function keepHeartbeat(custody: Custody, id: string): Promise<void> {
  const chain = parseChainId(id);
  const found = vaultsOn(custody, chain);
  if (found === undefined) return;
  const look = await lookAtHeartbeat(custody, chain, found.system.signerSet);
  await noteLook(custody, chain, look);
  await endHeartbeat(custody, chain, look);
  const live = (await liveHeartbeat(custody.db, chain)) ?? (await begin(custody, chain, { found, look }));
  if (live === undefined) return;
  await orWaits(custody, live, async () => {
    const signatures = live.signatures ?? (await sign(custody, found, live));
    await relay(custody, live, { signerSet: found.system.signerSet, signatures });
  });
}

/** Asks for a look at every chain with vaults. */
export function heartbeatChains({ vaults }: Custody): readonly ChainId[] {
  return vaults === undefined ? [] : [...vaults.systems.keys()];
}

async function noteLook({ db, clock }: Custody, chain: ChainId, { signerSet, last }: HeartbeatLook): Promise<void> {
  await db.query(
    `insert into custody.heartbeat_clock (chain, signer_set, last, looked_at) values ($1, $2, $3, $4)
     on conflict (chain) do update set signer_set = excluded.signer_set, last = excluded.last, looked_at = excluded.looked_at`,
    [chain, signerSet, last, clock.now()],
  );
}

const columns = 'id, chain, block_number, block_hash, before, intent, signatures';

function heartbeatOf(row: Row): Heartbeat {
  const intent = parseIntent(Buffer.from(text(row, 'intent'), 'utf8'));
  invariant(intent.kind === 'signer-set-heartbeat', 'A heartbeat is stored with another intent.', { id: intent.id });
  const signatures = textOrNull(row, 'signatures');
  return {
    id: text(row, 'id'),
    chain: parseChainId(text(row, 'chain')),
    block: { number: bigint(row, 'block_number'), hash: hash(row, 'block_hash') },
    before: bigint(row, 'before'),
    intent,
    signatures: signatures === null ? undefined : `0x${signatures.slice(2)}`,
  };
}

async function liveHeartbeat(db: Queries, chain: ChainId): Promise<Heartbeat | undefined> {
  const [row] = await db.query(
    `select ${columns} from custody.heartbeat where chain = $1 and step in ('signing', 'relaying')`,
    [chain],
  );
  return row === undefined ? undefined : heartbeatOf(row);
}

/** Ends the one that is under way when the contract has a newer one than before, or knows its block no more. */
async function endHeartbeat(custody: Custody, chain: ChainId, { final, last }: HeartbeatLook): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const [row] = await tx.query(
      `select ${columns} from custody.heartbeat where chain = $1 and step in ('signing', 'relaying') for update`,
      [chain],
    );
    if (row === undefined) return;
    const live = heartbeatOf(row);
    const now = custody.clock.now();
    if (last > live.before) {
      await tx.query(
        `update custody.heartbeat set step = 'carried', carried_at = $2, waiting_reason = null, updated_at = $3 where id = $1`,
        [live.id, last, now],
      );
      await record(tx, now, { actor: machine, subject: live.id, event: 'heartbeat-carried', data: { chain, last } });
    } else if (final.number > live.block.number + heartbeatBlocksMax) {
      await tx.query(`update custody.heartbeat set step = 'failed', updated_at = $2 where id = $1`, [live.id, now]);
      await record(tx, now, { actor: machine, subject: live.id, event: 'heartbeat-failed', data: { chain } });
    }
  });
}

type Beginning = { readonly found: OfChain; readonly look: HeartbeatLook };

/** Stores what the signers will be asked, where it is time. */
async function begin(custody: Custody, chain: ChainId, { found, look }: Beginning): Promise<Heartbeat | undefined> {
  const every = found.setup.heartbeatEverySeconds;
  const { signerSet, final: block, last } = look;
  if (every === 0n || (await chainTime(custody, chain)) < last + every) return undefined;
  const now = custody.clock.now();
  const id = newId('vhb', now);
  const anchor = await custody.anchor?.();
  const intent = heartbeatIntent(custody, { id, chain, signerSet, block, anchor });
  await custody.db.transaction(async (tx) => {
    const stored = await tx.query(
      `insert into custody.heartbeat (id, chain, signer_set, block_number, block_hash, before, intent, intent_digest, statement, log_size, step, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'signing', $11, $11)
       on conflict (chain) where step in ('signing', 'relaying') do nothing returning id`,
      [
        id,
        chain,
        signerSet,
        block.number,
        block.hash,
        last,
        Buffer.from(intentBytes(intent)).toString('utf8'),
        intentDigest(intent),
        intent.statement,
        anchor?.size ?? null,
        now,
      ],
    );
    if (stored.length > 0) {
      await record(tx, now, { actor: machine, subject: id, event: 'heartbeat-begun', data: { chain, last, anchor } });
    }
  });
  return liveHeartbeat(custody.db, chain);
}

async function sign(custody: Custody, { setup }: OfChain, { id, intent }: Heartbeat): Promise<Hex> {
  const { signatures, grants } = await setup.quorum.signVault({ intent, evidence: { approvals: [] } });
  const bytes = hexOf(signatures);
  await custody.db.query(
    `update custody.heartbeat set step = 'relaying', signatures = $2, grants = $3, waiting_reason = null, updated_at = $4
     where id = $1 and step = 'signing'`,
    [id, bytes, writeState(grants), custody.clock.now()],
  );
  return bytes;
}

type Signed = { readonly signerSet: Address; readonly signatures: Hex };

/** Has the house carry it, unless that is under way. The chain is asked first, so that no transaction is made for nothing. */
async function relay(custody: Custody, live: Heartbeat, { signerSet, signatures }: Signed): Promise<void> {
  const { id, chain } = live;
  const [running] = await custody.db.query(
    `select id from custody.dispatch where relays = $1 and cargo = 'heartbeat' and step <> 'done' limit 1`,
    [id],
  );
  if (running !== undefined) return;
  const call = { to: signerSet, data: heartbeatCall(live.intent, signatures) };
  const objection = await relayObjection(custody, { chain, call });
  if (objection !== undefined) return waits(custody, id, objection);
  const order = { relays: id, carries: id, cargo: 'heartbeat', beneficiary: houseGas, chain, call } as const;
  const missing = await custody.db.transaction(async (tx) =>
    orderOnce(custody, tx, { ...order, now: custody.clock.now() }),
  );
  await waits(custody, id, missing);
}

async function orderOnce(
  custody: Custody,
  tx: Transaction,
  order: Parameters<typeof orderRelay>[2],
): Promise<string | undefined> {
  // Locked, so that of two runs at once one orders and the other finds it.
  const live = await tx.query(`select id from custody.heartbeat where id = $1 and step = 'relaying' for update`, [
    order.relays,
  ]);
  if (live.length === 0) return undefined;
  const failed = await failedRelays(tx, order);
  return failed < failedRelaysMax
    ? orderRelay(custody, tx, order)
    : `It was relayed ${failed} times and failed on the chain each time: look at the transactions, and at whether the signer set is the configured one.`;
}

/** What signers, chain or gas wallet object to is written down for people, and tried again; everything else is thrown. */
async function orWaits(custody: Custody, { id }: Heartbeat, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    if (error.code !== 'signer/unavailable' && error.code !== 'transaction/rejected' && !signerSays(error)) throw error;
    await waits(custody, id, `${error.message} (${error.code})`);
  }
}

async function waits({ db, clock }: Custody, id: string, reason: string | undefined): Promise<void> {
  await db.query(
    `update custody.heartbeat set waiting_reason = $2, updated_at = $3
     where id = $1 and step in ('signing', 'relaying') and waiting_reason is distinct from $2`,
    [id, reason ?? null, clock.now()],
  );
}
