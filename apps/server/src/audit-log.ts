import type { PublicLog } from '@bulkhead/api';
import type { LogAnchor } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';
import {
  anchorDigest,
  askWitness,
  type FactView,
  newKeyPem,
  type NoteSigner,
  readTile,
  Sequencer,
  shownCheckpoint,
  signedSize,
  signHead,
  softwareSigner,
  verifyEd25519,
  type Witness,
} from '@bulkhead/log';
import { bigint, type Database, text } from '@bulkhead/postgres';
import { formatVerifierKey, openCheckpoint, parseTilePath, type VerifierKey } from '@bulkhead/tlog';
import { Gauge, type Registry } from 'prom-client';
import type { Configuration } from './config.ts';
import type { Log } from './log.ts';
import type { Tell } from './part.ts';
import { privateText } from './private-file.ts';

/** Where facts are read: each package answers for its own. */
export const factViews: readonly FactView[] = ['ledger.facts', 'custody.facts', 'reserves.facts'];
/** Pause between two looks at new facts, in milliseconds. */
const sequenceEveryMs = 200;
/** Least time between two checkpoints of a log that grows. */
const checkpointEveryMs = 500;

/**
 * The key of the log, made at the first start where none is configured. It is in a file of this process: whoever has that file can
 * sign another log, and only witnesses and copies outside tell which one was first.
 *
 * @throws CustodyError `key/file-access`, `key/damaged-file`
 */
export function logSigner({ log }: Pick<Configuration, 'log'>, deployment: string): NoteSigner {
  const pem = privateText(log.keyFile, newKeyPem);
  return softwareSigner(pem, log.origin ?? `bulkhead.invalid/${deployment}`, 'ed25519');
}

/** @throws CustodyError `config/invalid` where the newest checkpoint was signed by another key, or for another name */
async function holdKeyAgainstLog(db: Database, log: VerifierKey): Promise<void> {
  const [row] = await db.query('select note from log.checkpoint order by size desc limit 1');
  if (row === undefined) return;
  try {
    openCheckpoint(text(row, 'note'), { log, verify: verifyEd25519 });
  } catch (cause) {
    if (!(cause instanceof CustodyError)) throw cause;
    const message = `The audit log in the database was signed by another key than that of /log/keyFile, or has another name than /log/origin: ${cause.message} All servers of one database have the same key and origin: bring them here.`;
    throw new CustodyError('config/invalid', message, { cause });
  }
}

type Running = { readonly db: Database; readonly signer: NoteSigner; readonly log: Log };

/** Sequences and signs, one after the other, until it is ended. */
class LogLoop {
  readonly #parts: Running;
  readonly #witnesses: readonly Witness[];
  readonly #sequencer: Sequencer;
  readonly #asking = new Map<Witness, Promise<void>>();
  readonly #troubles = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> = Promise.resolve();
  #signedAt = 0;
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
        if (step.size > this.#signed && Date.now() - this.#signedAt >= checkpointEveryMs) await this.#sign();
        this.#clear('log');
        return;
      }
    } catch (error) {
      // Facts stay where they are: the next round takes them.
      this.#trouble('log', `The audit log does not go on: ${sentenceOf(error)}`);
    }
  }

  async #sign(): Promise<void> {
    const { db, signer } = this.#parts;
    this.#signed = await signHead(db, signer, new Date());
    this.#signedAt = Date.now();
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
  readonly deployment: string;
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
  const { db, log, tell, deployment } = parts;
  const signer = logSigner(configuration, deployment);
  await holdKeyAgainstLog(db, signer.key);
  const { witnesses, witnessesMin, keyFile } = configuration.log;
  const loop = new LogLoop({ db, signer, log }, witnesses);
  loop.begin();
  tell({
    part: 'log',
    what: `Audit log ${formatVerifierKey(signer.key)}`,
    where: `key in ${keyFile}; ${witnesses.length === 0 ? 'no witness watches it' : `witnesses: ${witnesses.length}`}`,
  });
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
