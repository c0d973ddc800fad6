import {
  canonicalJson,
  chainHash,
  type Hashes,
  isCanonicalObject,
  lineDigest,
  parseCanonicalJson,
  parseRecordLine,
  parseStatement,
  type RecordLine,
  recordLine,
  zeroHash,
} from '@bulkhead/authority';
import { CustodyError, type DecisionRecord, type SignedStatement } from '@bulkhead/domain';
import type { RememberedHead } from '@bulkhead/keys';
import { growingNumbers, type GrowingNumbers } from './growing-numbers.ts';
import { groupRecordsMax } from './options.ts';
import type { StateFile } from './state-file.ts';

/** Bytes of records that one answer carries, one record at least. */
export const recordsBytesMax: number = 2_000_000;

const chunkBytes = 1_048_576;
const headWord = 'head ';
const hashDigits = 64;

/** A record before it is written: position and time are given with the group. */
export type PreparedLine = { readonly line: string; readonly hash: string; readonly digest: string };

/**
 * Records that become durable together, and the signed head that covers them. Without one they are signatures alone, which the head of
 * the next group covers.
 */
export type PreparedGroup = {
  readonly lines: readonly PreparedLine[];
  readonly end: RememberedHead;
  readonly at: bigint;
  readonly head?: SignedStatement;
};

/**
 * The log as it is on disk. Each record is a line `{hash} {canonical JSON}`; after each group stands a line `head {statement}`
 * with the signed head. What follows the last such line was never finished, but for records of the type `signed`: they prove
 * themselves, and are the beginning of the group to come.
 */
export type StateLog = {
  readonly end: () => RememberedHead;
  /** Newest record under a signed head: what slots remember and strangers are told. */
  readonly covered: () => RememberedHead;
  /** Records after it. */
  readonly openLines: () => number;
  /** Time of the newest record, Unix seconds. */
  readonly at: () => bigint;
  /** Newest record under the head before the newest one: slots may be as far behind, and no further. */
  readonly floor: () => bigint;
  /** Bytes after the last complete group, as the start found them. */
  readonly tornBytes: number;
  /** Removes them. Only once every head store has shown that they were never committed. */
  cutTorn(): Promise<void>;
  prepare(records: readonly RecordLine[]): readonly PreparedLine[];
  /** Appends a group and makes it durable. After a throw nothing may be appended any more. */
  write(group: PreparedGroup): Promise<void>;
  /** Hash of the log at a position, undefined beyond its end. */
  hashAt(sequence: bigint): Promise<string | undefined>;
  line(sequence: bigint): Promise<string>;
  records(range: { after: bigint; limit: number; upTo: bigint }): Promise<readonly DecisionRecord[]>;
};

type Index = {
  /** Where the line of each sequence begins; the first sequence is 1. */
  readonly lineStarts: GrowingNumbers;
  /** Newest sequence of each group, and where its head line ends. */
  readonly groupEnds: GrowingNumbers;
  readonly groupOffsets: GrowingNumbers;
};

type Position = {
  sequence: bigint;
  hash: string;
  at: bigint;
  covered: RememberedHead;
  floor: bigint;
  size: number;
};

export type Replay = {
  readonly file: StateFile;
  readonly hashes: Hashes;
  /** Takes each record of each complete group, in order. */
  readonly onRecord: (record: RecordLine) => void;
};

/**
 * Reads the whole log, recomputes every hash and hands each record on.
 *
 * @returns the log and the newest signed head, undefined for an empty file
 * @throws CustodyError `signer/state-damaged`
 */
export async function openStateLog(replay: Replay): Promise<{ log: StateLog; head: SignedStatement | undefined }> {
  const { file, hashes } = replay;
  const index: Index = { lineStarts: growingNumbers(), groupEnds: growingNumbers(), groupOffsets: growingNumbers() };
  const nothing = { sequence: 0n, hash: zeroHash };
  const position: Position = { ...nothing, at: 0n, covered: nothing, floor: 0n, size: 0 };
  const head = await readGroups(replay, { index, position });
  const size = await file.size();
  return { log: logOf({ file, hashes, index, position, tornBytes: size - position.size }), head };
}

type ReadLine = { readonly record: RecordLine; readonly hash: string; readonly start: number; readonly end: number };
type OpenGroup = { readonly lines: ReadLine[]; hash: string; sequence: bigint };

