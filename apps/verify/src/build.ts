import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invariant } from '@bulkhead/domain';
import { build } from 'esbuild';
import { pagePolicy } from './page-policy.ts';

/** The one file of the page. */
export type VerifyPage = { readonly name: string; readonly bytes: number; readonly sha256: string };

export const verifyPageName: string = 'verify.html';

/**
 * Builds the page: one file of HTML with script and sheet inside, which works from a disk. It is pinned to no installation and no chain,
 * so that the same source gives the same bytes everywhere, and one SHA-256 speaks for every copy.
 */
export async function buildVerifyPage(outDirectory: string): Promise<VerifyPage> {
  const html = await pageHtml();
  mkdirSync(outDirectory, { recursive: true });
  writeFileSync(join(outDirectory, verifyPageName), html);
  return { name: verifyPageName, bytes: html.length, sha256: createHash('sha256').update(html).digest('hex') };
}

async function pageHtml(): Promise<Buffer> {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['page/main.ts'],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    charset: 'ascii',
    legalComments: 'none',
    minify: true,
    logLevel: 'silent',
  });
  const script = outputFiles[0]?.text.trimEnd() ?? '';
  const sheet = readFileSync(join(import.meta.dirname, 'page', 'verify.css'), 'utf8');
  // A script inside of HTML ends at the first of these, whatever JavaScript thinks.
  invariant(!/<\/script|<!--/iu.test(script) && !/<\/style/iu.test(sheet), 'Script or sheet would end early in HTML.');
  const policy = pagePolicy({ script: hashOf(script), sheet: hashOf(sheet) });
  const html = readFileSync(join(import.meta.dirname, 'page', 'index.html'), 'utf8')
    .replace('{policy}', () => policy)
    .replace('{sheet}', () => sheet)
    .replace('{script}', () => script);
  return Buffer.from(html, 'utf8');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}
