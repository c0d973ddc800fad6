import { concatBytes } from '@noble/hashes/utils.js';

/** An item of a list: bytes, or another list in its own encoding. */
export type RlpItem =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'list'; readonly encoded: Uint8Array };

const shortBytes = 0x80;
const shortList = 0xc0;
/** Lengths up to this stand in the first byte. */
const shortMax = 55;

/** Encodes a list of byte strings (Ethereum yellow paper, appendix B). */
export function encodeRlpList(items: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...items.map(encodeRlpBytes));
  return concatBytes(prefix(shortList, body.length), body);
}

function encodeRlpBytes(bytes: Uint8Array): Uint8Array {
  const [first] = bytes;
  if (bytes.length === 1 && first !== undefined && first < shortBytes) return bytes;
  return concatBytes(prefix(shortBytes, bytes.length), bytes);
}

function prefix(offset: number, length: number): Uint8Array {
  if (length <= shortMax) return Uint8Array.of(offset + length);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Uint8Array.of(offset + shortMax + digits.length, ...digits);
}

/** Items of a list that is encoded in its one form and followed by nothing; undefined for anything else. */
export function decodeRlpList(encoded: Uint8Array): readonly RlpItem[] | undefined {
  const whole = measure(encoded, 0);
  if (whole?.kind !== 'list' || whole.end !== encoded.length) return undefined;
  const items: RlpItem[] = [];
  for (let at = whole.start; at < whole.end;) {
    const part = measure(encoded, at);
    if (part === undefined || part.end > whole.end) return undefined;
    items.push(
      part.kind === 'bytes'
        ? { kind: 'bytes', bytes: encoded.subarray(part.start, part.end) }
        : { kind: 'list', encoded: encoded.subarray(at, part.end) },
    );
    at = part.end;
  }
  return items;
}

/** Bytes that are encoded in their one form and followed by nothing; undefined for anything else. */
export function decodeRlpBytes(encoded: Uint8Array): Uint8Array | undefined {
  const whole = measure(encoded, 0);
  return whole?.kind === 'bytes' && whole.end === encoded.length ? encoded.subarray(whole.start, whole.end) : undefined;
}

type Extent = { readonly kind: RlpItem['kind']; readonly start: number; readonly end: number };

/** Where the payload of the item at `at` begins and ends. */
function measure(encoded: Uint8Array, at: number): Extent | undefined {
  const first = encoded[at];
  if (first === undefined) return undefined;
  if (first < shortBytes) return { kind: 'bytes', start: at, end: at + 1 };
  const kind: RlpItem['kind'] = first < shortList ? 'bytes' : 'list';
  const short = first - (kind === 'bytes' ? shortBytes : shortList);
  const extent = short <= shortMax ? { kind, start: at + 1, end: at + 1 + short } : long(encoded, { kind, at, short });
  if (extent === undefined || extent.end > encoded.length) return undefined;
  const { start, end } = extent;
  // One byte below 0x80 stands for itself.
  const isSingle = kind === 'bytes' && end === start + 1 && (encoded[start] ?? 0) < shortBytes;
  return isSingle ? undefined : extent;
}

type Long = { readonly kind: RlpItem['kind']; readonly at: number; readonly short: number };

function long(encoded: Uint8Array, { kind, at, short }: Long): Extent | undefined {
  const digits = encoded.subarray(at + 1, at + 1 + short - shortMax);
  if (digits.length !== short - shortMax || digits.length > 4 || digits[0] === 0) return undefined;
  const length = digits.reduce((value, digit) => value * 256 + digit, 0);
  if (length <= shortMax) return undefined;
  const start = at + 1 + digits.length;
  return { kind, start, end: start + length };
}