/** Goes line by line and stops at the first that cannot belong to a complete group; the caller judges what is left. */
async function readGroups(
  { file, hashes, onRecord }: Replay,
  at: { readonly index: Index; readonly position: Position },
): Promise<SignedStatement | undefined> {
  let head: SignedStatement | undefined;
  const { index, position } = at;
  let group: OpenGroup = { lines: [], hash: position.hash, sequence: position.sequence };
  await eachLine(file, (text, start, end) => {
    if (!text.startsWith(headWord)) return readRecord({ group, hashes, text, start, end });
    const signed = readHead(text.slice(headWord.length), group);
    if (signed === undefined || group.lines.length === 0) return false;
    head = signed;
    for (const line of group.lines) takeLine(at, line, onRecord);
    index.groupEnds.push(Number(group.sequence));
    index.groupOffsets.push(end);
    cover(position, end);
    group = { lines: [], hash: group.hash, sequence: group.sequence };
    return true;
  });
  // Signatures that no head covers yet. Each of them is held against its grant before it is given out, and none of them moves the time,
  // so nothing is believed here.
  for (const line of group.lines.slice(0, groupRecordsMax)) {
    if (line.record.type !== 'signed' || line.record.at !== position.at) break;
    takeLine(at, line, onRecord);
  }
  return head;
}

function takeLine(
  { index, position }: { readonly index: Index; readonly position: Position },
  { record, hash, start, end }: ReadLine,
  onRecord: Replay['onRecord'],
): void {
  index.lineStarts.push(start);
  onRecord(record);
  position.at = record.at;
  position.sequence = record.sequence;
  position.hash = hash;
  position.size = end;
}

/** A signed head stands after the newest record. */
function cover(position: Position, size: number): void {
  position.floor = position.covered.sequence;
  position.covered = { sequence: position.sequence, hash: position.hash };
  position.size = size;
}

type LineRead = {
  readonly group: OpenGroup;
  readonly hashes: Hashes;
  readonly text: string;
  readonly start: number;
  readonly end: number;
};

function readRecord({ group, hashes, text, start, end }: LineRead): boolean {
  const line = text.slice(hashDigits + 1);
  const hash = chainHash(hashes, group.hash, lineDigest(hashes, line));
  if (text.slice(0, hashDigits) !== hash || text.charAt(hashDigits) !== ' ') return false;
  const record = parseRecordLine(line);
  if (record.sequence !== group.sequence + 1n) return false;
  group.lines.push({ record, hash, start, end });
  group.hash = hash;
  group.sequence = record.sequence;
  return true;
}

/** The signed head of a complete group, or undefined where the line does not say what the group has come to. */
function readHead(text: string, group: OpenGroup): SignedStatement | undefined {
  const signed = parseSigned(text);
  if (signed === undefined) return undefined;
  const { kind, fields } = parseStatement(signed.statement);
  const fits = kind === 'head' && fields['sequence'] === String(group.sequence) && fields['hash'] === group.hash;
  return fits ? signed : undefined;
}

function parseSigned(text: string): SignedStatement | undefined {
  try {
    const value = parseCanonicalJson(text);
    if (!isCanonicalObject(value)) return undefined;
    const { statement, identity, signature } = value;
    if (typeof statement !== 'string' || typeof identity !== 'string') return undefined;
    if (typeof signature !== 'string') return undefined;
    return { statement, identity, signature };
  } catch {
    return undefined;
  }
}

type OnLine = (text: string, start: number, end: number) => boolean;

/** Calls for each line with its line feed there, until it is told to stop. */
async function eachLine(file: StateFile, onLine: OnLine): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for (;;) {
    const chunk = await file.read(offset + rest.length, chunkBytes);
    if (chunk.length === 0) return;
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let feed = bytes.indexOf(10); feed !== -1; feed = bytes.indexOf(10, start)) {
      if (!onLine(bytes.toString('utf8', start, feed), offset + start, offset + feed + 1)) return;
      start = feed + 1;
    }
    rest = bytes.subarray(start);
    offset += start;
  }
}

type Parts = {
  readonly file: StateFile;
  readonly hashes: Hashes;
  readonly index: Index;
  readonly position: Position;
  readonly tornBytes: number;
};

function logOf(parts: Parts): StateLog {
  const { file, hashes, index, position } = parts;
  return {
    end: () => ({ sequence: position.sequence, hash: position.hash }),
    at: () => position.at,
    covered: () => position.covered,
    openLines: () => Number(position.sequence - position.covered.sequence),
    floor: () => position.floor,
    tornBytes: parts.tornBytes,
    async cutTorn() {
      if ((await file.size()) > position.size) await file.truncate(position.size);
    },
    prepare(records) {
      let hash = position.hash;
      return records.map((record) => {
        const line = recordLine(record);
        const digest = lineDigest(hashes, line);
        hash = chainHash(hashes, hash, digest);
        return { line, hash, digest };
      });
    },
    write: async (group) => writeGroup({ file, index, position }, group),
    async hashAt(sequence) {
      if (sequence === 0n) return zeroHash;
      if (sequence === position.sequence) return position.hash;
      const start = index.lineStarts.at(Number(sequence) - 1);
      if (sequence > position.sequence || start === undefined) return undefined;
      return (await file.read(start, hashDigits)).toString('latin1');
    },
    async line(sequence) {
      const [first] = await readLines(parts, { from: Number(sequence), to: Number(sequence) });
      if (first === undefined) throw unreadable(sequence);
      return first.line;
    },
    records: async (range) => readRecords(parts, range),
  };
}

