import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  consistencyProof,
  formatWitnessRequest,
  nodesOfTiles,
  parseCheckpointText,
  parseSignedNote,
  verifyConsistency,
} from '@bulkhead/tlog';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { isAddress } from './given-files.ts';
import { logFiles } from './log-files.ts';

/** Prints what shows that one checkpoint goes on from another, out of the log's tiles: for somebody who has not got them. */
export async function consistency({ words, folder, out }: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', words, {
    from: { type: 'string' },
    to: { type: 'string' },
    files: { type: 'string' },
  });
  const place = needed('audit consistency', 'files', options.files);
  const files = logFiles(isAddress(place) ? place : resolve(folder, place));
  const older = headIn(await noteIn(folder, needed('audit consistency', 'from', options.from)));
  const checkpoint = options.to === undefined ? await files.checkpoint() : await noteIn(folder, options.to);
  const newer = headIn(checkpoint);
  if (older.size > newer.size) {
    throw new UsageError(
      `The checkpoint of --from has ${older.size} leaves, more than the ${newer.size} of the other.`,
    );
  }
  const proof = await consistencyProof(nodesOfTiles(newer.size, files.tile), older.size, newer.size);
  if (!verifyConsistency(older, newer, proof)) {
    out(
      `The tiles do not show that the ${newer.size} leaves go on from the ${older.size}: these are two histories, or`,
    );
    out('the tiles are of another log. "bulkhead verify" with --log-tiles tells which.');
    return exitCodes.found;
  }
  out(formatWitnessRequest({ oldSize: older.size, proof, checkpoint }).trimEnd());
  return exitCodes.ok;
}

async function noteIn(folder: string, path: string): Promise<string> {
  return await readFile(resolve(folder, path), 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read${cause instanceof Error ? `: ${cause.message}` : ''}.`);
  });
}

function headIn(note: string): ReturnType<typeof parseCheckpointText> {
  return parseCheckpointText(parseSignedNote(note).text);
}
