import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../cli/bin/bulkhead.ts', import.meta.url));
const startMsMax = 60_000;
const { PATH: path = '', NODE_COMPILE_CACHE: compiled } = process.env;

/** What of this process's own environment reaches another: the path, and where node keeps what it made of our modules. */
export const ownEnvironment: Readonly<Record<string, string>> = {
  PATH: path,
  ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
};

export type ServerProcess = {
  readonly url: string;
  readonly child: ChildProcess;
  /** kill -9, and wait until the kernel has done it. */
  kill(): Promise<void>;
};

/** A server in a process of its own, which can be killed. */
export async function spawnServer(
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [program, 'start', '--port', '0'], {
    cwd: folder,
    env: { ...ownEnvironment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const url = await apiAddress(child);
  return {
    url,
    child,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function apiAddress(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const hear = (chunk: Buffer): void => {
    said += chunk.toString('utf8');
    const url = /The API answers at (http:\/\/[^,\s]+),/u.exec(said)?.[1];
    if (url !== undefined) resolve(url);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  child.once('exit', () => reject(new Error(`The server ended while it started: ${said}`)));
  const timer = setTimeout(() => reject(new Error(`The server did not start in time: ${said}`)), startMsMax);
  try {
    const url = await promise;
    assert.ok(url.startsWith('http://127.0.0.1:'));
    return url;
  } finally {
    clearTimeout(timer);
  }
}
