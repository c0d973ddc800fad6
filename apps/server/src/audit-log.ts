import type { PublicLog } from '@bulkhead/api';
import type { LogAnchor } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import {
  anchorDigest,
  askWitness,
  type CheckpointSigner,
  type FactView,
  readTile,
  Sequencer,
  shownCheckpoint,
  signedSize,
  signHead,
  verifyEd25519,
  type Witness,
} from '@bulkhead/log';
import { bigint, type Database, text } from '@bulkhead/postgres';
import { formatVerifierKey, openCheckpoint, parseTilePath, type VerifierKey } from '@bulkhead/tlog';
import { Gauge, type Registry } from 'prom-client';
import type { Configuration } from './config.ts';
import type { Log } from './log.ts';
import type { Tell } from './part.ts';
import { checkpointsByFile, checkpointsBySigner } from './log-signer.ts';
import type { ReachedSigner } from './reached-signer.ts';

/** Where facts are read: each package answers for its own. */
export const factViews: readonly FactView[] = ['ledger.facts', 'custody.facts', 'reserves.facts'];
/** Pause between two looks at new facts, in milliseconds. */
const sequenceEveryMs = 200;

/** @throws CustodyError `config/invalid` where the newest checkpoint was signed by another key, or for another name */
async function holdKeyAgainstLog(db: Database, log: VerifierKey): Promise<void> {
  const [row] = await db.query('select note from log.checkpoint order by size desc limit 1');
  if (row === undefined) return;
  try {
    openCheckpoint(text(row, 'note'), { log, verify: verifyEd25519 });
  } catch (cause) {
    if (!(cause instanceof CustodyError)) throw cause;
    const message = `The audit log in the database was signed by another key than the one that signs now, or has another name: ${cause.message} All servers of one database have the same signer and origin: bring them here, or begin a new log.`;
    throw new CustodyError('config/invalid', message, { cause });
  }
}

type Running = {
  readonly db: Database;
  /** Who signs, once its key is known and held against what was signed before. */
  readonly signer: () => Promise<CheckpointSigner>;
  readonly checkpointMs: number;
  readonly log: Log;
};

/** Sequences, and has what was sequenced signed, until it is ended. The log goes on whether or not anybody signs. */
class LogLoop {
  readonly #parts: Running;
  readonly #witnesses: readonly Witness[];
  readonly #sequencer: Sequencer;
  readonly #asking = new Map<Witness, Promise<void>>();
  readonly #troubles = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #signing: Promise<void> | undefined;
  #triedAt = 0;
  #signed = 0;
  #ended = false;

  constructor(parts: Running, witnesses: readonly Witness[]) {
    this.#parts = parts;
    this.#witnesses = witnesses;
    this.#sequencer = new Sequencer(parts.db, { views: factViews });
  }

