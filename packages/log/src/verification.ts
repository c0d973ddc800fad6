import { CustodyError, equalBytes } from '@bulkhead/domain';
import { bigint, bytes, bytesOrNull, type Queries, type Row, text } from '@bulkhead/postgres';
import {
  commitmentOf,
  emptyFrontier,
  encodeLeaf,
  extend,
  type Frontier,
  hashLength,
  leafHash,
  type Leaf,
  openCheckpoint,
  parseBundle,
  parseLeaf,
  rootOf,
  saltLength,
  type Tile,
  tilesBetween,
  tileWidthMax,
  type TreeHead,
  type VerifierKey,
} from '@bulkhead/tlog';
import { type Anchor, headDigest, sizesOf } from './anchor.ts';
import { type Fact, type FactView, readFacts } from './fact.ts';
import { nativeSha256, verifyEd25519 } from './log-key.ts';

/** Leaves read at a time; a multiple of the width of a tile. */
const leavesAtOnce = 64 * tileWidthMax;
/** Findings that are told one by one; the rest is counted. */
export const findingsMax = 100;

export type LogFinding = {
  /** The leaf that it is about; undefined where it is about a checkpoint, or about a fact without a leaf. */
  readonly index: number | undefined;
  readonly what: string;
};

export type LogReport = {
  readonly leaves: number;
  readonly checkpoints: number;
  /** Anchors that are of this log, and the size of the newest of them; 0 where there is none. */
  readonly anchored: number;
  readonly anchoredSize: number;
  /** Leaves without opening that an erasure in the log accounts for. */
  readonly erased: number;
  /** Facts that are not in the log yet. */
  readonly waiting: boolean;
  readonly findings: readonly LogFinding[];
  /** Findings beyond {@link findingsMax}. */
  readonly unnamed: number;
};

export type LogVerification = {
  readonly log: VerifierKey;
  readonly views: readonly FactView[];
  /** Checkpoints from elsewhere (a witness, a receipt, a static copy): this log must have them as its beginning. */
  readonly checkpoints?: readonly string[];
  /** What stands on a chain of checkpoints, in the order in which it came there: this log must have had them. */
  readonly anchors?: readonly Anchor[];
  /** Gives a file of the log from where others read it; held against the database leaf by leaf. */
  readonly readTile?: (tile: Tile) => Promise<Uint8Array>;
  readonly onProgress?: (leaves: number, of: number) => void;
};

type Stored = {
  readonly index: number;
  readonly position: bigint;
  readonly entry: Uint8Array;
  readonly hash: Uint8Array;
  readonly salt: Uint8Array | null;
};

function storedOf(row: Row): Stored {
  return {
    index: Number(bigint(row, 'index')),
    position: bigint(row, 'position'),
    entry: bytes(row, 'entry'),
    hash: bytes(row, 'hash'),
    salt: bytesOrNull(row, 'salt'),
  };
}

/** Heads that the rebuilt tree must have had, by size. */
type Heads = Map<number, { readonly root: Uint8Array; readonly whose: string }[]>;

class Verifier {
  readonly #db: Queries;
  readonly #order: LogVerification;
  readonly #findings: LogFinding[] = [];
  readonly #heads: Heads = new Map();
  readonly #unopened: number[] = [];
  /** Digests of the anchors, with the size that each was found at. */
  readonly #anchors: Map<string, number | undefined>;
  readonly #erased = new Set<number>();
  #unnamed = 0;
  #checkpoints = 0;
  #frontier: Frontier = emptyFrontier;
  #position = 0n;
  /** Largest size at which the tree has the root that was signed. */
  #sound = 0;

  constructor(db: Queries, order: LogVerification) {
    this.#db = db;
    this.#order = order;
    this.#anchors = new Map(order.anchors?.map(({ digest }) => [digest, undefined]));
    for (const { size } of order.anchors ?? []) if (size !== undefined && size > 0) this.#heads.set(size, []);
  }

  #find(index: number | undefined, what: string): void {
    if (this.#findings.length < findingsMax) this.#findings.push({ index, what });
    else this.#unnamed += 1;
  }

