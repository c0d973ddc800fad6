import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { buildApprovalPage, serveApprovalPage } from '@bulkhead/approve';
import { CustodyError } from '@bulkhead/domain';
import { pageOrderForm } from './page-order.ts';

/**
 * The approval page of an installation for development: builds it for one origin of this machine and serves it, in a process that
 * knows neither API nor database. It ends with the pipe to whoever started it.
 */
async function serve(lines: Interface): Promise<void> {
  const line = await new Promise<string>((resolve) => lines.once('line', resolve));
  const content: unknown = JSON.parse(line);
  const { directory, name, host, pins, ...order } = pageOrderForm.parse(content);
  // The origin is part of the page, so the port is known before it is built.
  const port = order.port === 0 ? await freePort(host) : order.port;
  const origin = `http://localhost:${port}`;
  await buildApprovalPage(directory, { ...pins, name, origin, relyingParty: 'localhost' });
  const server = await serveApprovalPage({ directory, host, port });
  lines.once('close', () => void server.close());
  process.stdout.write(`${JSON.stringify({ origin })}\n`);
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

// Ctrl-C at a terminal reaches every process of it; this one ends when the server has.
process.on('SIGINT', () => undefined);
try {
  await serve(createInterface({ input: process.stdin }));
} catch (error) {
  if (!(error instanceof CustodyError)) throw error;
  process.stdout.write(`${JSON.stringify({ failed: { code: error.code, message: error.message } })}\n`);
  process.stdin.destroy();
  process.exitCode = 1;
}
