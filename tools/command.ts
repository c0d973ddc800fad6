import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './tree.ts';

export type Outcome = {
  readonly code: number;
  readonly output: string;
  readonly durationMs: number;
};

/** A checker that runs longer than this hangs. */
const timeoutMs = 300_000;

/** Runs an installed program from the root of the repository and collects what it prints. */
export async function run(program: string, args: readonly string[]): Promise<Outcome> {
  const startedAt = performance.now();
  const bin = join(root, 'node_modules', '.bin');
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = Promise.withResolvers<{ readonly code: number; readonly note: string }>();
  child.on('error', (error) => {
    ended.resolve({ code: 1, note: `${program} did not start: ${error.message}. Run npm ci.` });
  });
  child.on('close', (code, signal) => {
    const note = signal === null ? '' : `${program} was ended by ${signal}`;
    ended.resolve({ code: code ?? 1, note });
  });
  const { code, note } = await ended.promise;
  clearTimeout(timer);
  const output = Buffer.concat(chunks).toString('utf8').trim();
  return {
    code,
    output: [output, note].filter((part) => part !== '').join('\n'),
    durationMs: performance.now() - startedAt,
  };
}
