import { randomBytes } from 'node:crypto';
import { invariant } from '@bulkhead/domain';
import { bigint, boolean, bytes, type Database, only, type Row, type Transaction } from '@bulkhead/postgres';
import {
  type CompleteNode,
  commitmentOf,
  encodeLeaf,
  extend,
  type Frontier,
  hashLength,
  leafHash,
  rootOf,
  saltLength,
} from '@bulkhead/tlog';
import { type Fact, type FactView, readFacts } from './fact.ts';
import { nativeSha256 } from './log-key.ts';
import { type Fence, passFences, readFence } from './fence.ts';

/** Leaves that one transaction adds. */
export const leavesAtOnce = 4_000;
/** How long nobody else takes over from a sequencer that says nothing. */
export const leaseMsDefault = 1_000;
/** Levels of a tree that a tile has. */
const tileHeight = 8;
/** Key of the advisory lock that one sequencer at a time holds, for the length of a transaction. */
const lockKey = '7207281944380118241';

export type SequencerOptions = {
  readonly views: readonly FactView[];
  readonly leaseMs?: number;
  readonly leavesAtOnce?: number;
};

export type SequencerStep =
  /** Another process adds the leaves. */
  | { readonly status: 'elsewhere' }
  | {
      readonly status: 'sequenced';
      /** Leaves of the log now, and how many of them this step added. */
      readonly size: number;
      readonly added: number;
      /** More facts are ready: go on at once. */
      readonly isMore: boolean;
      /** True where this process took over with this step. */
      readonly tookOver: boolean;
    };

/** What is stored of the tree, as the row of the sequencer has it. */
export type TreeState = {
  readonly token: bigint;
  readonly position: bigint;
  readonly frontier: Frontier;
};

export function treeStateOf(row: Row): TreeState {
  const peaks = bytes(row, 'peaks');
  return {
    token: bigint(row, 'token'),
    position: bigint(row, 'position'),
    frontier: {
      size: Number(bigint(row, 'size')),
      peaks: Array.from({ length: peaks.length / hashLength }, (_, n) =>
        peaks.slice(n * hashLength, (n + 1) * hashLength),
      ),
    },
  };
}

/**
 * Adds leaves for facts, in their order. Any number of processes may have one of these on one database; one of them works, the
 * others find its lock or its lease and answer `elsewhere`.
 *
 * The lock is held by the transaction that writes, and everything that is decided on is read in it. So there is nothing that a
 * process which was stopped in between could do late: its transaction is gone, and with the next one it finds another token, and takes what it
 * knew (fences) for nothing.
 */
export class Sequencer {
  readonly #db: Database;
  readonly #options: SequencerOptions;
  #token: bigint | undefined;
  #waiting: readonly Fence[] = [];

  constructor(db: Database, options: SequencerOptions) {
    this.#db = db;
    this.#options = options;
  }

  /**
   * One transaction. A crash anywhere in it leaves the tree as it was; salts that nobody has seen are drawn anew.
   *
   * @throws CustodyError `database/unavailable`, `database/busy`: take the step again
   */
  async step(): Promise<SequencerStep> {
    // Only what is committed is remembered: a transaction that is repeated begins with what was known before it.
    const done = await this.#db.transaction((tx) => this.#inTransaction(tx));
    if (done === undefined) {
      this.#token = undefined;
      this.#waiting = [];
      return { status: 'elsewhere' };
    }
    this.#token = done.token;
    this.#waiting = done.waiting;
    return done.step;
  }

  /** Lets another process take over at once. */
  async resign(): Promise<void> {
    const token = this.#token;
    this.#token = undefined;
    this.#waiting = [];
    if (token === undefined) return;
    await this.#db.query(`update log.sequencer set renewed_at = '-infinity' where token = $1`, [token]);
  }

  async #inTransaction(
    tx: Transaction,
  ): Promise<{ readonly token: bigint; readonly waiting: readonly Fence[]; readonly step: SequencerStep } | undefined> {
    const held = only(await tx.query(`select pg_try_advisory_xact_lock(${lockKey}) as held`));
    if (!boolean(held, 'held')) return undefined;
    const leaseMs = this.#options.leaseMs ?? leaseMsDefault;
    const row = only(
      await tx.query(
        `select token, position, size, peaks, renewed_at < clock_timestamp() - make_interval(secs => $1) as lapsed
         from log.sequencer for update`,
        [leaseMs / 1000],
      ),
    );
    const stored = treeStateOf(row);
    const tookOver = stored.token !== this.#token;
    if (tookOver && !boolean(row, 'lapsed')) return undefined;
    const token = tookOver ? stored.token + 1n : stored.token;
    const passed = passFences(tookOver ? [] : this.#waiting, await readFence(tx));
    const limit = this.#options.leavesAtOnce ?? leavesAtOnce;
    const facts = await readFacts(tx, this.#options.views, { after: stored.position, until: passed.position, limit });
    const isMore = facts.length === limit;
    // Where all ready facts are taken, the places behind them without a fact are done with as well.
    const last = isMore ? facts.at(-1)?.position : passed.position;
    const position = last === undefined || last < stored.position ? stored.position : last;
    const frontier = await writeLeaves(tx, stored.frontier, facts);
    await tx.query(
      `update log.sequencer set token = $1, renewed_at = clock_timestamp(), position = $2, size = $3, root = $4, peaks = $5`,
      [token, position, frontier.size, rootOf(frontier), Buffer.concat(frontier.peaks)],
    );
    // Commit point: leaves, openings, nodes and the new head are stored together or not at all.
    const step = { status: 'sequenced', size: frontier.size, added: facts.length, isMore, tookOver } as const;
    // A fence that facts are still taken behind of is needed again: it has passed, and would otherwise be lost.
    const kept = isMore ? [{ position: passed.position, transaction: 0n }, ...passed.waiting] : passed.waiting;
    return { token, waiting: kept, step };
  }
}

async function writeLeaves(tx: Transaction, frontier: Frontier, facts: readonly Fact[]): Promise<Frontier> {
  if (facts.length === 0) return frontier;
  const random = randomBytes(saltLength * facts.length);
  const salts = facts.map((_, n) => random.subarray(n * saltLength, (n + 1) * saltLength));
  const entries = facts.map((fact, n) => {
    const { kind, id, timeMs, content, position } = fact;
    const salt = salts[n];
    invariant(content !== undefined && salt !== undefined, `Fact ${position} was erased before it was in the log.`);
    return encodeLeaf({ kind, id, timeMs, commitment: commitmentOf({ salt, content }, nativeSha256) });
  });
  const hashes = entries.map((entry) => leafHash(entry, nativeSha256));
  const nodes: CompleteNode[] = [];
  const after = extend(frontier, hashes, (node) => {
    if (node.level > 0 && node.level % tileHeight === 0) nodes.push(node);
  });
  const indexes = facts.map((_, n) => frontier.size + n);
  await tx.query(
    'insert into log.leaf (index, position, entry, hash) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])',
    [indexes, facts.map(({ position }) => position), entries, hashes],
    { name: 'log-leaves' },
  );
  await tx.query(
    'insert into log.opening (index, salt) select * from unnest($1::bigint[], $2::bytea[])',
    [indexes, salts],
    { name: 'log-openings' },
  );
  if (nodes.length > 0) {
    await tx.query(
      'insert into log.node (level, index, hash) select * from unnest($1::integer[], $2::bigint[], $3::bytea[])',
      [nodes.map(({ level }) => level / tileHeight), nodes.map(({ index }) => index), nodes.map(({ hash }) => hash)],
    );
  }
  return after;
}
