/**
 * The process behind the tests: one database server for all test processes of a checkout. It is started by the first test
 * that needs it, counts the test processes by their open connections to its socket, and ends with the last one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from './embedded.ts';
import { takeGuard } from './guard.ts';

/** How long the server waits for the next test file of the same run. */
const lingerMs = 2_000;

const name = process.argv[2] ?? '';
const guard = await takeGuard(name);
if (guard !== undefined) {
  guard.server.ref();
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-test-postgres-'));
  const starting = startEmbedded({
    directory,
    unsynced: true,
    settings: {
      fsync: 'off',
      full_page_writes: 'off',
      shared_buffers: '128MB',
      max_connections: '400',
      max_wal_size: '64MB',
      autovacuum: 'off',
    },
  });
  let users = 0;
  let ended = false;
  const end = async (): Promise<void> => {
    if (users > 0 || ended) return;
    ended = true;
    guard.server.close();
    try {
      await (await starting).stop();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  const endSoon = (): void => {
    setTimeout(() => {
      end().catch(() => process.kill(process.pid, 'SIGTERM'));
    }, lingerMs);
  };
  guard.server.on('connection', (socket) => {
    users += 1;
    socket.on('error', () => undefined);
    socket.resume();
    socket.once('close', () => {
      users -= 1;
      if (users === 0) endSoon();
    });
    starting.then(
      (server) =>
        socket.write(
          `${JSON.stringify({ adminUrl: server.adminUrl, owner: server.access.owner.url, app: server.access.app.url })}\n`,
        ),
      (error: unknown) =>
        socket.end(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`),
    );
  });
  // Not before it has started: making the data blocks this process, and after that a timer that is over comes before the users who
  // knocked meanwhile. On a machine that needs longer for it than the server lingers, nobody would ever be let in.
  starting.then(endSoon, endSoon);
}
