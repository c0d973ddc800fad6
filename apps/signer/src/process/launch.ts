import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CustodyError, type FaultCode, faultCodes } from '@bulkhead/domain';
import { z } from 'zod';
import { buildSigner } from './build.ts';
import { checkConfiguration, type SignerConfiguration, type SignerConfigurationFile } from './configuration.ts';
import { hardeningFlags } from './hardening-flags.ts';
import { stopMsMax } from './limits.ts';
import { secretPath } from './secret-file.ts';

export { pinRefusedExitCode } from './limits.ts';

/** How long the signer may take until it listens: its log is replayed first. */
export const readyMsMax = 120_000;

export type SignerOrder = {
  /** Folder for the program, its configuration and its log: `signer.mjs`, `signer.json`, `signer.log`. */
  readonly directory: string;
  readonly configuration: SignerConfigurationFile;
  /** Where the packages that are binaries lie: a folder with `node_modules`. Absent: this repository. */
  readonly modules?: string;
  /** Another user to run as. Only root may ask for it. */
  readonly user?: { readonly uid: number; readonly gid: number };
};

export type RunningSigner = {
  /** Where clients reach it: `unix:/…`, `tls://…`. The first is the socket, where there is one. */
  readonly endpoint: string;
  readonly endpoints: readonly string[];
  readonly pid: number;
  /** Its standard error. */
  readonly logFile: string;
  readonly sha256: string;
  /** Ends it and waits until it is gone. Does nothing when it is gone already. */
  stop(): Promise<void>;
  /** When and how it ended, whoever ended it. Starting it again is for the caller to decide. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
};

const repository = resolve(import.meta.dirname, '../../../..');

/**
 * Builds the signer where the program in the folder is another, starts it hardened, and waits until it listens. With `development` in
 * its configuration it ends with this process; without, it stays.
 *
 * @throws CustodyError what the signer says why it does not start; `signer/not-ready` where it says nothing
 */
export async function startSigner(order: SignerOrder): Promise<RunningSigner> {
  const configuration = checkConfiguration(order.configuration);
  const directory = resolve(order.directory);
  for (const folder of [directory, ...foldersOf(configuration)]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { file, sha256 } = await buildSigner(directory);
  const configurationFile = join(directory, 'signer.json');
  writeFileSync(configurationFile, `${JSON.stringify(order.configuration, undefined, 2)}\n`, { mode: 0o644 });
  const logFile = join(directory, 'signer.log');
  const modules = order.modules ?? repository;
  const options = nodeOptions({ configuration, program: file, configurationFile, modules });
  const child = run(order, {
    logFile,
    options: [...options, file, `--configuration=${configurationFile}`, `--modules=${modules}`],
  });
  const exited = exitOf(child);
  const endpoints = await readiness(child, { exited, logFile });
  const [endpoint] = endpoints;
  const { pid } = child;
  if (endpoint === undefined || pid === undefined) throw notReady('it listens nowhere', logFile);
  return { endpoint, endpoints, pid, logFile, sha256, stop: () => stop(child, exited), exited };
}

export type Start = {
  readonly configuration: SignerConfiguration;
  readonly program: string;
  readonly configurationFile: string;
  readonly modules: string;
};

/** Options of Node for this configuration: the hardening, and each file and folder that the signer touches. */
export function nodeOptions({ configuration, program, configurationFile, modules }: Start): readonly string[] {
  const folders = foldersOf(configuration);
  const read = [
    program,
    configurationFile,
    `${join(modules, 'node_modules')}/`,
    // Native packages look there which C library this is.
    '/etc/alpine-release',
    ...filesOf(configuration),
    ...folders.flatMap((folder) => [folder, `${folder}/`]),
  ];
  const write = folders.flatMap((folder) => [folder, `${folder}/`]);
  assertApart(read);
  return [
    ...hardeningFlags,
    '--allow-addons',
    '--disable-warning=PERM0001',
    '--no-global-search-paths',
    '--no-experimental-websocket',
    '--no-experimental-sqlite',
    ...new Set(read.map((path) => `--allow-fs-read=${path}`)),
    ...new Set(write.map((path) => `--allow-fs-write=${path}`)),
  ];
}

/**
 * Node keeps the allowed paths in a tree of letters and loses one whose name goes on in another: beside `/a/state`, `/a/s` itself
 * would be denied. It errs on the safe side, and nobody would understand why.
 */
function assertApart(paths: readonly string[]): void {
  for (const path of paths) {
    const longer = paths.find(
      (other) => other.startsWith(path) && other !== path && !other.startsWith(path.replace(/\/?$/u, '/')),
    );
    if (longer === undefined) continue;
    throw new CustodyError(
      'config/invalid',
      `The names ${path} and ${longer} begin alike to their end, which Node's permission model cannot tell apart. Rename one.`,
    );
  }
}

function foldersOf({ state, socket }: SignerConfiguration): readonly string[] {
  return [state, ...(socket === undefined ? [] : [dirname(socket.path)])];
}

function filesOf({ tree, tls, tokens }: SignerConfiguration): readonly string[] {
  const places = [
    ...(tree?.driver === 'software' ? [tree.file, tree.passphraseFile] : []),
    ...(tree?.driver === 'pkcs11-sealed-seed' ? [tree.envelope] : []),
    ...(tls === undefined ? [] : [tls.certificateFile, tls.keyFile, tls.authorityFile]),
    ...tokens.flatMap(({ library, pinFile }) => [library, pinFile]),
  ];
  return places.flatMap((place) => secretPath(place) ?? []);
}

/**
 * An own group, so that a key press meant for the parent does not end the signer in the middle of a payment; and none of the parent's
 * environment but what names the configuration of a token's library.
 */
function run(order: SignerOrder, { logFile, options }: { logFile: string; options: readonly string[] }): ChildProcess {
  const softhsm = process.env['SOFTHSM2_CONF'];
  const log = openSync(logFile, 'a', 0o600);
  try {
    return spawn(process.execPath, options, {
      cwd: '/',
      detached: true,
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...(softhsm === undefined ? {} : { SOFTHSM2_CONF: softhsm }) },
      stdio: ['pipe', 'pipe', log],
      ...order.user,
    });
  } finally {
    closeSync(log);
  }
}

function exitOf(child: ChildProcess): RunningSigner['exited'] {
  return new Promise((done) => {
    child.once('exit', (code, signal) => done({ code, signal }));
    child.once('error', () => done({ code: null, signal: null }));
  });
}

async function stop(child: ChildProcess, exited: RunningSigner['exited']): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  // What was not committed by then was not given out, and what was is in the log.
  const last = setTimeout(() => child.kill('SIGKILL'), 3 * stopMsMax);
  await exited;
  clearTimeout(last);
}

