import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CustodyError, faultCodes } from '@bulkhead/domain';
import { z } from 'zod';
import type { Tell } from '../part.ts';
import type { PageOrder } from './page-order.ts';

/** Passkeys work on localhost without certificates, and nobody else on the network reaches it. */
export const pageHost = '127.0.0.1';

/** The page is built in a second; a slow machine gets more. */
const readyMsMax = 60_000;

const program = fileURLToPath(new URL('page-process.ts', import.meta.url));

const answerForm = z.union([
  z.strictObject({ origin: z.string() }),
  z.strictObject({ failed: z.strictObject({ code: z.enum(faultCodes), message: z.string() }) }),
]);

/** The port that is configured, or the one above that of the API; where the API takes a free one, so does the page. */
export function pagePort({ port }: { readonly port: number | undefined }, apiPort: number): number {
  if (port !== undefined) return port;
  return apiPort === 0 || apiPort === 65_535 ? 0 : apiPort + 1;
}

export type DevelopmentPage = AsyncDisposable & { readonly origin: string };

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Builds the approval page for the signer for development and serves it: another process and another origin than the API, which
 * could otherwise show people what it likes.
 *
 * @throws CustodyError `platform/port-taken`, `platform/folder-unreachable`
 */
export async function serveDevelopmentPage(order: Omit<PageOrder, 'host'>, tell: Tell): Promise<DevelopmentPage> {
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  const gone = once(child, 'close');
  const wanted: PageOrder = { ...order, host: pageHost };
  child.stdin.on('error', () => undefined).write(`${JSON.stringify(wanted)}\n`);
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    child.stdin.end();
    await gone;
  };
  let origin: string;
  try {
    origin = await originOf(child);
  } catch (error) {
    child.kill();
    await stop();
    throw error;
  }
  tell({ part: 'approval-page', what: `Approval page, for development: separate process ${child.pid}`, where: origin });
  child.once('exit', () => {
    if (stopping) return;
    const what =
      'WARNING: the approval page has ended; the next start brings it back, and "bulkhead approve" works meanwhile';
    tell({ part: 'approval-page', what, where: origin });
  });
  return { origin, [Symbol.asyncDispose]: stop };
}

async function originOf(child: Child): Promise<string> {
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string>((resolve) => {
    const timer = setTimeout(() => resolve(''), readyMsMax);
    lines.once('line', resolve);
    lines.once('close', () => resolve(''));
    lines.once('close', () => clearTimeout(timer));
    lines.once('line', () => clearTimeout(timer));
  });
  const answer = answerForm.safeParse(parsedJson(line)).data;
  if (answer !== undefined && 'origin' in answer) return answer.origin;
  const { code, message } = answer?.failed ?? {
    code: 'platform/folder-unreachable' as const,
    message: `The approval page cannot be served. It said: ${complaint.slice(-500)}`,
  };
  throw new CustodyError(code, message);
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
