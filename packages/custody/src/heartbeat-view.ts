import { type ChainId, checksumAddress, invariant, parseAddress, parseChainId } from '@bulkhead/domain';
import { bigint, bigintOrNull, date, type Queries, text, textOrNull } from '@bulkhead/postgres';
import { chainTime } from './chain-time.ts';
import type { Custody } from './custody.ts';
import { vaultsOn } from './vault-chain.ts';

/** Seconds that signing, relaying and finality of a heartbeat may take before it counts as missed. */
export const heartbeatGraceSeconds = 3_600n;

export type HeartbeatState = 'signing' | 'relaying' | 'carried' | 'failed';

/** One heartbeat that was asked for. */
export type HeartbeatView = {
  readonly id: string;
  readonly chain: ChainId;
  readonly signerSet: string;
  readonly state: HeartbeatState;
  readonly block: { readonly number: string; readonly hash: string };
  /** The checkpoint of the audit log that it puts on the chain. */
  readonly anchor: { readonly leaves: number; readonly digest: string } | null;
  /** Why it does not move. */
  readonly reason: string | null;
  /** The newest transaction of the house that carries it; null before there is one. */
  readonly dispatchId: string | null;
  readonly previousAt: string;
  readonly carriedAt: string | null;
  readonly createdAt: string;
};

export type HeartbeatFilter = { readonly chain?: ChainId; readonly after: string | null; readonly limit: number };

const states: readonly HeartbeatState[] = ['signing', 'relaying', 'carried', 'failed'];

/** What heartbeats of a chain put there, as this database has it: sizes by digests. */
export async function statedAnchors(db: Queries, chain: ChainId): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query(
    'select statement, log_size from custody.heartbeat where chain = $1 and log_size is not null',
    [chain],
  );
  return new Map(rows.map((row) => [text(row, 'statement'), Number(bigint(row, 'log_size'))]));
}

/** Newest last, as all lists. */
export async function heartbeatViews(db: Queries, filter: HeartbeatFilter): Promise<readonly HeartbeatView[]> {
  const rows = await db.query(
    `select h.id, h.chain, h.signer_set, h.step, h.block_number, h.block_hash, h.statement, h.log_size, h.before, h.carried_at, h.waiting_reason, h.created_at,
       (select d.id from custody.dispatch d where d.relays = h.id and d.cargo = 'heartbeat' order by d.id desc limit 1) as dispatch
     from custody.heartbeat h
     where ($1::text is null or h.chain = $1) and ($2::text is null or h.id > $2) order by h.id limit $3`,
    [filter.chain ?? null, filter.after, filter.limit],
  );
  return rows.map((row) => {
    const state = states.find((known) => known === row['step']);
    invariant(state !== undefined, 'A heartbeat is in a state that there is not.', { id: text(row, 'id') });
    const [carried, size] = [bigintOrNull(row, 'carried_at'), bigintOrNull(row, 'log_size')];
    return {
      id: text(row, 'id'),
      chain: parseChainId(text(row, 'chain')),
      signerSet: checksumAddress(parseAddress(text(row, 'signer_set'))),
      state,
      block: { number: String(bigint(row, 'block_number')), hash: text(row, 'block_hash') },
      anchor: size === null ? null : { leaves: Number(size), digest: text(row, 'statement') },
      reason: textOrNull(row, 'waiting_reason'),
      dispatchId: textOrNull(row, 'dispatch'),
      previousAt: iso(bigint(row, 'before')),
      carriedAt: carried === null ? null : iso(carried),
      createdAt: date(row, 'created_at').toISOString(),
    };
  });
}

/** When the signers of a chain were last shown to be there, and when the next time is. */
export type HeartbeatClock = {
  readonly chain: ChainId;
  /** Unix seconds, by the contract at a final block. */
  readonly last: bigint;
  /** Seconds since then, by the chain where it is ahead of us. */
  readonly age: bigint;
  /** Unix seconds of the next one; undefined where somebody else sees to it. */
  readonly due: bigint | undefined;
  /** The next one is overdue by more than {@link heartbeatGraceSeconds}; where somebody else sees to it, half of the period of vaults is over. */
  readonly missed: boolean;
  /** Why the one that is under way does not move. */
  readonly reason: string | null;
};

/** Undefined where the chain has no vaults, or nobody has looked yet. */
export async function heartbeatClock(custody: Custody, chain: ChainId): Promise<HeartbeatClock | undefined> {
  const found = vaultsOn(custody, chain);
  if (found === undefined) return undefined;
  const [row] = await custody.db.query(
    `select c.last, h.waiting_reason from custody.heartbeat_clock c
     left join custody.heartbeat h on h.chain = c.chain and h.step in ('signing', 'relaying')
     where c.chain = $1 and c.signer_set = $2`,
    [chain, found.system.signerSet],
  );
  if (row === undefined) return undefined;
  const { heartbeatEverySeconds: every, terms } = found.setup;
  const last = bigint(row, 'last');
  const now = await chainTime(custody, chain);
  const limit = every === 0n ? last + terms.heartbeatPeriod / 2n : last + every + heartbeatGraceSeconds;
  return {
    chain,
    last,
    age: now > last ? now - last : 0n,
    due: every === 0n ? undefined : last + every,
    missed: now > limit,
    reason: textOrNull(row, 'waiting_reason'),
  };
}

function iso(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