  begin(): void {
    this.#underWay = this.#round().then(() => {
      if (!this.#ended) this.#timer = setTimeout(() => this.begin(), sequenceEveryMs);
    });
  }

  /** What people must look into; empty while all is well. */
  get troubles(): readonly string[] {
    return [...this.#troubles.values()];
  }

  async end(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#underWay;
    await this.#signing;
    await Promise.all(this.#asking.values());
    try {
      await this.#sequencer.resign();
    } catch (error) {
      // The lease runs out by itself.
      this.#parts.log.debug({ err: error }, 'the sequencer of the audit log did not resign');
    }
  }

  async #round(): Promise<void> {
    try {
      for (;;) {
        const step = await this.#sequencer.step();
        if (step.status === 'elsewhere') return;
        if (step.tookOver) this.#parts.log.info({ size: step.size }, 'this process sequences the audit log');
        if (step.isMore && !this.#ended) continue;
        if (step.size > this.#signed && !this.#ended) this.#haveSigned();
        this.#clear('log');
        return;
      }
    } catch (error) {
      // Facts stay where they are: the next round takes them.
      this.#trouble('log', `The audit log does not go on: ${sentenceOf(error)}`);
    }
  }

  /** Beside the sequencing, which waits for no signer: the newest head is signed when there is one again. */
  #haveSigned(): void {
    if (this.#signing !== undefined || Date.now() - this.#triedAt < this.#parts.checkpointMs) return;
    this.#triedAt = Date.now();
    this.#signing = this.#sign().finally(() => (this.#signing = undefined));
  }

  async #sign(): Promise<void> {
    const { db, signer } = this.#parts;
    try {
      this.#signed = await signHead(db, await signer(), new Date());
    } catch (error) {
      // What is sequenced stays: the next attempt signs it with what came meanwhile.
      return this.#trouble('checkpoint', `The audit log has no new checkpoint: ${sentenceOf(error)}`);
    }
    this.#clear('checkpoint');
    for (const witness of this.#witnesses) {
      // One question at a time: a slow witness is asked again with what is newest then.
      if (this.#asking.has(witness)) continue;
      const asking = this.#ask(witness, this.#signed).finally(() => this.#asking.delete(witness));
      this.#asking.set(witness, asking);
    }
  }

  async #ask(witness: Witness, size: number): Promise<void> {
    const { name } = witness.key;
    try {
      const answer = await askWitness(this.#parts.db, witness, { size, now: () => new Date() });
      if (answer.status === 'cosigned') return this.#clear(name);
      if (answer.status === 'rewound') {
        const sentence = `The witness ${name} cosigned ${answer.witnessed} leaves of the audit log, and there are ${answer.size}: the database was put back to an older state.`;
        return this.#trouble(name, sentence);
      }
      const what = answer.status === 'refused' ? 'refuses to cosign the audit log' : 'does not answer';
      this.#trouble(name, `The witness ${name} ${what}: ${answer.reason}`);
    } catch (error) {
      this.#trouble(name, `The witness ${name} was not asked: ${sentenceOf(error)}`);
    }
  }

  #trouble(who: string, sentence: string): void {
    if (this.#troubles.get(who) === sentence) return;
    this.#troubles.set(who, sentence);
    this.#parts.log.error({ sentence }, 'trouble with the audit log');
  }

  #clear(who: string): void {
    if (this.#troubles.delete(who)) this.#parts.log.info({ who }, 'the trouble with the audit log is over');
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export type AuditLog = AsyncDisposable & {
  readonly publicLog: PublicLog;
  /** Sentences for people; empty while all is well. */
  readonly troubles: () => readonly string[];
};

export type AuditLogParts = {
  readonly db: Database;
  readonly reached: ReachedSigner;
  readonly log: Log;
  readonly tell: Tell;
};

/** What everybody may read of the log, from the database. Only what is signed is given out. */
function publicLogOver(db: Database, witnessesMin: number): PublicLog {
  return {
    checkpoint: async () => (await shownCheckpoint(db, witnessesMin))?.note,
    tile: async (path) => {
      const tile = parseTilePath(`tile/${path}`);
      return tile === undefined ? undefined : readTile(db, tile, await signedSize(db));
    },
  };
}

/**
 * Starts sequencing and signing beside everything else. Several servers on one database may all do this: one of them works.
 *
 * @throws CustodyError `config/invalid`, `key/file-access`, `key/damaged-file`
 */
export async function startAuditLog(configuration: Configuration, parts: AuditLogParts): Promise<AuditLog> {
  const { db, log, tell, reached } = parts;
  const { witnesses, witnessesMin, checkpointMs, keyFile, origin } = configuration.log;
  const signer =
    keyFile === undefined
      ? checkpointsBySigner(reached, origin)
      : checkpointsByFile(keyFile, {
          origin: origin ?? `bulkhead.invalid/${reached.pinned.deployment}`,
        });
  let held: CheckpointSigner | undefined;
  const heldSigner = async (): Promise<CheckpointSigner> => {
    const known = await signer();
    // Once for each key: whoever changed it, the log does not go on under another.
    if (known.key !== held?.key) await holdKeyAgainstLog(db, known.key);
    held = known;
    return known;
  };
  const where = witnesses.length === 0 ? 'no witness watches it' : `witnesses: ${witnesses.length}`;
  const key = await keyOrSilence(heldSigner);
  const keeper = keyFile === undefined ? 'key in the signer' : `WARNING: key in a file, ${keyFile}, for development`;
  tell({
    part: 'log',
    what:
      key === undefined ? 'WARNING: the audit log has nobody who signs it now' : `Audit log ${formatVerifierKey(key)}`,
    where: `${keeper}; ${where}`,
  });
  const loop = new LogLoop({ db, signer: heldSigner, checkpointMs, log }, witnesses);
  loop.begin();
  return {
    publicLog: publicLogOver(db, witnessesMin),
    troubles: () => loop.troubles,
    [Symbol.asyncDispose]: () => loop.end(),
  };
}

/** The checkpoint that readers are shown, as a heartbeat puts it on a chain. */
export async function newestAnchor(db: Database, witnessesMin: number): Promise<LogAnchor | undefined> {
  const shown = await shownCheckpoint(db, witnessesMin);
  return shown === undefined ? undefined : { size: shown.size, digest: anchorDigest(shown.note) };
}

/** The key of the log where whoever has it answers now. A signer that is away, or whose registry lists no log yet, is no reason not to start. */
async function keyOrSilence(signer: () => Promise<CheckpointSigner>): Promise<VerifierKey | undefined> {
  try {
    return (await signer()).key;
  } catch (error) {
    const awaited = error instanceof CustodyError && /^(?:signer|hsm)\//u.test(error.code);
    if (awaited && error.code !== 'signer/certificate-invalid') return undefined;
    throw error;
  }
}

/** Adds how far the log goes, what waits to be sequenced, and whether people must look into it. */
export function gaugeLog(registry: Registry, db: Database, { troubles }: AuditLog): void {
  const registers = [registry];
  const gauge = (name: string, help: string, sql: string): void => {
    const one: Gauge = new Gauge({
      name: `bulkhead_log_${name}`,
      help,
      registers,
      async collect() {
        const [row] = await db.query(sql);
        if (row !== undefined) one.set(Number(bigint(row, 'value')));
      },
    });
  };
  gauge('leaves', 'Leaves of the audit log', 'select size as value from log.sequencer');
  gauge(
    'waiting',
    'Places of facts that the audit log has not reached, those without a fact included',
    'select ledger.last_position() - position as value from log.sequencer',
  );
  gauge(
    'signed',
    'Leaves under the newest checkpoint',
    'select coalesce(max(size), 0)::bigint as value from log.checkpoint',
  );
  gauge(
    'witnessed',
    'Leaves under the newest cosignature',
    'select coalesce(max(size), 0)::bigint as value from log.cosignature',
  );
  const trouble: Gauge = new Gauge({
    name: 'bulkhead_log_troubles',
    help: 'Troubles of the audit log or with its witnesses; /readyz has the sentences',
    registers,
    collect() {
      trouble.set(troubles().length);
    },
  });
}
