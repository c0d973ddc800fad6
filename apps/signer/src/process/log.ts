import { writeSync } from 'node:fs';

/** Values of a line: names, ids, codes and counts. Never a secret, never the contents of an intent beyond its ids. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = (level: 'info' | 'warning' | 'error', event: string, fields?: LogFields) => void;

/** Longest value of a line, in characters: what comes from outside cannot fill the disk with one line. */
export const logValueLengthMax = 1_000;

const stderr = 2;

/** One line of JSON each, to the standard error, as services are expected to log. */
export const logLine: Log = (level, event, fields = {}) => {
  const short = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? value.slice(0, logValueLengthMax) : value,
  ]);
  const line = JSON.stringify({ at: new Date().toISOString(), level, event, ...Object.fromEntries(short) });
  try {
    writeSync(stderr, `${line}\n`);
  } catch {
    // A log that nobody takes any more is no reason to stop signing, and there is nowhere left to say so.
    return;
  }
};

/**
 * What is known about an error without its message: messages of foreign errors may quote what they choked on.
 */
export function errorShape(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  return {
    error: error.name,
    frames: frames
      .slice(0, 6)
      .map((line) => line.trim())
      .join(' < '),
  };
}
