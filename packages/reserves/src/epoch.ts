import { type AssetId, CustodyError, type Hash, invariant, parseHash } from '@bulkhead/domain';
import {
  bigintOrNull,
  bytes,
  bytesOrNull,
  date,
  dateOrNull,
  type Database,
  type Queries,
  type Row,
  sqlState,
  textOrNull,
} from '@bulkhead/postgres';
import { contextOf, decodeHeader, encodeHeader, type ReserveHeader } from '@bulkhead/proofs';

/** The proofs of one asset in one registry: epochs follow each other there, from 1 on. */
export type ReserveStream = {
  readonly asset: AssetId;
  /** EIP-155 number of the registry's chain. */
  readonly registryChain: bigint;
  /** 20 bytes. */
  readonly registry: Uint8Array;
};

/** Where a transaction to the registry is final. */
export type PinnedIn = { readonly transaction: Hash; readonly block: bigint };

/** An epoch and what happened to it. Absent is what did not happen. */
export type StoredEpoch = {
  readonly context: Uint8Array;
  readonly header: ReserveHeader;
  readonly begunAt: Date;
  /** What the registry is to pin; reserves of all compartments together, in units. */
  readonly made?: { readonly record: Uint8Array; readonly reserves: bigint; readonly at: Date };
  /** All files that prove it, by the digest of their manifest. */
  readonly bundle?: { readonly manifest: Uint8Array; readonly at: Date };
  readonly committed?: PinnedIn & { readonly at: Date };
  /** It came too late, and the registry has it as that. */
  readonly lapsed?: PinnedIn & { readonly at: Date };
  readonly drawn?: PinnedIn & { readonly at: Date };
  readonly proven?: PinnedIn & { readonly at: Date };
  readonly abandoned?: { readonly reason: string; readonly at: Date };
};

export type EpochState = 'begun' | 'made' | 'committed' | 'lapsed' | 'drawn' | 'proven' | 'abandoned';

/** Whether an epoch keeps its number for ever, so that the next one follows it. */
export function isInRegistry({ committed, lapsed }: StoredEpoch): boolean {
  return committed !== undefined || lapsed !== undefined;
}

/** The last thing that happened to an epoch. */
export function stateOf(epoch: StoredEpoch): EpochState {
  if (epoch.abandoned !== undefined) return 'abandoned';
  if (epoch.proven !== undefined) return 'proven';
  if (epoch.drawn !== undefined) return 'drawn';
  if (epoch.lapsed !== undefined) return 'lapsed';
  if (epoch.committed !== undefined) return 'committed';
  return epoch.made === undefined ? 'begun' : 'made';
}

const columns = `e.context, e.header, e.begun_at,
  m.record, m.reserves, m.at as made_at, b.manifest, b.made_at as bundled_at,
  c.transaction as committed_by, c.block_number as committed_in, c.at as committed_at,
  l.transaction as lapsed_by, l.block_number as lapsed_in, l.at as lapsed_at,
  d.transaction as drawn_by, d.block_number as drawn_in, d.at as drawn_at,
  p.transaction as proven_by, p.block_number as proven_in, p.at as proven_at,
  a.reason, a.at as abandoned_at`;

const tables = `reserves.epoch e
  left join reserves.step m on m.context = e.context and m.state = 'made'
  left join reserves.bundle b on b.context = e.context
  left join reserves.step c on c.context = e.context and c.state = 'committed'
  left join reserves.step l on l.context = e.context and l.state = 'lapsed'
  left join reserves.step d on d.context = e.context and d.state = 'drawn'
  left join reserves.step p on p.context = e.context and p.state = 'proven'
  left join reserves.step a on a.context = e.context and a.state = 'abandoned'`;

function epochOf(row: Row): StoredEpoch {
  const header = decodeHeader(plain(bytes(row, 'header')));
  invariant(header !== undefined, 'A stored header of an epoch cannot be read.');
  const record = bytesOrNull(row, 'record');
  const reserves = bigintOrNull(row, 'reserves');
  const madeAt = dateOrNull(row, 'made_at');
  const manifest = bytesOrNull(row, 'manifest');
  const bundledAt = dateOrNull(row, 'bundled_at');
  const reason = textOrNull(row, 'reason');
  const abandonedAt = dateOrNull(row, 'abandoned_at');
  const [committed, lapsed] = [pinnedIn(row, 'committed'), pinnedIn(row, 'lapsed')];
  const [drawn, proven] = [pinnedIn(row, 'drawn'), pinnedIn(row, 'proven')];
  return {
    context: plain(bytes(row, 'context')),
    header,
    begunAt: date(row, 'begun_at'),
    ...(record === null || reserves === null || madeAt === null
      ? {}
      : { made: { record: plain(record), reserves, at: madeAt } }),
    ...(manifest === null || bundledAt === null ? {} : { bundle: { manifest: plain(manifest), at: bundledAt } }),
    ...(committed === undefined ? {} : { committed }),
    ...(lapsed === undefined ? {} : { lapsed }),
    ...(drawn === undefined ? {} : { drawn }),
    ...(proven === undefined ? {} : { proven }),
    ...(reason === null || abandonedAt === null ? {} : { abandoned: { reason, at: abandonedAt } }),
  };
}

