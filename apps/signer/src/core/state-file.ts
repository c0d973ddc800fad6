import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import koffi from 'koffi';

/**
 * The one file of the state, as a port: the log needs bytes that are appended durably, read back and cut off, and nothing
 * else. `append` has written everything or throws; after a throw the end of the file is unknown.
 */
export interface StateFile extends AsyncDisposable {
  size(): Promise<number>;
  read(position: number, length: number): Promise<Buffer>;
  /** Returned: all of it survives a loss of power. */
  append(bytes: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
}

export const stateFileName: string = 'state.log';
export const lockFileName: string = 'state.lock';

const lockExclusiveAtOnce = 2 | 4;

/**
 * Opens the state file of a folder for this process alone, and makes it where there is none. The lock is the kernel's (flock): it
 * goes away with the process, however that ends, so nobody ever has to judge whether a lock is stale. It holds across network
 * namespaces, which an abstract socket would not: two service units on one folder see each other.
 *
 * @throws CustodyError `signer/other-signer-active`, `signer/state-damaged` where the folder cannot be used
 */
export async function openStateFile(directory: string): Promise<StateFile> {
  const lock = await openIn(directory, lockFileName);
  let handle: FileHandle | undefined;
  try {
    if (!flock(lock.fd)) {
      throw new CustodyError(
        'signer/other-signer-active',
        `Another process holds the signer's state in ${directory}. One key has one active signer: stop that process first.`,
        { details: { directory } },
      );
    }
    handle = await openIn(directory, stateFileName, constants.O_DSYNC);
    await syncFolder(directory);
  } catch (error) {
    await handle?.close();
    await lock.close();
    throw error;
  }
  return fileOf(handle, lock);
}

function fileOf(handle: FileHandle, lock: FileHandle): StateFile {
  return {
    size: async () => (await handle.stat()).size,
    async read(position, length) {
      const buffer = Buffer.alloc(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    },
    // The file is opened for appending, and with O_DSYNC: each write returns when its data and the length of the file are on the disk.
    async append(bytes) {
      let written = 0;
      while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten;
    },
    async truncate(size) {
      await handle.truncate(size);
      await handle.sync();
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
      await lock.close();
    },
  };
}

async function openIn(directory: string, name: string, more: number = 0): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | more;
  try {
    return await open(join(directory, name), flags, 0o600);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new CustodyError(
      'signer/state-damaged',
      `The signer's state in ${directory} cannot be opened (${name}: ${code}). Check owner and mode of the folder; it belongs to the user of the signer, mode 0700.`,
      { cause: error },
    );
  }
}

/** A file that was just made is only there after a loss of power when its folder was written, too. */
async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Whether the lock was taken. The C library is already in the process. */
function flock(descriptor: number): boolean {
  const call: (fd: number, operation: number) => unknown = koffi.load(null).func('int flock(int fd, int operation)');
  return call(descriptor, lockExclusiveAtOnce) === 0;
}
