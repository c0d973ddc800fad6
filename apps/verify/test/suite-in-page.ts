import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { Browser } from 'playwright-core';
import { type RemoteModules, remoteModules } from './remote-modules.ts';

/** A test as a page ran it. */
export type PageTest = {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
  readonly error: string | undefined;
};

const root = join(import.meta.dirname, '..', '..', '..');
const inPage = join(import.meta.dirname, 'page');
/** Modules of Node that have a stand-in in the page; all others stay in this process, and the page calls them. */
const standIns: ReadonlyMap<string, string> = new Map([
  ['node:test', join(inPage, 'harness.ts')],
  ['node:assert/strict', join(inPage, 'assertion.ts')],
]);

/**
 * Runs test files of the repository in a page: the same bodies, with the code under test compiled for a browser. What needs Node
 * (a chain to ask, a file of vectors) stays in this process.
 */
export async function runInPage(browser: Browser, files: readonly string[]): Promise<readonly PageTest[]> {
  const remote = remoteModules();
  const script = await bundle(files, remote);
  const server = createServer((request, response) => {
    const send = (type: string, body: string): void => {
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
      response.end(body);
    };
    answer(request, { remote, script }).then(
      ([type, body]) => send(type, body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  const page = await browser.newPage();
  try {
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve());
    });
    const address = server.address();
    await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`);
    await page.waitForFunction('globalThis.suiteResults !== undefined', undefined, { timeout: 120_000 });
    const results: readonly PageTest[] = await page.evaluate('globalThis.suiteResults');
    return results;
  } finally {
    await page.close();
    server.closeAllConnections();
    server.close();
  }
}

async function answer(
  request: IncomingMessage,
  of: { readonly remote: RemoteModules; readonly script: string },
): Promise<readonly [type: string, body: string]> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
  if (request.url === '/call') return ['application/json', of.remote.call(body)];
  if (request.url === '/settle') return ['application/json', await of.remote.settle(body)];
  if (request.url === '/suite.js') return ['text/javascript', of.script];
  return ['text/html', '<!doctype html><title>Suite</title><script type="module" src="/suite.js"></script>'];
}

async function bundle(files: readonly string[], remote: RemoteModules): Promise<string> {
  const runs = files.map((file) => {
    const path = JSON.stringify(join(root, file));
    return `...await runFile(${JSON.stringify(file)}, () => import(${path}))`;
  });
  const { outputFiles } = await build({
    stdin: {
      contents: `import { runFile } from './harness.ts';\nglobalThis.suiteResults = [${runs.join(',\n')}];`,
      resolveDir: inPage,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    logLevel: 'silent',
    define: { 'process.env': '{}' },
    plugins: [besideThePage(remote)],
  });
  return outputFiles[0]?.text ?? '';
}

/** Puts stand-ins in the place of the test runner, and calls in the place of what needs Node. */
function besideThePage(remote: RemoteModules): Plugin {
  return {
    name: 'beside-the-page',
    setup(builder) {
      builder.onResolve({ filter: /^node:|^esbuild$/ }, ({ path }) => {
        const standIn = standIns.get(path);
        return standIn === undefined ? { path, namespace: 'remote' } : { path: standIn };
      });
      // Other packages' side doors for tests start chains, and contracts are read from files.
      builder.onResolve({ filter: /^@bulkhead\/(?:contracts|.*\/testing)$/ }, ({ path, importer }) => ({
        path: createRequire(importer).resolve(path),
        namespace: 'remote',
      }));
      // A test asks where it stands to read a file, and that is read in this process.
      builder.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const contents = text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
        return { contents, loader: 'ts' };
      });
      builder.onLoad({ filter: /.*/, namespace: 'remote' }, async ({ path }) => {
        const module: Readonly<Record<string, unknown>> = await import(
          path.startsWith('/') ? pathToFileURL(path).href : path
        );
        const names = Object.keys(module).filter((name) => name !== 'default' && name !== 'module.exports');
        const exports = names.map((name) => `export const ${name} = module.${name};`);
        const opened = `const module = remoteModule(${JSON.stringify(remote.exports(module))});`;
        const contents = `import { remoteModule } from './remote.ts';\n${opened}\n${exports.join('\n')}`;
        return { contents, resolveDir: inPage, loader: 'ts' };
      });
    },
  };
}
