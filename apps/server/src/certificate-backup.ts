import { mkdirSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateBackup } from '@bulkhead/custody';
import { CustodyError } from '@bulkhead/domain';

/**
 * Keeps certificates in a folder: each in a file of its own, written under another name, synchronised with its folder, renamed, and read
 * back. A copy that is there already stays what it is.
 */
export function folderBackup(directory: string): CertificateBackup {
  return {
    store: async (name, bytes) => {
      const path = join(directory, name);
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        if ((await existing(path)) === undefined) await write(path, bytes);
        await synchronise(directory);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
        throw failed(`${path} cannot be written (${code}). Mount the place, or check its owner and mode.`, error);
      }
      const found = await existing(path);
      if (found !== undefined && Buffer.compare(found, bytes) === 0) return;
      throw failed(
        `${path} holds something else than was written. Find out who writes there, and move the file away before you ask again.`,
      );
    },
  };
}

async function existing(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.part`;
  await using file = await open(temporary, 'w', 0o600);
  await file.writeFile(bytes);
  await file.sync();
  await rename(temporary, path);
}

/** So that the name outlives a power failure, too. */
async function synchronise(directory: string): Promise<void> {
  await using folder = await open(directory, 'r');
  await folder.sync();
}

function failed(fact: string, cause?: unknown): CustodyError {
  return new CustodyError('vault/backup-failed', `The certificate is not safely outside of the database: ${fact}`, {
    cause,
  });
}
