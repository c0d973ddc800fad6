import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { homedir, tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from './database.ts';
import { type EmbeddedServer, startEmbedded } from './embedded.ts';
import { findLauncher } from './platform.ts';
import { lastLogLine } from './postmaster.ts';
import { only, text } from './row.ts';

function folder(context: TestContext, parent: string = tmpdir()): string {
  const directory = mkdtempSync(join(parent, 'bulkhead-embedded-'));
  chmodSync(directory, 0o711);
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] !== 'Z';
  } catch {
    return false;
  }
}

async function ended(pid: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(pid) && waitedMs < 15_000; waitedMs += 20) await sleep(20);
  return !isAlive(pid);
}

async function setting(server: EmbeddedServer, name: string): Promise<string> {
  await using db = openDatabase({ ...server.access.owner, connections: 1 });
  return text(only(await db.query('select current_setting($1) as value', [name])), 'value');
}

test('a folder becomes a database that keeps its data, its passwords and its promises', async (context) => {
  const directory = folder(context);
  {
    await using server = await startEmbedded({ directory, unsynced: true });
    for (const [name, value] of [
      ['fsync', 'on'],
      ['synchronous_commit', 'on'],
      ['full_page_writes', 'on'],
      ['listen_addresses', '127.0.0.1'],
      ['password_encryption', 'scram-sha-256'],
    ] as const) {
      assert.equal(await setting(server, name), value);
    }
    assert.equal(statSync(join(directory, 'passwords.json')).mode & 0o777, 0o600);
    await using owner = openDatabase(server.access.owner);
    await owner.query('create table coin (id integer); insert into coin values (1)');
    await using app = openDatabase(server.access.app);
    await assert.rejects(app.query('select * from coin'), /permission denied/u);
    const wrong = server.access.app.url.replace(/:[^:@]+@/u, ':wrong@');
    await assert.rejects(openDatabase({ url: wrong }).query('select 1'), /password authentication failed/u);
    await assert.rejects(startEmbedded({ directory }), { code: 'database/busy' });
    assert.ok(isAlive(server.pid));
  }
  await using again = await startEmbedded({ directory });
  await using owner = openDatabase(again.access.owner);
  assert.equal((await owner.query('select * from coin')).length, 1);
});

test('a demanded port that is taken is an error, an undemanded one is found', async (context) => {
  const directory = folder(context);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await assert.rejects(startEmbedded({ directory, port, unsynced: true }), { code: 'platform/port-taken' });
  await new Promise((resolve) => taken.close(resolve));
  await using server = await startEmbedded({ directory, port });
  assert.equal(server.port, port);
});

const program = `
  import { startEmbedded } from ${JSON.stringify(import.meta.resolve('./embedded.ts'))};
  const server = await startEmbedded({ directory: process.argv[1], unsynced: true });
  process.stdout.write(server.pid + '\\n');
  setInterval(() => {}, 1000);
`;

/** Another process that runs a server in the folder, and the pid of that server. */
async function otherProcess(
  directory: string,
): Promise<{ kill: (signal: NodeJS.Signals) => void; gone: Promise<NodeJS.Signals | null>; serverPid: number }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  );
  return { kill: (signal) => child.kill(signal), gone, serverPid: Number(line) };
}

test('the server ends with its process at SIGTERM and SIGINT', async (context) => {
  const directory = folder(context);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const other = await otherProcess(directory);
    assert.ok(isAlive(other.serverPid));
    await assert.rejects(startEmbedded({ directory }), { code: 'database/busy' });
    other.kill(signal);
    assert.equal(await other.gone, signal);
    assert.ok(await ended(other.serverPid));
  }
});

test('after kill -9 the next start stops the orphan and goes on with its data', async (context) => {
  const directory = folder(context);
  const other = await otherProcess(directory);
  other.kill('SIGKILL');
  await other.gone;
  assert.ok(isAlive(other.serverPid));
  await using server = await startEmbedded({ directory });
  assert.ok(await ended(other.serverPid));
  assert.equal(await setting(server, 'fsync'), 'on');
});

test('killed while the very first folder is being made, the next start makes another beside what still goes on', async (context) => {
  const directory = folder(context);
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], { stdio: 'ignore' });
  const begun = (): boolean =>
    readdirSync(directory).some(
      (name) => name.startsWith('data.new') && existsSync(join(directory, name, 'PG_VERSION')),
    );
  for (let waitedMs = 0; !begun() && waitedMs < 15_000; waitedMs += 2) await sleep(2);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  assert.ok(begun() && !existsSync(join(directory, 'data')), 'it was killed too late');
  await using server = await startEmbedded({ directory, unsynced: true });
  assert.equal(await setting(server, 'fsync'), 'on');
});

test('a pid file left by a killed server does not stop the next, even when the pid is somebody else by now', async (context) => {
  const directory = folder(context);
  const first = await startEmbedded({ directory, unsynced: true });
  process.kill(first.pid, 'SIGKILL');
  await first.ended;
  await first.stop();
  const pidFile = join(directory, 'data', 'postmaster.pid');
  assert.ok(existsSync(pidFile));
  writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/^[0-9]+/u, String(process.pid)));
  await using server = await startEmbedded({ directory });
  assert.equal(await setting(server, 'fsync'), 'on');
});

test('a damaged folder is one clear sentence', async (context) => {
  const directory = folder(context);
  await (await startEmbedded({ directory, unsynced: true })).stop();
  const spoil = async (file: string, content: string | undefined, message: RegExp): Promise<void> => {
    const path = join(directory, file);
    const before = readFileSync(path);
    if (content === undefined) rmSync(path);
    else writeFileSync(path, content);
    await assert.rejects(
      startEmbedded({ directory }),
      (error: Error & { code?: string }) => error.code === 'database/damaged' && message.test(error.message),
    );
    writeFileSync(path, before, { mode: 0o600 });
  };
  await spoil('data/PG_VERSION', undefined, /PG_VERSION is missing/u);
  await spoil('data/PG_VERSION', '15\n', /belongs to PostgreSQL 15/u);
  await spoil('passwords.json', '{}', /passwords/u);
  await spoil('data/global/pg_control', 'nonsense', /does not start \(.*(?:FATAL|PANIC|control)/u);
});

test('the last telling line of a log is found', () => {
  const log =
    '2026-01-01 00:00:00.000 UTC [7] LOG:  starting\n2026-01-01 00:00:00.001 UTC [7] FATAL:  no luck\n2026-01-01 00:00:00.002 UTC [7] LOG:  database system is shut down\n';
  assert.equal(lastLogLine(log), 'FATAL:  no luck');
});

test(
  'as root, a folder that nobody can reach works too',
  { skip: process.getuid?.() !== 0 && 'only root has another account run the server' },
  async (context) => {
    const closed = folder(context, homedir());
    chmodSync(closed, 0o700);
    await using server = await startEmbedded({ directory: join(closed, 'database'), unsynced: true });
    assert.equal(await setting(server, 'fsync'), 'on');
  },
);

test(
  'as root, programs in a folder that nobody can reach may ask whether they may run each other, as initdb does',
  { skip: process.getuid?.() !== 0 && 'only root has another account run the server' },
  (context) => {
    const closed = folder(context, homedir());
    const neighbour = join(closed, 'postgres');
    writeFileSync(neighbour, '#!/bin/sh\n', { mode: 0o755 });
    chmodSync(closed, 0o700);
    const { file, args, identity } = findLauncher([closed]).command('/usr/bin/test', ['-x', neighbour]);
    assert.equal(spawnSync(file, [...args], identity).status, 0);
  },
);
