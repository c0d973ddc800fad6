import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { CustodyError } from '@bulkhead/domain';
import { keyDigest } from '@bulkhead/signer-client';
import { type Load, serveConnection, type Serving } from './connection.ts';
import { openLibc } from './libc.ts';
import type { ListenLimits } from './limits.ts';
import type { Log } from './log.ts';
import type { Served } from './dispatch.ts';

export type UnixListening = {
  readonly path: string;
  /** 0600, or 0660 where the server is another user of the socket's group. */
  readonly mode: number;
  /** Users whose processes may connect; asked of the kernel. */
  readonly users: readonly number[];
};

export type TlsListening = {
  readonly host: string;
  readonly port: number;
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The one authority of client certificates. */
  readonly authority: Buffer;
  /** The clients that may connect, by {@link keyDigest} of their certificates. */
  readonly clientKeys: readonly string[];
};

export type Listening = {
  readonly unix?: UnixListening;
  readonly tls?: TlsListening;
  readonly signer: Served;
  readonly limits: ListenLimits;
  readonly log: Log;
};

export type Listener = {
  /** The port of mutual TLS, also where the configuration left it to the system with 0. */
  readonly tlsPort: number | undefined;
  /** No new requests; waits for those at hand, at most so long. Then all connections end. */
  stop(waitMs: number): Promise<void>;
};

/** How long a TLS handshake may take. */
const handshakeMsMax = 5_000;
/** Connections that wait to be accepted. */
const backlogMax = 64;

/**
 * Listens where it is told and answers.
 *
 * @throws CustodyError `signer/hardening` for a folder that others may write, `signer/other-signer-active` for a socket in use
 */
export async function listen({ unix, tls, signer, limits, log }: Listening): Promise<Listener> {
  const load: Load = { outstanding: 0, heldBytes: 0 };
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  let ending = false;
  const serving: Serving = { signer, limits, load, log, ending: () => ending };
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setNoDelay(true);
    serveConnection(socket, serving);
  };
  if (unix !== undefined) servers.push(await listenUnix(unix, { serve, limits, log }));
  const tlsServer = tls === undefined ? undefined : await listenTls(tls, { serve, limits, log });
  if (tlsServer !== undefined) servers.push(tlsServer);
  for (const server of servers) countDrops(server, log);
  const bound = tlsServer?.address();
  return {
    tlsPort: typeof bound === 'object' ? bound?.port : undefined,
    async stop(waitMs) {
      ending = true;
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
      const until = performance.now() + waitMs;
      while (load.outstanding > 0 && performance.now() < until) await pause(10);
      // What was answered last is still on its way; what is not taken soon is repeated by the client.
      for (const socket of sockets) socket.end();
      const taken = performance.now() + 500;
      while (sockets.size > 0 && performance.now() < taken) await pause(10);
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

type Reception = { readonly serve: (socket: Socket) => void; readonly limits: ListenLimits; readonly log: Log };

async function listenUnix({ path, mode, users }: UnixListening, { serve, limits, log }: Reception): Promise<Server> {
  prepareFolder(dirname(path));
  await removeStale(path);
  const server = createServer((socket) => {
    const user = peerUser(socket);
    if (user === undefined || !users.includes(user)) {
      log('warning', 'user-refused', { user: user ?? 'unknown' });
      socket.destroy();
      return;
    }
    serve(socket);
  });
  server.maxConnections = limits.connectionsMax;
  // Nobody else can connect between the creation of the socket and its mode: it is born without rights for others.
  const before = process.umask(0o177);
  try {
    await started(server, { path, backlog: backlogMax });
  } finally {
    process.umask(before);
  }
  chmodSync(path, mode);
  return server;
}

/** Whoever may write the folder can put another socket in the place of ours. */
function prepareFolder(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o700 });
  const { mode, uid } = lstatSync(folder);
  const own = process.getuid?.();
  if ((mode & 0o022) === 0 && (uid === own || uid === 0)) return;
  throw new CustodyError(
    'signer/hardening',
    `The signer does not listen in ${folder}: others than its user ${own} may write there. Give it a folder of its own, mode 0700 or 0750.`,
  );
}

/** A signer that was killed leaves its socket behind. One that answers is alive, and two of them must not be. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const alive = found.isSocket() && (await answers(path));
  if (!alive && found.isSocket()) {
    unlinkSync(path);
    return;
  }
  throw new CustodyError(
    'signer/other-signer-active',
    alive
      ? `Another process listens at ${path}. Stop it first: one key has one signer.`
      : `${path} is there and is no socket. Move it away, or choose another path.`,
  );
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** On Linux the kernel says who connected. Elsewhere the modes of folder and socket alone decide. */
function peerUser(socket: Socket): number | undefined {
  if (process.platform !== 'linux') return process.getuid?.();
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, 'fd');
  return typeof descriptor === 'number' && descriptor >= 0 ? openLibc().peerUser(descriptor) : undefined;
}

async function listenTls(tls: TlsListening, { serve, limits, log }: Reception): Promise<Server> {
  const { host, port, certificate, key, authority, clientKeys } = tls;
  const server = createTlsServer(
    {
      cert: certificate,
      key,
      ca: authority,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeMsMax,
    },
    (socket) => {
      // The authority may have signed for others, too, or be made to. Who may ask is said by the configuration.
      const client = keyDigest(socket.getPeerX509Certificate());
      if (client === undefined || !clientKeys.includes(client)) {
        log('warning', 'client-refused', { key: client ?? 'none' });
        socket.destroy();
        return;
      }
      serve(socket);
    },
  );
  // Until the handshake ends a socket is none of ours: its errors arrive here.
  server.on('tlsClientError', (error) => {
    log('warning', 'handshake-refused', { reason: error.message });
  });
  server.maxConnections = limits.connectionsMax;
  await started(server, { host, port, backlog: backlogMax });
  return server;
}

function started(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** A thousand refused connections are one line a second. */
function countDrops(server: Server, log: Log): void {
  let dropped = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  server.on('drop', () => {
    dropped += 1;
    if (performance.now() - saidAt < 1_000) return;
    log('warning', 'connections-dropped', { count: dropped });
    dropped = 0;
    saidAt = performance.now();
  });
}
