import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, relative, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { invariant } from '@bulkhead/domain';
import {
  beginAnew,
  conclude,
  type Configuration,
  type Demonstration,
  demonstrate,
  examine,
  type LastAct,
  loadConfiguration,
  openLog,
  type RunningServer,
  type StartedPart,
  startServer,
  type Telling,
} from '@bulkhead/server';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { tellFindings } from './check.ts';

/** Time for an orderly stop. What is not done then is done by the next start. */
export const stopMsMax = 30_000;

export async function start(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('start', terminal.words, {
    port: { type: 'string' },
    fresh: { type: 'boolean' },
    exit: { type: 'boolean' },
  });
  const configuration = withPort(loadConfiguration(terminal.folder, terminal.environment), options.port);
  if (options.fresh === true) {
    await beginAnew(configuration);
    terminal.out(`Begun anew: what was embedded in ${configuration.dataDirectory} is gone.`);
  }
  const signals = listenForSignals(terminal);
  try {
    const house: House = { terminal, configuration, interrupted: signals.stopAsked };
    let server = await withProgress(terminal, 'starting', () => startedServer(house, () => true));
    try {
      let played = await play(house, server).catch(async (error: unknown) => {
        await tellBroken(house, server);
        throw error;
      });
      if (typeof played === 'object') {
        await stopInTime(terminal, server);
        await unlessInterrupted(house, played.perform());
        server = await withProgress(terminal, 'restarting', () => startedServer(house, isPlace));
        played = await concluded(house, server);
      }
      terminal.out('');
      const { access } = server;
      const proven = tellFindings(terminal, await withProgress(terminal, 'checking', () => examine(access)));
      if (options.exit === true) return played === 'unsound' ? exitCodes.found : proven;
      terminal.out(`\nThe API answers at ${server.url}, its documentation at ${server.url}/docs. Ctrl-C stops it.`);
      await signals.stopAsked;
      terminal.err('Stopping …');
      return exitCodes.ok;
    } finally {
      await stopInTime(terminal, server);
    }
  } finally {
    signals.forget();
  }
}

type House = {
  readonly terminal: Terminal;
  readonly configuration: Configuration;
  readonly interrupted: Promise<void>;
};

/** What cannot go on because the books are broken is said by what is broken, before anything else. */
async function tellBroken({ terminal }: House, { access }: RunningServer): Promise<void> {
  const findings = await examine(access);
  if (findings.length > 0) tellFindings(terminal, findings);
}

type Played = 'sound' | 'unsound';

/** Plays the demonstration where the server is one to play with. Ctrl-C ends it; what was done stays, and the next start goes on. */
async function play(house: House, server: RunningServer): Promise<Played | LastAct> {
  const { terminal, configuration } = house;
  terminal.out('');
  const told = await unlessInterrupted(house, demonstrate(server, configuration, tellingOn(terminal)));
  return told !== undefined && 'perform' in told ? told : tellTable(terminal, told);
}

async function concluded(house: House, server: RunningServer): Promise<Played> {
  const { terminal, configuration } = house;
  const told = await unlessInterrupted(house, conclude(server, configuration, tellingOn(terminal)));
  return tellTable(terminal, told);
}

function tellTable(terminal: Terminal, told: Demonstration | undefined): Played {
  if (told === undefined) return 'sound';
  for (const line of ['', ...told.lines]) terminal.out(line);
  return told.sound ? 'sound' : 'unsound';
}

/** What was left behind goes down with what it works on: whatever it says then is no news. */
async function unlessInterrupted<Result>({ interrupted }: House, work: Promise<Result>): Promise<Result | undefined> {
  const outcome = await Promise.race([work, interrupted.then(() => undefined)]);
  work.catch(() => undefined);
  return outcome;
}

/** What the story says is told to whoever started, and what is typed in it is typed where they are. */
function tellingOn(terminal: Terminal): Telling {
  return {
    say: (line) => terminal.out(line),
    typed: (words, ends = 'holds') => typeOnStage(terminal, words, ends),
  };
}

const program = fileURLToPath(new URL('../../bin/bulkhead.ts', import.meta.url));

/**
 * Types a command on stage, as a person would who has nothing but it: a process of its own, told nothing by this one.
 *
 * @throws CustodyError `invariant/broken` where it fails
 */
async function typeOnStage(
  { out, folder }: Terminal,
  words: readonly string[],
  ends: 'holds' | 'fails',
): Promise<void> {
  const shown = words.map((word) => (word.startsWith(folder + sep) ? relative(folder, word) : word));
  out(`$ npx bulkhead ${shown.join(' ')}`);
  const child = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  const ended = once(child, 'close');
  const [said, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await ended;
  for (const line of said.split('\n').filter((one) => one !== '')) out(`    ${line}`);
  const wanted = ends === 'holds' ? exitCodes.ok : exitCodes.found;
  invariant(child.exitCode === wanted, `The command ended with ${child.exitCode}: ${complaint.slice(-500)}`);
}

/** Of a start that follows another one: where people find it may be another place. */
function isPlace({ part }: StartedPart): boolean {
  return part === 'api' || part === 'approval-page';
}

function withPort(configuration: Configuration, asked: string | undefined): Configuration {
  if (asked === undefined) return configuration;
  const port = /^[0-9]{1,5}$/u.test(asked) ? Number(asked) : -1;
  if (port < 0 || port > 65_535) throw new UsageError('--port needs a number from 0 to 65535; 0 takes a free one.');
  return { ...configuration, http: { ...configuration.http, port } };
}

async function startedServer(
  { terminal, configuration }: House,
  isTold: (part: StartedPart) => boolean,
): Promise<RunningServer> {
  const { database, dataDirectory, logLevel } = configuration;
  // Somebody who starts everything on one machine reads the screen; a log between the lines would hide them.
  const file = database.kind === 'embedded' ? join(dataDirectory, 'bulkhead.log') : undefined;
  const server = await startServer(configuration, {
    log: openLog(logLevel, file),
    onPart: (part) => {
      if (isTold(part)) terminal.out(`${part.what}\n    ${part.where}`);
    },
  });
  if (file !== undefined && isTold({ part: 'database', what: 'Log', where: file })) terminal.out(`Log\n    ${file}`);
  return server;
}

type Signals = { readonly stopAsked: Promise<void>; readonly forget: () => void };

/** The first signal asks for an orderly stop, also while it is still starting; the second one ends the process at once. */
function listenForSignals(terminal: Terminal): Signals {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const onSignal = (): void => {
    if (asked) endNow(terminal, 'Ended at once. The next start finishes what was under way.', 130);
    asked = true;
    resolve();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const forget = (): void => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  return { stopAsked: promise, forget };
}

/** Ends with whatever is still running; embedded parts are told to end as well. */
function endNow(terminal: Terminal, sentence: string, code: number): never {
  terminal.err(sentence);
  // oxlint-disable-next-line unicorn/no-process-exit -- what is under way may never end, and somebody asked for the end
  process.exit(code);
}

async function stopInTime(terminal: Terminal, server: RunningServer): Promise<void> {
  const timer = setTimeout(() => {
    endNow(
      terminal,
      `It did not stop within ${stopMsMax / 1000} s and was ended. The next start finishes what was under way.`,
      exitCodes.found,
    );
  }, stopMsMax);
  try {
    await server.stop();
  } finally {
    clearTimeout(timer);
  }
}