function pinnedIn(
  row: Row,
  state: 'committed' | 'lapsed' | 'drawn' | 'proven',
): (PinnedIn & { readonly at: Date }) | undefined {
  const transaction = bytesOrNull(row, `${state}_by`);
  const block = bigintOrNull(row, `${state}_in`);
  const at = dateOrNull(row, `${state}_at`);
  if (transaction === null || block === null || at === null) return undefined;
  return { transaction: parseHash(`0x${Buffer.from(transaction).toString('hex')}`), block, at };
}

/** Bytes of a column, out of the driver's buffer. */
function plain(column: Uint8Array): Uint8Array {
  return Uint8Array.from(column);
}

export type EpochFilter = {
  readonly asset?: AssetId;
  readonly epoch?: bigint;
  readonly context?: Uint8Array;
  /** Of one that was begun: those that were begun earlier. */
  readonly before?: Uint8Array;
  readonly limit?: number;
};

/** Most epochs of one answer. */
export const epochsMax = 1_000;

/** Epochs, those that were abandoned included, newest first. */
export async function epochs(db: Queries, filter: EpochFilter = {}): Promise<readonly StoredEpoch[]> {
  const rows = await db.query(
    `select ${columns} from ${tables}
     where ($1::text is null or e.asset = $1) and ($2::bigint is null or e.epoch = $2) and ($3::bytea is null or e.context = $3)
       and ($5::bytea is null or (e.begun_at, e.fact) < (select b.begun_at, b.fact from reserves.epoch b where b.context = $5))
     order by e.begun_at desc, e.fact desc limit $4`,
    [
      filter.asset ?? null,
      filter.epoch ?? null,
      filter.context ?? null,
      Math.min(filter.limit ?? 100, epochsMax),
      filter.before ?? null,
    ],
  );
  return rows.map(epochOf);
}

/** The epoch of a context. @throws CustodyError `reserves/unknown-epoch` */
export async function findEpoch(db: Queries, context: Uint8Array): Promise<StoredEpoch> {
  const [found] = await epochs(db, { context });
  if (found !== undefined) return found;
  throw new CustodyError('reserves/unknown-epoch', `No epoch with the context ${hexOf(context)} was begun here.`);
}

/** The newest epoch of a stream that was not abandoned; undefined before the first. */
export async function newestEpoch(db: Queries, stream: ReserveStream): Promise<StoredEpoch | undefined> {
  const [row] = await db.query(
    `select ${columns} from ${tables}
     where e.asset = $1 and e.registry_chain = $2 and e.registry = $3 and a.at is null order by e.epoch desc limit 1`,
    [stream.asset, stream.registryChain, stream.registry],
  );
  return row === undefined ? undefined : epochOf(row);
}

/**
 * The how-manieth one it is that the registry committed, from 1: of the newest epoch of a stream that was proven. Windows count these, and leave
 * out what lapsed.
 */
export async function provenCount(db: Queries, stream: ReserveStream): Promise<bigint | undefined> {
  const [row] = await db.query(
    `with stream as (select e.context, e.epoch from reserves.epoch e where e.asset = $1 and e.registry_chain = $2 and e.registry = $3),
       last as (select max(e.epoch) as epoch from stream e join reserves.step p on p.context = e.context and p.state = 'proven')
     select last.epoch - (select count(*) from stream e join reserves.step l on l.context = e.context and l.state = 'lapsed'
       where e.epoch < last.epoch) as counted from last`,
    [stream.asset, stream.registryChain, stream.registry],
  );
  return row === undefined ? undefined : (bigintOrNull(row, 'counted') ?? undefined);
}

/**
 * Begins an epoch: from here on its number belongs to this header, until it is abandoned. Of two that begin at once one wins, and the
 * other is told so; the same header again is the same epoch.
 *
 * @throws CustodyError `reserves/wrong-state`
 */
