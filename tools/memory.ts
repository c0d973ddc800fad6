import { readFileSync, statfsSync } from 'node:fs';

/** A file system in memory, as Linux has it, open to every account. */
const memoryFolder = '/dev/shm';
/** The databases, chains and tokens of the files that run at the same time take a fifth of it. */
const freeBytesMin = 2n ** 31n;

/** What is asked of the machine, so that a test can be another one. */
export type Memory = {
  /** The table of mounts, as `/proc/mounts` has it; empty where there is none. */
  readonly mounts: string;
  readonly freeBytes: bigint;
};

/**
 * Where tests make the folders that they remove again: in memory, if there is room. The hundreds of small files of each database
 * cost a tenth there of what a disk makes of them. No test is about what a disk keeps when the power fails, and after a kill the kernel
 * has what was written, there as on a disk. Tests compile libraries and load them, so files must be allowed to run.
 */
export function folderInMemory(memory: Memory = memoryHere()): string | undefined {
  const options = memory.mounts.split('\n').flatMap((line) => {
    const [, place, kind, list = ''] = line.split(' ');
    return place === memoryFolder && kind === 'tmpfs' ? [list.split(',')] : [];
  });
  const last = options.at(-1);
  const fits = last?.includes('rw') === true && !last.includes('noexec') && memory.freeBytes >= freeBytesMin;
  return fits ? memoryFolder : undefined;
}

function memoryHere(): Memory {
  try {
    const { bavail, bsize } = statfsSync(memoryFolder, { bigint: true });
    return { mounts: readFileSync('/proc/mounts', 'utf8'), freeBytes: bavail * bsize };
  } catch {
    // No Linux, or none that shows it.
    return { mounts: '', freeBytes: 0n };
  }
}
