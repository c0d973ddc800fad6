import { resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

/** A page that can be served. */
export type ServedPage = {
  readonly command: 'approval-page' | 'verify-page';
  /** What people call it, at the beginning of a sentence. */
  readonly called: string;
  /** Where it is without --from. */
  readonly directory: string;
  serve(options: {
    readonly directory: string;
    readonly host: string;
    readonly port: number;
  }): Promise<{ readonly port: number; close(): Promise<void> }>;
};

/** Serves a page that was built before, until somebody ends it. */
export async function servePage(terminal: Terminal, page: ServedPage): Promise<ExitCode> {
  const options = readOptions(page.command, terminal.words, {
    from: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' },
  });
  const text = needed(`${page.command} serve`, 'port', options.port);
  const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new UsageError('--port needs a number from 0 to 65535; 0 takes a free one.');
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const stop = (): void => ask();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    const host = options.host ?? '127.0.0.1';
    const directory = resolve(terminal.folder, options.from ?? page.directory);
    const server = await page.serve({ directory, host, port });
    terminal.out(`${page.called} of ${directory} is served on ${host}:${server.port}. Ctrl-C stops it.`);
    await asked;
    await server.close();
    return exitCodes.ok;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
