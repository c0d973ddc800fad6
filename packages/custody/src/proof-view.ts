import {
  type AssetId,
  type ChainId,
  checksumAddress,
  parseAddress,
  parseAssetId,
  parseChainId,
} from '@bulkhead/domain';
import { bigint, boolean, type Queries, text, textOrNull } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { chainTime } from './chain-time.ts';
import { provenAsset } from './proof-registry.ts';

/** How fresh the proofs of one asset are, as a final block had it. Times in Unix seconds of the registry's chain. */
export type ProofClock = {
  readonly asset: AssetId;
  readonly chain: ChainId;
  readonly registry: string;
  readonly epoch: bigint;
  /** 0 before the first epoch. */
  readonly committedAt: bigint;
  /** Since the newest epoch; 0 before the first. */
  readonly age: bigint;
  /** Of the next epoch; undefined where somebody asks for each. */
  readonly due: bigint | undefined;
  /** As contracts are told: epochs go on coming, something was proven, and nothing that must be proven is late. */
  readonly fresh: boolean;
  /** End of the oldest window that is not proven; undefined where none has ended. */
  readonly windowEndedAt: bigint | undefined;
  /** Why nothing goes on. */
  readonly trouble: string | null;
};

/** One for each asset that is proven and was looked at. */
export async function proofClocks(custody: Custody): Promise<readonly ProofClock[]> {
  const rows = await custody.db.query('select * from custody.proof_clock order by asset');
  const clocks: ProofClock[] = [];
  for (const row of rows) {
    const asset = parseAssetId(text(row, 'asset'));
    const proven = provenAsset(custody, asset);
    if (proven === undefined || proven.registry.registry !== text(row, 'registry')) continue;
    const chain = parseChainId(text(row, 'chain'));
    const committedAt = bigint(row, 'committed_at');
    const now = await chainTime(custody, chain);
    const { everySeconds } = proven.registry;
    const endedAt = bigint(row, 'window_ended_at');
    const { cadence, proveWithin } = proven.registry.settings;
    // What was fresh when somebody looked grows old without anybody looking.
    const stale = now > committedAt + cadence || (endedAt > 0n && now > endedAt + proveWithin);
    clocks.push({
      asset,
      chain,
      registry: checksumAddress(parseAddress(text(row, 'registry'))),
      epoch: bigint(row, 'epoch'),
      committedAt,
      age: committedAt === 0n || now < committedAt ? 0n : now - committedAt,
      due: everySeconds === 0n ? undefined : committedAt + everySeconds,
      fresh: boolean(row, 'fresh') && !stale,
      windowEndedAt: endedAt === 0n ? undefined : endedAt,
      trouble: textOrNull(row, 'trouble'),
    });
  }
  return clocks;
}

/** Assets of the allow-list. */
export async function allowedAssets(db: Queries): Promise<readonly AssetId[]> {
  return (await db.query('select id from custody.asset order by id')).map((row) => parseAssetId(text(row, 'id')));
}

export type ProofActView = {
  readonly id: string;
  readonly state: 'signing' | 'relaying' | 'done' | 'failed';
  /** Why it does not move. */
  readonly reason: string | null;
  /** The newest transaction of the house that carries it; null before there is one. */
  readonly dispatchId: string | null;
};

/** How the newest act of a kind for a context, or for the draw of a window, stands; null before there is one. */
export async function proofActView(
  db: Queries,
  of: { readonly kind: 'commitment' | 'proof'; readonly context: string },
): Promise<ProofActView | null> {
  const [row] = await db.query(
    `select a.id, a.step, a.waiting_reason,
       (select d.id from custody.dispatch d where d.relays = a.id order by d.id desc limit 1) as dispatch
     from custody.proof_act a where a.kind = $1 and a.context = $2 order by a.id desc limit 1`,
    [of.kind, of.context],
  );
  if (row === undefined) return null;
  const state = (['signing', 'relaying', 'done', 'failed'] as const).find((known) => known === row['step']) ?? 'failed';
  return {
    id: text(row, 'id'),
    state,
    reason: textOrNull(row, 'waiting_reason'),
    dispatchId: textOrNull(row, 'dispatch'),
  };
}