  async run(): Promise<LogReport> {
    const [state] = await this.#db.query('select size, position, root from log.sequencer');
    const size = state === undefined ? 0 : Number(bigint(state, 'size'));
    const position = state === undefined ? 0n : bigint(state, 'position');
    await this.#readHeads();
    if (state !== undefined) this.#expect({ size, root: bytes(state, 'root') }, 'the state of the sequencer');
    for (let from = 0; from < size; from += leavesAtOnce) {
      await this.#take(from, Math.min(from + leavesAtOnce, size));
      this.#order.onProgress?.(this.#frontier.size, size);
    }
    await this.#rest(size, position);
    const anchoredSize = await this.#compareAnchors(size);
    for (const index of this.#unopened) {
      if (this.#erased.has(index)) continue;
      this.#find(index, 'Its opening is gone, and no erasure in the log accounts for that.');
    }
    const [later] = await this.#db.query('select ledger.last_position() > $1 as waiting', [position]);
    return {
      leaves: size,
      checkpoints: this.#checkpoints,
      anchored: [...this.#anchors.values()].filter((found) => found !== undefined).length,
      anchoredSize,
      erased: this.#unopened.filter((index) => this.#erased.has(index)).length,
      waiting: later?.['waiting'] === true,
      findings: this.#findings,
      unnamed: this.#unnamed,
    };
  }

  #expect({ size, root }: TreeHead, whose: string): void {
    const heads = this.#heads.get(size) ?? [];
    heads.push({ root, whose });
    this.#heads.set(size, heads);
  }

  async #readHeads(): Promise<void> {
    const rows = await this.#db.query('select size, root, note from log.checkpoint order by size');
    for (const row of rows) {
      const size = Number(bigint(row, 'size'));
      const whose = `the checkpoint of ${size} leaves`;
      const head = this.#opened(text(row, 'note'), whose);
      if (head === undefined) continue;
      this.#checkpoints += 1;
      if (head.size !== size || !equalBytes(head.root, bytes(row, 'root'))) {
        this.#find(undefined, `The row of ${whose} says something else than what was signed.`);
      }
      this.#expect(head, whose);
    }
    for (const note of this.#order.checkpoints ?? []) {
      const head = this.#opened(note, 'a checkpoint from elsewhere');
      if (head !== undefined) this.#expect(head, `the checkpoint of ${head.size} leaves from elsewhere`);
    }
  }

