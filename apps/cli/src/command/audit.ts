import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  eraseJournal,
  erasePersonal,
  factPositions,
  namingFacts,
  personalFindings,
  recordErasure,
} from '@bulkhead/custody';
import {
  erasedAtOnceMax,
  eraseOpenings,
  type LogReport,
  openedLeaves,
  readTile,
  receiptsOf,
  shownCheckpoint,
  softwareSigner,
  verifyLog,
} from '@bulkhead/log';
import { invariant } from '@bulkhead/domain';
import { type Database, openDatabase, text } from '@bulkhead/postgres';
import { besideRunning, type Configuration, factViews, loadConfiguration, reachDatabase } from '@bulkhead/server';
import {
  parseCheckpointText,
  parseSignedNote,
  parseVerifierKey,
  receiptJson,
  tilePath,
  tilesBetween,
  type VerifierKey,
} from '@bulkhead/tlog';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { byHand } from './address.ts';
import { logFiles, placeFile } from './log-files.ts';

/** A verification reads everything that was ever written. */
const verificationMsMax = 3_600_000;

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = {
  verify,
  export: exportFiles,
  receipt,
  erase,
};

export async function audit(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined) {
    throw new UsageError('audit knows: verify, export, receipt, erase. "bulkhead help audit" explains them.');
  }
  return run({ ...terminal, words });
}

type Reached = AsyncDisposable & { readonly configuration: Configuration; readonly db: Database };

async function reached(terminal: Terminal, as: 'owner' | 'app'): Promise<Reached> {
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using parts = new AsyncDisposableStack();
  const database = parts.use(await reachDatabase(configuration));
  const db = parts.use(openDatabase({ ...database.access[as], connections: 2, statementTimeoutMs: verificationMsMax }));
  const owned = parts.move();
  return { configuration, db, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The key that was given, or the one in the file of this installation; its name is the one of the log where none is configured. */
async function keyOf(given: string | undefined, { configuration, db }: Reached): Promise<VerifierKey | undefined> {
  if (given !== undefined) return parseVerifierKey(given);
  const { keyFile, origin } = configuration.log;
  const [row] = await db.query('select note from log.checkpoint order by size desc limit 1');
  if (row === undefined) return undefined;
  const name = origin ?? parseCheckpointText(parseSignedNote(text(row, 'note')).text).origin;
  return softwareSigner(await readFile(keyFile, 'utf8'), name, 'ed25519').key;
}

async function verify(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, {
    key: { type: 'string' },
    files: { type: 'string' },
    checkpoint: { type: 'string', multiple: true },
  });
  await using opened = await reached(terminal, 'app');
  const log = await keyOf(options.key, opened);
  if (log === undefined) {
    terminal.out('Nothing was signed yet: there is no checkpoint to verify.');
    return exitCodes.ok;
  }
  const files = options.files === undefined ? undefined : logFiles(filesPlace(terminal, options.files));
  const notes = (options.checkpoint ?? []).map((path) => readFile(resolve(terminal.folder, path), 'utf8'));
  const checkpoints = await Promise.all([...notes, ...(files === undefined ? [] : [files.checkpoint()])]);
  const work = async (): Promise<LogReport> =>
    // One snapshot: the log grows meanwhile.
    opened.db.transaction(
      (tx) =>
        verifyLog(tx, {
          log,
          views: factViews,
          checkpoints,
          ...(files === undefined ? {} : { readTile: files.tile }),
        }),
      { isolation: 'repeatable read', readOnly: true },
    );
  return tellReport(terminal, await withProgress(terminal, 'verifying', work));
}

function filesPlace(terminal: Terminal, place: string): string {
  return /^https?:\/\//u.test(place) ? place : resolve(terminal.folder, place);
}

function tellReport(terminal: Terminal, report: LogReport): ExitCode {
  const { leaves, checkpoints, erased, waiting, findings, unnamed } = report;
  for (const { index, what } of findings) terminal.out(index === undefined ? what : `leaf ${index}: ${what}`);
  if (unnamed > 0) terminal.out(`… and ${unnamed} more`);
  const first = findings.find(({ index }) => index !== undefined)?.index;
  if (first !== undefined) terminal.out(`The first leaf that differs is ${first}.`);
  const count = findings.length + unnamed;
  terminal.out(
    count === 0
      ? `${leaves} leaves are what their facts say, in their order, and the tree over them has the root of each of ${checkpoints} checkpoints${erased > 0 ? `; ${erased} were erased, which the log accounts for` : ''}${waiting ? '. Newer facts are not in it yet' : ''}.`
      : `${count} things are wrong. Keep a copy of the database and of everything that witnesses have, and find out who changed it.`,
  );
  return count === 0 ? exitCodes.ok : exitCodes.found;
}

/** Writes the log as files, for any static host. The checkpoint comes last, so that whoever reads it finds all that it covers. */
async function exportFiles(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, { out: { type: 'string' } });
  const folder = resolve(terminal.folder, needed('audit export', 'out', options.out));
  await using opened = await reached(terminal, 'app');
  const { db, configuration } = opened;
  const checkpoint = await shownCheckpoint(db, configuration.log.witnessesMin);
  if (checkpoint === undefined) {
    terminal.out('Nothing was signed yet: there is nothing to write.');
    return exitCodes.ok;
  }
  const older = await exportedSize(folder);
  if (older > checkpoint.size) {
    terminal.out(
      `${folder} has ${older} leaves, and the log ${checkpoint.size}: it is of another log, or that was rewound.`,
    );
    return exitCodes.found;
  }
  let written = 0;
  await withProgress(terminal, 'writing', async () => {
    for (const tile of tilesBetween(older, checkpoint.size)) {
      const bytes = await readTile(db, tile, checkpoint.size);
      invariant(bytes !== undefined, 'The signed tree has every tile of its size.');
      await placeFile(join(folder, tilePath(tile)), bytes);
      written += 1;
    }
    await placeFile(join(folder, 'checkpoint'), checkpoint.note);
  });
  terminal.out(`${checkpoint.size} leaves, ${written} files written below ${folder}`);
  return exitCodes.ok;
}

