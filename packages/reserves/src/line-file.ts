import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { invariant } from '@bulkhead/domain';

/** Bytes that are read or written at once. */
const chunkBytes = 1 << 20;

/** Mode of what only its owner may read: balances of clients by name. */
export const privateMode = 0o600;

/** Writes lines to a new private file. What is not ended stands for nothing: whoever reads it looks for a sign that comes after it. */
export class LineWriter {
  readonly #file: number;
  #waiting: string[] = [];
  #length = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w', privateMode);
  }

  add(line: string): void {
    this.#waiting.push(line);
    this.#length += line.length + 1;
    if (this.#length >= chunkBytes) this.#flush();
  }

  /** Returned means: it is on the disk. */
  end(): void {
    this.#flush();
    fsyncSync(this.#file);
    this.close();
  }

  close(): void {
    closeSync(this.#file);
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    writeWhole(this.#file, Buffer.from(`${this.#waiting.join('\n')}\n`), undefined);
    this.#waiting = [];
    this.#length = 0;
  }
}

/** Writes all of it: the system may take a part. @param at undefined appends */
export function writeWhole(file: number, bytes: Uint8Array, at: number | undefined): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, at === undefined ? null : at + done);
  }
}

/** Lines of a file, one after the other: a million of them need no memory at once. */
export function* linesOf(path: string): Generator<string, undefined> {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let rest = '';
    for (;;) {
      const length = readSync(file, chunk, 0, chunkBytes, null);
      if (length === 0) break;
      // Everything in these files is ASCII: no character stands across two chunks.
      const lines = (rest + chunk.toString('latin1', 0, length)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    invariant(rest === '', `${path} ends within a line.`);
  } finally {
    closeSync(file);
  }
}
