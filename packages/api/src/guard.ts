import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { CustodyError } from '@bulkhead/domain';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** What a browser that reaches this server by accident or by malice must not do with an answer. */
const headers: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Names the request in its answer and sets what every answer carries. */
export function setHeaders(reply: FastifyReply, requestId: string): void {
  reply.headers({ ...headers, 'request-id': requestId });
}

/** Whether a Host header names this machine from inside: `localhost`, 127.0.0.0/8 or ::1, with any port. */
export function isLoopbackHost(host: string): boolean {
  const name = hostName(host);
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

function hostName(host: string): string {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?$/u.exec(host.toLowerCase());
  return match?.[1] ?? match?.[2] ?? '';
}

/**
 * Guards every request before anything is read of it: names it, sets the headers of the answer, and refuses Host headers that
 * are neither loopback nor configured. The last one stops DNS rebinding, by which a page in a browser on this machine would
 * reach the server under the name of its own site.
 */
export function guardEveryRequest(app: FastifyInstance, hosts: readonly string[]): void {
  const known = new Set(hosts.map((host) => host.toLowerCase()));
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(reply, request.id);
    const host = request.headers.host ?? '';
    if (isLoopbackHost(host) || known.has(hostName(host))) return;
    throw new CustodyError(
      'request/unknown-host',
      'The Host header names neither this machine nor a configured host. Call it by its own name, or add the name to the configuration.',
    );
  });
}

/**
 * While the server closes, every answer ends its connection, and connections that never asked for anything are cut. The first
 * would otherwise be kept for a next request that nobody will answer, the second are not idle in the eyes of node: both would
 * hold the close up until they time out.
 */
export function endConnectionsOnClose(app: FastifyInstance): void {
  let closing = false;
  const silent = new Set<Socket>();
  app.server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.addHook('onRequest', async (request) => {
    silent.delete(request.raw.socket);
  });
  app.addHook('preClose', async () => {
    closing = true;
    for (const socket of silent) socket.destroy();
  });
  app.addHook('onSend', async (_request, reply, payload) => {
    if (closing) reply.header('connection', 'close');
    return payload;
  });
}

/** How many operations are running. */
export type Load = { inFlight: number };

/**
 * Runs `work` unless `inFlightMax` others are running. The place is given back when the work ends and not when its caller goes
 * away or loses patience: otherwise a caller could start work without end.
 *
 * @throws CustodyError `request/too-many`
 */
export async function withinLoad<Result>(
  load: Load,
  inFlightMax: number,
  work: () => Promise<Result>,
): Promise<Result> {
  if (load.inFlight >= inFlightMax) {
    throw new CustodyError(
      'request/too-many',
      `${inFlightMax} requests are being answered already. Ask again in a second.`,
    );
  }
  load.inFlight += 1;
  try {
    return await work();
  } finally {
    load.inFlight -= 1;
  }
}

/**
 * Waits at most `timeMsMax` for work that goes on all the same. The framework's own limit ends with the body of a request, so
 * it would not hold for writes.
 *
 * @throws CustodyError `request/timed-out`
 */
export async function withinTime<Result>(timeMsMax: number, work: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new CustodyError(
        'request/timed-out',
        `The answer did not come within ${timeMsMax} ms. Ask again; a write with the same Idempotency-Key happens once.`,
      ),
    );
  }, timeMsMax);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