/** How many leaves the folder has; what it says is believed by nobody else. */
async function exportedSize(folder: string): Promise<number> {
  try {
    return parseCheckpointText(parseSignedNote(await readFile(join(folder, 'checkpoint'), 'utf8')).text).size;
  } catch {
    // None, or none that can be read: everything is written.
    return 0;
  }
}

async function receipt(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, { id: { type: 'string' } });
  const id = needed('audit receipt', 'id', options.id);
  await using opened = await reached(terminal, 'app');
  const { db, configuration } = opened;
  const { witnessesMin } = configuration.log;
  const found = await receiptsOf(db, { views: factViews, positions: await factPositions(db, id), witnessesMin });
  terminal.out(JSON.stringify(found.map(receiptJson), null, 2));
  return found.length === 0 ? exitCodes.found : exitCodes.ok;
}

async function erase(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, {
    leaf: { type: 'string', multiple: true },
    reason: { type: 'string' },
  });
  const reason = needed('audit erase', 'reason', options.reason);
  const leaves = [needed('audit erase', 'leaf', options.leaf?.[0]), ...(options.leaf ?? []).slice(1)];
  if (leaves.some((leaf) => !/^[0-9]{1,15}$/u.test(leaf))) throw new UsageError('--leaf needs the number of a leaf.');
  await using opened = await reached(terminal, 'owner');
  const now = new Date();
  await eraseOpenings(opened.db, {
    leaves: leaves.map(Number),
    eraseContents: (tx, positions) => eraseJournal(tx, positions, now),
    record: (tx, erased) => recordErasure(tx, now, { actor: byHand('audit').actor, leaves: erased, reason }),
  });
  terminal.out(`${leaves.length} openings are destroyed; the leaves stay.`);
  return exitCodes.ok;
}