export async function beginEpoch(db: Database, header: ReserveHeader, now: Date): Promise<StoredEpoch> {
  const context = contextOf(header);
  const [known] = await epochs(db, { context });
  if (known !== undefined) return known;
  await refusing(() =>
    db.query(
      `insert into reserves.epoch (context, registry_chain, registry, asset, epoch, header, previous, block_number, block_hash,
         ledger_position, begun_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        context,
        header.registryChain,
        header.registry,
        header.asset,
        header.epoch,
        encodeHeader(header),
        header.previous,
        header.blockNumber,
        header.blockHash,
        header.ledgerPosition,
        now,
      ],
    ),
  );
  return findEpoch(db, context);
}

export type EpochStep =
  | { readonly state: 'made'; readonly record: Uint8Array; readonly reserves: bigint }
  | ({ readonly state: 'committed' | 'lapsed' | 'drawn' | 'proven' } & PinnedIn)
  | { readonly state: 'abandoned'; readonly reason: string };

/**
 * Writes down what happened to an epoch. The same again is answered as it is stored; whoever comes second with another record made
 * something else of the same header, and is refused.
 *
 * @throws CustodyError `reserves/wrong-state`, `reserves/unknown-epoch`
 */
export async function advanceEpoch(
  db: Queries,
  at: { readonly context: Uint8Array; readonly now: Date },
  step: EpochStep,
): Promise<StoredEpoch> {
  const { context, now } = at;
  await findEpoch(db, context);
  const made = step.state === 'made' ? step : undefined;
  const pinned = step.state === 'made' || step.state === 'abandoned' ? undefined : step;
  await refusing(() =>
    db.query(
      `insert into reserves.step (context, state, at, record, reserves, transaction, block_number, reason)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (context, state) do nothing`,
      [
        context,
        step.state,
        now,
        made?.record ?? null,
        made?.reserves ?? null,
        pinned === undefined ? null : Buffer.from(pinned.transaction.slice(2), 'hex'),
        pinned?.block ?? null,
        step.state === 'abandoned' ? step.reason : null,
      ],
    ),
  );
  const stored = await findEpoch(db, context);
  if (made !== undefined && stored.made !== undefined && !sameMade(stored.made, made)) {
    throw new CustodyError(
      'reserves/wrong-state',
      `Epoch ${stored.header.epoch} of ${stored.header.asset} was made before with another record: the two makers do not have the same master secret, or not the same books. The first one counts.`,
      { details: { context: hexOf(context) } },
    );
  }
  return stored;
}

function sameMade(
  stored: { readonly record: Uint8Array; readonly reserves: bigint },
  made: { readonly record: Uint8Array; readonly reserves: bigint },
): boolean {
  return Buffer.from(stored.record).equals(made.record) && stored.reserves === made.reserves;
}

/**
 * Writes down that all files of an epoch are there. @throws CustodyError `reserves/wrong-state` where it was bundled before with another
 * manifest, or not made
 */
export async function recordBundle(
  db: Database,
  at: { readonly context: Uint8Array; readonly now: Date },
  manifest: Uint8Array,
): Promise<StoredEpoch> {
  await findEpoch(db, at.context);
  await refusing(() =>
    db.query(
      'insert into reserves.bundle (context, manifest, made_at) values ($1, $2, $3) on conflict (context) do nothing',
      [at.context, manifest, at.now],
    ),
  );
  const stored = await findEpoch(db, at.context);
  if (stored.bundle !== undefined && Buffer.from(stored.bundle.manifest).equals(manifest)) return stored;
  throw new CustodyError(
    'reserves/wrong-state',
    `Epoch ${stored.header.epoch} of ${stored.header.asset} was bundled before with another manifest. The first one counts: serve its files.`,
    { details: { context: hexOf(at.context) } },
  );
}

async function refusing(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const raced = sqlState(error) === '23505';
    if (sqlState(error) !== 'BH010' && !raced) throw error;
    const fact = error instanceof Error ? error.message : '';
    const message = raced
      ? 'Somebody else wrote down the same step at the same moment: look at the epoch again.'
      : `This epoch does not fit what is stored: ${fact}. "bulkhead proof show" says where each one stands.`;
    throw new CustodyError('reserves/wrong-state', message, { cause: error });
  }
}

export function hexOf(value: Uint8Array): string {
  return `0x${Buffer.from(value).toString('hex')}`;
}
