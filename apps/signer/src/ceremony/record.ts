import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CanonicalObject, canonicalJson, chainHash, parseCanonicalJson } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { z } from 'zod';
import { nativeHashes } from '../process/native-hashes.ts';
import { sha256Of } from './document.ts';
import { type StepId, stepIds } from './steps.ts';

/** Bytes of the record of one ceremony. */
export const recordBytesMax: number = 4_194_304;

const fields = {
  sequence: z.string().regex(/^[1-9][0-9]{0,5}$/u),
  previous: z.string().regex(/^[0-9a-f]{64}$/u),
  step: z.enum(stepIds),
  performer: z.string(),
  witnesses: z.array(z.string()),
  /** UTC, ISO 8601 with milliseconds. */
  began: z.iso.datetime({ precision: 3 }),
  ended: z.iso.datetime({ precision: 3 }),
  exceptions: z.array(z.string()),
};
const result = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/**
 * `spec/ceremony.md`. `failed`: an attempt of `step` came to nothing, and nobody has confirmed anything. `interrupted`: a run ended
 * before `step` was confirmed, and another one went on.
 */
const lineForm = z.strictObject({ type: z.enum(['step', 'failed', 'interrupted']), ...fields, result });

export type RecordLine = z.output<typeof lineForm>;
/** Public facts of a step: texts and lists of them. */
export type StepResult = RecordLine['result'];

export type CeremonyRecord = AsyncDisposable & {
  readonly lines: readonly RecordLine[];
  /** As they stand in the file. */
  readonly texts: readonly string[];
  /** Bytes of an unfinished line that were cut off when the record was opened. */
  readonly tornBytes: number;
  /** Returned: the line survives a loss of power. */
  append(line: Omit<RecordLine, 'sequence' | 'previous'>): Promise<void>;
};

/**
 * Opens the record of a ceremony, or begins it. Each line is chained to the one before, the first to the plan.
 *
 * @throws CustodyError `ceremony/damaged-bundle` where a line is not what was written
 */
export async function openRecord(path: string, plan: string): Promise<CeremonyRecord> {
  const handle = await open(path, 'a+', 0o600);
  try {
    const bytes = await contents(handle, path);
    const end = bytes.lastIndexOf(0x0a) + 1;
    const texts = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
    const { lines, faults, hash } = readChain(texts, plan);
    if (faults[0] !== undefined) {
      throw new CustodyError('ceremony/damaged-bundle', `The record ${path} cannot be gone on with: ${faults[0]}.`);
    }
    // What a crash tore off was never confirmed to anybody.
    if (end < bytes.length) await handle.truncate(end);
    await syncFolder(dirname(path));
    return recordOn(handle, { lines: [...lines], texts, hash, tornBytes: bytes.length - end });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

type Chain = { readonly lines: readonly RecordLine[]; readonly faults: readonly string[]; readonly hash: string };

/** Reads the lines of a record and its last hash. A fault names the first line that does not fit; nothing after it is judged. */
export function readChain(texts: readonly string[], plan: string): Chain {
  const lines: RecordLine[] = [];
  let hash = plan;
  for (const [at, text] of texts.entries()) {
    const line = parseLine(text);
    const fault = faultOf(line, { sequence: at + 1, hash });
    if (line === undefined || fault !== undefined) return { lines, faults: [fault ?? ''], hash };
    lines.push(line);
    hash = nextHash(hash, text);
  }
  return { lines, faults: [], hash };
}

function faultOf(line: RecordLine | undefined, at: { sequence: number; hash: string }): string | undefined {
  if (line === undefined) return `line ${at.sequence} of the record is not in its form`;
  if (line.sequence !== String(at.sequence)) return `line ${at.sequence} of the record has the number ${line.sequence}`;
  if (line.previous === at.hash) return undefined;
  return at.sequence === 1
    ? 'line 1 of the record belongs to another plan, or the plan was changed'
    : `line ${at.sequence - 1} of the record was changed, or line ${at.sequence} does not follow it`;
}

function parseLine(text: string): RecordLine | undefined {
  try {
    return lineForm.safeParse(parseCanonicalJson(text)).data;
  } catch (error) {
    if (error instanceof CustodyError) return undefined;
    throw error;
  }
}

/** The line of a chain: canonical JSON, each with its number and the hash before it. */
export function chainedLine(
  at: { readonly sequence: number; readonly previous: string },
  line: CanonicalObject,
): string {
  return canonicalJson({ ...line, sequence: String(at.sequence), previous: at.previous });
}

export function nextHash(previous: string, text: string): string {
  return chainHash(nativeHashes(), previous, sha256Of(text));
}

function recordOn(
  handle: FileHandle,
  state: { readonly lines: RecordLine[]; readonly texts: string[]; hash: string; readonly tornBytes: number },
): CeremonyRecord {
  return {
    lines: state.lines,
    texts: state.texts,
    tornBytes: state.tornBytes,
    async append(line) {
      const place = { sequence: state.lines.length + 1, previous: state.hash };
      const text = chainedLine(place, line);
      await handle.appendFile(`${text}\n`, 'utf8');
      await handle.sync();
      state.lines.push({ ...line, sequence: String(place.sequence), previous: place.previous });
      state.texts.push(text);
      state.hash = nextHash(state.hash, text);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function contents(handle: FileHandle, path: string): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size > recordBytesMax) {
    throw new CustodyError('ceremony/damaged-bundle', `The record ${path} has more than ${recordBytesMax} bytes.`);
  }
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await handle.read(bytes, 0, size, 0);
  return bytes.subarray(0, bytesRead);
}

async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The last confirmed line of a step. */
export function lineOf(lines: readonly RecordLine[], step: StepId): RecordLine | undefined {
  return lines.findLast((line) => line.type === 'step' && line.step === step);
}
