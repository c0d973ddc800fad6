import { randomBytes } from 'node:crypto';
import { link, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CustodyError } from '@bulkhead/domain';

/**
 * A temporary file is written and synced, then linked under its name: `link` fails if the name is taken. A crash before the link
 * leaves the temporary file alone; after it the file is complete, because its bytes were synced first.
 *
 * @throws CustodyError `key/file-exists`, `key/file-access`, `key/missing-file` (the folder)
 */
export async function createPrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    try {
      await link(temporary, path);
    } finally {
      await unlink(temporary);
    }
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
 * The text of a file that nobody but its owner may read or write.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file` (larger than `bytesMax`)
 */
export async function readPrivateFile(path: string, bytesMax: number): Promise<string> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    if (!(await stat(path)).isFile()) throw access(path, 'it is no regular file');
    handle = await open(path, 'r');
  } catch (error) {
    throw fileFault(path, error);
  }
  try {
    // What is asked is the open file, so that nobody can put another one there in between.
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) throw access(path, `others may use it (mode ${(mode & 0o777).toString(8)})`);
    if (size > bytesMax) {
      throw new CustodyError(
        'key/damaged-file',
        `${path} has ${size} bytes: no key file of ours is larger than ${bytesMax}.`,
      );
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function access(path: string, fact: string): CustodyError {
  return new CustodyError(
    'key/file-access',
    `${path} cannot be used as a key file: ${fact}. Set its owner and mode 600, and consider the key copied if others could read it.`,
  );
}

function fileFault(path: string, error: unknown): CustodyError {
  if (error instanceof CustodyError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EEXIST') {
    return new CustodyError('key/file-exists', `${path} exists and is not replaced. Choose another path.`, {
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new CustodyError('key/missing-file', `${path}, or its folder, does not exist. Check the path.`, {
      cause: error,
    });
  }
  return new CustodyError('key/file-access', `The system denies access to ${path} (${code}). Check owner and mode.`, {
    cause: error,
  });
}
