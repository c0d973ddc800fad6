import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CustodyError } from '@bulkhead/domain';

/**
 * A temporary file is written and synced, then linked under its name. `link` fails if the name is taken, so two processes
 * that start together make one file, and the loser learns of it. A crash before the link leaves only the temporary file;
 * after it the file is complete, because its bytes were synced first.
 *
 * @throws CustodyError `key/file-exists`, `key/file-access`, `key/missing-file` (the folder)
 */
export async function createWhole(path: string, text: string): Promise<void> {
  await placeWhole(path, text, async (temporary) => {
    try {
      await link(temporary, path);
    } finally {
      await unlink(temporary);
    }
  });
}

/**
 * The same for a file that may be there already: `rename` replaces it at once, so that whoever reads, also after a crash, finds
 * the old text or the new one and never a mixture.
 *
 * @throws CustodyError `key/file-access`, `key/missing-file` (the folder)
 */
export async function replaceWhole(path: string, text: string): Promise<void> {
  await placeWhole(path, text, (temporary) => rename(temporary, path));
}

async function placeWhole(path: string, text: string, place: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await place(temporary);
    // The name itself is durable only when its folder is.
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    throw fileFault(path, error);
  }
}

/**
 * The text of a file that nobody but its owner may use.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file` (larger than `bytesMax`)
 */
export async function readPrivate(path: string, bytesMax: number): Promise<string> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK the opening of a named pipe would wait for ever.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileFault(path, error);
  }
  try {
    // Asked of the open file, not of the name, which could be given to another file in between.
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw new CustodyError('key/file-access', `${path} is not a regular file. Give the path of the file.`);
    }
    const mode = stat.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new CustodyError(
        'key/file-access',
        `${path} has mode ${mode.toString(8)}: others than its owner may use it. Run chmod 600 on it, and think about who may have copied it.`,
      );
    }
    if (stat.size > bytesMax) {
      throw new CustodyError(
        'key/damaged-file',
        `${path} has ${stat.size} bytes, such a file has at most ${bytesMax}.`,
      );
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function fileFault(path: string, error: unknown): CustodyError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CustodyError(
        'key/missing-file',
        `There is no ${path}, or no folder for it. Check the path, or create the file.`,
        { cause: error },
      );
    case 'EEXIST':
      return new CustodyError(
        'key/file-exists',
        `${path} exists already and is not replaced. Choose another path, or move the old file to a safe place first.`,
        { cause: error },
      );
    default:
      return new CustodyError(
        'key/file-access',
        `${path} cannot be used (${code}). Check owner, mode and file system.`,
        { cause: error },
      );
  }
}
