import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { personalFindings } from '@bulkhead/custody';
import { invariant } from '@bulkhead/domain';
import { type LogReport, readTile, shownCheckpoint, verifyLog } from '@bulkhead/log';
import { factViews } from '@bulkhead/server';
import { parseCheckpointText, parseSignedNote, tilePath, tilesBetween } from '@bulkhead/tlog';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { keyOf, reached } from './audit-access.ts';
import { anchorsOn } from './audit-anchor.ts';
import { consistency } from './audit-consistency.ts';
import { erase, retain } from './audit-erase.ts';
import { receipt } from './audit-receipt.ts';
import { logFiles, placeFile } from './log-files.ts';

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = {
  verify,
  export: exportFiles,
  receipt,
  consistency,
  erase,
  retain,
};

export async function audit(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined) {
    throw new UsageError(
      'audit knows: verify, export, receipt, consistency, erase, retain. "bulkhead help audit" explains them.',
    );
  }
  return run({ ...terminal, words });
}

async function verify(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, {
    key: { type: 'string' },
    files: { type: 'string' },
    checkpoint: { type: 'string', multiple: true },
    rpc: { type: 'string' },
    'signer-set': { type: 'string' },
    'from-block': { type: 'string' },
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
  const anchors = await anchorsOn(opened.db, options);
  const work = async (): Promise<Verified> =>
    // One snapshot: the log grows meanwhile.
    opened.db.transaction(
      async (tx) => ({
        personal: await personalFindings(tx),
        report: await verifyLog(tx, {
          log,
          views: factViews,
          checkpoints,
          ...(anchors === undefined ? {} : { anchors }),
          ...(files === undefined ? {} : { readTile: files.tile }),
        }),
      }),
      { isolation: 'repeatable read', readOnly: true },
    );
  return tellReport(terminal, await withProgress(terminal, 'verifying', work), anchors?.length);
}

type Verified = { readonly report: LogReport; readonly personal: readonly string[] };

function filesPlace(terminal: Terminal, place: string): string {
  return /^https?:\/\//u.test(place) ? place : resolve(terminal.folder, place);
}

function tellReport(terminal: Terminal, { report, personal }: Verified, anchors: number | undefined): ExitCode {
  const { findings, unnamed } = report;
  for (const { index, what } of findings) terminal.out(index === undefined ? what : `leaf ${index}: ${what}`);
  if (unnamed > 0) terminal.out(`… and ${unnamed} more`);
  for (const sentence of personal) terminal.out(sentence);
  const first = findings.reduce((least, { index }) => Math.min(least, index ?? least), Number.POSITIVE_INFINITY);
  if (Number.isFinite(first)) terminal.out(`The first leaf that differs is ${first}.`);
  const count = findings.length + unnamed + personal.length;
  terminal.out(
    count === 0
      ? soundSentence(report, anchors)
      : `${count} things are wrong. Keep a copy of the database and of everything that witnesses have, and find out who changed it.`,
  );
  return count === 0 ? exitCodes.ok : exitCodes.found;
}

function soundSentence(
  { leaves, checkpoints, erased, waiting, anchoredSize }: LogReport,
  anchors: number | undefined,
): string {
  const parts = [
    `${leaves} leaves are what their facts say, in their order, and the tree over them has the root of each of ${checkpoints} checkpoints`,
    ...(erased > 0 ? [`${erased} were erased, which the log accounts for`] : []),
    ...(anchors === undefined
      ? []
      : [
          anchors === 0
            ? 'the chain has no anchor of it'
            : `all of ${anchors} anchors on the chain are of it, and cover ${anchoredSize} leaves`,
        ]),
  ];
  return `${parts.join('; ')}${waiting ? '. Newer facts are not in it yet' : ''}.`;
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
