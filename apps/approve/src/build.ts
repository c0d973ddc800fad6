import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { build } from 'esbuild';
import type { PagePins } from './page-pins.ts';
import { pagePolicy } from './page-policy.ts';

/** A file of the built page. */
export type PageFile = { readonly name: string; readonly bytes: number; readonly sha256: string };

/** Characters of the name of an installation. */
export const installationNameCharactersMax: number = 64;

/**
 * Builds the page: one HTML, one script, one sheet. What it is pinned to (installation, identity keys, origin) is part of the script,
 * and the HTML names script and sheet by their hashes, so that the SHA-256 of `index.html` stands for the whole. The same source and
 * the same pins give the same bytes.
 *
 * @throws CustodyError `config/invalid` for pins that cannot be meant
 */
export async function buildApprovalPage(outDirectory: string, pins: PagePins): Promise<readonly PageFile[]> {
  assertPins(pins);
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['page/main.ts'],
    outfile: 'approve.js',
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    charset: 'ascii',
    legalComments: 'none',
    minify: true,
    logLevel: 'silent',
    define: { approvalPagePins: JSON.stringify(canonicalPins(pins)) },
  });
  const script = Buffer.from(outputFiles[0]?.contents ?? []);
  const sheet = readFileSync(join(import.meta.dirname, 'page', 'approve.css'));
  const html = readFileSync(join(import.meta.dirname, 'page', 'index.html'), 'utf8')
    .replace('{policy}', () => pagePolicy)
    .replace('{script-integrity}', () => integrityOf(script))
    .replace('{sheet-integrity}', () => integrityOf(sheet));
  const files: readonly (readonly [string, Buffer])[] = [
    ['index.html', Buffer.from(html, 'utf8')],
    ['approve.js', script],
    ['approve.css', sheet],
  ];
  mkdirSync(outDirectory, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(outDirectory, name), bytes);
  return files.map(([name, bytes]) => ({
    name,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
}

/** One order of the fields, whatever order they came in. */
function canonicalPins({ deployment, identities, name, origin, relyingParty }: PagePins): PagePins {
  return { deployment, identities, name, origin, relyingParty };
}

function integrityOf(bytes: Buffer): string {
  return `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
}

function assertPins({ deployment, identities, name, origin, relyingParty }: PagePins): void {
  if (!/^[0-9a-f]{32}$/u.test(deployment)) {
    throw invalid(`"${deployment.slice(0, 60)}" is no deployment: 32 hex digits.`);
  }
  const wrong = identities.find((identity) => !/^[0-9a-f]{64}$/u.test(identity));
  if (wrong !== undefined || identities.length === 0) {
    throw invalid(`"${(wrong ?? '').slice(0, 90)}" is no identity key: 64 hex digits, and one at least.`);
  }
  if (name.trim() === '' || name.length > installationNameCharactersMax) {
    throw invalid(`The name of the installation has 1 to ${installationNameCharactersMax} characters.`);
  }
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url === undefined || url.origin !== origin) {
    throw invalid(`"${origin.slice(0, 120)}" is no origin such as https://host.`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && url.hostname === 'localhost')) {
    throw invalid(`${origin} is not protected: passkeys need https, or http on localhost.`);
  }
  if (url.hostname !== relyingParty && !url.hostname.endsWith(`.${relyingParty}`)) {
    throw invalid(`The origin ${origin} is not below the relying party "${relyingParty.slice(0, 120)}".`);
  }
}

function invalid(message: string): CustodyError {
  return new CustodyError('config/invalid', `The approval page cannot be built: ${message}`);
}
