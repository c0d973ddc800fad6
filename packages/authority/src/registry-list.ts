import { CustodyError } from '@bulkhead/domain';
import { type CanonicalObject, canonicalJson, isCanonicalObject, parseCanonicalJson } from './canonical-json.ts';
import { type Hashes, textDigest } from './hashes.ts';
import type { RegistryItem } from './registry.ts';
import { itemFields, itemOf } from './registry-item.ts';

/** Items of one list: one enrolment of a large custodian's clients. */
export const listItemsMax: number = 20_000;

/** Characters of one list. All of them are ASCII but the names and labels of people. */
export const listBytesMax: number = 8 * 2 ** 20;

const header = 'bulkhead-registry-list-v1';

/** Line of the first item: the header is line 1. */
const firstItemLine = 2;

/**
 * The one text of a list: the header line, then one canonical JSON object for each item, each line ended by a line feed.
 *
 * @throws CustodyError `signer/registry-list` for what {@link parseList} would not read back
 */
export function listText(items: readonly RegistryItem[]): string {
  const text = `${[header, ...items.map((item) => canonicalJson(itemFields(item)))].join('\n')}\n`;
  parseList(text);
  return text;
}

/**
 * Reads a list back; a text that {@link listText} would not have written is refused.
 *
 * @throws CustodyError `signer/registry-list` naming the line
 */
export function parseList(text: string): readonly RegistryItem[] {
  // A character has at most three bytes in UTF-8 for each of its code units; only a long text is measured exactly.
  const bytes = text.length * 3 > listBytesMax ? new TextEncoder().encode(text).length : text.length;
  if (bytes > listBytesMax) throw listFault(1, `the list has ${bytes} bytes, at most ${listBytesMax} are read`);
  const [first, ...lines] = text.split('\n');
  if (first !== header) throw listFault(1, `the first line is not "${header}"`);
  if (lines.pop() !== '') throw listFault(lines.length + firstItemLine, 'the last line has no line feed');
  if (lines.length === 0) throw listFault(1, 'the list has no items');
  if (lines.length > listItemsMax) {
    throw listFault(1, `the list has ${lines.length} items, at most ${listItemsMax} are read`);
  }
  return lines.map((line, at) => atLine(at, () => itemOf(objectOf(line))));
}

/** SHA-256 of the UTF-8 bytes of the text, lower-case hex: what people approve. */
export function listDigest(hashes: Hashes, text: string): string {
  return textDigest(hashes, text);
}

/**
 * Runs what concerns the item at a position, and names its line in what it throws.
 *
 * @throws CustodyError `signer/registry-list`
 */
export function atLine<T>(at: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CustodyError) || error.code === 'invariant/broken') throw error;
    throw listFault(at + firstItemLine, error.message, error);
  }
}

function objectOf(line: string): CanonicalObject {
  const value = parseCanonicalJson(line);
  if (!isCanonicalObject(value)) throw new CustodyError('signer/registry-list', 'the line is no object');
  return value;
}

function listFault(line: number, reason: string, cause?: unknown): CustodyError {
  return new CustodyError('signer/registry-list', `Line ${line} of the registry list: ${reason}`, {
    details: { line, reason: reason.slice(0, 300) },
    cause,
  });
}