  #opened(note: string, whose: string): TreeHead | undefined {
    try {
      return openCheckpoint(note, { log: this.#order.log, verify: verifyEd25519 });
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      this.#find(undefined, `In ${whose}: ${error.message}`);
      return undefined;
    }
  }

  async #take(from: number, until: number): Promise<void> {
    const rows = await this.#db.query(
      `select l.index, l.position, l.entry, l.hash, o.salt from log.leaf l left join log.opening o on o.index = l.index
       where l.index >= $1 and l.index < $2 order by l.index`,
      [from, until],
      { name: 'log-verify' },
    );
    const stored = new Map(rows.map((row) => [Number(bigint(row, 'index')), storedOf(row)]));
    const positions = [...stored.values()].map(({ position }) => position);
    const facts = await this.#factsOf(positions);
    const hashes: Uint8Array[] = [];
    const entries: Uint8Array[] = [];
    for (let index = from; index < until; index += 1) {
      const leaf = stored.get(index);
      if (leaf === undefined) this.#find(index, 'The leaf is missing.');
      else this.#judge(leaf, facts.get(leaf.position));
      hashes.push(leaf === undefined ? new Uint8Array(hashLength) : leafHash(leaf.entry, nativeSha256));
      entries.push(leaf?.entry ?? new Uint8Array());
    }
    const taken = new Set(positions);
    for (const position of facts.keys()) {
      if (!taken.has(position)) {
        this.#find(undefined, `The fact at place ${position} has no leaf, and those after it do.`);
      }
    }
    await this.#compareTiles({ from, until, hashes, entries });
    await this.#grow(hashes);
  }

  /** All facts between the places of some leaves, those without a leaf as well. */
  async #factsOf(positions: readonly bigint[]): Promise<ReadonlyMap<bigint, Fact>> {
    const facts = new Map<bigint, Fact>();
    const until = positions.reduce((most, position) => (position > most ? position : most), this.#position);
    const limit = 2 * leavesAtOnce;
    for (let after = this.#position; ;) {
      const found = await readFacts(this.#db, this.#order.views, { after, until, limit });
      for (const fact of found) facts.set(fact.position, fact);
      const last = found.at(-1);
      if (last === undefined || found.length < limit) return facts;
      after = last.position;
    }
  }

  #judge(stored: Stored, fact: Fact | undefined): void {
    const { index, position, entry, hash, salt } = stored;
    if (position <= this.#position) {
      this.#find(index, 'It stands behind a leaf of a later fact: leaves were exchanged.');
    } else this.#position = position;
    if (!equalBytes(leafHash(entry, nativeSha256), hash)) {
      this.#find(index, 'It is not what its stored hash stands for: it was changed.');
    }
    // Most leaves are byte for byte what their facts give, and then nothing more has to be asked.
    if (fact?.content === undefined || salt?.length !== saltLength || !isLeafOf(fact, fact.content, { entry, salt })) {
      this.#explain(stored, fact);
    } else if (fact.kind === 'erasure') {
      for (const erased of erasedLeaves(fact.content)) this.#erased.add(erased);
    }
  }

  /** Says in what way a leaf is not what its fact gives. */
  #explain({ index, position, entry, salt }: Stored, fact: Fact | undefined): void {
    let leaf: Leaf;
    try {
      leaf = parseLeaf(entry);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      return this.#find(index, error.message);
    }
    if (fact === undefined) {
      return this.#find(index, `Its fact, at place ${position}, is gone: ${leaf.kind} ${leaf.id}.`);
    }
    if (leaf.kind !== fact.kind || leaf.id !== fact.id || leaf.timeMs !== fact.timeMs) {
      this.#find(
        index,
        `It says ${leaf.kind} ${leaf.id}, and its fact ${fact.kind} ${fact.id} of another time or name.`,
      );
    }
    if (salt === null || fact.content === undefined) this.#unopened.push(index);
    else if (
      salt.length !== saltLength ||
      !equalBytes(commitmentOf({ salt, content: fact.content }, nativeSha256), leaf.commitment)
    ) {
      this.#find(
        index,
        `It does not commit to what is stored of ${leaf.kind} ${leaf.id}: the fact or its salt was changed.`,
      );
    }
  }

  /** Extends the rebuilt tree, and stops at each size that somebody signed. */
  async #grow(hashes: readonly Uint8Array[]): Promise<void> {
    const from = this.#frontier.size;
    const nodes = new Map<string, Uint8Array>();
    const sizes = [...this.#heads.keys()].filter((size) => size > from && size <= from + hashes.length);
    let taken = 0;
    for (const size of [...sizes.toSorted((a, b) => a - b), from + hashes.length]) {
      const part = hashes.slice(taken, size - from);
      this.#frontier = extend(this.#frontier, part, ({ level, index, hash }) => {
        if (level > 0 && level % 8 === 0) nodes.set(`${level / 8}/${index}`, hash);
      });
      taken = size - from;
      this.#compareHeads(size);
    }
    await this.#compareNodes(nodes);
  }

  #compareHeads(size: number): void {
    const heads = this.#heads.get(size) ?? [];
    this.#heads.delete(size);
    const own = rootOf(this.#frontier);
    if (this.#anchors.size > 0 && size > 0) {
      const digest = headDigest(this.#order.log.name, { size, root: own });
      if (this.#anchors.has(digest)) this.#anchors.set(digest, size);
    }
    const wrong = heads.filter(({ root }) => !equalBytes(own, root));
    if (heads.length > 0 && wrong.length === 0) this.#sound = size;
    for (const { whose } of wrong) {
      // Without a copy of the leaves nobody can say more: a root that fits covers everything before it.
      const place = this.#sound > 0 ? ` Up to leaf ${this.#sound - 1} all is as it was signed.` : '';
      this.#find(undefined, `The first ${size} leaves do not have the root that ${whose} says.${place}`);
    }
  }

  /** Names what was anchored and is none of this log, by the first leaf that is not covered by an anchor of it. */
  async #compareAnchors(size: number): Promise<number> {
    const { anchors = [], log } = this.#order;
    const unknown = new Set(anchors.map(({ digest }) => digest).filter((digest) => !this.#isAnchored(digest)));
    const found = await sizesOf(this.#db, unknown, { origin: log.name, size: unknown.size === 0 ? 0 : size });
    for (const [digest, at] of found) this.#anchors.set(digest, at);
    let reached = 0;
    for (const { digest, where } of anchors) {
      const at = this.#anchors.get(digest);
      if (at === undefined) {
        const what = `The checkpoint that was anchored in ${where} is none of this log of ${size} leaves: it was put back, or goes on otherwise from here.`;
        this.#find(reached, what);
      } else reached = Math.max(reached, at);
    }
    return reached;
  }

  #isAnchored(digest: string): boolean {
    return this.#anchors.get(digest) !== undefined;
  }

  async #compareNodes(nodes: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const [name, hash] of nodes) {
      const [level, index] = name.split('/').map(Number);
      const [row] = await this.#db.query(
        'select hash from log.node where level = $1 and index = $2',
        [level ?? 0, index ?? 0],
        { name: 'log-verify-node' },
      );
      if (row === undefined || !equalBytes(bytes(row, 'hash'), hash)) {
        this.#find(undefined, `The stored hash of subtree ${index} of level ${level} is missing or another one.`);
      }
    }
  }

  async #compareTiles(part: {
    readonly from: number;
    readonly until: number;
    readonly hashes: readonly Uint8Array[];
    readonly entries: readonly Uint8Array[];
  }): Promise<void> {
    const { readTile } = this.#order;
    if (readTile === undefined) return;
    for (const tile of tilesBetween(part.from, part.until)) {
      const start = tile.index * tileWidthMax - part.from;
      try {
        if (tile.level === 0) {
          const found = await readTile(tile);
          for (let n = 0; n < tile.width; n += 1) {
            const hash = part.hashes[start + n] ?? new Uint8Array();
            if (equalBytes(found.subarray(n * hashLength, (n + 1) * hashLength), hash)) continue;
            this.#find(part.from + start + n, 'The tile that others read has another hash for it than the database.');
            break;
          }
        } else if (tile.level === 'entries') {
          const found = parseBundle(await readTile(tile), tile.width);
          const at = found.findIndex((entry, n) => !equalBytes(entry, part.entries[start + n] ?? new Uint8Array()));
          if (at >= 0) {
            this.#find(part.from + start + at, 'The entry that others read is another one than in the database.');
          }
        }
      } catch (error) {
        if (!(error instanceof CustodyError)) throw error;
        this.#find(part.from + start, error.message);
      }
    }
  }

  /** What is there beyond the tree that the sequencer knows. */
  async #rest(size: number, position: bigint): Promise<void> {
    this.#compareHeads(0);
    for (const [head, all] of this.#heads) {
      for (const { whose } of all) {
        this.#find(undefined, `The log has ${size} leaves, and ${whose} was signed for ${head}: it was rewound.`);
      }
    }
    const beyond = await this.#db.query('select index from log.leaf where index >= $1 order by index limit 1', [size]);
    for (const row of beyond) this.#find(Number(bigint(row, 'index')), 'The sequencer knows nothing of this leaf.');
    const late = await readFacts(this.#db, this.#order.views, { after: this.#position, until: position, limit: 1 });
    for (const fact of late) {
      this.#find(undefined, `The fact at place ${fact.position} has no leaf, and the log is further.`);
    }
  }
}

