import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { verifyPageName } from './build.ts';

const headers: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  // What the page may do stands in the file; that nobody may put it into a frame only a header can say.
  'content-security-policy': "frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
};

/** Most time for one request and for its headers, and most connections at once: it serves one file. */
export const verifyRequestMsMax: number = 10_000;
export const verifyConnectionsMax: number = 64;

export type VerifyPageServer = { readonly port: number; close(): Promise<void> };

/**
 * Serves the page that `buildVerifyPage` wrote, and nothing else. Whoever distrusts this server opens the file from a disk.
 *
 * @param options a port of 0 takes a free one
 * @throws CustodyError `platform/folder-unreachable` when the page was not built, `platform/port-taken`
 */
export async function serveVerifyPage(options: {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
}): Promise<VerifyPageServer> {
  const { host, port } = options;
  const body = pageIn(options.directory);
  const server = createServer(({ url, method }: IncomingMessage, response: ServerResponse) => {
    const status =
      url !== '/' && url !== `/${verifyPageName}` ? 404 : method === 'GET' || method === 'HEAD' ? 200 : 405;
    const answer = status === 200 ? body : `${status === 404 ? 'Nothing is here.' : 'GET is all there is.'}\n`;
    const type = status === 200 ? {} : { 'content-type': 'text/plain; charset=utf-8' };
    response.writeHead(status, { ...headers, ...type, 'content-length': Buffer.byteLength(answer) });
    response.end(method === 'HEAD' ? undefined : answer);
  });
  server.requestTimeout = verifyRequestMsMax;
  server.headersTimeout = verifyRequestMsMax;
  server.maxConnections = verifyConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const code = 'code' in cause ? String(cause.code) : '';
      const fact =
        code === 'EADDRINUSE'
          ? 'another program does. Stop that program, or choose another port'
          : `the system says ${code}. Choose an address of this machine and a port that this user may open`;
      const message = `The verification page cannot listen on ${host}:${port}: ${fact}.`;
      reject(new CustodyError('platform/port-taken', message, { cause }));
    });
    server.listen(port, host, () => resolve());
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pageIn(directory: string): Buffer {
  const path = join(directory, verifyPageName);
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = `There is no verification page at ${path}. Build it with "bulkhead verify-page build".`;
    throw new CustodyError('platform/folder-unreachable', message, { cause });
  }
}