async function writeGroup(
  { file, index, position }: { file: StateFile; index: Index; position: Position },
  group: PreparedGroup,
): Promise<void> {
  let size = position.size;
  const starts: number[] = [];
  let text = '';
  for (const { hash, line } of group.lines) {
    starts.push(size);
    text += `${hash} ${line}\n`;
    size += hashDigits + Buffer.byteLength(line, 'utf8') + 2;
  }
  if (group.head !== undefined) text += `${headWord}${canonicalJson({ ...group.head })}\n`;
  const bytes = Buffer.from(text, 'utf8');
  size = position.size + bytes.length;
  await file.append(bytes);
  for (const start of starts) index.lineStarts.push(start);
  position.sequence = group.end.sequence;
  position.hash = group.end.hash;
  position.at = group.at;
  position.size = size;
  if (group.head === undefined) return;
  index.groupEnds.push(Number(group.end.sequence));
  index.groupOffsets.push(size);
  cover(position, size);
}

type FoundLine = { readonly sequence: number; readonly line: string; readonly hash: string };

async function readLines(
  { file, index, position }: Parts,
  { from, to }: { from: number; to: number },
): Promise<readonly FoundLine[]> {
  const start = index.lineStarts.at(from - 1);
  if (start === undefined) return [];
  const end = index.lineStarts.at(to) ?? position.size;
  const text = (await file.read(start, end - start)).toString('utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(headWord));
  return lines.map((line, offset) => ({
    sequence: from + offset,
    line: line.slice(hashDigits + 1),
    hash: line.slice(0, hashDigits),
  }));
}

async function readRecords(
  parts: Parts,
  { after, limit, upTo }: { after: bigint; limit: number; upTo: bigint },
): Promise<readonly DecisionRecord[]> {
  const { index, hashes } = parts;
  const first = Number(after) + 1;
  const last = lastWithin(parts, { first, wanted: Math.min(Number(upTo), Number(after) + limit) });
  if (last < first) return [];
  const firstGroup = groupOf(index, first);
  const lastGroup = groupOf(index, last);
  const lines = await readLines(parts, { from: Math.max(1, first - 1), to: index.groupEnds.at(lastGroup) ?? last });
  const records: DecisionRecord[] = [];
  for (let group = firstGroup; group <= lastGroup; group++) {
    const end = index.groupEnds.at(group) ?? 0;
    const head = await headOf(parts, group);
    const within = lines.filter((line) => line.sequence >= first && groupOf(index, line.sequence) === group);
    for (const found of within) {
      if (found.sequence > last) break;
      const previous = lines[found.sequence - (lines[0]?.sequence ?? 0) - 1]?.hash ?? zeroHash;
      const following = within
        .filter((line) => line.sequence > found.sequence && line.sequence <= end)
        .map((line) => lineDigest(hashes, line.line));
      records.push({ sequence: BigInt(found.sequence), line: found.line, previous, following, head });
    }
  }
  return records;
}

/** The last sequence up to `wanted` whose lines fit into one answer; the first always does. */
function lastWithin({ index, position }: Parts, { first, wanted }: { first: number; wanted: number }): number {
  const start = index.lineStarts.at(first - 1) ?? 0;
  let last = wanted;
  while (last > first && (index.lineStarts.at(last) ?? position.size) - start > recordsBytesMax) {
    last = first + Math.floor((last - first) / 2);
  }
  return last;
}

/** Number of the group that a sequence belongs to. */
function groupOf({ groupEnds }: Index, sequence: number): number {
  let low = 0;
  let high = groupEnds.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((groupEnds.at(middle) ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The head line of a group stands between its last record and the end of the group. */
async function headOf({ file, index }: Parts, group: number): Promise<SignedStatement> {
  const sequence = index.groupEnds.at(group) ?? 0;
  const start = index.lineStarts.at(sequence - 1) ?? 0;
  const end = index.groupOffsets.at(group) ?? start;
  const text = (await file.read(start, end - start)).toString('utf8');
  const signed = parseSigned(text.slice(text.lastIndexOf(`\n${headWord}`) + 1 + headWord.length, -1));
  if (signed === undefined) throw unreadable(BigInt(sequence));
  return signed;
}

function unreadable(sequence: bigint): CustodyError {
  return new CustodyError(
    'signer/state-damaged',
    `Record ${sequence} of the signer's log cannot be read back as it was written. The file was changed while the signer runs: stop it and compare its folder with a copy.`,
    { details: { sequence: String(sequence) } },
  );
}
