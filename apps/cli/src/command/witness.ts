import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import {
  newKeyPem,
  type NoteSigner,
  softwareSigner,
  WitnessDesk,
  type WitnessEvent,
  witnessServer,
} from '@bulkhead/log';
import { formatVerifierKey, parseVerifierKey } from '@bulkhead/tlog';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = { 'new-key': newKey, serve };

/** Somebody outside, who keeps a log from being rewound. It needs no configuration and no database. */
export async function witness(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined) {
    throw new UsageError('witness knows: new-key, serve. "bulkhead help witness" explains them.');
  }
  return run({ ...terminal, words });
}

async function newKey(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('witness', terminal.words, { name: { type: 'string' }, out: { type: 'string' } });
  const name = needed('witness new-key', 'name', options.name);
  const path = resolve(terminal.folder, needed('witness new-key', 'out', options.out));
  const pem = newKeyPem();
  const { key } = softwareSigner(pem, name, 'cosignature');
  try {
    await writeFile(path, pem, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new CustodyError('key/file-access', `${path} cannot be written; an existing file is not replaced.`, {
      cause,
    });
  }
  terminal.out(formatVerifierKey(key));
  return exitCodes.ok;
}

async function signerOf(path: string, name: string): Promise<NoteSigner> {
  let pem: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new CustodyError('key/file-access', `${path} may be used by others than its owner. Run chmod 600 on it.`);
    }
    pem = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof CustodyError) throw cause;
    throw new CustodyError('key/file-access', `${path} cannot be read.`, { cause });
  }
  return softwareSigner(pem, name, 'cosignature');
}

function portOf(text: string): number {
  const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new UsageError('--port needs a number from 0 to 65535; 0 takes a free one.');
  return port;
}

async function serve(terminal: Terminal): Promise<ExitCode> {
  const command = 'witness serve';
  const options = readOptions('witness', terminal.words, {
    log: { type: 'string' },
    key: { type: 'string' },
    name: { type: 'string' },
    state: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' },
    new: { type: 'boolean' },
  });
  const port = portOf(needed(command, 'port', options.port));
  const log = parseVerifierKey(needed(command, 'log', options.log));
  const name = needed(command, 'name', options.name);
  const signer = await signerOf(resolve(terminal.folder, needed(command, 'key', options.key)), name);
  const stateFile = resolve(terminal.folder, needed(command, 'state', options.state));
  const order = {
    log,
    signer,
    stateFile,
    now: () => new Date(),
    onEvent: (event: WitnessEvent) => tell(terminal, event),
  };
  const desk = await WitnessDesk.open(order, options.new === true);
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const stop = (): void => ask();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    const server = witnessServer(desk);
    const host = options.host ?? '127.0.0.1';
    await new Promise<void>((listening, failed) => {
      server.once('error', (cause) => {
        failed(new CustodyError('platform/port-taken', `The witness cannot listen on ${host}:${port}.`, { cause }));
      });
      server.listen(port, host, () => listening());
    });
    const address = server.address();
    const taken = typeof address === 'object' && address !== null ? address.port : port;
    terminal.out(`The witness ${formatVerifierKey(signer.key)} of ${log.name} stands at ${desk.size} leaves.`);
    terminal.out(`It listens on http://${host}:${taken}. Ctrl-C stops it.`);
    await asked;
    server.closeAllConnections();
    await new Promise((closed) => {
      server.close(closed);
    });
    return exitCodes.ok;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function tell(terminal: Terminal, event: WitnessEvent): void {
  if (event.type === 'refused') terminal.err(`${new Date().toISOString()} refused (${event.status}): ${event.reason}`);
}
