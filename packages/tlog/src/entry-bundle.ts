import { CustodyError } from '@bulkhead/domain';
import { tileWidthMax } from './tile.ts';

/** Bytes of an entry: its length has two bytes (C2SP tlog-tiles, "Log entries"). */
export const entryLengthMax: number = 65_535;

/** Entries, each after its length in two bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((length, entry) => length + 2 + entry.length, 0));
  const view = new DataView(bundle.buffer);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > entryLengthMax) {
      throw new CustodyError('log/malformed', `An entry has at most ${entryLengthMax} bytes, not ${entry.length}.`);
    }
    view.setUint16(at, entry.length);
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

/**
 * Reads a bundle that must hold exactly so many entries.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseBundle(bundle: Uint8Array, width: number): readonly Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.length);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    const end = at + 2 <= bundle.length ? at + 2 + view.getUint16(at) : Number.POSITIVE_INFINITY;
    if (end > bundle.length || entries.length === tileWidthMax) break;
    entries.push(bundle.slice(at + 2, end));
    at = end;
  }
  if (at !== bundle.length || entries.length !== width) {
    throw new CustodyError('log/malformed', `A bundle of ${width} entries was expected, and these bytes are none.`);
  }
  return entries;
}
