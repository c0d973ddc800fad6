import { resolve } from 'node:path';
import { buildVerifyPage, serveVerifyPage } from '@bulkhead/verify';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { servePage } from './page-serving.ts';

const directoryDefault = 'verify-page';

/** The page on which people check by themselves what they were given. It is the same for every installation. */
export async function verifyPage(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  if (action === 'build') return await build({ ...terminal, words });
  if (action !== 'serve') {
    throw new UsageError('verify-page knows: build, serve. "bulkhead help verify-page" explains them.');
  }
  return await servePage(
    { ...terminal, words },
    {
      command: 'verify-page',
      called: 'The verification page',
      directory: directoryDefault,
      serve: serveVerifyPage,
    },
  );
}

async function build(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('verify-page', terminal.words, { out: { type: 'string' } });
  const directory = resolve(terminal.folder, options.out ?? directoryDefault);
  const { name, sha256 } = await withProgress(terminal, 'building', () => buildVerifyPage(directory));
  terminal.out(`${sha256}  ${resolve(directory, name)}`);
  return exitCodes.ok;
}
