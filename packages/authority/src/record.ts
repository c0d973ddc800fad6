import { CustodyError } from '@bulkhead/domain';
import {
  type CanonicalObject,
  canonicalJson,
  type CanonicalValue,
  isCanonicalObject,
  parseCanonicalJson,
} from './canonical-json.ts';
import { chainHash, type Hashes, textDigest } from './hashes.ts';

/** What can stand in the signer's log. */
export const recordTypes = [
  'opened',
  'started',
  'granted',
  'signed',
  'refused',
  'lodged',
  'changed',
  'certified',
  'checkpointed',
  'recovered',
] as const;

export type RecordType = (typeof recordTypes)[number];

/** Position, time and kind of a record; what else it says depends on the kind. */
export type RecordLine = {
  readonly sequence: bigint;
  /** Unix seconds. */
  readonly at: bigint;
  readonly type: RecordType;
  readonly fields: CanonicalObject;
};

const numberForm = /^(?:0|[1-9][0-9]{0,18})$/u;

/**
 * One line of the log without its line feed: canonical JSON of `sequence`, `at`, `type` and the fields.
 *
 * @throws CustodyError `invariant/broken` for a field that would hide one of the three
 */
export function recordLine({ sequence, at, type, fields }: RecordLine): string {
  for (const name of ['sequence', 'at', 'type']) {
    if (fields[name] !== undefined) {
      throw new CustodyError('invariant/broken', `A record has its own "${name}"; its fields must not name another.`);
    }
  }
  return canonicalJson({ ...fields, sequence: String(sequence), at: String(at), type });
}

/** @throws CustodyError `signer/state-damaged` */
export function parseRecordLine(line: string): RecordLine {
  let value: CanonicalValue;
  try {
    value = parseCanonicalJson(line);
  } catch (error) {
    throw damaged('it is not in its canonical form', error);
  }
  if (!isCanonicalObject(value)) throw damaged('it is no object');
  const { sequence, at, type: word, ...fields } = value;
  const type = recordTypes.find((known) => known === word);
  if (type === undefined) throw damaged('its type is unknown');
  if (typeof sequence !== 'string' || !numberForm.test(sequence)) throw damaged('its sequence is no number');
  if (typeof at !== 'string' || !numberForm.test(at)) throw damaged('its time is no number');
  return { sequence: BigInt(sequence), at: BigInt(at), type, fields };
}

/** Digest of a line, hex: SHA-256 over its UTF-8 bytes without line feed. */
export function lineDigest(hashes: Pick<Hashes, 'sha256Hex'>, line: string): string {
  return textDigest(hashes, line);
}

/** Hash of the log up to this line: SHA-256 over the hash before it and the digest of the line. Before the first line, 64 zeros. */
export function recordHash(hashes: Hashes, previous: string, line: string): string {
  return chainHash(hashes, previous, lineDigest(hashes, line));
}

function damaged(fact: string, cause?: unknown): CustodyError {
  return new CustodyError('signer/state-damaged', `A line of the signer's log cannot be read: ${fact}.`, { cause });
}
