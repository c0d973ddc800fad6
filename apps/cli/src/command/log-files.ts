import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CustodyError, readAtMost } from '@bulkhead/domain';
import { noteLengthMax, type Tile, tilePath } from '@bulkhead/tlog';

/** How long a server of the log may take to give a file. */
const answerMsMax = 20_000;
/** Bytes of a file that are read: a full bundle of the longest entries. */
const fileLengthMax = 256 * 65_537;

/** The log as others read it: files of C2SP tlog-tiles, in a folder or behind an address. */
export type LogFiles = {
  readonly checkpoint: () => Promise<string>;
  readonly tile: (tile: Tile) => Promise<Uint8Array>;
};

function unreadable(path: string, why: string, cause?: unknown): CustodyError {
  return new CustodyError('log/malformed', `The log has no readable file ${path}: ${why}.`, { cause });
}

async function fetched(address: string): Promise<Uint8Array> {
  const silent = (cause: unknown): never => {
    throw unreadable(address, 'nobody answers', cause);
  };
  const answer = await fetch(address, { signal: AbortSignal.timeout(answerMsMax), redirect: 'error' }).catch(silent);
  if (answer.status !== 200) throw unreadable(address, `status ${answer.status}`);
  const bytes = await readAtMost(answer.body, fileLengthMax).catch(silent);
  if (bytes === undefined) throw unreadable(address, `it is longer than ${fileLengthMax} bytes`);
  return bytes;
}

async function stored(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, 'it cannot be opened', cause);
  }
}

/** @param place a folder, or an address such as https://custody.example.com/v1/log */
export function logFiles(place: string): LogFiles {
  const isAddress = /^https?:\/\//u.test(place);
  const read = (path: string): Promise<Uint8Array> =>
    isAddress ? fetched(`${place.replace(/\/+$/u, '')}/${path}`) : stored(join(place, path));
  return {
    checkpoint: async () => {
      const bytes = await read('checkpoint');
      if (bytes.length > noteLengthMax) throw unreadable('checkpoint', 'it is too long');
      return new TextDecoder().decode(bytes);
    },
    // A part of a tile may have been replaced by the whole of it.
    tile: async (tile) => read(tilePath(tile)),
  };
}

/** Writes a file whole or not at all, with the folders above it. */
export async function placeFile(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, content);
  await rename(fresh, path);
}
