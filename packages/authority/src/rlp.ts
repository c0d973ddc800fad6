import { CustodyError } from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';

/** A string of bytes or a list of items (Ethereum Yellow Paper, appendix B). */
export type RlpItem = Uint8Array | readonly RlpItem[];

/** Lists inside lists. A transaction has three: itself, the access list, its storage keys. */
export const rlpDepthMax: number = 4;

/** Bytes of an item. An unsigned transfer is below 200; a relay carries whole calls. */
export const rlpBytesMax: number = 20_480;

type Head = { readonly list: boolean; readonly start: number; readonly end: number };

/**
 * Reads one RLP item that fills the bytes whole, and refuses every encoding but the shortest, so that one item has one
 * encoding and nothing can hide behind it.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function parseRlp(bytes: Uint8Array): RlpItem {
  if (bytes.length > rlpBytesMax) {
    throw malformed(`${bytes.length} bytes are more than ${rlpBytesMax}`);
  }
  const { item, end } = itemAt(bytes, 0, 0);
  if (end !== bytes.length) throw malformed(`${bytes.length - end} bytes follow the item`);
  return item;
}

/**
 * The unsigned integer of an RLP string: big-endian, without a leading zero byte, at most `bytesMax` long.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function rlpInteger(item: RlpItem, name: string, bytesMax: number): bigint {
  const bytes = rlpString(item, name);
  if (bytes.length > bytesMax) throw malformed(`${name} is longer than ${bytesMax} bytes`);
  if (bytes[0] === 0) throw malformed(`${name} has a leading zero byte`);
  return bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`);
}

/** @throws CustodyError `signer/malformed-transaction` */
export function rlpString(item: RlpItem, name: string): Uint8Array {
  if (!(item instanceof Uint8Array)) throw malformed(`${name} is a list`);
  return item;
}

/** @throws CustodyError `signer/malformed-transaction` */
export function rlpList(item: RlpItem, name: string): readonly RlpItem[] {
  if (item instanceof Uint8Array) throw malformed(`${name} is not a list`);
  return item;
}

function itemAt(bytes: Uint8Array, at: number, depth: number): { item: RlpItem; end: number } {
  const head = headAt(bytes, at);
  if (!head.list) return { item: bytes.slice(head.start, head.end), end: head.end };
  if (depth >= rlpDepthMax) throw malformed(`lists are nested deeper than ${rlpDepthMax}`);
  const items: RlpItem[] = [];
  let next = head.start;
  while (next < head.end) {
    const { item, end } = itemAt(bytes, next, depth + 1);
    items.push(item);
    next = end;
  }
  if (next !== head.end) throw malformed('an item reaches beyond its list');
  return { item: items, end: head.end };
}

function headAt(bytes: Uint8Array, at: number): Head {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { list: false, start: at, end: at + 1 };
  const list = first >= 0xc0;
  const short = first - (list ? 0xc0 : 0x80);
  if (short > 55) return longHead(bytes, at, { list, lengthBytes: short - 55 });
  const head = bounded(bytes, { list, start: at + 1, end: at + 1 + short });
  if (!list && short === 1 && byteAt(bytes, at + 1) < 0x80) {
    throw malformed('a single byte is wrapped although it stands for itself');
  }
  return head;
}

function longHead(bytes: Uint8Array, at: number, form: { list: boolean; lengthBytes: number }): Head {
  // Two bytes count more than rlpBytesMax; longer counts are never needed and would leave the safe integers.
  if (form.lengthBytes > 2) throw malformed(`a length takes ${form.lengthBytes} bytes`);
  let length = 0;
  for (let i = 1; i <= form.lengthBytes; i++) length = length * 256 + byteAt(bytes, at + i);
  if (length < (form.lengthBytes === 1 ? 56 : 256)) throw malformed('a length is not written in its shortest form');
  const start = at + 1 + form.lengthBytes;
  return bounded(bytes, { list: form.list, start, end: start + length });
}

function bounded(bytes: Uint8Array, head: Head): Head {
  if (head.end > bytes.length) throw malformed('an item reaches beyond the end');
  return head;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw malformed('the bytes end too early');
  return byte;
}

function malformed(fact: string): CustodyError {
  return new CustodyError(
    'signer/malformed-transaction',
    `The unsigned transaction is not canonical RLP: ${fact}. Build it again with the chain adapter.`,
  );
}
