import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';

/** Bytes of a PIN, a passphrase or a TLS key. */
export const secretFileBytesMax = 16_384;

/**
 * Bytes of a secret, without the line feed that editors put at the end. They lie in a buffer of their own: whoever takes them
 * overwrites them. Nothing of the contents is ever in an error.
 *
 * @param place An absolute path, `credential:<name>` or `descriptor:<number>`
 * @throws CustodyError `config/invalid` where it cannot be read, is empty, too long, or readable by others
 */
export function readSecret(place: string): Uint8Array {
  const descriptor = /^descriptor:(\d)$/u.exec(place)?.[1];
  if (descriptor !== undefined) return contents(Number(descriptor), place);
  const file = openAt(pathOf(place), place);
  try {
    if (process.platform !== 'win32' && (fstatSync(file).mode & 0o007) !== 0) {
      throw unusable(place, 'others may read it; set its mode to 0400 or 0440');
    }
    return contents(file, place);
  } finally {
    closeSync(file);
  }
}

/** Files whose names the permission model has to be told; undefined for a descriptor. */
export function secretPath(place: string): string | undefined {
  return place.startsWith('descriptor:') ? undefined : pathOf(place);
}

function pathOf(place: string): string {
  const credential = /^credential:(.+)$/u.exec(place)?.[1];
  if (credential === undefined) return place;
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined) throw unusable(place, 'there is no CREDENTIALS_DIRECTORY; use LoadCredential= of systemd');
  return join(folder, credential);
}

function openAt(path: string, place: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw unusable(place, 'it cannot be opened', cause);
  }
}

function contents(file: number, place: string): Uint8Array {
  // One byte more than allowed shows what is too long. Not from the pool that small buffers share.
  const buffer = new Uint8Array(secretFileBytesMax + 1);
  try {
    let length = 0;
    for (;;) {
      const read = readChunk({ file, buffer, length, place });
      if (read === 0) break;
      length += read;
      if (length > secretFileBytesMax) throw unusable(place, `it has more than ${secretFileBytesMax} bytes`);
    }
    while (length > 0 && (buffer[length - 1] === 0x0a || buffer[length - 1] === 0x0d)) length -= 1;
    if (length === 0) throw unusable(place, 'it is empty');
    return buffer.slice(0, length);
  } finally {
    buffer.fill(0);
  }
}

type Chunk = { readonly file: number; readonly buffer: Uint8Array; readonly length: number; readonly place: string };

function readChunk({ file, buffer, length, place }: Chunk): number {
  try {
    return readSync(file, buffer, length, buffer.length - length, null);
  } catch (cause) {
    throw unusable(place, 'it cannot be read', cause);
  }
}

function unusable(place: string, fact: string, cause?: unknown): CustodyError {
  const message = `The secret at ${place} cannot be used: ${fact}.`;
  return new CustodyError('config/invalid', message, cause === undefined ? {} : { cause });
}
