import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The program as `npx bulkhead` finds it. */
export const launcher = fileURLToPath(new URL('../bin/bulkhead.js', import.meta.url));

export type Said = { readonly code: number | null; readonly out: string; readonly err: string };

export type Shell = {
  /** Folder the command is typed in. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Program and node, where they are not those of this repository. */
  readonly program?: string;
  readonly node?: string;
};

export type Typed = {
  readonly child: ChildProcess;
  readonly said: () => { readonly out: string; readonly err: string };
  readonly ended: Promise<Said>;
};

const running = new Set<ChildProcess>();

/** Ends what a test that failed left behind. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

const { PATH: path = '', NODE_COMPILE_CACHE: compiled } = process.env;
/** What of this process's own environment reaches a command: the path, and where node keeps what it made of our modules. */
export const ownEnvironment: Readonly<Record<string, string>> = {
  PATH: path,
  ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
};

/** Types a command and does not wait. */
export function type(shell: Shell, words: readonly string[]): Typed {
  const child = spawn(shell.node ?? process.execPath, [shell.program ?? launcher, ...words], {
    cwd: shell.folder,
    env: { ...(shell.program === undefined ? ownEnvironment : { PATH: path }), ...shell.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const ended = once(child, 'close').then((): Said => ({ code: child.exitCode, out, err }));
  return { child, said: () => ({ out, err }), ended };
}

/** Types a command and waits for its end. */
export async function run(shell: Shell, ...words: readonly string[]): Promise<Said> {
  return await type(shell, words).ended;
}
