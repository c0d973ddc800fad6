import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import type { Launcher } from './platform.ts';

export const startTimeoutMs = 60_000;
export const stopTimeoutMs = 60_000;
const pollMs = 15;

export type Postmaster = {
  readonly process: ChildProcess;
  readonly port: number;
  /** Settles when the server has ended, wanted or not. */
  readonly ended: Promise<void>;
};

export type PostmasterOptions = {
  readonly program: string;
  readonly launcher: Launcher;
  readonly data: string;
  readonly log: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
};

/** Why a server did not come up. `port-taken` and `memory-in-use` may pass; the rest means a damaged folder. */
export class StartFailure extends Error {
  readonly reason: 'port-taken' | 'memory-in-use' | 'other';

  constructor(lastLine: string, log: string) {
    super(lastLine);
    this.name = 'StartFailure';
    if (/could not bind|address already in use/iu.test(log)) this.reason = 'port-taken';
    else if (log.includes('pre-existing shared memory block')) this.reason = 'memory-in-use';
    else this.reason = 'other';
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Starts the server and returns when it accepts connections. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const settings = Object.entries({ ...options.settings, port: String(options.port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const command = options.launcher.command(options.program, ['-D', options.data, ...settings]);
  const log = openSync(options.log, 'w', 0o600);
  // Its own session: Ctrl-C in the terminal reaches us alone, and we stop the server after the work in flight.
  const child = spawn(command.file, command.args, {
    ...command.identity,
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  closeSync(log);
  child.unref();
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      hasEnded = true;
      resolve();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  for (let waitedMs = 0; waitedMs < startTimeoutMs; waitedMs += pollMs) {
    if (hasEnded) throw startFailure(options.log);
    if (isReady(options.data, child.pid)) return { process: child, port: options.port, ended };
    await sleep(pollMs);
  }
  child.kill('SIGQUIT');
  await ended;
  throw startFailure(options.log);
}

function startFailure(log: string): StartFailure {
  const content = existsSync(log) ? readFileSync(log, 'utf8') : '';
  return new StartFailure(lastLogLine(content), content);
}

/** The last line that says what went wrong, without the time stamp in front of it. */
export function lastLogLine(content: string): string {
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  const telling =
    lines.findLast((line) => /\b(?:FATAL|PANIC)\b|error while loading|cannot|failed/u.test(line)) ?? lines.at(-1);
  return (telling ?? 'the server wrote no log').replace(/^[-0-9:. ]+(?:[A-Z]+ )?\[[0-9]+\] /u, '').trim();
}

type PidFile = { readonly pid: number; readonly status: string };

function readPidFile(data: string): PidFile | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? { pid, status: lines[7]?.trim() ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

function isReady(data: string, pid: number | undefined): boolean {
  const file = readPidFile(data);
  return file !== undefined && file.pid === pid && file.status === 'ready';
}

/** Whether this process is a server working in this data folder. A zombie or a recycled pid has another or no folder. */
function worksIn(pid: number, data: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  } catch {
    return false;
  }
}

/**
 * Clears what a killed predecessor left. The caller holds the guard of the folder, so no living Bulkhead owns a server in
 * it: one that still runs is an orphan and is stopped in order (its log is replayed at the next start if that fails); a pid
 * file without such a server is removed, because PostgreSQL would take a recycled pid for a running server.
 */
export async function clearOrphan(data: string): Promise<void> {
  const file = readPidFile(data);
  if (file === undefined) return;
  for (let waitedMs = 0; worksIn(file.pid, data); waitedMs += pollMs) {
    if (waitedMs >= stopTimeoutMs) {
      throw new CustodyError(
        'database/busy',
        `A server (process ${file.pid}) still runs in ${data} and does not stop. End it and start again.`,
        {
          details: { pid: file.pid },
        },
      );
    }
    if (waitedMs === 0) process.kill(file.pid, 'SIGINT');
    await sleep(pollMs);
  }
  rmSync(join(data, 'postmaster.pid'), { force: true });
}

/** Fast shutdown: open sessions are ended, everything is flushed, the server exits. */
export async function stopPostmaster(postmaster: Postmaster): Promise<void> {
  postmaster.process.kill('SIGINT');
  const patience = new AbortController();
  const late = sleep(stopTimeoutMs, 'late', { signal: patience.signal }).catch(() => 'stopped');
  const result = await Promise.race([postmaster.ended, late]);
  patience.abort();
  if (result === 'late') {
    postmaster.process.kill('SIGQUIT');
    await postmaster.ended;
  }
}
