import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError, invariant } from '@bulkhead/domain';
import { type Database, openDatabase } from './database.ts';
import { guardAddress } from './guard.ts';
import { migrate, type MigrationSource, readMigrations } from './migration.ts';
import { appRole } from './roles.ts';

/** How long a test waits for the shared server to come up. */
export const testServerTimeoutMs = 180_000;
const connectRetryMs = 40;

type Urls = { readonly adminUrl: string; readonly owner: string; readonly app: string };

export type TestDatabase = AsyncDisposable & {
  /** Session of the owner of all tables. */
  readonly owner: Database;
  /** Session with the rights of the application and no more. */
  readonly app: Database;
  /** Session of the superuser, to plant what no right would allow. */
  readonly admin: Database;
  readonly urls: { readonly owner: string; readonly app: string; readonly admin: string };
};

export type TestDatabaseOptions = {
  /** Applied once per content of the files; each test then gets a copy of the result. */
  readonly migrations?: readonly MigrationSource[];
  /** What comes after the files, with rights of the owner: put into the template once for all tests that name it. */
  readonly addition?: TemplateAddition;
  readonly connections?: number;
};

export type TemplateAddition = {
  /** Says what it is, for the templates of one run. */
  readonly name: string;
  readonly into: (owner: Database, access: { readonly url: string }) => Promise<void>;
};

let shared: Promise<Urls> | undefined;

/**
 * A database of its own for one test: a copy of a template in some ten milliseconds, dropped at the end. All test processes
 * of a checkout share one server, which ends with the last of them. It runs without fsync.
 */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  shared ??= sharedServer();
  const urls = await shared;
  const connections = options.connections ?? 10;
  const name = `test_${randomBytes(8).toString('hex')}`;
  const admin = openDatabase({ url: urls.adminUrl, name: 'test-admin', connections: 1 });
  const template = await templateOf(admin, urls, options);
  await admin.query(`create database ${name} template ${template} owner bulkhead_owner`);
  await admin.query(`grant connect on database ${name} to ${appRole}`);
  const of = (url: string): string => url.replace(/\/[a-z]+$/u, `/${name}`);
  const addresses = { owner: of(urls.owner), app: of(urls.app), admin: of(urls.adminUrl) };
  const owner = openDatabase({ url: addresses.owner, name: 'test-owner', connections });
  const app = openDatabase({ url: addresses.app, name: 'test-app', connections });
  const superuser = openDatabase({ url: addresses.admin, name: 'test-superuser', connections: 2 });
  return {
    owner,
    app,
    admin: superuser,
    urls: addresses,
    async [Symbol.asyncDispose]() {
      await Promise.all([owner.close(), app.close(), superuser.close()]);
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.close();
    },
  };
}

/** The template with this in it: found by the hash of its content, made under a lock when missing. */
async function templateOf(
  admin: Database,
  urls: Urls,
  { migrations: sources = [], addition }: TestDatabaseOptions,
): Promise<string> {
  const migrations = (await Promise.all(sources.map(readMigrations))).flat();
  const files = migrations.map((migration) => `${migration.source}/${migration.file}:${migration.sha256}`);
  const content = [...files, ...(addition === undefined ? [] : [addition.name])].join('\n');
  const template = `template_${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
  const find = async (): Promise<boolean> =>
    (await admin.query('select from pg_database where datname = $1', [template])).length > 0;
  if (await find()) return template;
  // One connection, so the session lock is taken and given back by the same session.
  await admin.query(`select pg_advisory_lock(hashtext($1))`, [template]);
  try {
    if (await find()) return template;
    await admin.query(`drop database if exists ${template}_raw with (force)`);
    await admin.query(`create database ${template}_raw owner bulkhead_owner`);
    await admin.query(`revoke all on database ${template}_raw from public`);
    {
      const url = urls.owner.replace(/\/[a-z]+$/u, `/${template}_raw`);
      await using owner = openDatabase({ url, connections: 1 });
      await migrate(owner, sources);
      await addition?.into(owner, { url });
    }
    await admin.query(`alter database ${template}_raw rename to ${template}`);
    return template;
  } finally {
    await admin.query(`select pg_advisory_unlock(hashtext($1))`, [template]);
  }
}

function readUrls(line: string): Urls {
  const content: unknown = JSON.parse(line);
  if (
    typeof content === 'object' &&
    content !== null &&
    'adminUrl' in content &&
    'owner' in content &&
    'app' in content
  ) {
    const { adminUrl, owner, app } = content;
    if (typeof adminUrl === 'string' && typeof owner === 'string' && typeof app === 'string') {
      return { adminUrl, owner, app };
    }
  }
  throw new CustodyError('database/unavailable', `The test server did not start: ${line.trim()}`);
}

/** Connects to the shared server's socket, starting the server when nobody answers. The open socket counts us as a user. */
async function sharedServer(): Promise<Urls> {
  const name = `test server ${process.getuid?.() ?? 0} ${import.meta.url}`;
  for (let waitedMs = 0; waitedMs < testServerTimeoutMs; waitedMs += connectRetryMs) {
    const socket = await connected(name);
    if (socket !== undefined) {
      const line = await firstLine(socket);
      if (line !== undefined) {
        socket.unref();
        return readUrls(line);
      }
    } else if (waitedMs % (100 * connectRetryMs) === 0) {
      startServer(name);
    }
    await sleep(connectRetryMs);
  }
  throw new CustodyError('database/unavailable', `The test server did not start within ${testServerTimeoutMs} ms.`);
}

function startServer(name: string): void {
  const program = fileURLToPath(import.meta.resolve('./testing-server.ts'));
  const child = spawn(process.execPath, [program, name], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  invariant(child.pid !== undefined, 'The test server could not be spawned.');
  child.unref();
}

function connected(name: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(guardAddress(name));
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

/** The first line the server sends, or undefined when it closes without one because it is about to end. */
function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let received = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (received.includes('\n')) resolve(received.slice(0, received.indexOf('\n')));
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(undefined));
  });
}
