import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CustodyError } from '@bulkhead/domain';

/** Mode of what only its owner may read. */
const privateMode = 0o600;

/**
 * The content of a file that only its owner may read, made by `create` when it is not there. It appears whole or not at all,
 * and of two processes that make it at once the first one's content counts for both.
 *
 * @throws CustodyError `key/file-access` when it cannot be used, or when others than its owner may
 */
export function privateText(path: string, create: () => string): string {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return existing(path) ?? existing(made(path, create())) ?? '';
  } catch (error) {
    if (error instanceof CustodyError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new CustodyError('key/file-access', `${path} cannot be used (${code}). Check owner, mode and file system.`, {
      cause: error,
    });
  }
}

function existing(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if ((stat.mode & 0o077) !== 0) {
    throw new CustodyError(
      'key/file-access',
      `${path} has mode ${(stat.mode & 0o777).toString(8)}: others than its owner may use it. Run chmod 600 on it, and think about who may have copied it.`,
    );
  }
  return readFileSync(path, 'utf8');
}

/** Written and synced under another name, then linked: `link` fails where the name is taken, so nothing is ever replaced. */
function made(path: string, text: string): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(temporary, 'wx', privateMode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    unlinkSync(temporary);
  }
  return path;
}
