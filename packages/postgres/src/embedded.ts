import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError } from '@bulkhead/domain';
import type { DatabaseAccess } from './access.ts';
import { type Database, openDatabase } from './database.ts';
import { takeGuard } from './guard.ts';
import { type Binaries, findBinaries, findLauncher, type Launcher } from './platform.ts';
import {
  clearOrphan,
  freePort,
  isPortFree,
  lastLogLine,
  type Postmaster,
  StartFailure,
  startPostmaster,
  stopPostmaster,
} from './postmaster.ts';
import { appRole, auditorRole, createRoles } from './roles.ts';

export const embeddedVersion = '18';
export const embeddedConnections = 200;
const adminLogin = 'bulkhead_admin';
const ownerLogin = 'bulkhead_owner';
const appLogin = 'bulkhead_server';
const databaseName = 'bulkhead';
const startAttemptsMax = 20;
const retryMs = 250;

export type EmbeddedOptions = {
  /** Folder of the server: data, log and passwords. Made if missing, used again if there. */
  readonly directory: string;
  /** A port that must be this one. Without it any free port is taken. */
  readonly port?: number;
  /** Server settings on top of ours, for tests and benches. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Skips flushing while the folder is created. For tests. */
  readonly unsynced?: boolean;
};

export type EmbeddedServer = AsyncDisposable & {
  readonly port: number;
  readonly pid: number;
  readonly log: string;
  /** Owner and application have logins of their own. */
  readonly access: DatabaseAccess;
  /** Address of the superuser, for tests and repair. Never hand it to the application. */
  readonly adminUrl: string;
  /** Settles when the server has ended, whether it was stopped or died. */
  readonly ended: Promise<void>;
  /** Fast shutdown; returns when the server has flushed everything and is gone. */
  stop(): Promise<void>;
};

/** What makes an acknowledged commit survive a crash is on, and stays on. */
const settingsDefault: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: String(embeddedConnections),
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  deadlock_timeout: '200ms',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

type Passwords = { readonly admin: string; readonly owner: string; readonly app: string };

/**
 * Starts a real PostgreSQL in a folder of ours, on 127.0.0.1 only. For development, demonstrations and tests: the programs
 * come from npm and bundle old libraries.
 *
 * The server ends with this process, at `stop()`, at exit, at SIGINT and SIGTERM. After kill -9 it may stay behind; the next
 * start in the same folder finds it, stops it in order and starts anew.
 *
 * @throws CustodyError `platform/missing-binary`, `platform/folder-unreachable`, `platform/port-taken`
 * @throws CustodyError `database/busy` when a living process already runs a server in the folder
 * @throws CustodyError `database/damaged` when the folder is there and cannot be used
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const binaries = findBinaries();
  mkdirSync(options.directory, { recursive: true, mode: 0o711 });
  const directory = realpathSync(options.directory);
  const guard = await takeGuard(`postgres ${directory}`);
  if (guard === undefined) {
    throw new CustodyError(
      'database/busy',
      `Another process already runs a database in ${directory}. Stop it first, or choose another folder.`,
      {
        details: { directory },
      },
    );
  }
  try {
    const launcher = findLauncher([dirname(binaries.postgres), directory]);
    const passwords = prepareFolder({ directory, binaries, launcher, unsynced: options.unsynced === true });
    const postmaster = await startAnyhow({ ...options, directory }, binaries, launcher);
    const cancelHooks = stopWithProcess(postmaster);
    const server = describe(postmaster, directory, passwords);
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopping ??= stopPostmaster(postmaster)
        .finally(cancelHooks)
        .then(() => guard[Symbol.asyncDispose]());
      return stopping;
    };
    try {
      await createLogins(server, passwords);
    } catch (error) {
      await stop();
      throw error;
    }
    return { ...server, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await guard[Symbol.asyncDispose]();
    throw error;
  }
}

function describe(
  postmaster: Postmaster,
  directory: string,
  passwords: Passwords,
): Omit<EmbeddedServer, 'stop' | typeof Symbol.asyncDispose> {
  const url = (login: string, password: string, database: string): string =>
    `postgres://${login}:${password}@127.0.0.1:${postmaster.port}/${database}`;
  return {
    port: postmaster.port,
    pid: postmaster.process.pid ?? 0,
    log: join(directory, 'postgres.log'),
    ended: postmaster.ended,
    adminUrl: url(adminLogin, passwords.admin, 'postgres'),
    access: {
      owner: { url: url(ownerLogin, passwords.owner, databaseName), name: 'bulkhead-owner' },
      app: { url: url(appLogin, passwords.app, databaseName) },
      separated: true,
    },
  };
}

function damaged(directory: string, fact: string): CustodyError {
  return new CustodyError(
    'database/damaged',
    `The database folder ${directory} cannot be used: ${fact}. Restore it from a copy, or begin anew in another folder.`,
    { details: { directory } },
  );
}

type FolderOptions = {
  readonly directory: string;
  readonly binaries: Binaries;
  readonly launcher: Launcher;
  readonly unsynced: boolean;
};

/** Checks the folder that is there, or makes it. */
function prepareFolder(options: FolderOptions): Passwords {
  const data = join(options.directory, 'data');
  const passwordFile = join(options.directory, 'passwords.json');
  if (!existsSync(data)) {
    const passwords = createPasswords(passwordFile);
    createData(options, passwords);
    return passwords;
  }
  const versionFile = join(data, 'PG_VERSION');
  if (!existsSync(versionFile)) throw damaged(options.directory, 'data/PG_VERSION is missing');
  const version = readFileSync(versionFile, 'utf8').trim();
  if (version !== embeddedVersion) {
    throw damaged(options.directory, `it belongs to PostgreSQL ${version}, this is PostgreSQL ${embeddedVersion}`);
  }
  return readPasswords(passwordFile, options.directory);
}

