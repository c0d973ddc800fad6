import { resolve } from 'node:path';
import { buildApprovalPage, serveApprovalPage } from '@bulkhead/approve';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { servePage } from './page-serving.ts';

const directoryDefault = 'approval-page';

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = { build, serve };

/** The page for an installation of one's own: it is built and served where no server of ours runs. */
export async function approvalPage(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined) {
    throw new UsageError('approval-page knows: build, serve. "bulkhead help approval-page" explains them.');
  }
  return run({ ...terminal, words });
}

async function build(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('approval-page', terminal.words, {
    out: { type: 'string' },
    origin: { type: 'string' },
    'relying-party': { type: 'string' },
    deployment: { type: 'string' },
    identity: { type: 'string', multiple: true },
    name: { type: 'string' },
  });
  const origin = needed('approval-page build', 'origin', options.origin);
  if (!URL.canParse(origin)) throw new UsageError('--origin needs an address such as https://approve.example.com.');
  const pins = {
    origin,
    relyingParty: options['relying-party'] ?? new URL(origin).hostname,
    deployment: needed('approval-page build', 'deployment', options.deployment),
    identities: [
      needed('approval-page build', 'identity', options.identity?.[0]),
      ...(options.identity ?? []).slice(1),
    ],
    name: needed('approval-page build', 'name', options.name),
  };
  const directory = resolve(terminal.folder, options.out ?? directoryDefault);
  const files = await withProgress(terminal, 'building', () => buildApprovalPage(directory, pins));
  for (const { name, sha256 } of files) terminal.out(`${sha256}  ${resolve(directory, name)}`);
  return exitCodes.ok;
}

async function serve(terminal: Terminal): Promise<ExitCode> {
  return await servePage(terminal, {
    command: 'approval-page',
    called: 'The approval page',
    directory: directoryDefault,
    serve: serveApprovalPage,
  });
}
