import type { Environment } from '@bulkhead/server';

/** Everything a command has to do with the world it was typed in. */
export type Terminal = {
  /** The words after the name of the program. */
  readonly words: readonly string[];
  /** Folder it was typed in. */
  readonly folder: string;
  readonly environment: Environment;
  /** What was asked for. */
  readonly out: (line: string) => void;
  /** Progress and complaints. */
  readonly err: (line: string) => void;
};

/** Pause until the first line about long work, and between the later ones. */
const progressMs = 5_000;

/** Does long work and says so every few seconds while it lasts. */
export async function withProgress<Result>(
  terminal: Terminal,
  what: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const start = Date.now();
  const timer = setInterval(() => terminal.err(`${what} … ${Math.round((Date.now() - start) / 1000)} s`), progressMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