/** Whether an entry is exactly the leaf of this fact with this salt. */
function isLeafOf(
  { kind, id, timeMs }: Fact,
  content: string,
  { entry, salt }: { readonly entry: Uint8Array; readonly salt: Uint8Array },
): boolean {
  try {
    const commitment = commitmentOf({ salt, content }, nativeSha256);
    return equalBytes(encodeLeaf({ kind, id, timeMs, commitment }), entry);
  } catch (error) {
    // What somebody wrote there past every guard need not be a fact that a leaf can have.
    if (!(error instanceof CustodyError)) throw error;
    return false;
  }
}

/** The leaves that the content of an erasure lists. */
function erasedLeaves(content: string): readonly number[] {
  const parsed: unknown = JSON.parse(content);
  const data = typeof parsed === 'object' && parsed !== null && 'data' in parsed ? parsed.data : parsed;
  const leaves = typeof data === 'object' && data !== null && 'leaves' in data ? data.leaves : [];
  return Array.isArray(leaves) ? leaves.filter((leaf) => typeof leaf === 'number') : [];
}

/**
 * Proves the log from its first leaf: that each leaf is that of its fact, in the order of the facts, none missing and none too
 * many; that the tree over them has every root that was ever signed, so that any two checkpoints are consistent; and that what
 * others read is the same. Reads only; give it one snapshot (a transaction of `repeatable read`), or the log will grow under it.
 *
 * Whoever rewrites facts, leaves, salts and hashes so that they fit cannot make the old checkpoints fit: those are signed. That
 * newer checkpoints were thrown away as well is found by who has one: pass it in `checkpoints`.
 */
export async function verifyLog(db: Queries, order: LogVerification): Promise<LogReport> {
  return new Verifier(db, order).run();
}