function createPasswords(file: string): Passwords {
  const password = (): string => randomBytes(24).toString('base64url');
  const passwords = { admin: password(), owner: password(), app: password() };
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(passwords)}\n`, { mode: 0o600, flag: 'wx' });
  return passwords;
}

function readPasswords(file: string, directory: string): Passwords {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw damaged(directory, 'passwords.json is missing or not readable');
  }
  if (typeof content === 'object' && content !== null && 'admin' in content && 'owner' in content && 'app' in content) {
    const { admin, owner, app } = content;
    if (typeof admin === 'string' && typeof owner === 'string' && typeof app === 'string') return { admin, owner, app };
  }
  throw damaged(directory, 'passwords.json does not hold the three passwords');
}

/**
 * Makes the data folder under another name and renames it when it is whole, so that a folder called `data` was never
 * half made: a crash before the rename leaves a folder that the next start throws away. Its name is new each time, because the
 * `initdb` of a process that was killed goes on for a moment, and must find nothing of ours to write into or to remove.
 */
function createData({ directory, binaries, launcher, unsynced }: FolderOptions, passwords: Passwords): void {
  removeUnfinished(directory);
  const attempt = randomBytes(6).toString('hex');
  const fresh = join(directory, `data.new-${attempt}`);
  const passwordFile = join(directory, `admin-password.new-${attempt}`);
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, passwords.admin, { mode: 0o600, flag: 'wx' });
  try {
    if (launcher.account !== undefined) {
      chownSync(fresh, launcher.account.uid, launcher.account.gid);
      chownSync(passwordFile, launcher.account.uid, launcher.account.gid);
    }
    const command = launcher.command(binaries.initdb, [
      `--pgdata=${fresh}`,
      `--username=${adminLogin}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      ...(unsynced ? ['--no-sync'] : []),
    ]);
    const result = spawnSync(command.file, command.args, { ...command.identity, cwd: '/', encoding: 'utf8' });
    if (result.status !== 0) {
      throw damaged(directory, `it cannot be created (${result.error?.message ?? lastLogLine(result.stderr)})`);
    }
    renameSync(fresh, join(directory, 'data'));
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

const unfinished = /^(?:data|admin-password)\.new-[0-9a-f]{12}$/u;

function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!unfinished.test(name)) continue;
    try {
      rmSync(join(directory, name), { recursive: true, force: true });
    } catch {
      // Somebody still writes into it. It is in nobody's way, and the start that makes the next folder removes it.
    }
  }
}

/** Starts the server, trying again while the cause is one that passes. */
async function startAnyhow(options: EmbeddedOptions, binaries: Binaries, launcher: Launcher): Promise<Postmaster> {
  const data = join(options.directory, 'data');
  await clearOrphan(data);
  for (let attempt = 1; ; attempt += 1) {
    if (options.port !== undefined && !(await isPortFree(options.port))) throw portTaken(options.port);
    const port = options.port ?? (await freePort());
    try {
      return await startPostmaster({
        program: binaries.postgres,
        launcher,
        data,
        log: join(options.directory, 'postgres.log'),
        port,
        settings: { ...settingsDefault, ...options.settings },
      });
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      if (error.reason === 'port-taken' && options.port !== undefined) throw portTaken(options.port);
      if (error.reason === 'other' || attempt >= startAttemptsMax) {
        throw damaged(options.directory, `PostgreSQL does not start (${error.message})`);
      }
    }
    await sleep(retryMs);
  }
}

function portTaken(port: number): CustodyError {
  return new CustodyError(
    'platform/port-taken',
    `Port ${port} of 127.0.0.1 is taken by another program. Free it or configure another port.`,
    {
      details: { port },
    },
  );
}

/**
 * Ties the server to this process. A signal that the application handles itself is left to it: its exit is caught by the
 * `exit` listener. Without a handler of its own we stop the server first and then let the signal do its work.
 */
function stopWithProcess(postmaster: Postmaster): () => void {
  const onExit = (): void => {
    postmaster.process.kill('SIGINT');
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return;
    stopPostmaster(postmaster).then(
      () => {
        cancel();
        process.kill(process.pid, signal);
      },
      () => process.kill(process.pid, 'SIGKILL'),
    );
  };
  const cancel = (): void => {
    process.off('exit', onExit);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  process.on('exit', onExit);
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return cancel;
}

async function createLogin(admin: Database, login: string, password: string): Promise<void> {
  const known = await admin.query('select from pg_roles where rolname = $1', [login]);
  // Passwords are base64url and logins constants of ours: nothing to quote.
  await admin.query(`${known.length === 0 ? 'create' : 'alter'} role ${login} login password '${password}'`);
}

/** Logins, group roles and the database: made where missing, so that a start after a crash in the middle completes them. */
async function createLogins(server: { readonly adminUrl: string }, passwords: Passwords): Promise<void> {
  await using admin = openDatabase({ url: server.adminUrl, name: 'bulkhead-admin', connections: 1 });
  await createRoles(admin);
  await createLogin(admin, ownerLogin, passwords.owner);
  await createLogin(admin, appLogin, passwords.app);
  await admin.query(`grant ${appRole}, ${auditorRole} to ${ownerLogin}`);
  await admin.query(`grant ${appRole} to ${appLogin}`);
  const known = await admin.query('select from pg_database where datname = $1', [databaseName]);
  if (known.length === 0) await admin.query(`create database ${databaseName} owner ${ownerLogin}`);
  await admin.query(`revoke all on database ${databaseName} from public`);
  await admin.query(`grant connect on database ${databaseName} to ${appRole}, ${auditorRole}`);
}
