import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';

/** How long anvil may take until it answers. A long chain takes seconds to read back. */
export const anvilStartMs = 60_000;
/** How long anvil may take to write its state and end before it is killed. */
export const anvilStopMs = 60_000;
/** How long a start waits for the anvil of a process that was just killed to write its state and end. */
export const predecessorMs = 15_000;
const probePauseMs = 25;
const logTailCharacters = 600;

export type AnvilOptions = {
  /** Holds the state, so that a restart keeps the chain, and the log. Made when it is missing. */
  readonly directory: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Chain id of EIP-155. */
  readonly chainNumber: number;
  /** A block every so many seconds; without it, a block for every transaction. */
  readonly blockTimeSeconds?: number;
  /** Rules of the chain; `prague` has no precompile for P-256 (EIP-7951). Without it, `osaka`. */
  readonly hardfork?: 'prague' | 'osaka';
};

export interface Anvil extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends anvil after it has written its state. Stopping twice is stopping once. */
  stop(): Promise<void>;
}

/**
 * Starts a development chain on the loopback interface and waits until it answers. The newest block but two is `finalized`:
 * two more blocks make anything final. The state is written every second and at the stop.
 *
 * The file holds a copy of the state for every block, so it grows with the square of their number: 30 MB at 600 blocks,
 * 450 MB at 2,500. A chain that is to live long mines when there is something to mine, not every second.
 *
 * @throws CustodyError `platform/missing-binary`, `platform/port-taken`, `platform/damaged-state`, `chain/unavailable`
 */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  const binary = anvilBinary();
  mkdirSync(options.directory, { recursive: true });
  await waitForPredecessor(options.directory);
  const port = await claimPort(options.port);
  const log = join(options.directory, 'anvil.log');
  const child = launch(binary, argumentsOf(options, port), log);
  writeFileSync(pidFile(options.directory), String(child.pid ?? ''));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => await end(child, ended);
  try {
    await ready({ child, port, log, directory: options.directory });
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = child.pid ?? 0;
  return { url: `http://127.0.0.1:${port}`, port, pid, ended, stop, [Symbol.asyncDispose]: stop };
}

/** @throws CustodyError `platform/missing-binary` */
function anvilBinary(): string {
  const processors: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
  const name = `@foundry-rs/anvil-${process.platform}-${processors[process.arch] ?? process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/anvil`);
  } catch (cause) {
    throw new CustodyError(
      'platform/missing-binary',
      `The development chain needs the package ${name}, which is not installed. Run "npm ci" without --omit=optional, or set CHAIN_EIP155_<id>_RPC to use a chain of your own.`,
      { details: { package: name }, cause },
    );
  }
}

function argumentsOf(options: AnvilOptions, port: number): readonly string[] {
  const blocks = options.blockTimeSeconds === undefined ? [] : [`--block-time=${options.blockTimeSeconds}`];
  return [
    '--host=127.0.0.1',
    `--port=${port}`,
    `--chain-id=${options.chainNumber}`,
    `--hardfork=${options.hardfork ?? 'osaka'}`,
    '--slots-in-an-epoch=1',
    '--quiet',
    ...blocks,
    `--state=${join(options.directory, 'state.json')}`,
    '--state-interval=1',
    '--preserve-historical-states',
  ];
}

/**
 * A shell stands between us and anvil: it holds the reading end of a pipe whose other end is ours, and when that closes,
 * because we stopped or were killed in whatever way, it interrupts anvil. So anvil writes its state and never outlives us.
 */
const guard = `
exec 3<&0
"$@" </dev/null 3<&- &
anvil=$!
{ read -r _ <&3; kill -INT $anvil; } 2>/dev/null &
watcher=$!
exec 3<&-
wait $anvil
status=$?
kill $watcher 2>/dev/null
exit $status
`;

/** A process group of its own keeps the terminal's Ctrl-C from anvil, which is to stop after those who use it. */
function launch(binary: string, parameters: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'w');
  try {
    return spawn('/bin/sh', ['-c', guard, 'sh', binary, ...parameters], {
      stdio: ['pipe', output, output],
      detached: true,
    });
  } finally {
    closeSync(output);
  }
}

function pidFile(directory: string): string {
  return join(directory, 'anvil.pid');
}

/**
 * Two nodes on one state would overwrite each other. When our predecessor was killed, its anvil is still writing: that is
 * worth waiting for. One that stays belongs to a process that runs.
 *
 * @throws CustodyError `platform/port-taken`
 */
async function waitForPredecessor(directory: string): Promise<void> {
  const deadline = Date.now() + predecessorMs;
  for (let pid = predecessor(directory); pid !== undefined; pid = predecessor(directory)) {
    if (Date.now() > deadline) {
      const message = `The development chain in ${directory} is in use by process ${pid}: Bulkhead runs there already. Stop it, or choose another folder.`;
      throw new CustodyError('platform/port-taken', message, { details: { pid } });
    }
    await pause(probePauseMs);
  }
}

/** The process that has the directory, told by its command line, because process ids are used again. */
function predecessor(directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile(directory), 'utf8'));
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command.includes(directory) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Listens for a moment to find out whether anvil can. */
async function claimPort(port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause) => {
      const message = `The development chain cannot listen on 127.0.0.1:${port}: another program does, or may not. Stop it or choose another port.`;
      reject(new CustodyError('platform/port-taken', message, { details: { port }, cause }));
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(taken));
    });
  });
}

type Start = { readonly child: ChildProcess; readonly port: number; readonly log: string; readonly directory: string };

async function ready(start: Start): Promise<void> {
  const deadline = Date.now() + anvilStartMs;
  while (Date.now() < deadline) {
    if (start.child.exitCode !== null || start.child.signalCode !== null) throw startFault(start);
    if (await answers(start.port)) return;
    await pause(probePauseMs);
  }
  throw new CustodyError(
    'chain/unavailable',
    `The development chain did not answer within ${anvilStartMs / 1000} s. Its log is ${start.log}.`,
  );
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] }),
      signal: AbortSignal.timeout(1000),
    });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}

/** Why anvil ended before it answered, from what it wrote. */
function startFault(start: Start): CustodyError {
  const text = readFileSync(start.log, 'utf8').trim().slice(-logTailCharacters);
  if (/address (?:already )?in use|AddrInUse/iu.test(text)) {
    return new CustodyError(
      'platform/port-taken',
      `The development chain cannot listen on 127.0.0.1:${start.port}: another program does.`,
    );
  }
  if (/state|json|EOF|expected/iu.test(text)) {
    return new CustodyError(
      'platform/damaged-state',
      `The state of the development chain in ${join(start.directory, 'state.json')} cannot be read back: it is damaged or of another version. Begin anew with --fresh, or restore the file.`,
      { details: { log: text } },
    );
  }
  return new CustodyError(
    'chain/unavailable',
    `The development chain ended while it started. Its log is ${start.log}: ${text}`,
  );
}

/** Closing the pipe makes the guard interrupt anvil; killing the group is for an anvil that does not react. */
async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.stdin?.end();
  const timer = new AbortController();
  const late = pause(anvilStopMs, true, { signal: timer.signal, ref: false }).catch(() => false);
  const timedOut = await Promise.race([ended.then(() => false), late]);
  timer.abort();
  if (timedOut && child.pid !== undefined) {
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
}
