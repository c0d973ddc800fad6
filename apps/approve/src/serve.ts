import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { pagePolicy } from './page-policy.ts';

/** Files of the page by the path they are asked for. Nothing else is ever answered. */
const files: ReadonlyMap<string, { readonly name: string; readonly type: string }> = new Map([
  ['/', { name: 'index.html', type: 'text/html; charset=utf-8' }],
  ['/approve.css', { name: 'approve.css', type: 'text/css; charset=utf-8' }],
  ['/approve.js', { name: 'approve.js', type: 'text/javascript; charset=utf-8' }],
]);

const headers: Readonly<Record<string, string>> = {
  'content-security-policy': `${pagePolicy}; frame-ancestors 'none'`,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'camera=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // A new version counts at once; the browser asks each time.
  'cache-control': 'no-cache',
};

/** Most time for one request and for its headers, and most connections at once: it serves three files to a few people. */
export const pageRequestMsMax: number = 10_000;
export const pageConnectionsMax: number = 64;

export type ApprovalPageServer = {
  readonly port: number;
  close(): Promise<void>;
};

export type ServeOptions = {
  /** Where `buildApprovalPage` wrote the page. */
  readonly directory: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
};

/**
 * Serves the page, and nothing else. It reads the files once and knows no other: it has no connection to the API, and what people
 * approve stands in fragments, which never reach a server. In production a proxy with TLS stands before it, or serves the three
 * files itself with the same headers.
 *
 * @throws CustodyError `platform/folder-unreachable` when the page was not built, `platform/port-taken`
 */
export async function serveApprovalPage({ directory, host, port }: ServeOptions): Promise<ApprovalPageServer> {
  const bodies = new Map([...files].map(([path, { name, type }]) => [path, { type, body: bodyOf(directory, name) }]));
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const known = bodies.get(request.url ?? '');
    const asked = request.method === 'GET' || request.method === 'HEAD';
    const status = known === undefined ? 404 : asked ? 200 : 405;
    const type = status === 200 ? (known?.type ?? '') : 'text/plain; charset=utf-8';
    const body =
      status === 200 ? (known?.body ?? '') : `${status === 404 ? 'Nothing is here.' : 'GET is all there is.'}\n`;
    response.writeHead(status, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.requestTimeout = pageRequestMsMax;
  server.headersTimeout = pageRequestMsMax;
  server.maxConnections = pageConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const code = 'code' in cause ? String(cause.code) : '';
      const fact =
        code === 'EADDRINUSE'
          ? 'another program does. Stop that program, or choose another port'
          : `the system says ${code}. Choose an address of this machine and a port that this user may open`;
      const message = `The approval page cannot listen on ${host}:${port}: ${fact}.`;
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

function bodyOf(directory: string, name: string): Buffer {
  try {
    return readFileSync(join(directory, name));
  } catch (cause) {
    throw new CustodyError(
      'platform/folder-unreachable',
      `The approval page is not whole: ${join(directory, name)} cannot be read. Build it with "bulkhead approval-page build".`,
      { cause },
    );
  }
}
