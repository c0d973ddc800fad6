import { closeSync, fsyncSync, fstatSync, openSync, readSync } from 'node:fs';
import { hash } from 'node:crypto';
import { type Compartment, CustodyError, parseCompartment } from '@bulkhead/domain';
import type { ClaimKind } from '@bulkhead/proofs';
import { privateMode, writeWhole } from './line-file.ts';

/**
 * A private file of many small ones: a million files of a kilobyte are more than a file system likes. `<name>.bin` has their bytes, one
 * after the other; `<name>.idx` has an entry for each, ascending by the hash of the holder, so that one is found in twenty looks.
 */
export type ArchiveKey = { readonly compartment: Compartment; readonly kind: ClaimKind; readonly holder: Uint8Array };

export type ArchiveEntry = { readonly compartment: Compartment; readonly kind: ClaimKind; readonly bytes: Uint8Array };

/** Half a SHA-256 of the holder, compartment, kind, offset, length. */
const keyBytes = 16;
const entryBytes = keyBytes + 4 + 1 + 6 + 4;
const flushBytes = 1 << 20;

/** A kind by its place here. */
const kinds: readonly ClaimKind[] = ['client', 'fee-payable', 'suspense'];

function keyOf(holder: Uint8Array): Buffer {
  return hash('sha256', holder, 'buffer').subarray(0, keyBytes);
}

export class ArchiveWriter {
  readonly #path: string;
  readonly #file: number;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #offset = 0;
  #entries = Buffer.alloc(entryBytes * 1_024);
  #count = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(`${path}.bin`, 'w', privateMode);
  }

  add({ compartment, kind, holder }: ArchiveKey, bytes: Uint8Array): void {
    if ((this.#count + 1) * entryBytes > this.#entries.length) {
      this.#entries = Buffer.concat([this.#entries, Buffer.alloc(this.#entries.length)]);
    }
    const at = this.#count * entryBytes;
    keyOf(holder).copy(this.#entries, at);
    this.#entries.writeUInt32BE(compartment, at + keyBytes);
    this.#entries.writeUInt8(kinds.indexOf(kind), at + keyBytes + 4);
    this.#entries.writeUIntBE(this.#offset, at + keyBytes + 5, 6);
    this.#entries.writeUInt32BE(bytes.length, at + keyBytes + 11);
    this.#count += 1;
    this.#offset += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= flushBytes) this.#flush();
  }

  /** Returned means: both files are on the disk, the index last. */
  end(): void {
    this.#flush();
    fsyncSync(this.#file);
    closeSync(this.#file);
    const index = openSync(`${this.#path}.idx`, 'w', privateMode);
    writeWhole(index, this.#sorted(), undefined);
    fsyncSync(index);
    closeSync(index);
  }

  /** Numbers are compared, and bytes only where these are equal: a million views of bytes would be more than all that they show. */
  #sorted(): Buffer {
    const entries = this.#entries;
    const leading = Float64Array.from({ length: this.#count }, (_, at) => entries.readUIntBE(at * entryBytes, 6));
    const order = Uint32Array.from({ length: this.#count }, (_, at) => at).sort((a, b) => {
      const [from, to] = [a * entryBytes, b * entryBytes];
      return (
        (leading[a] ?? 0) - (leading[b] ?? 0) || entries.compare(entries, to, to + entryBytes, from, from + entryBytes)
      );
    });
    const sorted = Buffer.alloc(this.#count * entryBytes);
    for (const [at, one] of order.entries()) {
      entries.copy(sorted, at * entryBytes, one * entryBytes, (one + 1) * entryBytes);
    }
    return sorted;
  }

  #flush(): void {
    writeWhole(this.#file, Buffer.concat(this.#waiting), undefined);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }
}

/** Everything of one holder, ascending by compartment and kind. @throws CustodyError `reserves/damaged-work` */
export function archived(path: string, holder: Uint8Array): readonly ArchiveEntry[] {
  using files = new DisposableStack();
  const index = opened(files, `${path}.idx`);
  const contents = opened(files, `${path}.bin`);
  const count = Math.floor(fstatSync(index).size / entryBytes);
  const entry = (at: number): Buffer => readAt(index, at * entryBytes, entryBytes);
  const key = keyOf(holder);
  const found: ArchiveEntry[] = [];
  for (let at = firstNotBelow(key, count, entry); at < count; at += 1) {
    const one = entry(at);
    if (!one.subarray(0, keyBytes).equals(key)) break;
    const kind = kinds[one.readUInt8(keyBytes + 4)];
    if (kind === undefined) throw damaged(path);
    const bytes = readAt(contents, one.readUIntBE(keyBytes + 5, 6), one.readUInt32BE(keyBytes + 11));
    found.push({ compartment: parseCompartment(one.readUInt32BE(keyBytes)), kind, bytes: Uint8Array.from(bytes) });
  }
  return found;
}

function firstNotBelow(key: Buffer, count: number, entry: (at: number) => Buffer): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (entry(middle).subarray(0, keyBytes).compare(key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function opened(files: DisposableStack, path: string): number {
  try {
    return files.adopt(openSync(path, 'r'), closeSync);
  } catch (cause) {
    throw new CustodyError(
      'reserves/damaged-work',
      `${path} cannot be read. It is written when the epoch is made: make it again, or bring the folder of the maker here.`,
      { cause },
    );
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(file, bytes, 0, length, at) !== length) throw damaged('An archive');
  return bytes;
}

function damaged(path: string): CustodyError {
  return new CustodyError('reserves/damaged-work', `${path} is damaged. Make the epoch again: it becomes the same.`);
}