const announcement = z.union([
  z.strictObject({ ready: z.array(z.string()) }),
  z.strictObject({ failed: z.strictObject({ code: z.string(), message: z.string() }) }),
]);

type Expected = { readonly exited: RunningSigner['exited']; readonly logFile: string };

async function readiness(child: ChildProcess, { exited, logFile }: Expected): Promise<readonly string[]> {
  const { stdout } = child;
  if (stdout === null) throw notReady('it has no output', logFile);
  // A parent that lives on must not be ended by writing to a signer that is gone.
  child.stdin?.on('error', () => undefined);
  const lines = createInterface({ input: stdout });
  const line = new Promise<string>((done) => lines.once('line', done));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CustodyError>((done) => {
    timer = setTimeout(() => done(notReady(`it was not ready within ${readyMsMax} ms`, logFile)), readyMsMax);
  });
  // Its last words may arrive after the news of its end.
  const gone = exited.then(async ({ code, signal }) => {
    await new Promise((done) => setTimeout(done, 100));
    return notReady(`it ended with ${signal ?? `code ${code}`}`, logFile);
  });
  const first = await Promise.race([line, late, gone]);
  clearTimeout(timer);
  const said = typeof first === 'string' ? announcement.safeParse(jsonOf(first)).data : undefined;
  if (said !== undefined && 'ready' in said) return said.ready;
  await stop(child, exited);
  if (said !== undefined) throw new CustodyError(codeOf(said.failed.code), said.failed.message);
  throw typeof first === 'string' ? notReady('it said what cannot be read', logFile) : first;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(text: string): FaultCode {
  return faultCodes.find((code) => code === text) ?? 'signer/not-ready';
}

function notReady(fact: string, logFile: string): CustodyError {
  return new CustodyError('signer/not-ready', `The signer did not start: ${fact}. ${logFile} has its last words.`);
}
